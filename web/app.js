// The page's flow: a way in → an ask → its answer → albums. One history entry per ask; what was
// answered is kept by entry, so Back shows it at once and brings a picture back with it.
import { blank, kind, read, write } from "./address.js";
import { Trouble, answer, genres, identify } from "./api.js";
import * as camera from "./camera.js";
import { switchLanguage, t, translate } from "./language.js";
import { TooLarge, pictureIn, prepare } from "./picture.js";
import * as results from "./results.js";
import { expectVerdict, showVerdict } from "./verdict.js";

const $ = (id) => document.getElementById(id);
const KEPT = 20; // answers, with pictures of some 100 KB

const visits = new Map(); // history entry → { ask, shown, found, verdict }
let entry = 0;
let shown = false; // whether this browser can show the picture that is there
let ask = { ...blank };
let running = new AbortController();
let again = () => {}; // draws what is on the screen once more, in the other language
let genreList = [];
let genresAsked = false;

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
    ? t("choose_hint")
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
  document.title = [ask.album === null ? words : "", "Shazam Visual"].filter(Boolean).join(" · ");
}

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
  draw();
  search({ focus });
}

async function search({ focus = false, reveal = true } = {}) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const asked = ask;
  const what = kind(asked);
  const visit = { ask: asked, shown, found: null, verdict: undefined };
  visits.set(entry, visit);
  for (const old of [...visits.keys()].slice(0, -KEPT)) visits.delete(old);
  results.expect(what, asksAlbum(asked) ? expectVerdict() : null);
  again = () => search({ reveal: false });
  document.body.classList.add("searching");
  if (what !== "browse") {
    results.say(t("waiting"));
    if (reveal) bringIntoView();
  }
  if (focus) $("title").focus({ preventScroll: true });
  try {
    const found = await answer(asked, signal, (state, values) => happening(state, values, what));
    visit.found = found;
    present(visit);
    if (!genresAsked) loadGenres();
    if (asksAlbum(asked)) await joinVerdict(visit, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Trouble)) throw error;
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
  visit.verdict = await identify(visit.ask.picture, signal);
  const box = $("verdict");
  if (box) results.say(showVerdict(box, visit.verdict, await photoOf(visit)));
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
  const onGenre = (genre) => go({ genre, album: null }, { focus: true });
  again = () => present(visit);
  if (found.albums.length === 0 && !found.chosen) return nothing(asked);
  const box = asksAlbum(asked) ? expectVerdict() : null;
  results.say(results.show(found, asked, onGenre, box));
  if (!box || visit.verdict === undefined) return;
  showVerdict(box, visit.verdict, await photoOf(visit));
}

/** On a narrow screen the albums lie below the form. */
function bringIntoView() {
  if ($("found").getBoundingClientRect().top < innerHeight * 0.5) return;
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

// ---- What is happening instead of albums -----------------------------------------------------

let spoken = "";
function sayOnce(sentence) {
  if (sentence !== spoken) results.say(sentence); // a countdown must not be read out each second
  spoken = sentence;
}

function happening(state, values, what) {
  if (state === "waiting") {
    spoken = "";
    if (document.querySelector("[data-panel]")) results.expect(what, asksAlbum(ask) ? expectVerdict() : null);
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
const another = () => [t("another"), () => $("file").click()];
const startOver = () => [t("start_over"), () => go({ ...blank }, { focus: true })];

function fail({ state, message, status }) {
  const heading = {
    busy: t("busy_title"),
    asleep: t("asleep_title"),
    cut: t("cut_title"),
    refused: t("refused_title"),
  }[state];
  const text = state === "refused" ? message : t(state === "busy" ? "busy_end" : `${state}_text`);
  const picture = state === "refused" && ask.picture && status < 500;
  const actions = [picture ? another() : status > 0 && status < 500 ? startOver() : retry()];
  // The service's own message is in English, whatever the page speaks.
  results.panel({ name: state, heading, text, actions, language: state === "refused" ? "en" : "" });
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

async function take(file) {
  if (!file) return;
  try {
    const { blob, shown: visible } = await prepare(file);
    shown = visible;
    go({ picture: blob, words: $("words").value.trim(), album: null });
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
  $("choose").addEventListener("click", () => $("file").click());
  $("shoot").addEventListener("click", () => {
    if (camera.live()) camera.open();
    else $("file-camera").click();
  });
  camera.setUp(take, () => $("file").click());
  $("away").addEventListener("click", () => {
    go({ picture: null, words: $("words").value.trim(), album: null });
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
    take(file);
  });
}

function setUpWords() {
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const words = $("words").value.trim();
    if (matchMedia("(pointer: coarse)").matches) $("words").blur(); // its keyboard covers the albums
    if (words || ask.picture) return go({ words, album: null });
    results.say(t("ask_first"));
    $("words").focus();
  });
  $("words").addEventListener("input", blend);
  $("weight").addEventListener("change", () => {
    go({ weight: Number($("weight").value), words: $("words").value.trim(), album: null });
  });
}

function setUpAlbums() {
  $("genre").addEventListener("change", () => {
    const { value } = $("genre");
    go({ genre: value === "" ? null : Number(value) });
  });
  $("found").addEventListener("click", (event) => {
    const link = event.target.closest("a[data-album]");
    // With a modifier key it is a link like any other: a new tab, a download.
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go({ album: Number(link.dataset.album) }, { focus: true });
    scrollTo({ top: $("found").offsetTop });
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
  const known = visits.get(entry);
  ask = known?.ask ?? read(location.search);
  shown = known?.shown ?? false;
  draw();
  if (!known?.found) return search({ reveal: false });
  running.abort();
  present(known);
  if (asksAlbum(ask) && known.verdict === undefined) {
    running = new AbortController();
    joinVerdict(known, running.signal).catch(() => {}); // left again before it was known
  }
}

addEventListener("popstate", restore);
$("language").addEventListener("click", () => {
  switchLanguage();
  translate(document);
  draw();
  results.clear(); // or a panel would keep its buttons
  again();
});
// By hand: a fragment would be a history entry of its own, without an answer.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("found").focus();
});
setUpPicture();
setUpWords();
setUpAlbums();
translate(document);
restore();
