// Which language, and how it writes sentences, numbers and percentages.
import { strings } from "./strings.js";

const KEY = "shazam-visual-language";

function preferred() {
  try {
    const kept = localStorage.getItem(KEY);
    if (kept in strings) return kept;
  } catch {
    // Storage may be forbidden (private windows, embedded frames): the browser's choice then.
  }
  const wanted = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return wanted.find((tag) => tag in strings) ?? "en";
}

let current = preferred();

export const language = () => current;

/** More sentences, of a part of the page that not everybody loads. */
export function learn(more) {
  for (const name of Object.keys(strings)) Object.assign(strings[name], more[name]);
}

export function switchLanguage() {
  current = current === "en" ? "fr" : "en";
  try {
    localStorage.setItem(KEY, current);
  } catch {
    // It then holds until the page is left.
  }
}

export const number = (value) => new Intl.NumberFormat(current).format(value);

/** A probability in words: "over 99%" where a rounded "100%" would promise too much. */
export function sure(confidence) {
  const whole = Math.floor(confidence * 100);
  const percent = new Intl.NumberFormat(current, { style: "percent" }).format(Math.min(whole, 99) / 100);
  return whole >= 99 && confidence > 0.99 ? t("over", { sure: percent }) : percent;
}

export function t(key, values = {}) {
  const table = strings[current];
  const rule = "n" in values ? new Intl.PluralRules(current).select(values.n) : "";
  const text = table[`${key}.${rule}`] ?? table[`${key}.other`] ?? table[key] ?? "";
  return text.replace(/\{(\w+)\}/g, (_, name) =>
    typeof values[name] === "number" && name === "n" ? number(values[name]) : values[name],
  );
}

/** Put the words into everything under `root` that names its sentence. */
export function translate(root) {
  document.documentElement.lang = current;
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-label]"))
    node.setAttribute("aria-label", t(node.dataset.tLabel));
  for (const node of root.querySelectorAll("[data-t-placeholder]"))
    node.placeholder = t(node.dataset.tPlaceholder);
}
