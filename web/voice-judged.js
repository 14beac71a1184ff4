// What came of a take: the number, what it is made of, the jury, and phrase by phrase the voice
// beside the original.
import { base } from "./address.js";
import { language, number, t } from "./language.js";
import { pausePlaying, time } from "./player.js";
import { drawing, make, say } from "./results.js";
import { gauge } from "./voice-gauge.js";
import { draw } from "./voice-picture.js";
import { audioAt } from "./voice-session.js";

const PARTS = ["pitch", "rhythm", "lyrics"];
const UNSUNG = ["silence", "no_voice", "unsung_part"];
const [UNEVEN, UNEVEN_MS, MOST] = [75, 50, 0.9]; // who is 50 ms late all along has 79 points
const IN_TUNE = 4; // cents: nobody hears less
const ON_TIME = 15; // ms, likewise
const SEEN = 150; // cents above and below that a curve shows
const LEAST_WORDS = 1 / 3; // of a song's, that must be heard in the original to judge others by
const OTHERS = 0.45; // so many words surely others, and they were not those of the song
const GAP_S = 0.25; // a line ends where nothing was sung for so long

const percent = (part) => new Intl.NumberFormat(language(), { style: "percent" }).format(part);
const whole = (score) => Math.round(score);

/** `result` as an article; `heard` is what can still be played, `acts` { again, other, accept }. */
export function judged({ session, result, heard }, acts) {
  const title = result.title ?? session.title ?? t("sing_untitled");
  const artist = result.artist ?? session.artist ?? "";
  const about = make(
    "div",
    { className: "about" },
    make("p", { className: "kicker" }, kicker(result)),
    ...limits(result),
    ...(isUnheard(result) ? [] : [make("dl", { className: "parts", ariaLabel: t("judged_parts") }, ...PARTS.map((name) => part(name, result))), ...key(result, acts)]),
    make("div", { className: "actions" }, ...ways({ session, result, heard, title, artist }, acts)),
    eraser(acts.erase),
  );
  const best = make("article", { className: "best" }, dial(result.score), about);
  if (isUnheard(result)) return make("div", { className: "judged" }, best);
  return make("div", { className: "judged" }, best, jury(result.jury ?? []), phrases(session, result, heard));
}

/** Nothing of it could be compared: that is said once, and every part, phrase and juror would say it again. */
const isUnheard = ({ reason, score }) => UNSUNG.includes(reason) || score === null;

/** What to do next, the likeliest first. */
function ways({ session, result, heard, title, artist }, acts) {
  const other = (kind) => button("sing_other", kind, acts.other);
  if (!isUnheard(result)) return [button("sing_again", "solid", acts.again), share({ title, artist, result }), other("outline")];
  const mine = heard.user.includes("original") ? [playing("take", 0, audioAt(session.session_id, "user", "original"), [0, Infinity], "outline")] : [];
  if (result.reason === "no_original_voice") return [other("solid"), ...mine];
  return [button("sing_again", "solid", acts.again), ...mine, other("outline")];
}

function button(sentence, className, act) {
  const node = make("button", { type: "button", className }, t(sentence));
  node.addEventListener("click", () => act(node));
  return node;
}

/** The record, whose label is the number. */
function dial(score) {
  const none = score === null; // nothing was sure enough
  const points = none ? "–" : number(whole(score));
  const told = make("p", { className: "score" }, make("span", { ariaHidden: "true" }, points), make("span", { className: "unseen" }, t(none ? "judged_none" : "judged_score", { score: points })), make("span", { className: "of", ariaHidden: "true" }, t(none ? "judged_none" : "judged_of")));
  const node = make("div", { className: "dial" }, make("span", { className: "disc", ariaHidden: "true" }), told);
  node.style.setProperty("--score", Math.max(0, Math.min(1, whole(score) / 100))); // as the number says
  return node;
}

function part(name, result) {
  const measured = result.not_measured.includes(name) ? null : result[name];
  const label = make("dt", {}, t(`judged_${name}`), measured ? make("span", { className: "weight" }, t("judged_weight", { part: percent(measured.weight) })) : null);
  if (!measured) return make("div", { className: "missing" }, label, make("dd", {}, make("strong", {}, t("judged_unmeasured")), make("p", {}, t(unmeasured(name, result)))));
  const bar = gauge(t(`judged_${name}`), measured.score / 100);
  return make("div", {}, label, make("dd", {}, make("strong", {}, number(whole(measured.score))), bar, make("p", {}, TELL[name](measured, result))));
}

/** Why a part was not measured. */
function unmeasured(name, { reason, coverage = {} }) {
  if (name !== "lyrics") return reason === "no_original_voice" ? "judged_unmeasured_alone" : `judged_unmeasured_${name}`;
  return typeof coverage.words === "number" && coverage.words < LEAST_WORDS ? "judged_unmeasured_hardly" : "judged_unmeasured_lyrics";
}

const cents = (value) => (Math.abs(value) < IN_TUNE ? t("judged_in_tune") : t(value < 0 ? "judged_low" : "judged_high", { n: Math.abs(Math.round(value)) }));

