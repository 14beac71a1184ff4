// What is asked ↔ the page's address. An ask is
//   { words: string, picture: Blob | null, weight: 0–1, genre: id | null, album: id | null }
// A picture cannot be in an address; its search is kept by history entry, in app.js.

export const blank = { words: "", picture: null, weight: 0.5, genre: null, album: null };

const id = (text) => (/^\d+$/.test(text ?? "") ? Number(text) : null);

export function read(search) {
  const query = new URLSearchParams(search);
  return {
    ...blank,
    words: (query.get("q") ?? "").trim(),
    genre: id(query.get("genre")),
    album: id(query.get("album")),
  };
}

export function write(ask) {
  const query = new URLSearchParams();
  if (ask.album !== null) query.set("album", ask.album);
  else if (ask.words) query.set("q", ask.words);
  if (ask.genre !== null) query.set("genre", ask.genre);
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

/** browse: the catalogue; search: by picture, words or both; album: what is like one album. */
export const kind = (ask) =>
  ask.album !== null ? "album" : ask.picture || ask.words ? "search" : "browse";
