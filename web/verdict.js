// What identify says of a picture: the photo with its sleeves outlined, beside the album it shows.
import { sure, t } from "./language.js";
import { actions, byline, cover, link, make, named, outlines, tag, title } from "./results.js";

const ALIKE = 0.02; // of those that share an artwork: how far apart their similarities may be
const MOST_CHOICES = 4;

/** A box of the size of what is coming; `photo` is an <img>, decoded, or null. */
export function expectVerdict(photo) {
  const bones = ["kicker", "cover", "wide", "half"].map((name) => make("span", { className: `bone ${name}` }));
  return make(
    "section",
    { id: "verdict", className: "verdict", ariaBusy: "true" },
    photo ? framed(photo) : null,
    make("div", { className: "about" }, ...bones),
  );
}

/**
 * Fill the box with what one sleeve is. `answers` are the service's, one for each sleeve in the
 * picture, or null where it gave none; `chosen` says which of them, `choose(number)` is called for
 * another. Returns what a screen reader should say.
 */
export function showVerdict(box, answers, photo, { ask, onGenre, links, chosen = 0, choose }) {
  const answer = answers?.[chosen] ?? null;
  const decision = answer?.decision ?? "none";
  box.dataset.decision = decision;
  box.removeAttribute("aria-busy");
  const { heading, text } = words(answer);
  const about = make("div", { className: "about" });
  if (decision === "match") about.append(...matched(answer.album, heading, text, { ask, onGenre, links }));
  else {
    about.append(make("h3", {}, heading), make("p", { className: "sure" }, text));
    if (decision === "ambiguous") about.append(choices(answer.candidates, ask));
  }
  const picture = photo ? framed(photo) : null;
  if (picture) {
    const quads = (answers ?? []).map((one) => one.evidence?.quad ?? null);
    photo.alt = t(quads.some(Boolean) ? "photo_marked" : "photo_plain");
    const size = [photo.naturalWidth, photo.naturalHeight];
    if (quads.some(Boolean)) picture.append(outlines(size, quads, chosen, choose));
  }
  box.replaceChildren(...(picture ? [picture] : []), about);
  const name = answer?.album ? ` ${named(answer.album)}.` : "";
  return `${heading}.${name} ${text}`;
}

function words(answer) {
  if (!answer) return { heading: t("verdict_none"), text: t("verdict_none_text") };
  const { decision, confidence } = answer;
  return { heading: t(decision), text: t(`${decision}_text`, { sure: sure(confidence) }) };
}

/** The album itself, once: its cover and its title lead to it. */
function matched(album, heading, text, { ask, onGenre, links }) {
  const label = t("cover_of", { title: title(album) });
  return [
    make("p", { className: "kicker" }, `${heading} `, make("span", { className: "sure" }, text)),
    link(album, ask, { className: "sleeve", ariaLabel: label }, cover(album, true, t("cover_is", { title: named(album) }))),
    make("h3", {}, link(album, ask, {}, title(album))),
    make("p", { className: "artist" }, byline(album)),
    tag(album, onGenre),
    actions(album, links),
  ].filter(Boolean);
}

/** Those that share the artwork, side by side, each a link. */
function choices(candidates, ask) {
  const best = candidates[0].similarity_score;
  const near = candidates.filter((one, place) => place < 2 || best - one.similarity_score < ALIKE);
  return make(
    "ul",
    { className: "choices" },
    ...near.slice(0, MOST_CHOICES).map((album) =>
      make(
        "li",
        {},
        link(
          album,
          ask,
          { className: "card" },
          cover(album, true),
          make("span", { className: "name" }, title(album)),
          make("span", { className: "artist" }, byline(album)),
        ),
      ),
    ),
  );
}

/** The whole photo, uncropped, in a frame of its own shape. */
function framed(photo) {
  const frame = make("span", { className: "photo" }, photo);
  frame.style.setProperty("--shape", photo.naturalWidth / photo.naturalHeight);
  return frame;
}
