// The library's side of the page: add by link or file, follow its jobs, find, hear, take away and
// delete its tracks. Loaded where the library is looked at, with its words and its style.
import { write, blank } from "./address.js";
import { Trouble, query, quietly, request, sleep } from "./api.js";
import { language, learn, number, sure, t } from "./language.js";
import { ended, follow, order, sendFile, sendLink } from "./library-jobs.js";
import { sentences } from "./library-strings.js";
import { pausePlaying, player, time } from "./player.js";
import { head, lead, make, say } from "./results.js";
import { row as trackRow, sheet, styled as sounds, tonality } from "./sound.js";

learn(sentences);

const $ = (id) => document.getElementById(id);
const PAGE = 20;
const SKELETONS = 3;
const ABOUT_MOST = 500; // letters of a title
const NEAR = 6;
const SERVED_TRIES = 12;
const SERVED_EVERY = 700; // ms
const NOTES = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const STATES = ["ready", "processing", "failed", "cancelled"];
const NAMES = { youtube: "YouTube", tiktok: "TikTok", spotify: "Spotify", jamendo: "Jamendo" };
const WEB = /^https?:\/\//i;

/** The style of all this, before anything of it is shown. */
export const styled = Promise.all([sounds, sheet("library.css")]);

const never = () => new AbortController().signal;
const jobs = new Map(); // job → as it was told last
const followed = new Set(); // jobs that somebody follows
const sending = []; // what is on its way, or did not arrive
let shown = { found: null, ask: null, page: null };

const title = (sample) => sample.title ?? sample.filename ?? sample.url ?? t("untitled_track", { id: sample.track_id });
const percent = (part) => new Intl.NumberFormat(language(), { style: "percent" }).format(part);

/** Why something failed: in the page's own words, or in those of the service. */
const why = ({ code, message, state }) => t(`fails_${code || state}`) || message || t("fails_internal");

/** An ask of the library → { kind, samples, total }. */
export async function answer(ask, signal, tell, offset = 0) {
  const wanted = { ...Object.fromEntries(new URLSearchParams(ask.library)), offset, limit: PAGE };
  const { total, samples } = await request(`/api/v1/samples?${query(wanted)}`, { cache: "no-store" }, signal, tell);
  return { kind: "library", samples, total };
}

// ---- Showing ---------------------------------------------------------------------------------

/** What is there before the answer is: ways to add, filters, boxes of the size of rows. */
export function expect(ask, page) {
  shown = { found: null, ask, page };
  frame(ask, page);
  $("shelf").replaceChildren(...sending.map(sent), ...Array.from({ length: SKELETONS }, () => make("li", { className: "sample bone" })));
}

/** Put what was found on the page → { said: for a screen reader, title: of the page }. */
export function show(found, ask, page) {
  pausePlaying();
  shown = { found, ask, page };
  frame(ask, page);
  $("further").hidden = true;
  $("shelf").replaceChildren(...sending.map(sent), ...found.samples.map(row));
  further(found, ask);
  count();
  found.samples.forEach(pursue);
  return { said: t("tracks_n", { n: found.total }), title: t("library_all") };
}

function count() {
  const { found, ask } = shown;
  head("library_all", t("tracks_n", { n: found.total }));
  const none = found.samples.length === 0 && sending.length === 0;
  $("stage").querySelector(".none").textContent = none ? t(ask.library ? "library_none" : "library_empty") : "";
}

function frame(ask, page) {
  lead(null);
  if (!$("stage").querySelector(".shelves")) {
    $("stage").replaceChildren(make("div", { className: "shelves" }, adder(), finder(page)), make("p", { className: "none" }));
  }
  $("stage").querySelector(".none").textContent = "";
  fill(ask);
}

