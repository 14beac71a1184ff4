// The microphone inside the page: it listens, draws what it hears, and asks what it is from three
// seconds on, again with the longer clip, until it is sure or fifteen seconds are over.
import { Trouble, request } from "./api.js";
import { t } from "./language.js";
import { NoMicrophone, openMicrophone, record } from "./microphone.js";
import { pausePlaying } from "./player.js";
import { make } from "./results.js";

const FIRST_S = 3;
const AGAIN_S = 1.5; // after an answer that is not sure
const LAST_S = 15;
const QUIET = 0.004; // of full scale, root mean square
const QUIET_S = 2;
const BARS = 48;
const TOP_HZ = 6000; // what a phone in a room hears of music
const STILL_MS = 250; // between drawings, where motion is unwelcome

let dialog = null;
let stop = () => {};

/** Calls `heard({ blob, name, answer })` when it is known or given up; `choose()` for a file. */
export function listen({ heard, choose }) {
  pausePlaying();
  dialog ??= build();
  const close = () => dialog.element.close();
  dialog.element.onclose = () => stop();
  dialog.cancel.onclick = close;
  dialog.file.onclick = () => {
    close();
    choose();
  };
  const { title, cancel, file, meter } = dialog;
  title.textContent = t("ear_title");
  cancel.textContent = t("cancel");
  file.textContent = t("from_file");
  meter.ariaLabel = t("ear_level");
  tell("");
  dialog.trouble.hidden = true;
  dialog.element.showModal();
  start((clip) => {
    close();
    heard(clip);
  });
}

function build() {
  const title = make("h2", { id: "ear-title" });
  const canvas = make("canvas", { ariaHidden: "true" });
  const meter = make("meter", { className: "unseen", min: 0, max: 1, value: 0 });
  const state = make("p", { className: "state", role: "status" });
  const clock = make("p", { className: "elapsed", ariaHidden: "true" });
  const trouble = make("p", { className: "trouble", role: "alert", hidden: true });
  const cancel = make("button", { type: "button", className: "plain" });
  const file = make("button", { type: "button", className: "plain" });
  const element = make(
    "dialog",
    { id: "ear" },
    title,
    make("div", { className: "horn" }, canvas, clock, trouble, meter),
    state,
    make("div", { className: "shutter" }, cancel, make("span"), file),
  );
  element.setAttribute("aria-labelledby", "ear-title");
  document.body.append(element);
  return { element, title, canvas, meter, state, clock, trouble, cancel, file };
}

function tell(key) {
  const text = key ? t(key) : "";
  if (dialog.state.textContent !== text) dialog.state.textContent = text; // or it is read again
}

function fail(key, values = {}) {
  stop();
  tell("");
  dialog.clock.textContent = "";
  dialog.trouble.textContent = t(key, values) || key;
  dialog.trouble.hidden = false;
  dialog.file.focus();
}

async function start(done) {
  tell("ear_asking");
  let stream;
  try {
    stream = await openMicrophone();
  } catch (error) {
    if (!(error instanceof NoMicrophone)) throw error;
    if (dialog.element.open) fail(error.key, error.values);
    return;
  }
  const ended = new AbortController();
  stop = () => {
    ended.abort();
    for (const track of stream.getTracks()) track.stop();
    stop = () => {};
  };
  if (!dialog.element.open) return stop(); // closed while the browser asked for permission
  stream.getAudioTracks()[0].addEventListener("ended", () => ended.signal.aborted || fail("ear_cut"));
  tell("ear_listening");
  const sound = watch(stream, ended.signal);
  const recorder = record(stream);
  ended.signal.addEventListener("abort", recorder.end);
  try {
    done(await known(recorder, sound, ended.signal));
  } catch (error) {
    if (ended.signal.aborted) return;
    if (!(error instanceof Trouble)) throw error;
    fail(t(`code_${error.code}`) || (error.state === "refused" ? error.message : t(`${error.state}_text`)));
  }
}

