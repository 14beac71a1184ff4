// The booth: a dialog in which a song is sung. Headphones, a count, the take, and off to the jury.
import { base } from "./address.js";
import { Trouble, sleep } from "./api.js";
import { language, t } from "./language.js";
import { NoMicrophone, openMicrophone, record } from "./microphone.js";
import { pausePlaying, time } from "./player.js";
import { make } from "./results.js";
import { hearsTones } from "./voice-check.js";
import { gauge, setGauge } from "./voice-gauge.js";
import { midiOf } from "./voice-pitch.js";
import { Octaves, drawRoll, noteAt, rangeOf } from "./voice-roll.js";
import { analyse, audioAt, sendTake, shiftLyrics } from "./voice-session.js";

const COUNT = 4;
const BEATS_S = [0.45, 0.9]; // of a count: a song's own beat, or twice or half of it
const BEAT_S = 0.75; // where it is not known
const BITS = 128_000;
const SHORTEST_S = 3;
const HEARD = 0.006; // of full scale, root mean square: somebody sings
const BEHIND_S = 0.06; // a note is known so long after it was sung: half a window, and the way here
const BEGUN_MS = 1000; // a microphone that is silent may never say that it is recorded
const STILL_MS = 200; // between drawings, where motion is unwelcome
const SHIFT_S = 0.5;

const kept = new Map(); // session → a take that was not sent yet
let apart = false; // whether the microphone was found to hear the voice alone

/** Sing to a session (as its status tells it); `sent()` when a take is with the jury. */
export function openBooth(session, sent) {
  pausePlaying();
  const stopper = new AbortController();
  const booth = { session, signal: stopper.signal, trace: [], octaves: new Octaves(), level: 0, loudest: 0, alive: false, hz: null, lines: [], still: matchMedia("(prefers-reduced-motion: reduce)").matches };
  build(booth);
  booth.element.addEventListener("close", () => {
    stopper.abort();
    leave(booth);
  });
  const left = () => booth.element.close();
  addEventListener("popstate", left, { signal: stopper.signal });
  booth.element.showModal();
  getToKnow(booth);
  perform(booth).then(
    () => {
      booth.element.close();
      sent();
    },
    (error) => {
      if (!booth.signal.aborted) throw error;
    },
  );
}

function leave({ element, song, microphone, context, own }) {
  song.pause();
  song.removeAttribute("src");
  own?.pause();
  URL.revokeObjectURL(own?.src);
  for (const track of microphone?.getTracks() ?? []) track.stop();
  context?.close();
  element.remove();
}

function build(booth) {
  const { session } = booth;
  const close = make("button", { type: "button", className: "plain" }, t("booth_close"));
  const title = make("h2", { id: "booth-title" }, session.title ?? t("sing_untitled"));
  Object.assign(booth, {
    canvas: make("canvas", { ariaHidden: "true" }),
    count: make("p", { className: "count", ariaHidden: "true" }),
    note: make("p", { className: "note" }),
    clock: make("p", { className: "elapsed", ariaHidden: "true" }),
    trouble: make("p", { className: "trouble", role: "alert", hidden: true }),
    meter: gauge(t("booth_level"), 0),
    state: make("p", { className: "state", role: "status" }),
    verses: make("ol", { className: "verses", tabIndex: 0, ariaLabel: t("booth_lyrics") }),
    shift: make("div", { className: "shift", hidden: true }),
    hear: hearing(session),
    buttons: make("div", { className: "buttons" }),
    song: new Audio(),
    range: rangeOf(null),
    known: null,
  });
  booth.song.preload = "auto";
  booth.element = make(
    "dialog",
    { id: "booth" },
    make("div", { className: "top" }, title, close),
    make("div", { className: "roll" }, booth.canvas, booth.note, booth.clock, booth.count, booth.trouble),
    booth.meter,
    booth.verses,
    booth.shift,
    booth.state,
    booth.hear,
    booth.buttons,
  );
  booth.element.setAttribute("aria-labelledby", "booth-title");
  close.addEventListener("click", () => booth.element.close());
  booth.element.addEventListener("cancel", (event) => {
    if (!booth.halt) return;
    event.preventDefault(); // Escape ends the take, and keeps it
    booth.halt();
  });
  document.body.append(booth.element);
}

/** Which of the song's recordings is heard, where there are several. */
function hearing({ reference }) {
  const parts = ["original", "instrumentals"].filter((part) => reference?.audio?.includes(part));
  const select = make("select", {}, ...parts.map((part) => new Option(t(`booth_${part}`), part)));
  return make("label", { className: "hear", hidden: parts.length < 2 }, t("booth_hear"), select);
}

