// What is asked ↔ the page's address. An ask is
//   { words: string, picture: Blob | null, weight: 0–1, genre: id | null, album: id | null,
//     finds: boolean, track: id | null, tracks: words of their names | null, clip: Clip | null }
// A picture or a clip cannot be in an address; its search is kept by history entry, in app.js.

// Where the service lies: "/", or what a proxy puts before it. These files are two folders below.
export const base = new URL("../../", import.meta.url).pathname;

/** Of an ask: every view but that of words and a picture. */
export const left = { album: null, finds: false, track: null, tracks: null, clip: null };
export const blank = { words: "", picture: null, weight: 0.5, genre: null, ...left };

// Longer than any, a number would be written as 1e+21.
const id = (text) => (/^\d{1,15}$/.test(text ?? "") ? Number(text) : null);

export function read(search) {
  const query = new URLSearchParams(search);
  return {
    ...blank,
    words: (query.get("q") ?? "").trim(),
    genre: id(query.get("genre")),
    album: id(query.get("album")),
    finds: query.has("finds"),
    track: id(query.get("track")),
    tracks: query.get("tracks"),
  };
}

export function write(ask) {
  const query = new URLSearchParams();
  if (ask.album !== null) query.set("album", ask.album);
  else if (ask.finds) query.set("finds", "");
  else if (ask.track !== null) query.set("track", ask.track);
  else if (ask.tracks !== null) query.set("tracks", ask.tracks);
  else if (ask.words) query.set("q", ask.words);
  if (ask.genre !== null) query.set("genre", ask.genre);
  const text = query.toString();
  return text ? `${base}?${text}` : base;
}

/**
 * browse: the catalogue; search: by picture, words or both; album: what is like one album; finds:
 * what was found here before. Of sound: heard: what a clip is of; track: one, and what is like it;
 * tracks: all, or those called so.
 */
export function kind(ask) {
  if (ask.album !== null) return "album";
  if (ask.finds) return "finds";
  if (ask.clip) return "heard";
  if (ask.track !== null) return "track";
  if (ask.tracks !== null) return "tracks";
  return ask.picture || ask.words ? "search" : "browse";
}

export const ofSound = (ask) => ["heard", "track", "tracks"].includes(kind(ask));