const TELL = {
  pitch: ({ median_cents, within_50_cents }) => {
    if (median_cents === null) return t("judged_unheard");
    const within = t("judged_within", { part: percent(within_50_cents) });
    // Off to either side, the middle tells of none of it.
    return within_50_cents < 0.5 && Math.abs(median_cents) < 50 ? within : [cents(median_cents), within].join(", ");
  },
  rhythm: ({ median_ms, score }, { coverage = {} }) => {
    if (median_ms === null) return t("judged_unheard");
    // What the middle does not explain, nor what was left out, lies to either side of it.
    if (score < UNEVEN && Math.abs(median_ms) < UNEVEN_MS && (coverage.sung ?? 1) > MOST) return t("judged_uneven");
    return Math.abs(median_ms) < ON_TIME ? t("judged_on_time") : t(median_ms > 0 ? "judged_late" : "judged_early", { n: Math.abs(Math.round(median_ms)) });
  },
  lyrics: (measured, { coverage = {} }) => {
    const asked = coverage.words ?? 1; // the others are not heard in the original either
    return [words(measured), asked < 1 ? t("judged_words_asked", { part: percent(asked) }) : null].filter(Boolean).join(" ");
  },
};

/** A machine heard them: what it is sure of is told, and what it may have misheard. */
function words({ wer, surely_other = null }) {
  if (wer === 0) return t("judged_all_words");
  if (surely_other >= OTHERS) return t("judged_words_others");
  const sure = surely_other === null ? "judged_words_off" : surely_other > 0 ? "judged_words_some" : "judged_words_unsure";
  return t(sure, { part: percent(Math.min(1, wer)), sure: percent(surely_other ?? 0) });
}

/** What was sung: all of it, a part, or nothing of it. */
function kicker({ reason, coverage = {} }) {
  if (reason === "part") return t("judged_kicker_part", { part: percent(coverage.recorded) });
  return t(UNSUNG.includes(reason) ? "judged_kicker_take" : "judged_kicker");
}

/** What stands before the number: that nobody sang, or another song, or a part alone; that it is of an earlier take. */
function limits({ reason: told = null, score, coverage = {}, take }) {
  const { recorded_s = 0, reference_s = 0 } = coverage;
  const reason = told ?? (score === null ? "unsure" : null);
  const why = reason && t(`judged_why_${reason}`, { time: time(recorded_s), whole: time(reference_s) });
  return [why, isEarlier(take) && t("judged_earlier")].filter(Boolean).map((said) => make("p", { className: "key" }, said));
}

/** Whether another take came after it. */
const isEarlier = (take) => take?.is_last === false;

/** How much of the song a number is of, where it is not the whole, or why of none; "" where it is. */
export const partly = ({ reason, recorded }) => (reason ? t(`judged_of_${reason}`, { part: percent(recorded) }) : "");

/** A key of the singer's own is offered, and told where it was accepted. */
function key({ transposition, take }, { accept }) {
  const { offered = 0, accepted = 0 } = transposition ?? {};
  if (accepted) return [make("p", { className: "key" }, t("judged_in_key"))];
  if (!offered || isEarlier(take)) return []; // the last take is what would be judged
  const text = t(offered < 0 ? "judged_offer_lower" : "judged_offer_higher", { n: Math.abs(offered) });
  return [make("div", { className: "key" }, make("p", {}, text), button("judged_accept", "outline", (pressed) => accept(offered, pressed)))];
}

/** Asked once more, in its place. */
function eraser(erase) {
  const box = make("div", { className: "eraser" });
  const ask = button("judged_erase", "plain", () => {
    const keep = button("judged_erase_no", "outline", () => {
      box.replaceChildren(ask);
      ask.focus();
    });
    box.replaceChildren(make("p", {}, t("judged_erase_sure")), button("judged_erase_yes", "outline", erase), keep);
    keep.focus();
    say(t("judged_erase_sure"));
  });
  box.addEventListener("keydown", (event) => event.key === "Escape" && box.querySelector("p ~ .outline:last-child")?.click());
  box.append(ask);
  return box;
}

// ---- The jury ---------------------------------------------------------------------------------

export function jury(comments) {
  const cards = comments.map(({ persona, comment, by, language: spoken = language() }) =>
    make("li", {}, make("h4", {}, t(`persona_${persona}`) || persona), make("blockquote", { lang: spoken }, comment), make("p", { className: "by" }, t(by === "template" ? "judged_by_template" : "judged_by_model"))),
  );
  return make("section", { className: "jury", hidden: !cards.length }, make("h3", {}, t("judged_jury")), make("ul", { role: "list" }, ...cards));
}

// ---- Phrases ----------------------------------------------------------------------------------

