// Voice's side of the page: choose a song, wait until it is there, sing it in the booth, and see what
// came of it. Loaded where somebody sings, with its words and its style.
import { blank, write } from "./address.js";
import { Trouble } from "./api.js";
import { language, learn, number, t } from "./language.js";
import { pausePlaying, player, time } from "./player.js";
import { byline, head, icon, lead, make, say } from "./results.js";
import { sheet, styled as sounds } from "./sound.js";
import { openBooth } from "./voice-booth.js";
import { hush, judged, jury, partly } from "./voice-judged.js";
import * as session from "./voice-session.js";
import { sentences } from "./voice-strings.js";

learn(sentences);

/** The style of all this, before anything of it is shown. */
export const styled = Promise.all([sounds, sheet("voice.css")]);

const $ = (id) => document.getElementById(id);
const SKELETONS = 6;
const LONGEST = { title: 500, artist: 500, lyrics: 20_000 }; // letters
const WEB = /^https?:\/\//i;

let looking = new AbortController(); // ends when something else is shown

const percent = (part) => new Intl.NumberFormat(language(), { style: "percent" }).format(part);
const titled = (song) => song.title ?? t("sing_untitled");
const named = (song) => (song.artist ? t("by", { title: titled(song), artist: song.artist }) : titled(song));

/** An ask of voice → { kind, songs, past } or { kind, session, result, heard }. */
export async function answer(ask, signal, tell) {
  if (!ask.sing) {
    const [songs, past] = await Promise.all([session.songs("", signal, tell), session.past(signal)]);
    return { kind: "voice", songs, past };
  }
  const [id, analysis = null] = ask.sing.split("_");
  return whole(await session.status(id, signal, tell), signal, analysis);
}

/** A session with its result, where there is one: the last, or that of an earlier analysis. */
async function whole(told, signal, analysis = null) {
  const found = { kind: "voice", session: told, analysis, result: null, heard: { user: [], ref: [] } };
  if (analysis === null && told.state !== "done") return found;
  const spoken = language();
  const [result, heard] = await Promise.all([session.results(told.session_id, signal, analysis), session.heard(told.session_id, signal)]);
  // What can be heard is the take that came last.
  if (result.take?.is_last === false) heard.user = [];
  return { ...found, result, heard, spoken };
}

/** What is there before the answer is. */
export function expect(ask, page) {
  begin();
  lead(null);
  $("shelf").replaceChildren();
  head("sing_title", "");
  if (ask.sing) return $("stage").replaceChildren(make("div", { className: "booth-front bone" }));
  const bones = Array.from({ length: SKELETONS }, () => make("li", { className: "row bone" }));
  $("stage").replaceChildren(chooser(page, bones));
}

/** Put what was found on the page → { said: for a screen reader, title: of the page }. */
export function show(found, ask, page) {
  begin();
  lead(null);
  $("further").hidden = true;
  $("shelf").replaceChildren();
  if (!ask.sing) return showChooser(found, page);
  return showSession(found, page);
}

function begin() {
  looking.abort();
  looking = new AbortController();
  pausePlaying();
  hush();
}

/** Sing a track of the service's: a session of its own. */
export const sing = (track_id, page) => startAnd(page, { track_id });

/** A file of a song that was dropped here. */
export const give = (reference, page) => startAnd(page, { title: nameOf(reference), reference }, tellSent);

/** Start a session with a song and go there, unless somebody went elsewhere meanwhile. */
async function startAnd({ go }, song, tell) {
  const here = location.href;
  say(t("waiting"));
  const { session_id } = await session.start(song, looking.signal, tell);
  if (location.href === here) go({ ...blank, sing: session_id }, { focus: true });
}

const nameOf = (file) => file.name.replace(/\.\w+$/, "");
const tellSent = (part) => ($("count").textContent = t("sing_sending", { part: percent(part) }));

// ---- Choosing ---------------------------------------------------------------------------------

function showChooser({ songs, past }, page) {
  head("sing_title", "");
  const rows = songs.map((song) => songRow(song, page));
  const old = $("stage").querySelector(".chooser");
  const box = old ?? chooser(page, []);
  if (!old) $("stage").replaceChildren(box);
  fill(box, rows, "sing_empty");
  box.querySelector(".past").replaceWith(history(past, page));
  return { said: t("sing_find"), title: t("sing_title") };
}

function chooser(page, rows) {
  return make("div", { className: "chooser" }, finder(page), own(page), make("section", { className: "songs" }, make("h3", {}, t("sing_songs")), make("p", { className: "none", hidden: true }), make("ol", { role: "list" }, ...rows)), make("section", { className: "past", hidden: true }));
}

