// What is asked ↔ the page's address. An ask is
//   { words: string, picture: Blob | null, weight: 0–1, genre: id | null, album: id | null,
//     finds: boolean, track: id | null, tracks: words of their names | null, clip: Clip | null,
//     library: its filters, written as in an address, "" for none | null,
//     sing: a session's id (and "_2" for the second time it was judged), "" for none yet | null }
// A picture or a clip cannot be in an address; its search is kept by history entry, in app.js.

// Where the service lies: "/", or what a proxy puts before it. These files are two folders below.
export const base = new URL("../../", import.meta.url).pathname;

/** Of an ask: every view but that of words and a picture. */
export const left = { album: null, finds: false, track: null, tracks: null, clip: null, library: null, sing: null };
export const blank = { words: "", picture: null, weight: 0.5, genre: null, ...left };

// Longer than any, a number would be written as 1e+21.
const id = (text) => (/^\d{1,15}$/.test(text ?? "") ? Number(text) : null);

const FILTERS = ["q", "bpm", "key", "status", "creator"];

/** Of an address, the filters of the library. */
function filters(query) {
  const set = FILTERS.filter((name) => query.get(name)).map((name) => [name, query.get(name)]);
  return new URLSearchParams(set).toString();
}

export function read(search) {
  const query = new URLSearchParams(search);
  if (query.has("sing")) return { ...blank, sing: /^[\w-]{0,64}$/.exec(query.get("sing"))?.[0] ?? "" };
  if (query.has("library")) return { ...blank, library: filters(query) };
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
  if (ask.library !== null && ask.library !== undefined) return `${base}?${["library=", ask.library].filter(Boolean).join("&")}`;
  const query = new URLSearchParams();
  if (typeof ask.sing === "string") return `${base}?sing=${ask.sing}`;
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
 * tracks: all, or those called so; library: what was added here; voice: where people sing.
 */
export function kind(ask) {
  if (ask.album !== null) return "album";
  if (ask.finds) return "finds";
  if (ask.library !== null) return "library";
  if (ask.sing !== null) return "voice";
  if (ask.clip) return "heard";
  if (ask.track !== null) return "track";
  if (ask.tracks !== null) return "tracks";
  return ask.picture || ask.words ? "search" : "browse";
}

export const ofSound = (ask) => ["heard", "track", "tracks"].includes(kind(ask));
