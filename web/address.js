// What is asked ↔ the page's address. An ask is
//   { words: string, picture: Blob | null, weight: 0–1, genre: id | null, album: id | null,
//     finds: boolean }
// A picture cannot be in an address; its search is kept by history entry, in app.js.

// Where the service lies: "/", or what a proxy puts before it. These files are two folders below.
export const base = new URL("../../", import.meta.url).pathname;

export const blank = { words: "", picture: null, weight: 0.5, genre: null, album: null, finds: false };

const id = (text) => (/^\d+$/.test(text ?? "") ? Number(text) : null);

export function read(search) {
  const query = new URLSearchParams(search);
  return {
    ...blank,
    words: (query.get("q") ?? "").trim(),
    genre: id(query.get("genre")),
    album: id(query.get("album")),
    finds: query.has("finds"),
  };
}

export function write(ask) {
  const query = new URLSearchParams();
  if (ask.album !== null) query.set("album", ask.album);
  else if (ask.finds) query.set("finds", "");
  else if (ask.words) query.set("q", ask.words);
  if (ask.genre !== null) query.set("genre", ask.genre);
  const text = query.toString();
  return text ? `${base}?${text}` : base;
}

/**
 * browse: the catalogue; search: by picture, words or both; album: what is like one album; finds:
 * what was found here before.
 */
export const kind = (ask) =>
  ask.album !== null ? "album" : ask.finds ? "finds" : ask.picture || ask.words ? "search" : "browse";