function fill(box, rows, none) {
  box.querySelector(".songs ol").replaceChildren(...rows);
  const told = box.querySelector(".songs .none");
  told.hidden = rows.length > 0;
  told.textContent = rows.length ? "" : t(none);
}

function finder(page) {
  const field = make("input", { type: "search", name: "q", maxLength: 200, autocomplete: "off", enterKeyHint: "search" });
  const form = make("form", { role: "search", ariaLabel: t("sing_find") }, make("h3", {}, t("sing_find")), make("div", { className: "entry" }, make("label", {}, t("sing_words"), field), make("button", { className: "solid" }, t("sing_go"))));
  let asked = 0;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const words = field.value.trim();
    const mine = (asked += 1);
    const box = form.closest(".chooser");
    box.querySelector(".past").hidden = Boolean(words) || !box.querySelector(".past li");
    try {
      const found = await session.songs(words, looking.signal);
      if (mine !== asked) return; // others are looked for by now
      fill(box, found.map((song) => songRow(song, page)), words ? "sing_none" : "sing_empty");
      say(t("tracks_n", { n: found.length }));
    } catch (error) {
      tellTrouble(error, box.querySelector(".songs .none"));
    }
  });
  return form;
}

function songRow(song, page) {
  const lines = make("span", { className: "lines" }, make("span", { className: "name" }, titled(song)), make("span", { className: "artist" }, [byline(song), song.album].filter(Boolean).join(" · ")));
  const length = song.duration_s ? make("span", { className: "length" }, time(song.duration_s)) : null;
  const button = make("button", { type: "button", className: "row", ariaLabel: t("sing_this", { title: named(song) }) }, lines, length, icon("microphone"));
  button.addEventListener("click", () => busy(button, () => sing(song.track_id, page)));
  return make("li", {}, button);
}

/** While `act` runs a second press does nothing; what goes wrong is said beside the button. */
async function busy(button, act) {
  if (button.ariaDisabled) return;
  button.ariaDisabled = "true"; // not disabled: it would lose the focus
  try {
    await act();
  } catch (error) {
    const box = button.closest("form, .booth-front, .judged, section");
    let line = box.querySelector(":scope > .wrong");
    if (!line) box.append((line = make("p", { className: "wrong", role: "alert" })));
    tellTrouble(error, line);
  } finally {
    button.ariaDisabled = null;
  }
}

function tellTrouble(error, line) {
  if (error.name === "AbortError") return;
  if (!(error instanceof Trouble)) throw error;
  line.hidden = false;
  line.textContent = t(`code_${error.code}`) || error.message || t(`${error.state}_text`);
  line.lang = t(`code_${error.code}`) ? "" : error.spoken;
}

/** A song that is not here: by a link or a file, with what is known of it. */
function own(page) {
  const text = (name) => make("label", {}, t(`sing_song_${name}`), make("input", { name, type: "text", maxLength: LONGEST[name], autocomplete: "off" }));
  const words = make("textarea", { name: "lyrics", rows: 4, maxLength: LONGEST.lyrics, placeholder: t("sing_lyrics_example") });
  const about = [make("div", { className: "fields" }, text("title"), text("artist")), make("label", {}, t("sing_song_lyrics"), words)];
  const begun = ({ given, tell }) => startAnd(page, given, tell);
  return make("details", {}, make("summary", {}, t("sing_own")), source(t("sing_own_text"), about, begun));
}

/** A form that takes a link or a file; `begun({ given, tell })` sends it. */
function source(text, about, begun) {
  const link = make("input", { type: "text", name: "url", inputMode: "url", autocomplete: "off", spellcheck: false, maxLength: 2000, placeholder: "https://" });
  const file = make("input", { type: "file", accept: "audio/*,video/*,.amr,.caf,.flac,.opus", hidden: true, tabIndex: -1, ariaHidden: "true" });
  const choose = make("button", { type: "button", className: "outline" }, t("sing_choose"));
  const take = make("button", { className: "solid" }, t("sing_take_link"));
  const wrong = make("p", { className: "wrong", role: "alert" });
  const form = make("form", { className: "source", noValidate: true, ariaLabel: t("sing_own") }, make("p", {}, text), make("div", { className: "entry" }, make("label", {}, t("sing_link"), link), take), ...about, make("div", { className: "files" }, choose), file, wrong);
  const given = () => Object.fromEntries([...new FormData(form)].filter(([name, value]) => ["title", "artist", "lyrics"].includes(name) && value.trim()));
  const tell = (part) => (wrong.textContent = t("sing_sending", { part: percent(part) }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const url = link.value.trim();
    wrong.textContent = WEB.test(url) ? "" : t(url ? "sing_link_wrong" : "sing_link_missing");
    if (wrong.textContent) return link.focus();
    busy(take, () => begun({ given: { url, ...given() }, tell }));
  });
  choose.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    const [reference] = file.files;
    file.value = "";
    if (reference) busy(choose, () => begun({ given: { title: nameOf(reference), ...given(), reference }, tell }));
  });
  return form;
}