/** More of the list, after what is there. */
function further(found, ask) {
  if (found.samples.length >= found.total) return;
  const button = make("button", { type: "button", className: "outline" }, t("further"));
  const item = make("li", { className: "wide" }, button);
  button.addEventListener("click", async () => {
    button.disabled = true;
    const more = await answer(ask, never(), () => {}, found.samples.length).catch(() => null);
    button.disabled = false;
    if (!more) return say(t("cut_text"));
    // One that was added meanwhile has moved the others on by a place.
    const known = new Set(found.samples.map((one) => one.track_id));
    const fresh = more.samples.filter((one) => !known.has(one.track_id));
    const rows = fresh.map(row);
    found.samples.push(...fresh);
    found.total = more.samples.length ? more.total : found.samples.length;
    item.replaceWith(...rows);
    fresh.forEach(pursue);
    further(found, ask);
    rows[0]?.querySelector("a, button")?.focus();
  });
  $("shelf").append(item);
}

// ---- Adding ----------------------------------------------------------------------------------

function adder() {
  const about = (name) => make("label", {}, t(`${name}_new`), make("input", { name, type: "text", maxLength: ABOUT_MOST, autocomplete: "off" }));
  const link = make("input", { id: "link", type: "text", inputMode: "url", autocomplete: "off", spellcheck: false, maxLength: 2000, placeholder: "https://" });
  const wrong = make("p", { className: "wrong", id: "link-wrong", role: "alert" });
  const files = make("input", { id: "files", type: "file", accept: "audio/*,video/*,.amr,.caf,.flac,.opus", multiple: true, hidden: true, tabIndex: -1, ariaHidden: "true" });
  const choose = make("button", { type: "button", className: "outline" }, t("files_choose"));
  const form = make(
    "form",
    { className: "adder", noValidate: true, ariaLabel: t("library_add") },
    make("h3", {}, t("library_add")),
    make("div", { className: "entry" }, make("label", {}, t("link_label"), link), make("button", { className: "solid" }, t("link_add"))),
    wrong,
    make("details", {}, make("summary", {}, t("about_new")), make("div", { className: "fields" }, about("title"), about("artist"))),
    make("div", { className: "files" }, choose, make("span", {}, t("files_drop"))),
    files,
    takes(),
  );
  link.setAttribute("aria-describedby", "link-wrong");
  choose.addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    add([...files.files]);
    files.value = "";
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const url = link.value.trim();
    wrong.textContent = WEB.test(url) ? "" : t(url ? "link_wrong" : "link_missing");
    if (wrong.textContent) return link.focus();
    link.value = "";
    begin({ name: url, url, about: taken() });
  });
  return form;
}

let sources = null;
function takes() {
  const line = make("p", { className: "takes" });
  sources ??= quietly("/api/v1/health", {}, never());
  sources.then((told) => {
    const present = Object.entries(told?.sources ?? {}).filter(([, source]) => source.present);
    const known = present.map(([name]) => NAMES[name] ?? t(`source_${name}`)).filter(Boolean);
    if (known.length) line.textContent = t("takes", { names: known.join(", ") });
  });
  return line;
}

/** Files, however they came: one after another. */
export async function add(files) {
  const about = taken(files.length === 1);
  const all = files.map((file) => announce({ name: about.title ?? file.name, file, about }));
  for (const one of all) if (sending.includes(one)) await deliver(one);
}

/** What the form says about what is added, once: { title, artist }, where given. The title is of one. */
function taken(single = true) {
  const form = $("stage").querySelector(".adder");
  const fields = ["artist", ...(single ? ["title"] : [])].map((name) => form.elements[name]);
  const about = Object.fromEntries(fields.map(({ name, value }) => [name, value.trim()]).filter(([, value]) => value));
  for (const field of fields) field.value = "";
  return about;
}

const begin = (what) => deliver(announce(what));

function announce(what) {
  const one = { part: 0, trouble: null, stopper: new AbortController(), ...what };
  sending.unshift(one);
  $("shelf").prepend(sent(one));
  if (shown.found) count();
  return one;
}