function tell(booth, key, values = {}) {
  const text = key ? t(key, values) : "";
  if (booth.state.textContent !== text) booth.state.textContent = text; // or it is read again
}

function complain(booth, text) {
  booth.trouble.textContent = text;
  booth.trouble.hidden = !text;
}

/** Large, over the notes: a question, or how many beats there are until it begins. */
function ask(booth, text) {
  booth.count.textContent = text;
  booth.count.classList.toggle("words", String(text).length > 2);
}

/** Buttons, by { what: sentence }; the first leads. Resolves to what is pressed. */
function choice(booth, buttons) {
  return new Promise((done, fail) => {
    const nodes = Object.entries(buttons).map(([what, key], place) => {
      const node = make("button", { type: "button", className: place ? "ghost" : "sun" }, t(key));
      node.addEventListener("click", () => done(what));
      return node;
    });
    booth.buttons.replaceChildren(...nodes);
    nodes[0]?.focus();
    booth.signal.addEventListener("abort", () => fail(new DOMException("", "AbortError")), { once: true });
  });
}

// ---- From the door to the jury ----------------------------------------------------------------

async function perform(booth) {
  const { session } = booth;
  let take = kept.get(session.session_id) ?? null;
  if (!take) take = await firstTake(booth);
  for (;;) {
    const wish = await review(booth, take);
    if (wish === "judge" && (await delivered(booth, take))) return;
    if (wish === "redo") take = await firstTake(booth);
  }
}

/** A take, or a file in its place where nothing can be recorded. */
async function firstTake(booth) {
  complain(booth, "");
  try {
    if (!booth.context) await openEars(booth);
    await headphones(booth);
    return keep(booth, await takeOf(booth));
  } catch (error) {
    if (!(error instanceof NoMicrophone)) throw error;
    tell(booth, "");
    complain(booth, t(error.key, error.values));
    return keep(booth, await fileInstead(booth));
  }
}

function keep(booth, take) {
  complain(booth, "");
  kept.set(booth.session.session_id, take);
  return take;
}

async function openEars(booth) {
  tell(booth, "ear_asking");
  booth.buttons.replaceChildren();
  const microphone = await openMicrophone();
  if (booth.signal.aborted) for (const track of microphone.getTracks()) track.stop();
  booth.signal.throwIfAborted();
  const context = new AudioContext({ latencyHint: "interactive" });
  const heard = context.createMediaStreamSource(microphone);
  Object.assign(booth, { microphone, context, heard });
  context.resume();
  await followPitch(booth).catch(() => {}); // an old browser sings without its curve
  watch(booth);
}

async function followPitch(booth) {
  const { context, heard } = booth;
  await context.audioWorklet.addModule(new URL("voice-worklet.js", import.meta.url));
  const pitch = new AudioWorkletNode(context, "pitch", { channelCount: 1, channelCountMode: "explicit" });
  pitch.port.onmessage = ({ data }) => listened(booth, data);
  // Nothing comes out of it; without a way to the loudspeaker it would not be asked.
  heard.connect(pitch).connect(new GainNode(context, { gain: 0 })).connect(context.destination);
}

function listened(booth, { hz, level }) {
  booth.hz = hz;
  booth.level = level;
  booth.alive ||= level > 0;
  if (!booth.halt) return;
  booth.loudest = Math.max(booth.loudest, level);
  const at = booth.song.currentTime - BEHIND_S;
  const midi = hz === null ? null : midiOf(hz);
  booth.trace.push([at, midi]);
  booth.octaves.add(noteAt(booth.session.reference?.curve, at), midi);
}

async function headphones(booth) {
  booth.element.dataset.phase = "check";
  if (apart) return;
  tell(booth, "booth_headphones_text");
  complain(booth, "");
  ask(booth, t("booth_headphones"));
  let wish = await choice(booth, { check: "booth_check", skip: "booth_skip" });
  while (wish === "check") {
    tell(booth, "booth_checking");
    booth.buttons.replaceChildren();
    ask(booth, "");
    booth.alive = false;
    const bleeds = await hearsTones(booth.heard, booth.signal);
    // A microphone that is muted gives zeros, and no room is as silent.
    apart = !bleeds && booth.alive;
    tell(booth, bleeds ? "booth_bleeds" : apart ? "booth_deaf" : "booth_dead");
    wish = await choice(booth, apart ? { go: "booth_go" } : { go: "booth_go", check: "booth_check" });
  }
}

