"""The web page: files in `web/` → answers with content-addressed URLs, read once at start.

`index.html` and `docs.html` are written with plain relative references (`href="app.css"`), so
that the folder also works as it lies. Here those become `web/<digest>/app.css`, where the digest
covers the whole folder: a module's `import "./api.js"` then resolves inside the same folder of
URLs, and one changed byte anywhere moves every URL. That is why these may be cached for ever.
They stay relative, so that the page works behind a path of somebody's choosing as well.

A few files are asked for by names of their own (`AT_ROOT`): by browsers, or because what a service
worker may look after is what lies beside it.

The page's document may tell of what its address asks for (`Preview`), to those who run no script.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.serving.http.preview import Preview

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webp": "image/webp",
    ".png": "image/png",
    ".m4a": "audio/mp4",
    ".webmanifest": "application/manifest+json",
}
COMPRESSIBLE = frozenset({".html", ".css", ".js", ".svg", ".webmanifest"})
# Paths at the root → files of the folder.
AT_ROOT = {
    "/manifest.webmanifest": "manifest.webmanifest",
    "/sw.js": "sw.js",
    "/favicon.ico": "icon-192.png",
    "/apple-touch-icon.png": "icon-192.png",
}

# frame-ancestors stays open to all: demo sites show the page inside their own, and inside a frame
# it has no session, and takes no key out of storage that a foreign frame could abuse.
_SHARED_POLICY = (
    "default-src 'none'; script-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; "
)
_PAGE_POLICY = (
    _SHARED_POLICY + "style-src 'self'; img-src 'self' blob:; media-src {}; "
    "worker-src 'self'; manifest-src 'self'; "
    # `worker` makes one constant address; text from a catalogue can become no script.
    "require-trusted-types-for 'script'; trusted-types worker"
)
# Swagger UI's stylesheet holds its icons as data: URLs; it needs nothing else that is loose.
DOCS_POLICY = _SHARED_POLICY + "style-src 'self'; img-src 'self' data:"

# The worker fetches what it keeps; without a policy of its own it would get the API's, which lets
# nothing be fetched, and would never be installed.
WORKER_POLICY = "default-src 'none'; connect-src 'self'"

_COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?:")
_FOR_EVER = "public, max-age=31536000, immutable"
_ICON = re.compile(r'"src": "([\w.-]+)"')
_TITLE = re.compile(rb"<title>[^<]*</title>")
_REFERENCE = re.compile(r'\b(href|src)="([\w.-]+)(#[\w-]+)?"')


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send: a status (200 or 304), headers and the body (empty for 304)."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file as it is served, with its compressed form where that is smaller."""

    body: bytes
    zipped: bytes | None
    media_type: str
    etag: str

    def reply(
        self,
        cache_control: str,
        extra: dict[str, str],
        if_none_match: str | None,
        accept_encoding: str | None,
    ) -> Reply:
        """The answer to one request; `if_none_match` and `accept_encoding` are its headers."""
        headers = {
            "Content-Type": self.media_type,
            "Cache-Control": cache_control,
            "ETag": self.etag,
            "Vary": "Accept, Accept-Encoding",
            **_COMMON_HEADERS,
            **extra,
        }
        if if_none_match is not None and etag_in(self.etag, if_none_match):
            return Reply(304, headers, b"")
        if self.zipped is not None and accepts(accept_encoding, "gzip"):
            headers["Content-Encoding"] = "gzip"
            return Reply(200, headers, self.zipped)
        return Reply(200, headers, self.body)

    def with_head(self, head: str) -> PageFile:
        """This document with `head` in place of its title; its version is made of both, so that
        what is long is neither hashed nor packed tightly for every request."""
        added = head.encode()
        body = _TITLE.sub(lambda _: added, self.body, count=1)
        etag = hashlib.sha256(self.etag.encode() + added).hexdigest()[:16]
        zipped = gzip.compress(body, 1, mtime=0) if self.zipped is not None else None
        return replace(self, body=body, zipped=zipped, etag=f'W/"{etag}"')


