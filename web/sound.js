// Sound's side of the page: what a clip is of, a track and what sounds like it, all tracks by name
// and genre. Loaded where somebody listens or looks at tracks, with its words and its style.
import { base, blank, write } from "./address.js";
import { genres, query, quietly, request } from "./api.js";
import { learn, number, sure, t } from "./language.js";
import { pausePlaying, player, time } from "./player.js";
import { byline, cover, head, lead, make, say } from "./results.js";
import { sentences } from "./sound-strings.js";

learn(sentences);
export { listen } from "./listen.js";

const $ = (id) => document.getElementById(id);
const NEAR = 12;
const PAGE = 30;
const OF_ALBUM = 5;
const SPEED_SEEN = 0.005; // of 1: less is no wonder

/** A style sheet of ours that not everybody loads; done when it is there. */
export const sheet = (name) =>
  new Promise((done) => {
    const link = make("link", { rel: "stylesheet", href: new URL(name, import.meta.url).href });
    link.onload = link.onerror = done;
    document.head.append(link);
  });

/** The style of all this, before anything of it is shown. */
export const styled = sheet("sound.css");

const title = (track) => track.title ?? t("untitled_track", { id: track.track_id });
const named = (track) => (track.artist ? t("by", { title: title(track), artist: track.artist }) : title(track));

