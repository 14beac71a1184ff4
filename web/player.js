// A track that can be heard: a button, its waveform to go to any place of it, the time. One plays
// at once.
import { base } from "./address.js";
import { quietly } from "./api.js";
import { t } from "./language.js";
import { drawing, icon, make } from "./results.js";

const POINTS = 240;
const HEIGHT = 100; // of the drawing, in units of its own
const LEAST = 1.5; // of silence, in the same

let playing = null;

export function pausePlaying() {
  playing?.pause();
  playing = null;
}

/** Seconds → "1:05". */
export const time = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

/** A service's path, behind whatever path it lies; what lies elsewhere as it is. */
const reached = (url) => (url.startsWith("/") && !url.startsWith(base) ? base + url.slice(1) : url);

/**
 * A track that begins where a clip of it was recognised: `heard` is its evidence, or null. Nothing
 * of the audio is loaded before it is asked for.
 */
export function player(track, name, heard = null) {
  const end = track.duration_s ?? 0;
  const from = Math.min(Math.max(0, heard?.offset_s ?? 0), end || Infinity);
  const sign = icon("play");
  const button = make("button", { type: "button", className: "round play" }, sign);
  const range = make("input", { type: "range", min: 0, max: end, step: 0.1, value: from, ariaLabel: t("position", { title: name }) });
  const wave = make("div", { className: "wave" }, range);
  const clock = make("p", { className: "clock" });
  const box = make("div", { className: "player" }, button, wave, clock);
  const trouble = make("p", { className: "trouble", role: "alert", hidden: true });
  box.append(trouble);
  const audio = track.audio_url ? new Audio() : null;

  const draw = () => {
    const at = Number(range.value);
    const plays = audio && !audio.paused;
    clock.textContent = `${time(at)} / ${time(end)}`;
    range.setAttribute("aria-valuetext", t("position_is", { time: time(at), end: time(end) }));
    box.style.setProperty("--at", end ? at / end : 0);
    button.ariaLabel = plays ? t("pause") : t("play", { time: time(at) });
    sign.show(plays ? "pause" : "play");
  };
  if (heard && end) {
    box.style.setProperty("--from", from / end);
    box.style.setProperty("--long", Math.min(1 - from / end, heard.clip_s / end));
    wave.prepend(make("span", { className: "clip", ariaHidden: "true" }));
  }
  if (audio) equip(audio, { track, button, range, draw, trouble });
  else {
    button.disabled = range.disabled = true;
    trouble.textContent = t("unshared");
    trouble.hidden = false;
  }
  draw();
  if (track.waveform_url) drawWave(wave, reached(track.waveform_url));
  return box;
}

function equip(audio, { track, button, range, draw, trouble }) {
  audio.preload = "none";
  const fail = () => {
    trouble.textContent = t("unplayable");
    trouble.hidden = false;
    draw();
  };
  const play = async () => {
    trouble.hidden = true;
    if (playing !== audio) pausePlaying();
    playing = audio;
    if (!audio.src) audio.src = reached(track.audio_url);
    audio.currentTime = Number(range.value); // before it is loaded: where it will begin
    try {
      await audio.play();
    } catch (error) {
      if (error.name !== "AbortError") fail();
    }
  };
  button.addEventListener("click", () => (audio.paused ? play() : audio.pause()));
  range.addEventListener("input", () => {
    if (audio.src) audio.currentTime = Number(range.value);
    draw();
  });
  audio.addEventListener("timeupdate", () => {
    if (!button.isConnected) return audio.pause();
    range.value = audio.currentTime;
    draw();
  });
  for (const event of ["play", "playing", "pause"]) audio.addEventListener(event, draw);
  audio.addEventListener("ended", () => {
    range.value = 0;
    draw();
  });
}

async function drawWave(wave, url) {
  const path = url.slice(base.length - 1);
  const told = await quietly(`${path}?points=${POINTS}`, {}, new AbortController().signal);
  if (!told?.peaks?.length) return;
  const { peaks } = told;
  const loudest = Math.max(0.05, ...peaks.map(([low, high]) => Math.max(high, -low)));
  const y = (value) => (HEIGHT / 2) * (1 - value / loudest);
  const least = (LEAST / HEIGHT) * loudest;
  const top = peaks.map(([, high], x) => `${x},${y(Math.max(high, least)).toFixed(1)}`);
  const bottom = peaks.map(([low], x) => `${x},${y(Math.min(low, -least)).toFixed(1)}`).reverse();
  const points = [...top, ...bottom].join(" ");
  for (const part of ["all", "played"]) {
    const values = { viewBox: `0 0 ${peaks.length - 1} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true", class: part };
    wave.insertBefore(drawing("svg", values, drawing("polygon", { points })), wave.querySelector("input"));
  }
}