function history(past, page) {
  const rows = past.map((one) => {
    const date = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(one.analyzed_at ?? one.created_at));
    const score = typeof one.score === "number" ? number(Math.round(one.score)) : "–";
    const isLast = past.find((other) => other.session_id === one.session_id) === one;
    const at = { ...blank, sing: isLast ? one.session_id : `${one.session_id}_${one.analysis}` };
    const link = make("a", { className: "row", href: write(at), ariaLabel: [t("sing_past_one", { title: titled(one), score, date }), partly(one)].filter(Boolean).join(", ") }, make("strong", { className: "points" }, score), make("span", { className: "lines" }, make("span", { className: "name" }, titled(one)), make("span", { className: "artist" }, [one.artist, partly(one), date].filter(Boolean).join(" · "))));
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      page.go(at, { focus: true });
    });
    return make("li", {}, link);
  });
  return make("section", { className: "past", hidden: !rows.length }, make("h3", {}, t("sing_past")), make("ol", { role: "list" }, ...rows));
}

// ---- A session ----------------------------------------------------------------------------------

/** Why something failed, in the page's own words where it has some; else in the service's, or these. */
const why = (error, key) => t(`code_${error?.code}`) || error?.message || t(key);

const singable = (told) => Boolean(told.reference?.audio?.includes("original"));

/** What a session is at: done, gone, judging, unjudged, ready, failed or preparing. */
function stageOf({ session: told, result }) {
  if (result) return "done";
  if (told.audio_removed) return "gone";
  if (told.state === "analyzing") return "judging";
  if (told.state === "failed") return told.reference?.state !== "failed" && singable(told) ? "unjudged" : "failed";
  if (told.state === "recorded") return "unjudged";
  if (singable(told)) return "ready";
  return told.state === "ready" ? "failed" : "preparing"; // ready, and may not be heard
}

function showSession(found, page) {
  const told = found.session;
  $("title").textContent = titled(told);
  $("count").textContent = told.artist || "\u00a0";
  const at = stageOf(found);
  const shown = at === "done" ? showJudged(found, page) : showFront(found, at, page);
  return { said: shown, title: titled(told) };
}

/** The session once more, as it is now; the focus goes to its heading. */
async function refresh(found, page) {
  const { signal } = looking;
  const id = found.session.session_id;
  try {
    // In its place, so that it is what is drawn in the other language.
    Object.assign(found, await whole(await session.status(id, signal), signal));
    say(show(found, { sing: id }, page).said);
    $("title").focus({ preventScroll: true });
  } catch (error) {
    if (error.name !== "AbortError") page.go({ ...blank, sing: id });
  }
}

function showJudged(found, page) {
  const { session: told, result } = found;
  const acts = {
    again: (pressed) => busy(pressed, () => again(found, page)),
    erase: (pressed) =>
      busy(pressed, async () => {
        await session.erase(told.session_id);
        page.go({ ...blank, sing: "" }, { focus: true });
      }),
    other: () => page.go({ ...blank, sing: "" }, { focus: true }),
    accept: (transposition, pressed) =>
      busy(pressed, async () => {
        await session.analyse(told.session_id, { transposition });
        await refresh(found, page);
      }),
  };
  $("stage").replaceChildren(judged(found, acts));
  if (found.spoken !== language()) retell(found);
  if (result.score === null) return t("judged_none_said", { title: titled(told) });
  return t("judged_said", { title: titled(told), score: number(Math.round(result.score)) });
}

/** The jury once more, in the language that the page is in now. */
async function retell(found) {
  const spoken = language();
  await pursue(async () => {
    const result = await session.results(found.session.session_id, looking.signal, found.analysis);
    Object.assign(found, { result, spoken });
    if (spoken === language()) $("stage").querySelector(".jury")?.replaceWith(jury(result.jury ?? []));
  });
}

