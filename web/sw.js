// The page without a connection: its last document and its files. Searches need the service.
const SHELL = "shell";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((shell) => shell.add("./")).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = new URL(request.url).pathname.slice(new URL("./", self.location).pathname.length);
  if (request.method !== "GET" || !request.url.startsWith(self.location.origin)) return;
  if (request.mode === "navigate" && path === "") event.respondWith(document(request));
  else if (path.startsWith("web/")) event.respondWith(file(request, path));
});

/** The newest document there is; every address of the page is the same one. */
async function document(request) {
  const shell = await caches.open(SHELL);
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await shell.put("./", fresh.clone());
    return fresh;
  } catch (error) {
    const kept = await shell.match("./");
    if (kept) return kept;
    throw error;
  }
}

/** A file under its digest never changes; those of another digest are an older page's. */
async function file(request, path) {
  const shell = await caches.open(SHELL);
  const kept = await shell.match(request);
  if (kept) return kept;
  const fresh = await fetch(request);
  if (!fresh.ok) return fresh;
  const [, digest] = path.split("/");
  for (const old of await shell.keys()) {
    const [folder, theirs] = new URL(old.url).pathname.split("/").slice(-3);
    if (folder === "web" && theirs !== digest) await shell.delete(old);
  }
  await shell.put(request, fresh.clone());
  return fresh;
}
