// The page's flow: a way in → an ask → its answer → albums. One history entry per ask; what was
// answered is kept by entry, so Back shows it at once and brings a picture back with it.
import { base, blank, kind, left, ofSound, read, write } from "./address.js";
import { Trouble, abilities, about, answer, genres, identify, identifyMany } from "./api.js";
import * as camera from "./camera.js";
import * as finds from "./finds.js";
import { hasKey, keep } from "./key.js";
import { switchLanguage, t, translate } from "./language.js";
import { TooLarge, isRecording, pictureIn, prepare } from "./picture.js";
import * as results from "./results.js";
import { nameSounds, offer, offerSounds } from "./samples.js";
import { expectVerdict, showVerdict } from "./verdict.js";

const $ = (id) => document.getElementById(id);
const BROWSED = ["browse", "tracks", "library", "voice"]; // looked through: the ways in stay as they are
const KEPT = 20; // answers, with pictures of some 100 KB
const ROOM = 0.45; // of the picture: a sleeve that takes less of it may have others beside it

const OF_KIND = { browse: {}, tracks: { tracks: "" }, library: { library: "" }, voice: { sing: "" } };

const visits = new Map(); // history entry → { ask, shown, found, answers, chosen }
let entry = 0;
let shown = false; // whether this browser can show the picture that is there
let ask = { ...blank };
let running = new AbortController();
let again = () => {}; // draws what is on the screen once more, in the other language
let removed = []; // the finds as they were before some were removed
let genreList = [];
let genresAsked = false;
let service = { links: {}, artifact: "", sound: null, library: null, voice: null };

// ---- The form: what it shows is always `ask` -------------------------------------------------

function draw() {
  const { picture, words, weight } = ask;
  const preview = $("preview");
  URL.revokeObjectURL(preview.src);
  preview.hidden = !(picture && shown);
  if (picture && shown) preview.src = URL.createObjectURL(picture);
  else preview.removeAttribute("src");
  $("picture").classList.toggle("filled", Boolean(picture));
  $("picture").classList.toggle("blind", Boolean(picture) && !shown);
  $("hint").textContent = !picture
    ? t(document.body.matches(".alone") ? "choose_hint_alone" : service.sound ? "choose_hint_sound" : "choose_hint")
    : shown
      ? t("choose_again")
      : t("undecodable", { name: picture.name ?? "" });
  $("away").hidden = !picture;
  document.querySelector("label[for=words]").textContent = t(picture ? "words_too" : "words_label");
  if ($("words").value.trim() !== words) $("words").value = words;
  $("weight").value = weight;
  blend();
  results.listGenres(genreList, ask.genre);
  $("language").textContent = t("other_language");
  $("language").lang = t("other_language") === "English" ? "en" : "fr";
  countFinds();
  const what = kind(ask);
  document.body.classList.toggle("asked", !BROWSED.includes(what));
  document.body.classList.toggle("sounding", ofSound(ask));
  document.body.classList.toggle("remembering", what === "finds");
  document.body.classList.toggle("keeping", what === "library");
  document.body.classList.toggle("performing", what === "voice");
  for (const link of $("kinds").children) {
    link.href = write({ ...blank, ...OF_KIND[link.dataset.kind] });
    if (what === link.dataset.kind) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  entitle(ask.album === null ? words : "");
}

function countFinds() {
  const kept = finds.all().length;
  $("finds").hidden = kept === 0;
  $("finds").textContent = t("my_finds", { n: kept });
}

const entitle = (what) => {
  document.title = [what, "Shazam Visual"].filter(Boolean).join(" · ");
};

/** The balance is there only where there are two things to balance. */
function blend() {
  $("blend").hidden = !(ask.picture && $("words").value.trim());
}

// ---- Asking ----------------------------------------------------------------------------------

/** Ask something: a new history entry, unless it is the same thing over again. */
function go(change, { focus = false } = {}) {
  const next = { ...ask, ...change };
  if (Object.keys(next).some((key) => next[key] !== ask[key])) {
    entry = Math.max(entry, ...visits.keys()) + 1;
    history.pushState({ entry }, "", write(next));
  }
  ask = next;
  removed = []; // what was gone from is not undone
  draw();
  search({ focus });
}

async function search({ focus = false, reveal = true } = {}) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const asked = ask;
  const what = kind(asked);
  const visit = { ask: asked, shown, found: null, answers: undefined, chosen: 0 };
  visits.set(entry, visit);
  for (const old of [...visits.keys()].slice(0, -KEPT)) visits.delete(old);
  const box = asksAlbum(asked) ? expectVerdict(await photoOf(visit)) : null;
  const part = await partOf(asked); // its words come with it
  if (signal.aborted) return;
  results.expect(what, box);
  part?.expect?.(asked, { go });
  again = () => search({ reveal: false });
  document.body.classList.add("searching");
  if (what !== "browse") {
    results.say(t("waiting"));
    if (reveal) bringIntoView();
  }
  if (focus) $("title").focus({ preventScroll: true });
  try {
    const found =
      what === "finds"
        ? remembered()
        : await (part?.answer ?? answer)(asked, signal, (state, values) => happening(state, values, what));
    visit.found = found;
    present(visit);
    if (!genresAsked) loadGenres();
    if (!service.artifact) learnt();
    if (asksAlbum(asked)) await joinVerdict(visit, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Trouble)) throw error;
    if (what === "browse" && error.status === 404 && (await soundAlone())) return;
    again = () => fail(error);
    fail(error);
  } finally {
    if (running.signal === signal) document.body.classList.remove("searching");
  }
}