async function deliver(one) {
  one.trouble = null;
  one.stopper = new AbortController();
  redraw(one);
  try {
    const { signal } = one.stopper;
    const tell = (part) => {
      one.part = part;
      tellPart(one.node, part, one.file ? t("sending", { part: percent(part) }) : t("link_sending"));
    };
    const accepted = await (one.file ? sendFile(one.file, one.about, signal, tell) : sendLink(one.url, one.about, signal));
    const sample = await request(`/api/v1/samples/${accepted.track_id}`, { cache: "no-store" }, never(), () => {});
    arrive(one, sample);
  } catch (error) {
    if (error.name === "AbortError") return dismiss(one);
    if (!(error instanceof Trouble)) throw error;
    one.trouble = error;
    redraw(one);
    say(t("has_failed", { title: one.name, why: why(error) }));
  }
}

function dismiss(one) {
  if (sending.includes(one)) sending.splice(sending.indexOf(one), 1);
  one.node.remove();
  if (shown.found) count();
}

/** What was sent has a row of its own now, or had one before. */
function arrive(one, sample) {
  sending.splice(sending.indexOf(one), 1);
  const { found } = shown;
  const before = rowAt(sample.track_id);
  if (!found || !one.node.isConnected) return one.node.remove();
  if (!before) {
    found.samples.unshift(sample);
    found.total += 1;
  } else {
    found.samples.splice(found.samples.findIndex((other) => other.track_id === sample.track_id), 1, sample);
    before.remove();
    if (sample.status === "ready") say(t("is_there", { title: title(sample) }));
  }
  exchange(one.node, row(sample));
  count();
  pursue(sample);
}

function redraw(one) {
  const old = one.node;
  exchange(old, sent(one));
}

/** A row in the place of another, with the focus where it was. */
function exchange(old, fresh) {
  const focused = old.contains(document.activeElement);
  old.replaceWith(fresh);
  if (focused) fresh.querySelector("button, a")?.focus();
}

function sent(one) {
  const { name, trouble } = one;
  const middle = trouble ? failing(why(trouble), trouble.spoken) : going(name, one.part, one.file ? t("sending", { part: percent(one.part) }) : t("link_sending"));
  const buttons = trouble
    ? [button(t("again"), t("again_one", { title: name }), () => deliver(one)), button(t("dismiss"), null, () => dismiss(one))]
    : [button(t("cancel"), t("stop_one", { title: name }), () => (one.stopper.signal.aborted || !one.file ? dismiss(one) : one.stopper.abort()))];
  one.node = make("li", { className: "sample" }, heading(make("span", { className: "name" }, name), []), middle, feet(buttons));
  return one.node;
}

// ---- A row -----------------------------------------------------------------------------------

const rowAt = (id) => $("shelf").querySelector(`[data-sample="${id}"]`);

function button(text, label, act, properties = {}) {
  const node = make("button", { type: "button", className: "tag", ...properties }, text);
  if (label) node.ariaLabel = label;
  node.addEventListener("click", act);
  return node;
}

const heading = (name, facts) =>
  make("div", { className: "about" }, name, make("p", { className: "facts" }, ...facts.map((fact) => make("span", {}, fact))));
const feet = (buttons) => make("div", { className: "feet" }, ...buttons);
const failing = (text, lang = "") => make("p", { className: "why", lang }, text);

function going(name, part, text) {
  return make("div", { className: "going" }, make("span", {}, text), make("progress", { max: 1, value: part, ariaLabel: t("progress_of", { title: name }) }));
}

function tellPart(node, part, text) {
  const bar = node.querySelector("progress");
  if (!bar) return;
  bar.value = part;
  bar.previousSibling.textContent = text;
}

const stepOf = (job) => t(`step_${job?.state === "running" && job.step ? job.step : "queued"}`);

function row(sample) {
  const node = make("li", { className: "sample" });
  node.dataset.sample = sample.track_id;
  const parts = sample.status === "ready" ? ready(sample) : sample.status === "processing" ? working(sample) : stopped(sample);
  node.append(...parts);
  return node;
}

