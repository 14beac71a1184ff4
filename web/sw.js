// The page without a connection: its last document and its files. Searches need the service.
const SHELL = "shell";

self.addEventListener("install", (event) => {
  event.waitUntil(keepAll().catch(() => {}).then(() => self.skipWaiting())); // no room: no shell
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = new URL(request.url).pathname.slice(new URL("./", self.location).pathname.length);
  if (request.method !== "GET" || !request.url.startsWith(self.location.origin)) return;
  if (request.mode === "navigate" && path === "") event.respondWith(document(request));
  else if (path.startsWith("web/")) event.respondWith(file(request, path));
});

/** The document and the files that it names: whoever was here once may come back offline. */
async function keepAll() {
  const shell = await caches.open(SHELL);
  const page = await fetch("./", { headers: { Accept: "text/html" } }); // or it is the list of routes
  if (!page.ok) return;
  const names = [...(await page.clone().text()).matchAll(/"(web\/[^"#]+)/g)].map(([, name]) => name);
  await shell.put("./", page);
  await shell.addAll([...new Set(names)]);
}

/** A copy for later, where there is room for one and it may be kept. */
async function keep(key, answer) {
  try {
    await (await caches.open(SHELL)).put(key, answer);
  } catch {
    // Full or forbidden: what is asked for is answered all the same.
  }
}

/** One form of each is kept, whatever of a request its answer says it varies by. */
const kept = (key) => caches.match(key, { cacheName: SHELL, ignoreVary: true }).catch(() => undefined);

/** The newest document there is; every address of the page is the same one. */
async function document(request) {
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await keep("./", fresh.clone());
    return fresh;
  } catch (error) {
    const old = await kept("./");
    if (old) return old;
    throw error;
  }
}

/** A file under its digest never changes; those of another digest are an older page's. */
async function file(request, path) {
  const known = await kept(request);
  if (known) return known;
  const fresh = await fetch(request);
  if (!fresh.ok) return fresh;
  await dropOthers(path.split("/")[1]).catch(() => {});
  await keep(request, fresh.clone());
  return fresh;
}

async function dropOthers(digest) {
  const shell = await caches.open(SHELL);
  for (const old of await shell.keys()) {
    const [folder, theirs] = new URL(old.url).pathname.split("/").slice(-3);
    if (folder === "web" && theirs !== digest) await shell.delete(old);
  }
}
