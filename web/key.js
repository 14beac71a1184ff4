// The key that a service may ask for (SHAZAM_API_KEYS): entered once, kept by this browser alone.
import { base } from "./address.js";

const KEPT = "shazam-visual-key";
const COOKIE = "shazam_key";
// Inside another site's page nothing is taken out of storage: a click there may be meant for that page.
const framed = window.top !== window;

let key = "";
if (!framed) {
  try {
    key = localStorage.getItem(KEPT) ?? "";
  } catch {
    // Storage may be forbidden: the key then holds until the page is left.
  }
}

/** For what a browser asks without a header of ours: pictures, sound, addresses that are opened. The
 * service takes it where something is only read, and other sites' pages never send it. */
function bake(value) {
  const lasts = value ? "" : "; Max-Age=0";
  const safe = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${COOKIE}=${encodeURIComponent(value)}; Path=${base}; SameSite=Strict${safe}${lasts}`;
}
if (key) bake(key);

export const hasKey = () => key !== "";

/** What a request that a script makes sends along. */
export const keyed = () => (key ? { "X-API-Key": key } : {});

/** Keep a key; none, to forget it. */
export function keep(value) {
  key = value;
  bake(value);
  try {
    if (value) localStorage.setItem(KEPT, value);
    else localStorage.removeItem(KEPT);
  } catch {
    // As above.
  }
}

let entering = null;
/** Ask whoever sits here for a key → whether there is another now. Asked once at a time. */
export const enterKey = () =>
  (entering ??= import("./key-dialog.js")
    .then(({ ask }) => ask())
    .finally(() => {
      entering = null;
    }));