function ready(sample) {
  const name = make("a", { className: "name", href: write({ ...blank, track: sample.track_id }) }, [title(sample), sample.artist].filter(Boolean).join(" · "));
  name.dataset.track = sample.track_id;
  const facts = [
    sample.bpm ? t("bpm", { n: Math.round(sample.bpm) }) : null,
    sample.key && tonality(sample.key),
    sample.loudness_lufs === null ? null : t("lufs", { level: number(Math.round(sample.loudness_lufs * 10) / 10) }),
    sample.duration_s ? time(sample.duration_s) : null,
  ];
  const take = (format) => button(format.toUpperCase(), t("download", { title: title(sample), format: format.toUpperCase() }), () => download(sample, format));
  const more = button(t("about"), t("about_one", { title: title(sample) }), () => unfold(sample, more), { ariaExpanded: "false" });
  const buttons = [...(sample.audio_shared ? [take("mp3"), take("wav")] : []), more, eraser(sample)];
  return [heading(name, facts.filter(Boolean)), player(sample, title(sample)), feet(buttons)];
}

function working(sample) {
  const job = jobs.get(sample.job_id);
  const cancel = button(t("cancel"), t("stop_one", { title: title(sample) }), () => command(sample, "cancel", cancel));
  return [heading(make("span", { className: "name" }, title(sample)), []), going(title(sample), job?.progress ?? 0, stepOf(job)), feet([cancel])];
}

function stopped(sample) {
  const retry = button(t("again"), t("again_one", { title: title(sample) }), () => command(sample, "retry", retry));
  const text = sample.status === "cancelled" ? failing(t("was_cancelled")) : failing(sample.error ? why(sample.error) : t("fails_internal"));
  return [heading(make("span", { className: "name" }, title(sample)), [t(`status_${sample.status}`)]), text, feet([...(sample.job_id ? [retry] : []), eraser(sample)])];
}

/** Cancel or try again; whatever it was, the row then tells what has become of it. */
async function command(sample, what, pressed) {
  if (pressed.ariaDisabled) return;
  pressed.ariaDisabled = "true"; // not disabled: it would lose the focus, which its row hands on
  try {
    jobs.set(sample.job_id, await order(sample.job_id, what));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    say(error.message || t("cut_text"));
  }
  pressed.ariaDisabled = null;
  await refresh(sample.track_id);
}

/** The row of a track as it is now. */
async function refresh(id) {
  const fresh = await request(`/api/v1/samples/${id}`, { cache: "no-store" }, never(), () => {}).catch((error) => {
    if (!(error instanceof Trouble)) throw error;
    return error.status === 404 ? null : undefined;
  });
  const { found } = shown;
  const old = rowAt(id);
  if (fresh === undefined || !found || !old) return null;
  const at = found.samples.findIndex((one) => one.track_id === id);
  if (fresh === null) {
    remove(id);
    return null;
  }
  found.samples[at] = fresh;
  exchange(old, row(fresh));
  pursue(fresh);
  return fresh;
}

function remove(id) {
  const { found } = shown;
  const at = found.samples.findIndex((one) => one.track_id === id);
  if (at >= 0) {
    found.samples.splice(at, 1);
    found.total -= 1;
  }
  rowAt(id)?.remove();
  count();
}

/** Follow the job of a track that is not ready yet, as long as somebody looks at it. */
async function pursue(sample) {
  const id = sample.job_id;
  if (sample.status !== "processing" || !id || followed.has(id)) return;
  followed.add(id);
  const stopper = new AbortController();
  const tell = (job) => {
    jobs.set(id, job);
    const node = rowAt(sample.track_id);
    if (!node) return stopper.abort();
    if (!ended(job)) tellPart(node, job.progress, stepOf(job));
  };
  try {
    const job = await follow(id, stopper.signal, tell);
    followed.delete(id);
    await conclude(sample, job);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  } finally {
    followed.delete(id);
  }
}

async function conclude(sample, job) {
  if (job && job.track_id !== sample.track_id) return joined(sample, job);
  if (job?.state === "done") await served(sample.track_id);
  const fresh = await refresh(sample.track_id);
  if (fresh?.status === "ready") say(t("is_ready", { title: title(fresh) }));
  if (fresh?.status === "failed") say(t("has_failed", { title: title(fresh), why: fresh.error ? why(fresh.error) : "" }));
}