@dataclass(frozen=True, slots=True)
class Page:
    """Every file of the page, in memory. Safe to share between threads: nothing changes."""

    digest: str
    files: dict[str, PageFile]

    def index(
        self,
        if_none_match: str | None = None,
        accept_encoding: str | None = None,
        preview: Preview | None = None,
        media: Iterable[str] = (),
    ) -> Reply:
        """`GET /` for a browser, and for what shows a `preview` of a link to it. `media` are the
        origins, besides this service, whose audio the page may play."""
        file = self.files["index.html"]
        if preview is not None:
            file = file.with_head(preview.head())
        extra = {"Content-Security-Policy": page_policy(media)}
        return file.reply("no-cache", extra, if_none_match, accept_encoding)

    def docs(self, if_none_match: str | None = None, accept_encoding: str | None = None) -> Reply:
        """`GET /docs`."""
        extra = {"Content-Security-Policy": DOCS_POLICY}
        return self.files["docs.html"].reply("no-cache", extra, if_none_match, accept_encoding)

    def asset(
        self,
        digest: str,
        name: str,
        if_none_match: str | None = None,
        accept_encoding: str | None = None,
    ) -> Reply | None:
        """`GET /web/{digest}/{name}`; None where there is no such file.

        Another version's digest gets this version's file, not to be kept: in a rolling update
        the document may come from one instance and its style sheet from the next, and a page
        that is slightly off beats a page without style.
        """
        file = self.files.get(name)
        if file is None or name.endswith(".html"):
            return None
        keep = _FOR_EVER if digest == self.digest else "no-cache"
        return file.reply(keep, {}, if_none_match, accept_encoding)

    def at_root(
        self, path: str, if_none_match: str | None = None, accept_encoding: str | None = None
    ) -> Reply | None:
        """A path of `AT_ROOT`; None for any other."""
        name = AT_ROOT.get(path, "")
        file = self.files.get(name)
        extra = {"Content-Security-Policy": WORKER_POLICY} if name == "sw.js" else {}
        return file.reply("no-cache", extra, if_none_match, accept_encoding) if file else None


def page_policy(media: Iterable[str] = ()) -> str:
    """What the page may load from where. A word that is no origin is left out: it could say more
    than where audio is."""
    origins = [origin for origin in media if _ORIGIN.fullmatch(origin)]
    return _PAGE_POLICY.format(" ".join(["'self'", "blob:", *origins]))


def load_page(folder: Path) -> Page:
    """Read `folder` (files directly in it, of the known media types) into a `Page`.

    Raises FileNotFoundError, naming the file, where index.html or docs.html is missing.
    """
    raw = {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix in MEDIA_TYPES
    }
    for name in ("index.html", "docs.html"):
        if name not in raw:
            raise FileNotFoundError(f"{folder / name} is missing: the web page is incomplete.")
    whole = hashlib.sha256()
    for name, body in raw.items():
        whole.update(f"{name}\0{len(body)}\0".encode() + body)
    digest = whole.hexdigest()[:12]

    def hashed(match: re.Match[str]) -> str:
        attribute, name, fragment = match.groups(default="")
        known = name in raw and f"/{name}" not in AT_ROOT
        return f'{attribute}="web/{digest}/{name}{fragment}"' if known else match.group()

    files = {}
    for name, body in raw.items():
        suffix = Path(name).suffix
        if suffix == ".html":
            body = _REFERENCE.sub(hashed, body.decode()).encode()
        if suffix == ".webmanifest":
            body = _ICON.sub(rf'"src": "web/{digest}/\1"', body.decode()).encode()
        # mtime=0: the same files give the same bytes on every machine.
        zipped = gzip.compress(body, 9, mtime=0) if suffix in COMPRESSIBLE else None
        files[name] = PageFile(
            body=body,
            zipped=zipped if zipped is not None and len(zipped) < len(body) else None,
            media_type=MEDIA_TYPES[suffix],
            # Weak: the compressed and the plain form are one version with different bytes.
            etag=f'W/"{hashlib.sha256(body).hexdigest()[:16]}"',
        )
    return Page(digest, files)


def wants_html(accept: str | None) -> bool:
    """Whether an Accept header asks for a page rather than JSON.

    `*/*` (curl, most clients) and no header at all mean JSON; a browser names text/html.
    """
    if accept is None:
        return False
    html = _quality(accept, "text/html")
    return html > 0 and html >= _quality(accept, "application/json")


def wants_json(accept: str | None) -> bool:
    """Whether an Accept header asks for JSON by name, and no less than for a page.

    Who previews a link asks for `*/*` as curl does, so this is what tells programs from them.
    """
    if accept is None:
        return False
    json = _quality(accept, "application/json")
    return json > 0 and json >= _quality(accept, "text/html")


def accepts(header: str | None, token: str) -> bool:
    """Whether a comma-separated header names `token` with a quality above 0."""
    return header is not None and _quality(header, token) > 0


def _quality(header: str, token: str) -> float:
    """The q of `token` in an Accept-like header (RFC 9110, 12.4.2); 0 where it is not named."""
    for part in header.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name.lower() != token:
            continue
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                try:
                    return float(value)
                except ValueError:
                    return 0.0
        return 1.0
    return 0.0


def etag_in(etag: str, header: str) -> bool:
    """Whether an If-None-Match names this version: weak comparison (RFC 9110, 13.1.2)."""
    plain = etag.removeprefix("W/")
    return header.strip() == "*" or any(
        tag.strip().removeprefix("W/") == plain for tag in header.split(",")
    )