/** A picture alone asks which album it is, too; with words it asks for something like it. */
const asksAlbum = (asked) => kind(asked) === "search" && asked.picture && !asked.words;

/** The albums are there already; which one it is joins them when it is known. */
async function joinVerdict(visit, signal) {
  const answer = await identify(visit.ask.picture, signal);
  visit.answers = answer ? [answer] : null;
  if (answer?.album) finds.keep(answer.album);
  await decide(visit);
  if (answer?.decision !== "match" || !answer.evidence?.quad) return;
  const photo = await photoOf(visit);
  if (!photo || area(answer.evidence.quad) > ROOM * photo.naturalWidth * photo.naturalHeight) return;
  const all = await identifyMany(visit.ask.picture, signal);
  const others = all.filter((one) => one.album?.album_id !== answer.album.album_id);
  if (others.length === 0) return;
  visit.answers = [answer, ...others];
  for (const one of others) if (one.album) finds.keep(one.album);
  await decide(visit);
}

/** Twice the triangle of every edge with the origin, halved: the area inside four corners. */
const area = (quad) =>
  Math.abs(quad.reduce((sum, [x, y], at) => sum + x * quad[(at + 1) % 4][1] - quad[(at + 1) % 4][0] * y, 0)) / 2;

/** Show what is known of the picture, if it is still the one that is asked about. */
async function decide(visit, { focus = false } = {}) {
  const photo = await photoOf(visit);
  const box = $("verdict");
  if (!box || visits.get(entry) !== visit) return;
  const choose = (chosen) => {
    visit.chosen = chosen;
    decide(visit, { focus: true });
  };
  const { chosen, answers } = visit;
  const links = service.links;
  results.say(showVerdict(box, answers, photo, { ask: visit.ask, onGenre, links, chosen, choose }));
  if (focus) box.querySelector(`[aria-pressed="true"]`)?.focus();
  const album = answers?.[chosen]?.album;
  if (album) results.unshelve(album);
  if (album) entitle(results.named(album));
  if (answers?.[chosen]?.decision === "match") {
    readdress({ album: album.album_id });
    playTracks(visit, album);
  }
  countFinds();
}

/** A reload has no picture or clip: its address is that of what was found, which is there again. */
const readdress = (found) => history.replaceState({ entry }, "", write({ ...blank, ...found }));

const onGenre = (genre) => go({ ...left, genre }, { focus: true });

let learning = null;
/** What the service says of itself is asked once; again where it did not answer. */
const learnt = () =>
  (learning ??= learn().finally(() => {
    if (!service.artifact) learning = null;
  }));

/** Until the service has said of itself what it is, there are no links and no photos to try. */
async function learn() {
  const { signal } = new AbortController();
  const [told, able] = await Promise.all([about(signal), abilities(signal)]);
  service = { ...told, ...able };
  const heard = able.sound;
  offer(service.artifact, take);
  offerSounds(heard?.artifact, take);
  if (heard) openEars();
  if (able.library) openPart("library", "keeps");
  if (able.voice) openPart("voice", "sings");
  const visit = visits.get(entry);
  // What is shown of the other parts has nothing of it, and a track may be playing there.
  const more = heard || Object.keys(service.links).length;
  if (more && visit?.found && !partOf(visit.ask)) present(visit);
}

/** The picture as an element of its own, once it can be measured; null where it cannot be shown. */
async function photoOf(visit) {
  if (!visit.shown) return null;
  const photo = new Image();
  photo.src = URL.createObjectURL(visit.ask.picture);
  try {
    await photo.decode();
    return photo;
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(photo.src);
  }
}

