// The albums' side of the page: a stage (the best album, or what is happening) and a shelf.
import { base, write } from "./address.js";
import { number, t } from "./language.js";

const $ = (id) => document.getElementById(id);
const stage = $("stage");
const shelf = $("shelf");

const EAGER = 8; // covers that are surely on the first screen
const SKELETONS = 12;

/** Text always enters as text: a catalogue's titles are not ours to trust. */
export function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null));
  return node;
}

export const title = (album) => album.title ?? t("untitled", { id: album.album_id });
export const named = (album) =>
  album.artist ? t("by", { title: title(album), artist: album.artist }) : title(album);
const genre = (album) =>
  album.genre ?? (album.genre_id >= 0 ? t("genre_number", { id: album.genre_id }) : "");

/** Who made it, and when: "Ida Marlow · 1974". */
export const byline = (album) => [album.artist, album.year].filter(Boolean).join(" · ");

/** Where an album has no cover: a plain sleeve in a colour of its own, with its initials. */
function drawn(album) {
  const initials = title(album).split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? "");
  const node = make("span", { className: "drawn", ariaHidden: "true" }, initials.join(""));
  node.style.setProperty("--hue", (album.album_id * 137.5) % 360); // the golden angle: neighbours differ
  return node;
}

export function cover(album, eager, alt = "") {
  const frame = make("span", { className: "cover" });
  if (!album.cover_url) {
    frame.append(drawn(album));
  } else {
    const image = make("img", {
      alt,
      width: 256,
      height: 256,
      decoding: "async",
      loading: eager ? "eager" : "lazy",
      draggable: false, // or dropping it by accident would search for it
    });
    image.addEventListener("error", () => image.replaceWith(drawn(album)), { once: true });
    // Behind a path the service may not know of, ours is the one that works.
    const at = album.cover_url;
    image.src = at.startsWith(base) ? at : base + at.slice(1);
    frame.append(image);
  }
  return frame;
}

/** An SVG element with these attributes. */
export function drawing(name, values, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** One of icons.svg: `show(name)` of it is which. */
export function icon(name) {
  const use = drawing("use", {});
  const svg = drawing("svg", { class: "icon", "aria-hidden": "true" }, use);
  svg.show = (other) => use.setAttribute("href", new URL(`icons.svg#${other}`, import.meta.url).href);
  svg.show(name);
  return svg;
}

/**
 * The corners of sleeves in a picture of `width` × `height` pixels, as a drawing to lay over it;
 * of several each is a button, and `chosen` the one that is pressed. `quads` may hold nulls.
 */
export function outlines([width, height], quads, chosen, choose) {
  const several = quads.filter(Boolean).length > 1;
  const svg = drawing("svg", { viewBox: `0 0 ${width} ${height}` });
  if (!several) svg.setAttribute("aria-hidden", "true");
  quads.forEach((quad, place) => {
    if (!quad) return;
    const points = quad.map((corner) => corner.join(",")).join(" ");
    const group = drawing("g", { class: place === chosen ? "chosen" : "other" });
    // A dark line under a light one is seen on any picture.
    for (const part of ["under", "over"]) group.append(drawing("polygon", { points, class: part }));
    if (several) {
      const label = t("sleeve", { n: place + 1 });
      for (const [key, value] of Object.entries({ role: "button", tabindex: 0, "aria-label": label, "aria-pressed": place === chosen }))
        group.setAttribute(key, value);
      group.addEventListener("click", () => choose(place));
      group.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose(place);
      });
    }
    svg.append(group);
  });
  return svg;
}

export function link(album, ask, properties, ...children) {
  const href = write({ ...ask, album: album.album_id });
  const node = make("a", { href, ...properties }, ...children);
  node.dataset.album = album.album_id;
  return node;
}

/** What can be done with an album: pass it on, or look for it elsewhere (`links`: name → template). */
export function actions(album, links) {
  const share = make("button", { type: "button", className: "outline share" }, t("share"));
  share.addEventListener("click", () => passOn(album));
  const outward = Object.entries(links ?? {}).map(([name, template]) => {
    const href = template.replace(/\{(artist|title|year)\}/g, (_, key) => encodeURIComponent(album[key] ?? ""));
    return make("a", { className: "outline", href, target: "_blank", rel: "noopener noreferrer" }, name);
  });
  return make("div", { className: "actions" }, share, ...(album.title ? outward : []));
}

