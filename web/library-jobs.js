// What is sent to the library and how far its job is: by server-sent events, and by asking where
// those do not come through.
import { base } from "./address.js";
import { Trouble, request, sleep } from "./api.js";
import { keyed } from "./key.js";
import { language } from "./language.js";
import { upload } from "./upload.js";

const SECOND = 1000;
const SILENCE = 40 * SECOND; // the service says something every 15 s
const EVERY = 2 * SECOND; // between two questions
const LATER = 15 * SECOND; // where it does not answer
const STREAMS = 2; // of the six connections that browsers have to one host
const BROKEN_MOST = 3; // a proxy that holds events back does so each time

const FINAL = ["done", "failed", "cancelled"];
export const ended = (job) => FINAL.includes(job.state);

let streams = 0;

/** Send a file and what is said about it ({ title, artist }, where given); `tell(part)` hears how
 * much of it (0–1) has left. Throws Trouble or AbortError. */
export function sendFile(file, about, signal, tell) {
  const body = new FormData();
  for (const [name, value] of Object.entries(about)) body.set(name, value);
  body.set("file", file, file.name);
  return upload("/api/v1/upload/file", body, signal, tell);
}

export const sendLink = (url, about, signal) =>
  request("/api/v1/process/submit", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ url, ...about }) }, signal, () => {});

/** `cancel` or `retry` a job → the job. */
export const order = (id, what) => request(`/api/v1/jobs/${id}/${what}`, { method: "POST" }, new AbortController().signal, () => {});

/** A job to its end; `tell(job)` hears each change → the job, null where there is none any more. */
export async function follow(id, signal, tell) {
  for (let broken = 0; ; ) {
    let job = null;
    if (streams < STREAMS && broken < BROKEN_MOST) {
      streams += 1;
      try {
        job = await streamed(id, signal, tell);
      } catch {
        if (signal.aborted) throw new DOMException("", "AbortError");
        broken += 1;
      } finally {
        streams -= 1;
      }
      if (job && ended(job)) return job;
    }
    let pause = EVERY;
    try {
      job = await request(`/api/v1/jobs/${id}`, { cache: "no-store" }, signal, () => {});
      tell(job);
      if (ended(job)) return job;
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      if (error.status === 404) return null;
      pause = LATER;
    }
    await sleep(pause, signal);
  }
}

/** The events of a job, read by fetch: unlike EventSource it says which language is wanted. */
async function streamed(id, signal, tell) {
  const stopper = new AbortController();
  const stop = () => stopper.abort();
  signal.addEventListener("abort", stop, { once: true });
  let clock = setTimeout(stop, SILENCE);
  try {
    const headers = { Accept: "text/event-stream", "Accept-Language": language(), ...keyed() };
    const response = await fetch(`${base}api/v1/jobs/${id}/events`, { headers, cache: "no-store", signal: stopper.signal });
    if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw new Trouble("cut");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let job = null;
    for (let text = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return job;
      clearTimeout(clock);
      clock = setTimeout(stop, SILENCE);
      const events = (text + value).split(/\r?\n\r?\n/);
      text = events.pop();
      for (const data of events.map(dataOf).filter(Boolean)) {
        job = JSON.parse(data);
        tell(job);
      }
    }
  } finally {
    clearTimeout(clock);
    signal.removeEventListener("abort", stop);
    stop();
  }
}

const dataOf = (event) =>
  event
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).trim())
    .join("\n");