async function present(visit) {
  const { found, ask: asked } = visit;
  again = () => present(visit);
  if (ofSound(asked)) return presentSound(visit);
  if (partOf(asked)) return presentPart(visit);
  if (kind(asked) === "finds") return presentFinds(visit);
  if (found.albums.length === 0 && !found.chosen && !found.names?.length) return nothing(asked);
  const box = asksAlbum(asked) ? expectVerdict(await photoOf(visit)) : null;
  if (visits.get(entry) !== visit) return;
  results.say(results.show(found, asked, { onGenre, links: service.links, verdict: box }));
  if (found.chosen) {
    entitle(results.named(found.chosen));
    playTracks(visit, found.chosen);
  }
  if (box && visit.answers !== undefined) await decide(visit);
}

const remembered = () => ({ kind: "finds", albums: finds.all(), total: finds.all().length, chosen: null });

/** As they are now: another tab, or this one, may have changed them since they were shown. */
function presentFinds(visit) {
  visit.found = remembered();
  const { albums, total } = visit.found;
  const gone = Math.max(0, removed.length - total);
  if (total) results.say(results.show(visit.found, visit.ask, { onGenre, links: service.links }));
  else results.panel({ name: "finds", heading: t("no_finds"), text: t("no_finds_text"), actions: [startOver()] });
  results.tend(albums, gone, { forget, undo });
  countFinds();
}

function forget(albums) {
  if (!removed.length) removed = finds.all();
  if (albums.length > 1) finds.forget();
  else finds.remove(albums[0].album_id);
  results.clear();
  again();
  results.say(t("forgotten", { n: removed.length - finds.all().length }));
  $("undo").focus();
}

function undo() {
  finds.restore(removed);
  removed = [];
  results.clear();
  again();
  $("title").focus({ preventScroll: true });
}

/** On a narrow screen the albums lie below the form. */
function bringIntoView() {
  if ($("found").getBoundingClientRect().top < innerHeight * (ofSound(ask) ? 0.3 : 0.5)) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  $("found").scrollIntoView({ behavior: still ? "auto" : "smooth" });
}

async function loadGenres() {
  genresAsked = true;
  try {
    genreList = await genres(new AbortController().signal);
    results.listGenres(genreList, ask.genre);
  } catch {
    genresAsked = false; // no filter for now; the next answer tries again
  }
}

// ---- Sound: loaded where it is asked for ------------------------------------------------------

const ears = () => import("./sound.js");

/** What the page has only where the service knows sound. */
function openEars() {
  document.body.classList.add("hears");
  for (const id of ["hear", "hear-again", "kinds"]) $(id).hidden = false;
  $("file").accept = "image/*,audio/*,video/*,.heic,.heif,.avif,.tif,.tiff,.amr,.caf,.flac,.opus";
  draw();
}

/** A part of the page that is loaded where it is looked at, with its style. */
async function dressed(part) {
  await (await part).styled;
  return part;
}

const shelves = () => dressed(import("./library.js"));
const booth = () => dressed(import("./voice.js"));

/** The part of the page that answers an ask; null where it is this one. */
const partOf = (asked) => (ofSound(asked) ? ears() : ({ library: shelves, voice: booth }[kind(asked)]?.() ?? null));

/** What the page has only where the service has that part. */
function openPart(name, mark) {
  document.body.classList.add(mark);
  $("kinds").hidden = $("kinds").querySelector(`[data-kind=${name}]`).hidden = false;
}

/** Sing a track, or a file that was dropped. */
async function sing(song) {
  const { sing: begin, give } = await booth();
  try {
    await (song instanceof File ? give : begin)(song, { go });
  } catch (error) {
    if (error instanceof Trouble) fail(error);
    else if (error.name !== "AbortError") throw error;
  }
}

async function presentPart(visit) {
  const { show } = await partOf(visit.ask);
  if (visits.get(entry) !== visit) return;
  const shown = show(visit.found, visit.ask, { go });
  results.say(shown.said);
  entitle(shown.title);
}

/** A service without covers begins with its tracks. */
async function soundAlone() {
  await learnt();
  if (!service.sound) return false;
  document.body.classList.add("alone");
  ask = { ...blank, tracks: "" };
  history.replaceState(history.state, "", write(ask));
  draw();
  search({ reveal: false });
  return true;
}

async function listen() {
  const { listen } = await ears();
  listen({ heard: (clip) => go({ ...blank, clip }, { focus: true }), choose: () => $("file").click() });
}