function phrases(session, result, heard) {
  const list = result.phrases ?? [];
  const rows = list.map((phrase, place) => row(phrase, place + 1, { session, result, heard }));
  const gone = !heard.user.length && !heard.ref.length;
  return make(
    "section",
    { className: "phrases", hidden: !list.length },
    make("h3", {}, t("judged_phrases")),
    make("p", { className: "explained" }, t("judged_phrases_text")),
    gone ? make("p", { className: "gone" }, t("judged_deleted")) : null,
    make("ol", { role: "list" }, ...rows),
  );
}

function row(phrase, place, { session, result, heard }) {
  const text = phrase.text || t("judged_phrase", { n: place });
  const late = result.latency_s ?? 0;
  const yours = [phrase.user_from_s ?? phrase.from_s + late, phrase.user_to_s ?? phrase.to_s + late];
  const plays = [
    heard.user.includes("original") && phrase.user_from_s !== null ? playing("you", place, audioAt(session.session_id, "user", "original"), yours) : null,
    heard.ref.includes("original") ? playing("original", place, audioAt(session.session_id, "ref", "original"), [phrase.from_s, phrase.to_s]) : null,
  ];
  const about = make("div", { className: "words" }, make("p", { className: "text" }, text), make("p", { className: "facts" }, make("span", {}, time(phrase.from_s)), make("span", {}, told(phrase))));
  return make("li", {}, make("strong", { className: "points" }, typeof phrase.score === "number" ? number(whole(phrase.score)) : "–"), about, curve(phrase), make("div", { className: "plays" }, ...plays.filter(Boolean)));
}

/** What its curve shows, in words. */
function told({ cents: points, user_from_s }) {
  if (user_from_s === null) return t("judged_unrecorded");
  const sung = points.map(([, value]) => value).filter((value) => value !== null).sort((a, b) => a - b);
  return sung.length ? t("judged_curve", { cents: cents(sung[sung.length >> 1]) }) : t("judged_no_curve");
}

/** Cents beside the original: half a semitone to either side is a band, the original its middle. */
function curve({ cents: points, from_s, to_s }) {
  const long = Math.max(0.1, to_s - from_s);
  const svg = drawing("svg", { class: "curve", viewBox: `0 ${-SEEN} ${long} ${2 * SEEN}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(drawing("rect", { class: "band", x: 0, y: -50, width: long, height: 100 }), drawing("line", { class: "middle", x1: 0, x2: long, y1: 0, y2: 0 }));
  for (const piece of pieces(points)) {
    const at = piece.map(([second, value]) => `${(second - from_s).toFixed(2)},${-Math.max(-SEEN, Math.min(SEEN, value)).toFixed(0)}`);
    svg.append(drawing("polyline", { class: "voice", points: (at.length > 1 ? at : [...at, ...at]).join(" ") }));
  }
  return svg;
}

/** Points that belong together: those between two silences. */
function pieces(points) {
  const all = [];
  let before = null;
  for (const point of points) {
    if (point[1] === null) before = null;
    else {
      if (!before || point[0] - before[0] > GAP_S) all.push([]);
      all.at(-1).push(point);
      before = point;
    }
  }
  return all;
}

// ---- Hearing one of them ------------------------------------------------------------------------

let voice = null; // what plays: { audio, button, end }

function playing(who, place, path, [from, to], className = "tag") {
  const node = make("button", { type: "button", className, ariaLabel: t(`judged_hear_${who}`, { n: place }), ariaPressed: "false" }, t(`judged_play_${who}`));
  node.addEventListener("click", () => {
    const mine = voice?.button === node;
    hush();
    if (!mine) play(node, base + path.slice(1), Math.max(0, from), to);
  });
  return node;
}

export function hush() {
  if (!voice) return;
  voice.audio.pause();
  voice.button.ariaPressed = "false";
  voice = null;
}

function play(button, url, from, to) {
  pausePlaying();
  const audio = new Audio(url);
  voice = { audio, button };
  button.ariaPressed = "true";
  audio.currentTime = from; // before it is loaded: where it will begin
  audio.addEventListener("timeupdate", () => {
    if (voice?.audio === audio && (audio.currentTime >= to || !button.isConnected)) hush();
  });
  audio.addEventListener("ended", hush);
  audio.play().catch((error) => {
    if (error.name === "AbortError") return;
    hush();
    say(t("unplayable"));
  });
}

// ---- Passing it on ------------------------------------------------------------------------------

function share({ title, artist, result }) {
  const node = button("judged_share", "outline", async () => {
    const parts = PARTS.filter((name) => !result.not_measured.includes(name) && result[name]).map((name) => [t(`judged_${name}`), number(whole(result[name].score))]);
    const part = partly({ reason: result.reason, recorded: result.coverage?.recorded });
    const picture = await draw({ title, artist, score: number(whole(result.score)), part, parts });
    const file = new File([picture], "shazam-visual.png", { type: "image/png" });
    try {
      if (navigator.canShare?.({ files: [file] })) return await navigator.share({ files: [file], title });
    } catch (error) {
      if (error.name === "AbortError") return;
    }
    const href = URL.createObjectURL(picture);
    make("a", { href, download: file.name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
    say(t("judged_drawn"));
  });
  return node;
}