async function takeOf(booth) {
  const { song, session, signal } = booth;
  booth.element.dataset.phase = "take";
  await load(booth);
  await count(booth);
  URL.revokeObjectURL(booth.own?.src);
  Object.assign(booth, { trace: [], octaves: new Octaves(), loudest: 0, own: null });
  const recorder = record(booth.microphone, { bits: BITS, name: "take" });
  signal.addEventListener("abort", recorder.end, { once: true });
  await Promise.race([recorder.begun, sleep(BEGUN_MS, signal)]);
  try {
    await song.play();
  } catch {
    signal.throwIfAborted();
    await recorder.end();
    await lost(booth);
    return takeOf(booth);
  }
  const awake = await navigator.wakeLock?.request("screen").catch(() => null); // or a phone goes dark
  tell(booth, "booth_singing");
  booth.hear.classList.add("off");
  const cut = await Promise.race([choice(booth, { stop: "booth_stop" }), halted(booth)]);
  booth.halt = null;
  song.pause();
  awake?.release();
  if (cut === "cut") booth.context = null; // the next take asks for a microphone anew
  const seconds = song.currentTime;
  return { ...(await recorder.end()), seconds, silent: booth.loudest < HEARD, cut: cut === "cut", title: session.title };
}

/** The end of the song, of the microphone, or Escape. */
function halted(booth) {
  return new Promise((done) => {
    booth.halt = () => done("stop");
    booth.song.addEventListener("ended", () => done("end"), { once: true });
    booth.microphone.getAudioTracks()[0].addEventListener("ended", () => done("cut"), { once: true });
  });
}

async function load(booth) {
  const { song, session, signal, hear } = booth;
  tell(booth, "booth_loading");
  ask(booth, "");
  booth.buttons.replaceChildren();
  const part = hear.querySelector("select").value || "original";
  song.src = base + audioAt(session.session_id, "ref", part).slice(1);
  const there = await new Promise((done, fail) => {
    song.addEventListener("canplay", () => done(true), { once: true });
    song.addEventListener("error", () => done(false), { once: true });
    signal.addEventListener("abort", () => fail(new DOMException("", "AbortError")), { once: true });
    song.load();
  });
  if (there) return;
  await lost(booth);
  await load(booth);
}

/** The song does not play: said, until somebody wants it to be tried again. */
async function lost(booth) {
  tell(booth, "");
  complain(booth, t("booth_song_lost"));
  await choice(booth, { again: "again" });
  complain(booth, "");
}

async function count(booth) {
  const { session, context, signal } = booth;
  let beat = session.bpm ? 60 / session.bpm : BEAT_S;
  while (beat < BEATS_S[0]) beat *= 2;
  while (beat > BEATS_S[1]) beat /= 2;
  for (let left = COUNT; left > 0; left -= 1) {
    click(context);
    ask(booth, left);
    tell(booth, "booth_count", { n: left });
    await sleep(beat * 1000, signal);
  }
  ask(booth, "");
}

function click(context) {
  const gain = new GainNode(context, { gain: 0.2 });
  const tone = new OscillatorNode(context, { frequency: 1000 });
  tone.connect(gain).connect(context.destination);
  gain.gain.setTargetAtTime(0, context.currentTime, 0.02);
  tone.start();
  tone.stop(context.currentTime + 0.15);
}

/** Hear it, sing it again, or send it. */
async function review(booth, take) {
  booth.element.dataset.phase = "review";
  booth.sung = take.seconds;
  ask(booth, "");
  booth.hear.classList.remove("off");
  const short = take.seconds !== null && take.seconds < SHORTEST_S;
  if (short) tell(booth, "booth_short");
  else if (take.silent) tell(booth, "booth_silent");
  else if (take.cut) tell(booth, "booth_cut");
  else tell(booth, "booth_take", { time: take.seconds === null ? take.name : time(take.seconds) });
  const wishes = { judge: "booth_judge", redo: "booth_redo", listen: "booth_listen" };
  if (short || take.silent) delete wishes.judge;
  for (;;) {
    const wish = await choice(booth, wishes);
    if (wish !== "listen") {
      booth.own?.pause();
      return wish;
    }
    replay(booth, take);
    wishes.listen = booth.own.paused ? "booth_listen" : "booth_pause";
  }
}

function replay(booth, { blob }) {
  if (booth.own?.blob !== blob) {
    booth.own?.pause();
    booth.own = Object.assign(new Audio(URL.createObjectURL(blob)), { blob });
  }
  if (booth.own.paused) booth.own.play().catch(() => {});
  else booth.own.pause();
}

/** Whether a take is with the jury now. */
async function delivered(booth, take) {
  const { session, signal } = booth;
  const percent = (part) => new Intl.NumberFormat(language(), { style: "percent" }).format(part);
  booth.buttons.replaceChildren();
  complain(booth, "");
  try {
    await sendTake(session.session_id, take, signal, (part) => tell(booth, "booth_sending", { part: percent(part) }));
    await analyse(session.session_id);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    complain(booth, t(`code_${error.code}`) || error.message || t(`${error.state}_text`));
    return false;
  }
  kept.delete(session.session_id);
  return true;
}