async function presentSound(visit) {
  const { show } = await ears();
  if (visits.get(entry) !== visit) return;
  const shown = show(visit.found, visit.ask, { go, listen, genres: genreList });
  results.say(shown.said);
  entitle(shown.title);
  const { answer: heard, album } = visit.found;
  if (heard && visit.found.track) readdress({ track: visit.found.track.track_id });
  if (heard && album) finds.keep(album);
  countFinds();
}

/** What can be heard of an album that is shown. */
async function playTracks(visit, album) {
  if (!service.sound) return;
  const { playable } = await ears();
  const box = await playable(album, running.signal);
  if (!box || visits.get(entry) !== visit) return;
  document.querySelector("#stage .playable")?.remove();
  document.querySelector("#stage .about")?.append(box);
}

// ---- What is happening instead of albums -----------------------------------------------------

let spoken = "";
function sayOnce(sentence) {
  if (sentence !== spoken) results.say(sentence); // a countdown must not be read out each second
  spoken = sentence;
}

function happening(state, values, what) {
  if (state === "waiting") {
    spoken = "";
    if (document.querySelector("[data-panel]")) results.expect(what, asksAlbum(ask) ? expectVerdict(null) : null);
  } else if (state === "waking" || state === "slow") {
    const text = t(`${state}_text`);
    sayOnce(text);
    results.panel({ name: state, heading: t(`${state}_title`), text, part: values.part });
  } else if (state === "busy") {
    sayOnce(t("busy_title"));
    const text = t("busy_text", { n: values.left });
    results.panel({ name: "busy", heading: t("busy_title"), text });
  } else if (state === "offline") {
    sayOnce(t("offline_title"));
    results.panel({ name: "offline", heading: t("offline_title"), text: t("offline_text") });
  }
}

const retry = () => [t("again"), () => search({ focus: true, reveal: false })];
const another = () => [t(ask.clip ? "another_file" : "another"), () => $("file").click()];
const startOver = () => [t("start_over"), () => go({ ...blank }, { focus: true })];

function fail({ state, message, status, code, spoken }) {
  const heading = {
    busy: t("busy_title"),
    asleep: t("asleep_title"),
    cut: t("cut_title"),
    refused: t("refused_title"),
  }[state];
  // What a visitor can do something about is said in the page's own words and language.
  const own = state === "refused" && code ? t(`code_${code}`) : "";
  const text = own || (state === "refused" ? message : t(state === "busy" ? "busy_end" : `${state}_text`));
  results.unhead();
  const file = state === "refused" && (ask.picture || ask.clip) && status < 500;
  const actions = [file ? another() : status > 0 && status < 500 ? startOver() : retry()];
  // The service was asked for its message in the page's language, which may have changed since.
  results.panel({ name: state, heading, text, actions, language: state === "refused" && !own ? spoken : "" });
  results.say(`${heading}. ${text}`);
}

function nothing(asked) {
  const filtered = asked.genre !== null;
  const anywhere = [t("anywhere"), () => go({ genre: null }, { focus: true })];
  const text = t(filtered ? "nothing_genre" : "nothing_text");
  const actions = filtered ? [anywhere] : kind(asked) === "browse" ? [] : [startOver()];
  results.panel({ name: "nothing", heading: t("nothing_title"), text, actions });
  results.say(`${t("nothing_title")}. ${text}`);
}

// ---- Ways in ---------------------------------------------------------------------------------

let taken = null;
async function take(file) {
  if (!file) return;
  taken = file;
  if (isRecording(file) && !service.artifact) await learnt(); // or it would be taken for a picture
  if (taken !== file) return; // another one meanwhile
  if (service.sound && isRecording(file)) return go({ ...blank, clip: { blob: file, answer: null } }, { focus: true });
  try {
    const { blob, shown: visible } = await prepare(file);
    shown = visible;
    go({ ...left, picture: blob, words: $("words").value.trim() });
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    running.abort();
    document.body.classList.remove("searching");
    const text = t("huge", error.values);
    results.panel({ name: "huge", heading: t("refused_title"), text, actions: [another()] });
    results.say(text);
  }
}

