// A form that is sent and says how much of it has left.
import { base } from "./address.js";
import { Trouble } from "./api.js";
import { keyed } from "./key.js";
import { language } from "./language.js";

/** POST `body` (FormData) to `path` → the JSON of its answer; `tell(part)` hears how much of it (0–1)
 * has left. Throws Trouble or AbortError. */
export function upload(path, body, signal, tell) {
  // By XMLHttpRequest: fetch does not say how much of an upload has left.
  const asked = new XMLHttpRequest();
  return new Promise((done, fail) => {
    const stop = () => asked.abort();
    asked.upload.addEventListener("progress", ({ loaded, total }) => tell(total ? loaded / total : 0));
    asked.addEventListener("load", () => {
      const told = parsed(asked.responseText);
      if (asked.status >= 200 && asked.status < 300 && told) return done(told);
      const { code = "", message = `HTTP ${asked.status}` } = told?.error ?? {};
      fail(new Trouble("refused", message, asked.status, code, asked.getResponseHeader("Content-Language") ?? ""));
    });
    asked.addEventListener("error", () => fail(new Trouble("cut")));
    asked.addEventListener("abort", () => fail(new DOMException("", "AbortError")));
    asked.addEventListener("loadend", () => signal.removeEventListener("abort", stop));
    signal.addEventListener("abort", stop, { once: true });
    asked.open("POST", base + path.slice(1));
    const headers = { "Accept-Language": language(), ...keyed() };
    for (const [name, value] of Object.entries(headers)) asked.setRequestHeader(name, value);
    asked.send(body);
  });
}

const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};