/** A track is served a moment after its job is done. */
async function served(id) {
  for (let tries = 0; tries < SERVED_TRIES; tries += 1) {
    if (await quietly(`/api/tracks/${id}`, {}, never())) return;
    await sleep(SERVED_EVERY, never());
  }
}

/** A link led to what is in the library already. */
async function joined(sample, job) {
  const old = rowAt(sample.track_id);
  if (!old || !shown.found) return;
  const known = rowAt(job.track_id);
  const fresh = await request(`/api/v1/samples/${job.track_id}`, {}, never(), () => {}).catch(() => null);
  remove(sample.track_id);
  if (!fresh) return;
  if (!known) {
    shown.found.samples.unshift(fresh);
    shown.found.total += 1;
    $("shelf").prepend(row(fresh));
    count();
  }
  say(t("is_there", { title: title(fresh) }));
}

async function download(sample, format) {
  try {
    const { url, filename } = await request(`/api/v1/samples/${sample.track_id}/download?format=${format}`, { method: "POST" }, never(), () => {});
    make("a", { href: url, download: filename, rel: "noopener" }).click();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    say(error.message || t("cut_text"));
  }
}

// ---- Deleting: asked once more, in the row ----------------------------------------------------

function eraser(sample) {
  const ask = button(t("erase"), t("erase_one", { title: title(sample) }), () => {
    const node = rowAt(sample.track_id);
    const plain = node.querySelector(".feet");
    const keep = button(t("erase_no"), null, () => {
      asked.replaceWith(plain);
      ask.focus();
    });
    const yes = button(t("erase_yes"), null, () => erase(sample, yes));
    const asked = make("div", { className: "feet", role: "group", ariaLabel: t("erase_one", { title: title(sample) }) }, make("p", {}, t("erase_sure", { title: title(sample) })), yes, keep);
    asked.addEventListener("keydown", (event) => event.key === "Escape" && keep.click());
    plain.replaceWith(asked);
    keep.focus();
    say(t("erase_sure", { title: title(sample) }));
  });
  return ask;
}

async function erase(sample, pressed) {
  if (pressed.ariaDisabled) return;
  pressed.ariaDisabled = "true";
  try {
    await request(`/api/v1/samples/${sample.track_id}`, { method: "DELETE" }, never(), () => {});
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (error.status !== 404) {
      pressed.ariaDisabled = null;
      return say(error.message || t("cut_text"));
    }
  }
  const node = rowAt(sample.track_id);
  const next = (node?.nextElementSibling ?? node?.previousElementSibling)?.querySelector("a, button");
  remove(sample.track_id);
  say(t("erased", { title: title(sample) }));
  (next ?? $("title")).focus();
}

// ---- More about one ---------------------------------------------------------------------------

async function unfold(sample, pressed) {
  const node = rowAt(sample.track_id);
  const open = node.querySelector(".extra");
  pressed.ariaExpanded = String(!open);
  if (open) return open.remove();
  const box = make("div", { className: "extra" }, measures(sample));
  node.append(box);
  const [results, near] = await Promise.all([
    quietly(`/api/v1/results/${sample.track_id}`, {}, never()),
    quietly(`/api/v1/results/${sample.track_id}/similar?k=${NEAR}`, {}, never()),
  ]);
  box.append(...matches(results), section("alike_tracks", (near?.results ?? []).map(trackRow), near ? "no_alike" : "unknown_now"));
}

function measures(sample) {
  const whose = sample.creator && button(sample.creator, null, () => shown.page.go({ library: canonical({ creator: sample.creator }) }, { focus: true }));
  const origin = sample.url && WEB.test(sample.url) ? outward(sample.url, NAMES[sample.source] ?? new URL(sample.url).host) : t(`source_${sample.source}`) || sample.source;
  const facts = {
    energy: sample.energy === null ? null : percent(sample.energy),
    danceability: sample.danceability === null ? null : percent(sample.danceability),
    creator: whose,
    origin,
    licence: sample.licence,
    added: new Intl.DateTimeFormat(language(), { dateStyle: "medium" }).format(new Date(sample.created_at)),
    downloads: number(sample.downloads),
  };
  const pairs = Object.entries(facts).filter(([, value]) => value);
  return make("dl", {}, ...pairs.map(([key, value]) => make("div", {}, make("dt", {}, t(key)), make("dd", {}, value))));
}

