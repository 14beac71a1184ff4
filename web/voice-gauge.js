// A bar that says how much of something there is. Not <meter>: each browser draws that otherwise.
import { make } from "./results.js";

/** `part` is 0–1. */
export function gauge(label, part) {
  const node = make("div", { className: "gauge", role: "meter", ariaLabel: label, ariaValueMin: "0", ariaValueMax: "100" });
  setGauge(node, part);
  return node;
}

export function setGauge(node, part) {
  node.ariaValueNow = String(Math.round(part * 100));
  node.style.setProperty("--part", part.toFixed(3));
}
