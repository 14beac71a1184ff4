// A session of the service: started with a song, followed while the service works, told a take.
import { Trouble, query, quietly, request, sleep } from "./api.js";
import { upload } from "./upload.js";

const SONGS = 6; // before anybody looks for one
const FOUND = 20;
const PAST = 30;
const EVERY = 1000; // ms between two questions
const PATIENTLY = 4000; // where nobody waits for the answer
const LATER = 10_000; // where none came

const never = () => new AbortController().signal;
const fresh = { cache: "no-store" };
const path = (id, what) => `/api/session/${encodeURIComponent(id)}/${what}`;
const post = (body) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
const silent = () => {};

/** Songs that are called so → [track]; without words some of all, those that were sung before them. */
export async function songs(words, signal, tell = silent) {
  const some = request(`/api/search/tracks?${query({ q: words || null, limit: words ? FOUND : SONGS })}`, fresh, signal, tell);
  if (words) return (await some).tracks;
  const recent = (await quietly(`/api/search/recent?limit=${SONGS}`, fresh, signal))?.tracks ?? [];
  const sung = new Set(recent.map((one) => one.track_id));
  return [...recent, ...(await some).tracks.filter((one) => !sung.has(one.track_id))].slice(0, SONGS);
}

/** What was sung before, newest first; an empty list where that is not known. */
export const past = async (signal) => (await quietly(`/api/results/history?limit=${PAST}`, fresh, signal))?.results ?? [];

/** A song ({ track_id }, { url } or { reference: File }, with title, artist and lyrics where known)
 * → its session. `tell(part)` hears how much of a file has left. */
export function start({ reference, ...song }, signal, tell) {
  if (!reference) return request("/api/session/start", post(song), signal, silent);
  return upload("/api/session/start", filled({ ...song, reference }), signal, tell);
}

/** Another place of the song, where the first led to nothing. */
export function instead(id, { reference, url }, signal, tell) {
  const at = path(id, "fallback-source");
  return reference ? upload(at, filled({ reference }), signal, tell) : request(at, post({ url }), signal, silent);
}

function filled(values) {
  const body = new FormData();
  for (const [name, value] of Object.entries(values)) {
    if (value instanceof Blob) body.set(name, value, value.name);
    else body.set(name, value);
  }
  return body;
}

export const status = (id, signal, tell = silent) => request(path(id, "status"), fresh, signal, tell);
/** Of the analysis that is asked for, else of the last one. */
export const results = (id, signal, analysis = null) => request(path(id, analysis === null ? "results" : `results?analysis=${analysis}`), fresh, signal, silent);
export const shiftLyrics = (id, offset_s) => request(path(id, "lyrics-offset"), post({ offset_s }), never(), silent);
/** What can still be heard of it: { user: [part], ref: [part] }. */
export const heard = async (id, signal) => (await quietly(`/api/audio/${encodeURIComponent(id)}/tracks`, fresh, signal)) ?? { user: [], ref: [] };
export const audioAt = (id, whose, part) => `/api/audio/${encodeURIComponent(id)}/${whose}/${part}`;

export function sendTake(id, { blob, name }, signal, tell) {
  const body = new FormData();
  body.set("file", blob, name);
  return upload(path(id, "upload-recording"), body, signal, tell);
}

export const erase = (id) => request(`/api/session/${encodeURIComponent(id)}`, { method: "DELETE" }, never(), silent);
export const analyse = (id, wish = {}) => request(path(id, "analyze"), post(wish), never(), silent);

/** Asked again and again until `signal` ends it; `tell(answer)` hears each, and says how long to wait
 * for the next: "soon", "later" or "" for no more. */
async function ask(question, signal, tell) {
  for (;;) {
    let pause = LATER;
    try {
      const pace = tell(await question());
      if (!pace) return;
      pause = pace === "soon" ? EVERY : PATIENTLY;
    } catch (error) {
      if (!(error instanceof Trouble) || error.status === 404) throw error;
    }
    await sleep(pause, signal);
  }
}

export const followStatus = (id, signal, tell) => ask(() => status(id, signal), signal, tell);
export const followAnalysis = (id, signal, tell) => ask(() => request(path(id, "analysis-status"), fresh, signal, silent), signal, tell);
