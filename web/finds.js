// The records somebody found here, kept in this browser and nowhere else, newest first.
const KEY = "shazam-visual-finds";
const MOST = 200;

export function all() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((album) => Number.isInteger(album?.album_id)) : [];
  } catch {
    return []; // storage may be forbidden, or hold somebody else's
  }
}

function write(list) {
  try {
    localStorage.setItem(KEY, JSON.stringify(list.slice(0, MOST)));
  } catch {
    // Full or forbidden: the find is still on the screen.
  }
}

/** Keep an album; found once more it comes first again. */
export function keep(album) {
  const { album_id, genre_id, title, artist, genre, year, cover_url } = album;
  const kept = { album_id, genre_id, title, artist, genre, year, cover_url };
  write([kept, ...all().filter((other) => other.album_id !== album_id)]);
}

/** Without the album `id`, or without any. */
export const remove = (id) => write(all().filter((album) => album.album_id !== id));
export const forget = () => write([]);

/** As they were before some were removed. */
export const restore = (list) => write(list);

/** `act()` when another tab found or removed some. */
export const watch = (act) => addEventListener("storage", ({ key }) => (key === KEY || key === null) && act());
