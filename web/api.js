// Requests that outlive an overloaded, sleeping or unreachable service, within bounds.
import { base, kind } from "./address.js";
import { enterKey, keyed } from "./key.js";
import { language } from "./language.js";

const SHOWN = 13; // the best and twelve more
const PAGE = 36;
const NAMES = 6; // albums that are called so, before those that look so

const SECOND = 1000;
const SLOW = 4 * SECOND; // past this a silent service may be starting
const PATIENCE = 90 * SECOND; // the longest wait for a start before saying so
const PROBE = 5 * SECOND;
const BUSY_TRIES = 5;
const BROKEN_TRIES = 3;
const LONGEST_PAUSE = 30; // seconds, whatever Retry-After says

/** The end of a search without an answer. `state`: refused, busy, asleep or cut. */
export class Trouble extends Error {
  constructor(state, message = "", status = 0, code = "", spoken = "") {
    super(message);
    this.code = code;
    this.spoken = spoken; // the language that the message is in
    this.state = state;
    this.status = status;
  }
}

/** With a key all that was refused is there: what the page has begun with, too. */
const startAnew = () => location.reload();

const aborted = () => new DOMException("", "AbortError");

export function sleep(ms, signal) {
  return new Promise((done, fail) => {
    const stop = () => {
      clearTimeout(timer);
      fail(aborted());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      done();
    }, ms);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
}

async function backOnline(signal, tell) {
  tell("offline");
  while (!navigator.onLine) await sleep(SECOND / 2, signal);
}

/** One request that ends by itself; `ticks` hears the time waited, each second. */
async function bounded(path, options, signal, limit, ticks = () => {}) {
  const stopper = new AbortController();
  const stop = () => stopper.abort();
  signal.addEventListener("abort", stop, { once: true });
  const begin = Date.now();
  const clock = setInterval(() => {
    const waited = Date.now() - begin;
    if (waited >= limit) stop();
    else ticks(waited);
  }, SECOND);
  try {
    if (signal.aborted) throw aborted();
    const headers = { "Accept-Language": language(), ...keyed(), ...options.headers };
    const response = await fetch(base + path.slice(1), { ...options, headers, signal: stopper.signal });
    // Read here: a body that never ends must run into the limit too.
    return { response, text: await response.text() };
  } catch (error) {
    if (signal.aborted) throw aborted();
    if (stopper.signal.aborted) throw new Trouble("asleep");
    throw error;
  } finally {
    clearInterval(clock);
    signal.removeEventListener("abort", stop);
  }
}

async function untilReady(signal, tell) {
  const begin = Date.now();
  for (;;) {
    const waited = Date.now() - begin;
    if (waited >= PATIENCE) throw new Trouble("asleep");
    tell("waking", { part: waited / PATIENCE });
    try {
      const { response } = await bounded("/readyz", { cache: "no-store" }, signal, PROBE);
      if (response.ok) return;
    } catch (error) {
      if (signal.aborted) throw error;
      if (!navigator.onLine) return; // the caller's next try says offline
    }
    await sleep(SECOND, signal);
  }
}

async function pause(seconds, signal, tell) {
  for (let left = seconds; left > 0; left -= 1) {
    tell("busy", { left });
    await sleep(SECOND, signal);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a gateway's HTML page, or half an answer
  }
}

/**
 * The JSON of one request. `tell(state, values)` hears what is happening meanwhile: waiting,
 * slow and waking ({part: 0–1}), busy ({left: seconds}), offline. Throws Trouble at the end of
 * patience, and AbortError when `signal` says so.
 */
export async function request(path, options, signal, tell) {
  let busy = 0;
  let broken = 0;
  let unready = 0;
  for (;;) {
    tell("waiting");
    let reply;
    try {
      reply = await bounded(path, options, signal, PATIENCE, (waited) => {
        if (waited >= SLOW) tell("slow", { part: waited / PATIENCE });
      });
    } catch (error) {
      if (signal.aborted || error instanceof Trouble) throw error;
      if (!navigator.onLine) {
        await backOnline(signal, tell);
        continue;
      }
    }
    const body = reply && parsed(reply.text);
    if (reply?.response.ok && body !== null) return body;
    const status = reply?.response.status ?? 0;
    const code = body?.error?.code;
    if (code === "overloaded" || (status === 429 && code !== "quota_exceeded")) {
      busy += 1;
      if (busy > BUSY_TRIES) throw new Trouble("busy");
      const asked = Number(reply.response.headers.get("Retry-After")) || busy;
      await pause(Math.min(Math.max(1, Math.ceil(asked)), LONGEST_PAUSE), signal, tell);
    } else if (code === "not_ready" && unready < BROKEN_TRIES) {
      // It starts, or a part of it does; one that is lost is not waited for long.
      unready += 1;
      await untilReady(signal, tell);
      await sleep(SECOND, signal);
    } else if (code === "unauthorized" && (await enterKey())) {
      startAnew();
    } else if (!code && (!reply || status >= 502 || reply.response.ok)) {
      // Nobody there, a gateway without its service, or an answer cut short.
      broken += 1;
      if (broken > BROKEN_TRIES) throw new Trouble("cut");
      await untilReady(signal, tell);
    } else {
      const spoken = reply?.response.headers.get("Content-Language") ?? "";
      throw new Trouble("refused", body?.error?.message ?? `HTTP ${status}`, status, code, spoken);
    }
  }
}

export const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null));

