// Four photos and three recordings to try the page with, where what it serves is the invented crate
// that comes with it.
import { t } from "./language.js";

const $ = (id) => document.getElementById(id);

// The embedded artifact; tests/browser/test_samples.py keeps this its id.
export const DEMO = "9ef8130226720f6c";
// The embedded artifact of sound; tests/whole/browser/test_sound.py keeps this its id.
export const DEMO_SOUND = "f5d8c38a455de71c";
const CLIPS = ["clip-1", "clip-2", "clip-3"];
const NAMES = ["sample-1", "sample-2", "sample-3", "sample-4"];

const DOUBLE_TAP_MS = 700;

/** Run `act` once for a double tap: a second tap on it counts when that is through, and a moment after. */
function once(act) {
  let busy = false;
  return async () => {
    if (busy) return;
    busy = true;
    try {
      await act();
    } finally {
      setTimeout(() => (busy = false), DOUBLE_TAP_MS);
    }
  };
}

const home = new URL(".", import.meta.url);

async function fetched(name, type, take) {
  const response = await fetch(new URL(name, home));
  if (response.ok) await take(new File([await response.blob()], name, { type }));
}

/** Show the recordings for the demo's artifact of sound; `take(file)` is given one. */
export function offerSounds(artifact, take) {
  const box = $("clips");
  box.hidden = artifact !== DEMO_SOUND;
  if (box.hidden || box.querySelector("button")) return;
  for (const [place, name] of CLIPS.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "ghost";
    button.dataset.clip = place + 1;
    button.addEventListener("click", once(() => fetched(`${name}.m4a`, "audio/mp4", take)));
    box.querySelector(".strip").append(button);
  }
  nameSounds();
}

/** In the language of now. */
export function nameSounds() {
  for (const button of document.querySelectorAll("[data-clip]"))
    button.textContent = t("sample_sound", { n: Number(button.dataset.clip) });
}

/** Show the photos for the demo's artifact, hide them for any other; `take(blob)` is given one. */
export function offer(artifact, take) {
  const box = $("samples");
  box.hidden = artifact !== DEMO;
  if (box.hidden || box.querySelector("img")) return;
  for (const [place, name] of NAMES.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    const image = Object.assign(new Image(96, 96), { alt: "", src: new URL(`${name}-small.webp`, home).href });
    button.append(image);
    button.setAttribute("aria-label", t("sample", { n: place + 1 }));
    button.addEventListener("click", once(() => fetched(`${name}.webp`, "image/webp", take)));
    box.querySelector(".strip").append(button);
  }
}