async function passOn(album) {
  const url = new URL(write({ album: album.album_id, genre: null, words: "" }), location.href).href;
  try {
    if (navigator.share) await navigator.share({ title: named(album), url });
    else {
      await navigator.clipboard.writeText(url);
      say(t("copied"));
    }
  } catch (error) {
    if (error.name !== "AbortError") prompt(t("copy"), url); // no clipboard on plain http
  }
}

/** The genre as a button that narrows the view; null where it is not known. */
export function tag(album, onGenre) {
  if (!genre(album)) return null;
  const button = make("button", { type: "button", className: "tag" }, genre(album));
  button.addEventListener("click", () => onGenre(album.genre_id));
  return make("p", {}, button);
}

function card(album, rank, ask, place) {
  const name = title(album);
  return make(
    "li",
    {},
    link(
      album,
      ask,
      { className: "card" },
      cover(album, place < EAGER),
      make("span", { className: "name", title: name }, name),
      make("span", { className: "artist" }, byline(album)),
      make(
        "span",
        { className: "line" },
        make("span", { className: "genre" }, genre(album)),
        rank ? make("span", { className: "rank" }, make("span", { className: "unseen" }, t("rank", { n: rank })), make("span", { ariaHidden: "true" }, number(rank))) : "",
      ),
    ),
  );
}

function best(album, kicker, ask, onGenre, links) {
  return make(
    "article",
    { className: "best" },
    make(
      "div",
      { className: "record" },
      make("span", { className: "disc", ariaHidden: "true" }),
      kicker === "chosen"
        ? cover(album, true)
        : link(album, ask, { ariaLabel: t("cover_of", { title: title(album) }) }, cover(album, true)),
    ),
    make(
      "div",
      { className: "about" },
      make("p", { className: "kicker" }, t(kicker)),
      make("h3", {}, title(album)),
      make("p", { className: "artist" }, byline(album)),
      tag(album, onGenre),
      kicker === "chosen" ? actions(album, links) : link(album, ask, { className: "more" }, t("more")),
    ),
  );
}

function skeleton(big) {
  const bones = (...names) => names.map((name) => make("span", { className: `bone ${name}` }));
  return big
    ? make("div", { className: "best" }, make("div", { className: "record" }, ...bones("cover")), make("div", { className: "about" }, ...bones("kicker", "wide", "half")))
    : make("li", {}, make("div", { className: "card" }, ...bones("cover", "name", "artist", "line")));
}

/** The verdict leads: it comes before the heading of those that only look alike. */
export function lead(verdict) {
  if (verdict) document.querySelector(".heading").before(stage);
  else document.querySelector(".heading").after(stage);
}

export function head(key, count) {
  $("title").textContent = t(key);
  $("count").textContent = count || "\u00a0"; // keeps its line while empty
}

const HEADS = { browse: "browse", search: "found", album: "similar", finds: "finds", heard: "heard", track: "track", tracks: "tracks", library: "library", voice: "sing" };

/** Boxes of the size of what is coming, so that nothing moves when it comes. */
export function expect(what, verdict) {
  head(verdict ? "alike" : HEADS[what], what === "browse" ? "" : t("waiting"));
  const track = what === "heard" || what === "track";
  lead(verdict || track);
  $("further").hidden = true;
  if (what === "library" || what === "voice") return; // they have boxes of their own
  stage.replaceChildren(...(verdict ? [verdict] : what === "browse" || what === "finds" || what === "tracks" ? [] : [skeleton(true)]));
  shelf.replaceChildren(...Array.from({ length: track ? 0 : SKELETONS }, () => skeleton(false)));
}

export const clear = () => stage.replaceChildren();

/** No heading of albums over a message. */
export const unhead = () => head("nothing_here", "");

/**
 * A found answer; `verdict` is the box that leads it, or null. Returns the sentence that a screen
 * reader should say.
 */
export function show(found, ask, { onGenre, links, verdict = null }) {
  const { kind, albums, total, chosen, names = [] } = found;
  head(verdict ? "alike" : HEADS[kind], verdict ? "" : t("count", { n: total }));
  lead(verdict);
  const first = verdict ? null : (chosen ?? (kind === "search" ? albums[0] : null));
  const rest = first && kind === "search" ? albums.slice(1) : albums;
  stage.replaceChildren(
    ...(verdict ? [verdict] : []),
    ...(names.length ? [namedSo(names, ask)] : []),
    ...(first ? [best(first, chosen ? "chosen" : "best", ask, onGenre, links)] : []),
  );
  const ranked = kind === "search" || kind === "album";
  const from = first && kind === "search" ? 2 : 1;
  shelf.replaceChildren(...rest.map((album, place) => card(album, ranked ? place + from : 0, ask, place)));
  $("further").hidden = kind !== "browse" || albums.length >= total;
  if (kind === "browse" || kind === "finds") return t("count", { n: total });
  return t(kind === "album" ? "similar_to" : "found_n", { n: total, title: named(chosen ?? albums[0]) });
}