function setUpPicture() {
  for (const input of [$("file"), $("file-camera")]) {
    input.addEventListener("change", () => {
      take(input.files[0]);
      input.value = ""; // the same file again must count as a change
    });
  }
  for (const id of ["choose", "pick"]) $(id).addEventListener("click", () => $("file").click());
  for (const id of ["shoot", "shoot-again"])
    $(id).addEventListener("click", () => {
      if (camera.live()) camera.open();
      else $("file-camera").click();
    });
  camera.setUp(take, () => $("file").click());
  for (const id of ["hear", "hear-again"]) $(id).addEventListener("click", listen);
  $("away").addEventListener("click", () => {
    go({ ...left, picture: null, words: $("words").value.trim() });
    $("choose").focus();
  });
  addEventListener("paste", (event) => {
    const file = pictureIn(event.clipboardData);
    // Words on their way into the field; office programs put a picture of them beside them.
    const words = event.target === $("words") && event.clipboardData.getData("text/plain");
    if (!file || words) return;
    event.preventDefault();
    take(file);
  });
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return; // words, for the field
    event.preventDefault(); // or the browser would leave the page for the picture
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    const file = pictureIn(event.dataTransfer);
    if (!file) return;
    event.preventDefault();
    const kept = [...event.dataTransfer.files].filter((one) => !one.type.startsWith("image/"));
    if (kind(ask) === "library" && kept.length) return shelves().then(({ add }) => add(kept));
    if (kind(ask) === "voice" && kept.length) return sing(kept[0]);
    take(file);
  });
}

function setUpWords() {
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const words = $("words").value.trim();
    if (matchMedia("(pointer: coarse)").matches) $("words").blur(); // its keyboard covers the albums
    $("missing").hidden = Boolean(words || ask.picture);
    if (words || ask.picture) return go({ ...left, words });
    $("missing").textContent = t("ask_first");
    results.say(t("ask_first"));
    $("words").focus();
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, select, dialog")) return;
    event.preventDefault();
    $("words").focus();
  });
  $("words").addEventListener("input", () => {
    $("missing").hidden = true;
    blend();
  });
  $("weight").addEventListener("change", () => {
    go({ ...left, weight: Number($("weight").value), words: $("words").value.trim() });
  });
}

function setUpAlbums() {
  $("genre").addEventListener("change", () => {
    const { value } = $("genre");
    go({ genre: value === "" ? null : Number(value) });
  });
  $("found").addEventListener("click", (event) => {
    const song = event.target.closest("[data-sing]");
    if (song) return sing(Number(song.dataset.sing));
    const link = event.target.closest("a[data-album], a[data-track]");
    // With a modifier key it is a link like any other: a new tab, a download.
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const { album, track } = link.dataset;
    go(track ? { ...blank, track: Number(track) } : { ...left, album: Number(album) }, { focus: true });
    scrollTo({ top: $("found").offsetTop });
  });
  $("finds").addEventListener("click", () => go({ ...blank, finds: true }, { focus: true }));
  for (const link of $("kinds").children)
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      go({ ...blank, ...OF_KIND[link.dataset.kind] }, { focus: true });
    });
  $("further").addEventListener("click", async () => {
    const visit = visits.get(entry);
    $("further").disabled = true;
    try {
      const more = await answer(ask, running.signal, () => {}, visit.found.albums.length);
      visit.found = { ...more, albums: [...visit.found.albums, ...more.albums] };
      again = () => present(visit);
      results.append(more, ask);
    } catch (error) {
      if (!(error instanceof Trouble) && error.name !== "AbortError") throw error;
    } finally {
      $("further").disabled = false;
    }
  });
}

function restore() {
  if (!history.state) history.replaceState({ entry: 0 }, "");
  entry = history.state.entry;
  removed = [];
  const known = visits.get(entry);
  ask = known?.ask ?? read(location.search);
  shown = known?.shown ?? false;
  draw();
  // What is in the library, and in a session, changes by itself.
  if (!known?.found || ["library", "voice"].includes(kind(ask))) return search({ reveal: false });
  running.abort();
  present(known);
  if (asksAlbum(ask) && known.answers === undefined) {
    running = new AbortController();
    joinVerdict(known, running.signal).catch(() => {}); // left again before it was known
  }
}

addEventListener("popstate", restore);
finds.watch(() => {
  removed = []; // or undoing would take away what the other tab found
  if (kind(ask) === "finds") present(visits.get(entry));
  else countFinds();
});
$("language").addEventListener("click", () => {
  switchLanguage();
  translate(document);
  nameSounds();
  draw();
  results.clear(); // or a panel would keep its buttons
  again();
});
$("forget-key").hidden = !hasKey();
$("forget-key").addEventListener("click", () => {
  keep("");
  location.reload();
});
// By hand: a fragment would be a history entry of its own, without an answer.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("found").focus();
});
// The page forbids addresses of scripts that are text; this one is a constant.
const policy = window.trustedTypes?.createPolicy("worker", { createScriptURL: () => `${base}sw.js` });
navigator.serviceWorker?.register(policy ? policy.createScriptURL("") : `${base}sw.js`).catch(() => {}); // not on plain http
setUpPicture();
setUpWords();
setUpAlbums();
translate(document);
restore();