async function fileInstead(booth) {
  const input = make("input", { type: "file", accept: "audio/*,video/*,.amr,.caf,.flac,.opus", hidden: true });
  booth.element.append(input);
  const chosen = new Promise((done) => input.addEventListener("change", () => input.files[0] && done(input.files[0])));
  for (;;) {
    await Promise.race([choice(booth, { file: "booth_file" }), chosen]);
    if (input.files[0]) break;
    input.click();
  }
  const [blob] = input.files;
  input.remove();
  return { blob, name: blob.name, seconds: null, silent: false, cut: false };
}

// ---- What is shown meanwhile --------------------------------------------------------------------

function watch(booth) {
  const look = () => {
    if (booth.signal.aborted) return;
    draw(booth);
    if (booth.still) setTimeout(look, STILL_MS);
    else requestAnimationFrame(look);
  };
  look();
}

/** The song's notes and lyrics, which may come while one sings already. */
function getToKnow(booth) {
  const { session, known, lines } = booth;
  if (known === session.reference) return;
  booth.known = session.reference;
  booth.range = rangeOf(session.reference?.curve);
  if (!lines.length) showLyrics(booth);
}

function draw(booth) {
  getToKnow(booth);
  const { canvas, song, session, trace, octaves, range, still, hz } = booth;
  const at = booth.halt ? song.currentTime : placeOf(booth);
  const now = booth.halt || at || hz === null ? trace : [[at, midiOf(hz)]];
  drawRoll(canvas, { curve: session.reference?.curve, trace: now, octaves: octaves.most, at, range, still });
  setGauge(booth.meter, Math.min(1, booth.level * 5));
  const note = hz === null ? "" : nameOf(midiOf(hz));
  if (booth.note.textContent !== note) booth.note.textContent = note;
  booth.clock.textContent = booth.halt || at ? `${time(at)} / ${time(session.reference?.duration_s ?? song.duration)}` : "";
  if (booth.halt) follow(booth, at);
}

/** Where the notes stand while nobody sings: at the end of the take, or where it is heard again. */
function placeOf({ element, own, sung }) {
  if (element.dataset.phase !== "review") return 0;
  return own?.currentTime || sung || 0;
}

/** 57 → "A3" */
function nameOf(midi) {
  const whole = Math.round(midi);
  return `${t("booth_notes").split(" ")[whole % 12]} ${Math.floor(whole / 12) - 1}`;
}

// ---- Lyrics -----------------------------------------------------------------------------------

function showLyrics(booth) {
  const { session, verses } = booth;
  booth.lines = (session.reference?.lyrics ?? []).filter((line) => line.text);
  verses.replaceChildren(...booth.lines.map((line) => make("li", {}, line.text)));
  if (!booth.lines.length) verses.replaceChildren(make("li", { className: "none" }, t(comes(session) ? "booth_lyrics_coming" : "booth_no_lyrics")));
  if (booth.lines.some((line) => typeof line.from_s === "number")) shifter(booth);
}

/** Whether the song is still being made ready, its lyrics last of all. */
const comes = ({ state, reference }) => state === "preparing" || ["queued", "running"].includes(reference?.state);

/** Lyrics of another recording of the song come too early or too late, all of them alike. */
function shifter(booth) {
  let offset = 0;
  const told = make("span", {}, "");
  const by = (key, step) => {
    const button = make("button", { type: "button", className: "plain" }, t(key));
    button.addEventListener("click", () => {
      offset += step;
      booth.session.lyrics_offset_s = (booth.session.lyrics_offset_s ?? 0) + step;
      for (const line of booth.lines) line.from_s += step;
      told.textContent = t("booth_shifted", { s: new Intl.NumberFormat(language(), { signDisplay: "exceptZero" }).format(offset) });
      shiftLyrics(booth.session.session_id, booth.session.lyrics_offset_s).catch(() => {}); // what is shown is right
    });
    return button;
  };
  booth.shift.replaceChildren(by("booth_earlier", -SHIFT_S), told, by("booth_later", SHIFT_S));
  booth.shift.hidden = false;
}

/** The line that is sung is marked and in view. */
function follow({ lines, verses, still }, at) {
  const now = lines.findLastIndex((line) => typeof line.from_s === "number" && line.from_s <= at);
  const node = verses.children[now];
  if (!node || node.ariaCurrent === "true") return;
  verses.querySelector("[aria-current]")?.removeAttribute("aria-current");
  node.ariaCurrent = "true";
  verses.scrollTo({ top: node.offsetTop - verses.clientHeight / 2 + node.clientHeight / 2, behavior: still ? "auto" : "smooth" });
}
