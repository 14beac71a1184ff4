// What identify says of a picture: the sleeve outlined in it, the cover it is, and how sure that is.
import { percent, t } from "./language.js";
import { cover, make, named, outline } from "./results.js";

/** An empty box of the size of what is coming. */
export function expectVerdict() {
  const bones = ["cover", "cover", "wide"].map((name) => make("span", { className: `bone ${name}` }));
  return make("section", { id: "verdict", className: "verdict", ariaBusy: "true" }, ...bones);
}

/**
 * Fill the box. `answer` is the service's, or null where it gave none; `photo` is an <img> of the
 * picture that was sent, decoded, or null where this browser cannot show it. Returns what a screen
 * reader should say.
 */
export function showVerdict(box, answer, photo) {
  const { heading, text, decision } = words(answer);
  box.dataset.decision = decision;
  box.removeAttribute("aria-busy");
  const album = answer?.album ?? (decision === "ambiguous" ? answer.candidates[0] : null);
  box.replaceChildren(
    photo ? marked(photo, answer?.evidence?.quad) : "",
    album ? cover(album, true, t("cover_is", { title: named(album) })) : "",
    make("div", {}, make("h3", {}, heading), make("p", {}, text)),
  );
  return `${heading}. ${text}`;
}

function words(answer) {
  if (!answer) return { decision: "none", heading: t("verdict_none"), text: t("verdict_none_text") };
  const { decision, candidates } = answer;
  const sure = percent(answer.confidence);
  const values = { sure, title: answer.album && named(answer.album) };
  if (decision === "ambiguous") values.title = candidates.slice(0, 2).map(named).join(" · ");
  return { decision, heading: t(decision), text: t(`${decision}_text`, values) };
}

function marked(photo, quad) {
  const size = [photo.naturalWidth, photo.naturalHeight];
  photo.alt = t(quad ? "photo_marked" : "photo_plain");
  return make("span", { className: "photo" }, photo, quad ? outline(size, quad) : "");
}