/** Albums whose title or artist has the words: before any cover that only looks like them. */
function namedSo(names, ask) {
  const list = make("ul", { className: "named" }, ...names.map((album) => make("li", {}, row(album, ask))));
  return make("section", { className: "names", ariaLabel: t("names") }, make("h3", {}, t("names")), list);
}

function row(album, ask) {
  return link(
    album,
    ask,
    { className: "row" },
    cover(album, true),
    make("span", {}, make("span", { className: "name" }, title(album)), make("span", { className: "artist" }, byline(album))),
  );
}

/**
 * What can be done with finds: `forget(albums)` some of them and, where `removed` is their number
 * and not 0, `undo()` it. With an album shown there is a button at each, and one for all.
 */
export function tend(albums, removed, { forget, undo }) {
  const all = make("button", { type: "button", className: "outline" }, t("forget_all"));
  all.addEventListener("click", () => forget(albums));
  const back = make("button", { type: "button", className: "solid", id: "undo" }, t("undo"));
  back.addEventListener("click", undo);
  const told = removed ? [make("p", {}, t("forgotten", { n: removed })), back] : [];
  stage.append(make("div", { className: "actions tend" }, ...told, ...(albums.length ? [all] : [])));
  albums.forEach((album, place) => {
    const one = make("button", { type: "button", className: "tag", ariaLabel: t("forget_one", { title: named(album) }) }, t("forget"));
    one.addEventListener("click", () => forget([album]));
    shelf.children[place].append(one);
  });
}

/** Take an album off the shelf: the verdict above shows it. */
export function unshelve(album) {
  shelf.querySelector(`a[data-album="${album.album_id}"]`)?.closest("li").remove();
}

/** More of the catalogue, after what is there. */
export function append(found, ask) {
  const from = shelf.children.length;
  shelf.append(...found.albums.map((album, place) => card(album, 0, ask, from + place)));
  $("further").hidden = found.albums.length === 0 || shelf.children.length >= found.total;
  shelf.children[from]?.firstElementChild.focus();
}

/**
 * What is happening instead of albums. `part` (0–1) draws a progress bar, `actions` is a list
 * of [label, function]. The same panel again only changes its words, so a focused button stays.
 */
export function panel({ name, heading, text, part = null, actions = [], language = "" }) {
  let box = stage.querySelector(`[data-panel="${name}"]`);
  if (!box) {
    box = make("div", { className: "panel" }, make("span", { className: "disc", ariaHidden: "true" }), make("h3"), make("p"));
    box.dataset.panel = name;
    if (part !== null) box.append(make("progress", { max: 1, ariaLabel: heading }));
    const buttons = actions.map(([label, act], place) => {
      const button = make("button", { type: "button", className: place ? "outline" : "solid" }, label);
      button.addEventListener("click", act);
      return button;
    });
    if (buttons.length) box.append(make("div", { className: "actions" }, ...buttons));
    lead(null);
    stage.replaceChildren(box);
    shelf.replaceChildren();
    $("further").hidden = true;
    $("count").textContent = "\u00a0";
  }
  box.querySelector("h3").textContent = heading;
  const words = box.querySelector("p");
  words.textContent = text;
  words.lang = language;
  if (part !== null) box.querySelector("progress").value = part;
}

/** The genres' list: { genre_id, genre, albums } each, and which one is chosen. */
export function listGenres(list, chosen) {
  const select = $("genre");
  const options = list.map((entry) => {
    const name = entry.genre ?? t("genre_number", { id: entry.genre_id });
    return new Option(t("genre_count", { genre: name, n: entry.albums }), entry.genre_id);
  });
  const known = chosen === null || list.some((entry) => entry.genre_id === chosen);
  if (!known) options.push(new Option(t("genre_number", { id: chosen }), chosen));
  select.replaceChildren(new Option(t("all_genres"), ""), ...options);
  select.value = chosen ?? "";
  select.disabled = options.length === 0;
}

export const say = (sentence) => {
  $("live").textContent = sentence;
};