const outward = (href, text) => make("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);

function matches(results) {
  const twins = (results?.matches.library ?? []).map(({ track, score, offset_s }) =>
    trackRow({ ...track, because: t("twin_at", { sure: sure(Math.max(0, score)), time: time(Math.max(0, offset_s)) }) }),
  );
  const known = (results?.matches.outside ?? []).map((one) => {
    const text = [one.title, one.artist, one.source].filter(Boolean).join(" · ");
    return make("li", {}, WEB.test(one.url ?? "") ? outward(one.url, text) : text);
  });
  return [section("twins", twins, results ? "no_twins" : "unknown_now"), ...(known.length ? [section("outside", known, "")] : [])];
}

const section = (key, items, none) =>
  make("section", {}, make("h4", {}, t(key)), items.length ? make("ul", {}, ...items) : make("p", {}, t(none)));

// ---- Finding ----------------------------------------------------------------------------------

/** Filters → how an ask and an address write them. */
const canonical = (filters) => new URLSearchParams(Object.entries(filters).filter(([, value]) => value)).toString();

function finder(page) {
  const labelled = (key, field) => make("label", {}, t(key), field);
  const tempo = (name) => make("input", { name, type: "number", inputMode: "numeric", min: 1, max: 999 });
  const keys = ["major", "minor"].flatMap((mode) => NOTES.map((note) => `${note} ${mode}`));
  const apply = make("button", { className: "outline" }, t("narrow_go"));
  const none = button(t("narrow_none"), null, () => page.go({ library: "" }), { className: "outline clear" });
  const form = make(
    "form",
    { className: "narrowing", role: "search", ariaLabel: t("narrow") },
    make("div", { className: "entry" }, labelled("words_in", make("input", { name: "q", type: "search", maxLength: 400, autocomplete: "off", enterKeyHint: "search" })), make("button", { className: "solid" }, t("narrow"))),
    make(
      "details",
      {},
      make("summary", {}, t("more_filters")),
      make(
        "div",
        { className: "fields" },
        labelled("bpm_from", tempo("from")),
        labelled("bpm_to", tempo("to")),
        labelled("filter_key", make("select", { name: "key" }, new Option(t("any_key"), ""), ...keys.map((key) => new Option(tonality(key), key)))),
        labelled("filter_status", make("select", { name: "status" }, new Option(t("any_status"), ""), ...STATES.map((state) => new Option(t(`status_${state}`), state)))),
        labelled("filter_creator", make("input", { name: "creator", type: "text", maxLength: 200, autocomplete: "off" })),
      ),
      make("div", { className: "actions" }, apply, none),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { q, from, to, key, status, creator } = Object.fromEntries(new FormData(form));
    const bpm = from || to ? `${from || 1}-${to || 999}` : "";
    shown.page.go({ library: canonical({ q: q.trim(), bpm, key, status, creator: creator.trim() }) });
  });
  return form;
}

/** The filters show what is asked. */
function fill(ask) {
  const form = $("stage").querySelector(".narrowing");
  const { q = "", bpm = "", ...others } = Object.fromEntries(new URLSearchParams(ask.library));
  const [from, to = from] = bpm.split("-");
  const values = { q, from, to, key: "", status: "", creator: "", ...others };
  for (const [name, value] of Object.entries(values)) if (form.elements[name]) form.elements[name].value = value;
  const on = Object.keys(others).length + (bpm ? 1 : 0);
  form.querySelector("summary").textContent = on ? `${t("more_filters")} (${t("filters_on", { n: on })})` : t("more_filters");
  form.querySelector(".clear").hidden = !ask.library;
  if (on) form.querySelector("details").open = true;
}