/** A key as the service writes it ("F# minor") in the page's language; another stays as it is. */
export function tonality(key) {
  const [, note, sign, mode] = /^([A-G])(#|b)? (major|minor)$/.exec(key) ?? [];
  if (!note) return key;
  const name = t("notes").split(" ")["CDEFGAB".indexOf(note)];
  return `${name}${sign ? t(sign === "#" ? "sharp" : "flat") : ""} ${t(mode)}`;
}

// ---- Asking ----------------------------------------------------------------------------------

function recorded({ blob, name }) {
  const body = new FormData();
  body.set("file", blob, blob.name ?? name ?? "clip");
  return { method: "POST", body };
}

export const identifySound = (clip, signal, tell) => request("/api/identify-sound", recorded(clip), signal, tell);

/** An ask of sound → what is found: { kind, tracks, total, track, answer, album }. */
export async function answer(ask, signal, tell, offset = 0) {
  await styled;
  if (ask.clip) return ofClip(ask.clip, signal, tell);
  if (ask.track !== null) {
    const track = await request(`/api/tracks/${ask.track}`, {}, signal, tell);
    return { kind: "track", track, answer: null, ...(await around(track, signal)) };
  }
  const wanted = { offset, limit: PAGE, genre: await genreName(ask.genre, signal), q: ask.tracks || null };
  const { total, tracks } = await request(`/api/tracks?${query(wanted)}`, {}, signal, tell);
  return { kind: "tracks", tracks, total };
}

async function ofClip(clip, signal, tell) {
  clip.answer ??= await identifySound(clip, signal, tell);
  const { track, reason } = clip.answer;
  if (track) return { kind: "heard", track, answer: clip.answer, ...(await around(track, signal)) };
  const body = recorded(clip);
  body.body.set("k", NEAR);
  const near = reason === "no_agreement" ? await quietly("/api/search-by-sound", body, signal) : null;
  const tracks = near?.results ?? [];
  return { kind: "heard", track: null, answer: clip.answer, album: null, tracks, total: tracks.length };
}

/** What sounds like a track, and the album it is on. */
async function around(track, signal) {
  const [near, album] = await Promise.all([
    quietly(`/api/tracks/${track.track_id}/similar?k=${NEAR}`, {}, signal),
    track.album_id === null ? null : quietly(`/api/albums/${track.album_id}`, {}, signal),
  ]);
  const tracks = near?.results ?? [];
  return { tracks, total: tracks.length, album };
}

async function genreName(id, signal) {
  if (id === null) return null;
  const list = await genres(signal);
  return list.find((one) => one.genre_id === id)?.genre ?? null;
}

/** A box that plays what can be heard of an album; null where there is nothing. */
export async function playable(album, signal) {
  await styled;
  const found = await quietly(`/api/tracks?${query({ album_id: album.album_id, limit: OF_ALBUM })}`, {}, signal).catch(() => null);
  const tracks = (found?.tracks ?? []).filter((track) => track.album_id === album.album_id);
  if (tracks.length === 0) return null;
  const parts = tracks.map((track) =>
    make("div", {}, toTrack(track, { className: "name" }, title(track)), player(track, named(track))),
  );
  return make("section", { className: "playable", ariaLabel: t("on_album") }, ...parts);
}

// ---- Showing ---------------------------------------------------------------------------------

function toTrack(track, properties, ...children) {
  const node = make("a", { href: write({ ...blank, track: track.track_id }), ...properties }, ...children);
  node.dataset.track = track.track_id;
  return node;
}

/** The cover of the album that a track is on, or a sleeve with its initials. */
function sleeve(track, eager, alt = "") {
  const at = track.album_id === null ? null : `${base}api/albums/${track.album_id}/cover`;
  return cover({ album_id: track.album_id ?? track.track_id, title: title(track), cover_url: at }, eager, alt);
}

/** Put what was found on the page → { said: for a screen reader, title: of the page }. */
export function show(found, ask, page) {
  pausePlaying();
  lead(found.kind === "tracks" ? null : "first");
  $("further").hidden = true;
  $("shelf").replaceChildren();
  if (found.kind === "tracks") return showAll(found, ask, page);
  if (!found.track) return showNone(found, page);
  head(found.kind, t("tracks_n", { n: found.total }));
  $("stage").replaceChildren(one(found, page));
  $("shelf").replaceChildren(...found.tracks.map(row));
  const said = t("near_n", { n: found.total, title: named(found.track) });
  const sure = found.answer ? `${t("heard_match")} ${named(found.track)}. ` : "";
  return { said: sure + said, title: named(found.track) };
}

/** The track itself: what it is, how sure, where in it the clip began, and it plays from there. */
function one({ track, answer: heard, album }, { genres: list, go }) {
  const at = heard?.evidence?.offset_s ?? 0;
  const about = [
    heard ? make("p", { className: "kicker" }, t("heard_match"), " ", make("span", { className: "sure" }, proof(heard))) : null,
    make("h3", {}, title(track)),
    make("p", { className: "artist" }, [track.artist, track.album, track.year].filter(Boolean).join(" · ")),
    facts(track, list, go),
    player(track, named(track), heard?.evidence ?? null),
    album ? make("p", {}, toAlbum(album, t("from_album", { title: album.title ?? "" }))) : null,
    track.licence ? make("p", { className: "licence" }, track.licence) : null,
  ];
  const picture = make("div", { className: "record" }, make("span", { className: "disc", ariaHidden: "true" }), album ? toAlbum(album, sleeve(track, true), t("cover_of", { title: album.title ?? "" })) : sleeve(track, true));
  const box = make("article", { className: "best track" }, picture, make("div", { className: "about" }, ...about.filter(Boolean)));
  box.dataset.at = at;
  return box;
}

function proof({ confidence, evidence }) {
  const parts = [t("match_text", { sure: sure(confidence) })];
  if (evidence) parts.push(t("heard_at", { time: time(evidence.offset_s) }));
  if (evidence && Math.abs(evidence.speed - 1) > SPEED_SEEN) parts.push(t("heard_speed", { speed: `${number(Math.round(evidence.speed * 1000) / 10)} %` }));
  return parts.join(", ");
}

function toAlbum(album, content, label = null) {
  const node = make("a", { href: write({ ...blank, album: album.album_id }) }, content);
  if (label) node.ariaLabel = label;
  node.dataset.album = album.album_id;
  return node;
}

/** Its genre, which narrows the list; its tempo and its key. */
function facts(track, list, go) {
  const known = list.find((entry) => entry.genre?.toLowerCase() === track.genre?.toLowerCase());
  const parts = [];
  if (track.genre) {
    const tag = make(known ? "button" : "span", { className: "tag" }, known?.genre ?? track.genre);
    if (known) {
      tag.type = "button";
      tag.addEventListener("click", () => go({ ...blank, tracks: "", genre: known.genre_id }, { focus: true }));
    }
    parts.push(tag);
  }
  if (track.bpm) parts.push(make("span", {}, t("bpm", { n: Math.round(track.bpm) })));
  if (track.key) parts.push(make("span", {}, tonality(track.key)));
  if (track.audio_url) parts.push(toSing(track));
  return parts.length ? make("p", { className: "facts" }, ...parts) : null;
}

/** A way to sing it, where the service has voice. */
function toSing(track) {
  const button = make("button", { type: "button", className: "tag" }, t("sing"));
  button.dataset.sing = track.track_id;
  return button;
}

export function row(track) {
  const lines = [
    make("span", { className: "name" }, title(track)),
    make("span", { className: "artist" }, [byline(track), track.album].filter(Boolean).join(" · ")),
    track.because ? make("span", { className: "because" }, track.because) : null,
  ];
  const length = track.duration_s ? make("span", { className: "length" }, time(track.duration_s)) : null;
  return make("li", {}, toTrack(track, { className: "row" }, sleeve(track, false), make("span", { className: "lines" }, ...lines.filter(Boolean)), length));
}

function showNone({ answer: heard, tracks }, { listen }) {
  const why = t(`why_${heard.reason ?? "no_agreement"}`);
  const again = make("button", { type: "button", className: "solid" }, t("hear_again"));
  again.addEventListener("click", listen);
  const box = make(
    "div",
    { className: "panel" },
    make("span", { className: "disc", ariaHidden: "true" }),
    make("h3", {}, t("heard_no")),
    make("p", {}, why),
    make("div", { className: "actions" }, again),
  );
  box.dataset.panel = "unheard";
  $("stage").replaceChildren(box);
  head(tracks.length ? "heard" : "all_tracks", tracks.length ? t("heard_alike") : "");
  $("shelf").replaceChildren(...tracks.map(row));
  return { said: `${t("heard_no")}. ${why}`, title: t("heard_no") };
}

/** Every track, or those called so. */
function showAll(found, ask, { go }) {
  head("all_tracks", t("tracks_n", { n: found.total }));
  const field = make("input", { type: "search", id: "tracks-words", value: ask.tracks ?? "", maxLength: 200, autocomplete: "off", enterKeyHint: "search" });
  const form = make(
    "form",
    { className: "called", role: "search", ariaLabel: t("find_track") },
    make("label", { htmlFor: "tracks-words" }, t("find_track")),
    make("div", { className: "field" }, field),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go({ tracks: field.value.trim() }, { focus: true });
  });
  const none = found.total ? null : make("p", { className: "none" }, t("nothing_tracks"));
  $("stage").replaceChildren(...[form, none].filter(Boolean));
  $("shelf").replaceChildren(...found.tracks.map(row));
  further(found, ask);
  return { said: t("tracks_n", { n: found.total }), title: t("all_tracks") };
}

/** More of the list, after what is there; the visit keeps them for Back. */
function further(found, ask) {
  if (found.tracks.length >= found.total) return;
  const button = make("button", { type: "button", className: "outline more-tracks" }, t("further"));
  const item = make("li", { className: "wide" }, button);
  button.addEventListener("click", async () => {
    button.disabled = true;
    const from = found.tracks.length;
    const more = await answer(ask, new AbortController().signal, () => {}, from).catch(() => null);
    button.disabled = false;
    if (!more) return say(t("cut_text"));
    found.tracks.push(...more.tracks);
    item.replaceWith(...more.tracks.map(row));
    further({ ...found, total: more.tracks.length ? found.total : 0 }, ask);
    $("shelf").children[from]?.firstElementChild.focus();
  });
  $("shelf").append(item);
}
