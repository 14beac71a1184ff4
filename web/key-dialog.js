// Where a key is entered. Loaded where the service asks for one.
import { base } from "./address.js";
import { hasKey, keep } from "./key.js";
import { language, t } from "./language.js";
import { make } from "./results.js";

const SENDABLE = /^[\x20-\x7e]+$/; // what a header may hold

/** → whether the service takes the key that was entered; false where it was thought better of. */
export function ask() {
  const field = make("input", { id: "key-field", type: "password", autocomplete: "current-password", spellcheck: false, maxLength: 500, required: true });
  const wrong = make("p", { id: "key-wrong", role: "alert" }, hasKey() ? t("key_wrong") : "");
  const form = make(
    "form",
    { noValidate: true },
    make("label", { htmlFor: "key-field" }, t("key_label")),
    make("div", { className: "field" }, field),
    wrong,
    make("p", { className: "note" }, t("key_note")),
    make("div", { className: "actions" }, make("button", { className: "sun" }, t("key_go")), make("button", { type: "button", className: "plain" }, t("cancel"))),
  );
  const dialog = make("dialog", { id: "key-dialog" }, make("h2", { id: "key-title" }, t("key_title")), form);
  dialog.setAttribute("aria-labelledby", "key-title");
  field.setAttribute("aria-describedby", "key-wrong");
  document.body.append(dialog);
  form.querySelector(".plain").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const key = field.value.trim();
    wrong.textContent = "";
    const problem = key && SENDABLE.test(key) ? await refused(key) : "key_wrong";
    if (!problem) {
      keep(key);
      return dialog.close("taken");
    }
    wrong.textContent = t(problem);
    field.focus();
    field.select();
  });
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue === "taken");
    });
  });
}

/** Why a key is of no use, as a sentence is called; "" where it is taken. */
async function refused(key) {
  try {
    const { status } = await fetch(`${base}health`, { headers: { "X-API-Key": key, "Accept-Language": language() }, cache: "no-store" });
    return status === 401 || status === 403 ? "key_wrong" : "";
  } catch {
    return "key_unasked";
  }
}
