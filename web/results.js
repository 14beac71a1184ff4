// The albums' side of the page: a stage (the best album, or what is happening) and a shelf.
import { write } from "./address.js";
import { percent, t } from "./language.js";

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

const title = (album) => album.title ?? t("untitled", { id: album.album_id });
export const named = (album) =>
  album.artist ? t("by", { title: title(album), artist: album.artist }) : title(album);
const genre = (album) =>
  album.genre ?? (album.genre_id >= 0 ? t("genre_number", { id: album.genre_id }) : "");

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
    image.src = album.cover_url;
    frame.append(image);
  }
  return frame;
}

/** The corners of a sleeve in a picture of `width` × `height` pixels, as a drawing to lay over it. */
export function outline([width, height], quad) {
  const draw = (name, values) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
    return node;
  };
  const points = quad.map((corner) => corner.join(",")).join(" ");
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  // A dark line under a light one is seen on any picture.
  for (const part of ["under", "over"]) svg.append(draw("polygon", { points, class: part }));
  return svg;
}

function alike(album) {
  if (typeof album.similarity_score !== "number") return null;
  const bar = make("span", { className: "bar", ariaHidden: "true" });
  bar.style.setProperty("--part", Math.min(1, Math.max(0, album.similarity_score)));
  return make(
    "span",
    { className: "alike", title: album.similarity_score.toFixed(4) },
    make("span", { className: "unseen" }, `${t("similarity")} `),
    percent(album.similarity_score),
    bar,
  );
}

function link(album, ask, properties, ...children) {
  const href = write({ ...ask, album: album.album_id });
  const node = make("a", { href, ...properties }, ...children);
  node.dataset.album = album.album_id;
  return node;
}

function card(album, place, ask) {
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
      make("span", { className: "artist" }, album.artist ?? ""),
      make(
        "span",
        { className: "line" },
        make("span", { className: "genre" }, genre(album)),
        alike(album) ?? "",
      ),
    ),
  );
}

function best(album, kicker, ask, onGenre) {
  const tag = make("button", { type: "button", className: "tag" }, genre(album));
  tag.addEventListener("click", () => onGenre(album.genre_id));
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
      make("p", { className: "artist" }, album.artist ?? ""),
      genre(album) ? make("p", {}, tag) : null,
      kicker === "chosen" ? null : make("p", { className: "score" }, `${t("similarity")} `, alike(album)),
      kicker === "chosen" ? null : link(album, ask, { className: "more" }, t("more")),
    ),
  );
}

function skeleton(big) {
  const bones = (...names) => names.map((name) => make("span", { className: `bone ${name}` }));
  return big
    ? make("div", { className: "best" }, make("div", { className: "record" }, ...bones("cover")), make("div", { className: "about" }, ...bones("kicker", "wide", "half")))
    : make("li", {}, make("div", { className: "card" }, ...bones("cover", "name", "artist", "line")));
}

function head(key, count) {
  $("title").textContent = t(key);
  $("count").textContent = count || "\u00a0"; // keeps its line while empty
}

const HEADS = { browse: "browse", search: "found", album: "similar" };

/** Boxes of the size of what is coming, so that nothing moves when it comes. */
export function expect(what, verdict) {
  head(HEADS[what], what === "browse" ? "" : t("waiting"));
  $("further").hidden = true;
  const best = what === "browse" ? [] : [skeleton(true)];
  stage.replaceChildren(...(verdict ? [verdict] : []), ...best);
  shelf.replaceChildren(...Array.from({ length: SKELETONS }, () => skeleton(false)));
}

export const clear = () => stage.replaceChildren();

/**
 * A found answer; `verdict` is a box to put before it, or null. Returns the sentence that a screen
 * reader should say.
 */
export function show(found, ask, onGenre, verdict) {
  const { kind, albums, total, chosen } = found;
  head(HEADS[kind], t("count", { n: total }));
  const first = chosen ?? (kind === "search" ? albums[0] : null);
  const rest = kind === "search" ? albums.slice(1) : albums;
  stage.replaceChildren(
    ...(verdict ? [verdict] : []),
    ...(first ? [best(first, chosen ? "chosen" : "best", ask, onGenre)] : []),
  );
  shelf.replaceChildren(...rest.map((album, place) => card(album, place, ask)));
  $("further").hidden = kind !== "browse" || albums.length >= total;
  if (kind === "browse") return t("count", { n: total });
  return t(kind === "album" ? "similar_to" : "found_n", { n: total, title: named(first) });
}

/** More of the catalogue, after what is there. */
export function append(found, ask) {
  const from = shelf.children.length;
  shelf.append(...found.albums.map((album, place) => card(album, from + place, ask)));
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