/** The clip that somebody is sure of, or the last. */
async function known(recorder, sound, signal) {
  let last = null;
  for (let due = FIRST_S; ; due = Math.min(sound.seconds() + AGAIN_S, LAST_S)) {
    await until(() => sound.seconds() >= due, signal);
    if (sound.quiet()) {
      tell("ear_quiet");
      if (sound.seconds() < LAST_S) continue; // nothing to ask about yet
    }
    const clip = { ...recorder.clip(), answer: null };
    clip.answer = await asked(clip, signal);
    last = clip.answer ? clip : last;
    if (clip.answer?.decision === "match") return clip;
    if (sound.seconds() >= LAST_S) {
      if (last) return last;
      throw new Trouble("cut");
    }
    if (!sound.quiet()) tell("ear_thinking");
  }
}

/** An answer; null where none came, but the next may. */
async function asked(clip, signal) {
  const body = new FormData();
  body.set("file", clip.blob, clip.name);
  try {
    return await request("/api/identify-sound", { method: "POST", body }, signal, () => {});
  } catch (error) {
    if (error instanceof Trouble && error.code === "audio_too_short") return null;
    throw error;
  }
}

function until(holds, signal) {
  return new Promise((done, fail) => {
    const look = () => {
      if (signal.aborted) fail(new DOMException("", "AbortError"));
      else if (holds()) done();
      else setTimeout(look, 100);
    };
    look();
  });
}

/** Draws what is heard until `signal`; tells how long it was listened to, and whether it is quiet. */
function watch(stream, signal) {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0.7 });
  context.createMediaStreamSource(stream).connect(analyser);
  context.resume();
  const wave = new Float32Array(analyser.fftSize);
  const bins = new Uint8Array(analyser.frequencyBinCount);
  const begin = performance.now();
  const seconds = () => (performance.now() - begin) / 1000;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let loud = begin;
  const look = () => {
    if (signal.aborted) return context.close();
    analyser.getFloatTimeDomainData(wave);
    analyser.getByteFrequencyData(bins);
    const level = Math.sqrt(wave.reduce((sum, value) => sum + value * value, 0) / wave.length);
    if (level > QUIET) loud = performance.now();
    drawRing(bins, context.sampleRate, level);
    dialog.meter.value = Math.min(1, level * 5);
    dialog.clock.textContent = t("ear_elapsed", { s: Math.min(LAST_S, Math.floor(seconds())) });
    dialog.element.style.setProperty("--elapsed", Math.min(1, seconds() / LAST_S));
    if (still) setTimeout(look, STILL_MS);
    else requestAnimationFrame(look);
  };
  look();
  return { seconds, quiet: () => performance.now() - loud > QUIET_S * 1000 };
}

/** Bars around a label, low notes at the top, both halves alike: a record that hears. */
function drawRing(bins, rate, level) {
  const { canvas } = dialog;
  const side = canvas.clientWidth * devicePixelRatio;
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, side, side);
  pen.translate(side / 2, side / 2);
  pen.fillStyle = "#ffd21f";
  pen.beginPath();
  pen.arc(0, 0, side * (0.13 + Math.min(0.03, level * 0.2)), 0, 7);
  pen.fill();
  pen.fillStyle = "#fff";
  const most = (TOP_HZ / rate) * 2 * bins.length;
  for (let bar = 0; bar < BARS; bar += 1) {
    const height = bins[Math.floor(((bar + 1) / BARS) ** 2 * most)] / 255;
    for (const way of bar ? [1, -1] : [1]) {
      pen.save();
      pen.rotate((way * Math.PI * bar) / BARS);
      pen.globalAlpha = 0.35 + 0.65 * height;
      pen.fillRect(-side * 0.006, -side * (0.2 + 0.28 * height), side * 0.012, side * (0.015 + 0.28 * height));
      pen.restore();
    }
  }
  pen.resetTransform();
}