/** The same song once more: a session of its own, where the service can fetch it again. */
async function again(found, page) {
  const told = found.session;
  const { track_id = null, url = null, title, artist } = told;
  if (track_id === null && !url) return singable(told) ? enter(found, page) : page.go({ ...blank, sing: "" }, { focus: true });
  const known = Object.fromEntries(Object.entries({ title, artist }).filter(([, value]) => value));
  return startAnd(page, track_id === null ? { url, ...known } : { track_id });
}

const enter = (found, page) => openBooth(found.session, () => refresh(found, page));

/** The front of the booth: the song, and what there is to do or to wait for. */
function showFront(found, at, page) {
  const told = found.session;
  const box = make("article", { className: "booth-front best" }, make("div", { className: "record" }, make("span", { className: "disc", ariaHidden: "true" })), make("div", { className: "about" }, make("p", { className: "kicker" }), make("div", { className: "doing" })));
  box.dataset.at = at;
  $("stage").replaceChildren(box);
  const said = FRONTS[at](box, found, page);
  box.querySelector(".kicker").textContent = said;
  return `${said}. ${titled(told)}`;
}

const doing = (box, ...nodes) => box.querySelector(".doing").replaceChildren(...nodes.filter(Boolean));

function working(box, text) {
  const line = make("p", { className: "step" }, t("sing_queued"));
  doing(box, make("p", {}, text), line, make("progress", { max: 1, value: 0, ariaLabel: t("sing_progress") }));
  return ({ state, step, progress }) => {
    line.textContent = state === "queued" ? t("sing_queued") : t(`sing_step_${step}`) || t("sing_working");
    box.querySelector("progress").value = progress ?? 0;
  };
}

const FRONTS = {
  preparing(box, found, page) {
    const told = found.session;
    const tell = working(box, t("sing_preparing_text"));
    tell(told);
    pursue(() =>
      session.followStatus(told.session_id, looking.signal, (now) => {
        if (!box.isConnected) return "";
        if (!singable(now) && now.state === "preparing") return tell(now) ?? "soon";
        found.session = now;
        say(show(found, { sing: now.session_id }, page).said);
        return "";
      }),
    );
    return t("sing_preparing");
  },

  ready(box, found, page) {
    const told = found.session;
    const start = make("button", { type: "button", className: "sun start" }, icon("microphone"), t("sing_start"));
    start.addEventListener("click", () => enter(found, page));
    const song = { audio_url: session.audioAt(told.session_id, "ref", "original"), duration_s: told.reference.duration_s, waveform_url: null };
    doing(box, make("p", {}, t("sing_ready_text")), start, player(song, titled(told)));
    // Its notes, and the song without its voice, may still be on their way.
    if (told.state === "preparing") pursue(() => session.followStatus(told.session_id, looking.signal, (now) => box.isConnected && Object.assign(told, now).state === "preparing" && "later"));
    return t("sing_ready");
  },

  judging(box, found, page) {
    const tell = working(box, "");
    pursue(async () => {
      await session.followAnalysis(found.session.session_id, looking.signal, (now) => {
        tell(now);
        if (!box.isConnected) return "";
        return ["done", "failed", "cancelled"].includes(now.state) ? "" : "soon";
      });
      if (box.isConnected) await refresh(found, page);
    });
    return t("sing_judging");
  },

  unjudged(box, found, page) {
    const told = found.session;
    const once = make("button", { type: "button", className: "solid" }, t("sing_judge_again"));
    once.addEventListener("click", () =>
      busy(once, async () => {
        await session.analyse(told.session_id);
        await refresh(found, page);
      }),
    );
    const anew = make("button", { type: "button", className: "outline" }, t("sing_again"));
    anew.addEventListener("click", () => enter(found, page));
    doing(box, make("p", {}, why(told.error, "sing_unjudged_text")), make("div", { className: "actions" }, once, anew));
    return t("sing_unjudged");
  },

  failed(box, found, page) {
    const told = found.session;
    const begun = async ({ given: { url, reference }, tell }) => {
      await session.instead(told.session_id, reference ? { reference } : { url }, looking.signal, tell);
      await refresh(found, page);
    };
    const text = why(told.error, told.state === "ready" ? "unshared" : "sing_failed_text");
    doing(box, source(text, [], begun));
    return t("sing_failed");
  },

  gone(box, found, page) {
    const anew = make("button", { type: "button", className: "solid" }, t("sing_again"));
    anew.addEventListener("click", () => busy(anew, () => again(found, page)));
    doing(box, make("p", {}, t("sing_gone_text")), anew);
    return t("sing_gone");
  },
};

/** Follow something for as long as it is looked at. */
async function pursue(following) {
  try {
    await following();
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof Trouble)) throw error;
  }
}