/** An ask → { kind, albums, total, chosen }: one shape for every view. */
export async function answer(ask, signal, tell, offset = 0) {
  const get = (path, values) => request(`${path}?${query(values)}`, {}, signal, tell);
  const what = kind(ask);
  if (what === "browse") {
    const page = await get("/api/albums", { offset, limit: PAGE, genre_id: ask.genre });
    return { kind: what, albums: page.albums, total: page.total, chosen: null };
  }
  if (what === "album") {
    const at = `/api/albums/${ask.album}`;
    // One after the other: two at once would take turns in saying what is happening.
    const chosen = await request(at, {}, signal, tell);
    const near = await get(`${at}/similar`, { k: SHOWN - 1, genre_id: ask.genre });
    return { kind: what, albums: near.results, total: near.results.length, chosen };
  }
  let near;
  // Words may be a name, with a picture beside them or without.
  const like = query({ q: ask.words, limit: NAMES, genre_id: ask.genre });
  const called = ask.words ? quietly(`/api/albums?${like}`, {}, signal).catch(() => null) : null; // left by then
  if (ask.picture) {
    const body = new FormData();
    body.set("file", ask.picture, ask.picture.name ?? "photo.jpg");
    body.set("k", SHOWN);
    if (ask.genre !== null) body.set("genre_id", ask.genre);
    if (ask.words) {
      body.set("query", ask.words);
      body.set("image_weight", ask.weight);
    }
    const path = ask.words ? "/api/search" : "/api/search-by-image";
    near = await request(path, { method: "POST", body }, signal, tell);
  } else {
    near = await get("/api/search-by-text", { query: ask.words, k: SHOWN, genre_id: ask.genre });
  }
  const names = (await called)?.albums ?? [];
  return { kind: what, albums: near.results, total: near.results.length, chosen: null, names };
}

/** Asked once, without a word of waiting or failing: the JSON, or null where there is none. */
export async function quietly(path, options, signal) {
  try {
    const { response, text } = await bounded(path, options, signal, PATIENCE);
    return response.ok ? parsed(text) : null;
  } catch (error) {
    if (signal.aborted) throw error;
    return null;
  }
}

function photographed(picture) {
  const body = new FormData();
  body.set("file", picture, picture.name ?? "photo.jpg");
  return { method: "POST", body };
}

/** Which album is this a picture of? The service's answer, or null. */
export const identify = (picture, signal) => quietly("/api/identify", photographed(picture), signal);

/** The same of a camera's frame, at one look: the service's answer, or null. */
export const glimpse = (frame, signal) => quietly("/api/identify?quick=true", photographed(frame), signal);

/** The same of every sleeve in it; an empty list where that is not known. */
export async function identifyMany(picture, signal) {
  const found = await quietly("/api/identify?many=true", photographed(picture), signal);
  return found?.answers ?? [];
}

/** What the service says of itself: `links` to elsewhere, and which artifact it answers from. */
export async function about(signal) {
  const reply = await bounded("/", { headers: { Accept: "application/json" } }, signal, PATIENCE).catch(() => null);
  const banner = reply?.response.ok ? parsed(reply.text) : null;
  return { links: banner?.links ?? {}, artifact: reply?.response.headers.get("X-Artifact") ?? "" };
}

/** What the service knows besides covers: `sound`, `library` and `voice` of its health, null where it does
 * not, or is asleep. */
export async function abilities(signal) {
  const { sound = null, library = null, voice = null } = (await quietly("/health", {}, signal)) ?? {};
  return { sound, library, voice };
}

export const genres = (signal) => request("/api/genres", {}, signal, () => {});
