"""A stand-in service for the page's tests: the contract's routes over a small drawn catalogue.

It exists to reach states that the real service enters only under load or by accident. What it
answers when it is well is the contract's shape; `tests/whole/browser/test_live.py` checks the page
against the real service.
"""

from __future__ import annotations

import colorsys
import io
import json
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import bentoml
from PIL import Image, ImageDraw

from engine.serving.http.page import Page, Reply, load_page

from .fake_sound import FakeSound
from .fake_voice import FakeVoice

WEB = Path(__file__).parents[3] / "web"
SWAGGER = Path(bentoml.__file__).parent / "_internal/server/static_content"
GENRES = ["Jazz", "Dub", "Folk", "Ambient", "Punk"]
FIRST = ["Blue", "Paper", "Night", "Seven", "Glass", "Slow", "Northern", "Velvet"]
SECOND = ["Harbour", "Machines", "Garden", "Horizon", "Letters", "Weather", "Rooms"]
NAMES = ["Ida Marlow", "The Lanterns", "Kofi Adjei", "Solveig & Sons", "Mono Club"]
ALBUMS = 60
UNSURE: dict[str, Any] = {"decision": "unsure", "confidence": 0.0, "candidates": []}


def album(number: int, score: float | None = None) -> dict[str, Any]:
    """Album `number` in the contract's shape.

    Some are awkward: 7 has no cover, 8 a missing one, 9 no words, 11 markup in its title.
    """
    genre = number % len(GENRES)
    title: str | None = f"{FIRST[number % len(FIRST)]} {SECOND[number % len(SECOND)]}"
    entry: dict[str, Any] = {"album_id": number, "genre_id": genre}
    if score is not None:
        entry["similarity_score"] = score
    entry |= {"title": title, "artist": NAMES[number % len(NAMES)], "genre": GENRES[genre]}
    entry["year"] = 1960 + number if number % 2 else None
    entry["cover_url"] = None if number == 7 else f"/api/albums/{number}/cover"
    if number == 9:
        entry |= {"title": None, "artist": None, "genre": None}
    if number == 11:
        entry["title"] = "<b>Bold</b> & Co"
    return entry


def draw_cover(number: int, side: int = 256) -> Image.Image:
    """A plain geometric sleeve, different for every number."""

    def tint(step: float, light: float) -> tuple[int, ...]:
        hue = (number * 0.381 + step) % 1
        return tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue, light, 0.6))

    image = Image.new("RGB", (side, side), tint(0, 0.25 + 0.5 * (number % 3) / 2))
    pen = ImageDraw.Draw(image)
    step = side / 8
    if number % 3 == 0:
        pen.ellipse((2 * step, 2 * step, 6 * step, 6 * step), fill=tint(0.4, 0.55))
    elif number % 3 == 1:
        for row in range(0, 8, 2):
            pen.rectangle((0, row * step, side, (row + 1) * step), fill=tint(0.5, 0.5))
    else:
        pen.polygon(((step, 7 * step), (4 * step, step), (7 * step, 7 * step)), fill=tint(0.3, 0.6))
    pen.rectangle((step / 2, step / 2, 3 * step, step), fill=(250, 248, 240))
    return image


@dataclass
class Canned:
    """One prepared answer for the next search; status 0 drops the connection."""

    status: int
    code: str | None = None
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    file: bytes


class Fake:
    """The server, and what a test may set: `canned`, `delay` (s), `ready`, `empty`; what identify
    says, `identified`, and at a glance, `glances` one after another; `sound` and `voice` where it
    has them. It says nothing of its health while `silent` is set, nothing of what a picture shows
    while `unproved` is, and answers nothing while `held` is."""

    def __init__(self) -> None:
        self.page: Page = load_page(WEB)
        self.covers: dict[int, bytes] = {}
        self.silent, self.unproved, self.held = (threading.Event() for _ in range(3))
        self.reset()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5

            def do_GET(self) -> None:
                fake.serve(self, b"")

            def do_POST(self) -> None:
                fake.serve(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def do_DELETE(self) -> None:
                fake.serve(self, b"")

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *args: object) -> None:
                pass  # the browser goes away in the middle of answers: that is its right

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def reset(self) -> None:
        self.canned: deque[Canned] = deque()
        self.delay = 0.0
        self.ready = True
        self.empty = False
        self.links: dict[str, str] = {}
        self.artifact = "fake"
        self.sound: FakeSound | None = None
        self.voice: FakeVoice | None = None
        self.many: list[dict[str, Any]] = []
        for event in (self.silent, self.unproved, self.held):
            event.clear()
        self.identified = 200, identified("match")
        self.glances: list[dict[str, Any] | None] = []
        self.seen: list[Seen] = []

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def calls(self, prefix: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path.startswith(prefix)]

    # ---- routes --------------------------------------------------------------------------

    def serve(self, http: BaseHTTPRequestHandler, body: bytes) -> None:
        url = urlsplit(http.path)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        form, file = parse_form(http.headers.get("Content-Type", ""), body)
        seen = Seen(http.command, url.path, query, form, file)
        delay = self.delay  # as it was when this was seen
        self.seen.append(seen)
        accept = http.headers.get("Accept-Encoding")
        etag = http.headers.get("If-None-Match")
        if url.path == "/" and "html" not in http.headers.get("Accept", ""):
            headers = {"Content-Type": "application/json", "X-Artifact": self.artifact}
            return send(http, Reply(200, headers, json.dumps({"links": self.links}).encode()))
        if url.path == "/":
            return send(http, self.page.index(etag, accept))
        if reply := self.page.at_root(url.path, etag, accept):
            return send(http, reply)
        if url.path == "/docs":
            return send(http, self.page.docs(etag, accept))
        if found := re.fullmatch(r"/web/(\w+)/([\w.-]+)", url.path):
            reply = self.page.asset(found[1], found[2], etag, accept)
            return send(http, reply or Reply(404, {}, b""))
        if url.path.startswith("/static_content/"):
            path = SWAGGER / Path(url.path).name
            kind = "text/css" if path.suffix == ".css" else "text/javascript"
            return send(http, Reply(200, {"Content-Type": kind}, path.read_bytes()))
        if url.path == "/health":
            while_set(self.silent)
        if url.path == "/readyz":
            return send(http, Reply(200 if self.ready else 503, {}, b""))
        for part in (self.sound, self.voice):
            if part and (media := part.media(url.path, http.headers.get("Range"))):
                return send(http, media)
        if url.path == "/openapi.json":
            return send_json(http, 200, OPENAPI)
        if found := re.fullmatch(r"/api/albums/(\d+)/cover", url.path):
            return self.send_cover(http, int(found[1]))
        if not self.ready:
            return send(http, Reply(503, {"Content-Type": "text/html"}, b"<h1>starting</h1>"))
        # Searches alone: the first visit's catalogue and genres may still be on their way, and
        # must not eat what a test prepared for the search that follows.
        if self.canned and url.path.startswith("/api/search"):
            return self.send_canned(http, self.canned.popleft())
        while_set(self.held)
        time.sleep(delay)
        status, answer = self.answer(seen)
        return send_json(http, status, answer)

    def glance(self) -> tuple[int, Any]:
        """The next of `glances`; None of them is a busy service, and where none is left it is not
        sure of anything."""
        told = self.glances.pop(0) if self.glances else {**identified("no_match"), **UNSURE}
        return (200, told) if told else (503, failure("overloaded", "Too busy."))

    def answer(self, seen: Seen) -> tuple[int, Any]:
        options = {**seen.query, **seen.form}
        if seen.path == "/health":
            return 200, self.health()
        for part in (self.sound, self.voice):
            if part and (told := part.answer(seen.path, options)):
                return told
        genre = options.get("genre_id")
        ids = [n for n in range(ALBUMS) if genre is None or n % len(GENRES) == int(genre)]
        ids = [] if self.empty else ids
        k = int(options.get("k", 5))
        if seen.path == "/api/genres":
            return 200, [
                {"genre_id": n, "genre": name, "albums": ALBUMS // len(GENRES)}
                for n, name in enumerate(GENRES)
            ]
        if seen.path == "/api/albums":
            if "q" in options:
                words = options["q"].lower().split()
                ids = [n for n in ids if all(word in named(n) for word in words)]
            start = int(options.get("offset", 0))
            page = ids[start : start + int(options["limit"])]
            return 200, {"total": len(ids), "albums": [album(n) for n in page]}
        if found := re.fullmatch(r"/api/albums/(\d+)(/similar)?", seen.path):
            number = int(found[1])
            if number >= ALBUMS:
                return 404, failure("album_not_found", f"There is no album {number}.")
            if not found[2]:
                return 200, album(number)
            ids.sort(key=lambda n: (n == number, abs(n - number)))
            return 200, results("album", [n for n in ids if n != number][:k])
        if seen.path == "/api/search-by-text":
            # Words choose the order, so that a test can tell one answer from another.
            first = sum(map(ord, options["query"])) % max(1, len(ids))
            return 200, results("text", (ids[first:] + ids[:first])[:k])
        if seen.path == "/api/identify" and options.get("quick"):
            return self.glance()
        if seen.path == "/api/identify":
            while_set(self.unproved)
            if options.get("many"):
                return 200, {"answers": self.many}
            return self.identified
        if seen.path in ("/api/search", "/api/search-by-image"):
            kind = "mixed" if options.get("query") else "image"
            return 200, results(kind, ids[::-1][:k] if kind == "image" else ids[:k])
        return 404, failure("not_found", f"There is no {seen.path}.")

    def health(self) -> dict[str, Any]:
        """What the service knows besides covers."""
        parts = {"sound": self.sound, "voice": self.voice}
        return {name: part.health() for name, part in parts.items() if part}

    def send_cover(self, http: BaseHTTPRequestHandler, number: int) -> None:
        if number == 8:
            return send_json(http, 404, failure("cover_not_found", "No cover."))
        if number not in self.covers:
            out = io.BytesIO()
            draw_cover(number).save(out, "WEBP", quality=80)
            self.covers[number] = out.getvalue()
        headers = {"Content-Type": "image/webp", "Cache-Control": "public, max-age=3600"}
        return send(http, Reply(200, headers, self.covers[number]))

    def send_canned(self, http: BaseHTTPRequestHandler, canned: Canned) -> None:
        if canned.status == 0:
            http.close_connection = True
            http.connection.close()
            return
        body = json.dumps(failure(canned.code, canned.message)) if canned.code else "<html>"
        send(http, Reply(canned.status, canned.headers, body.encode()))


def while_set(event: threading.Event) -> None:
    while event.is_set():
        time.sleep(0.02)


def named(number: int) -> str:
    entry = album(number)
    return f"{entry['title']} {entry['artist']}".lower()


def results(kind: str, ids: list[int]) -> dict[str, Any]:
    scored = [album(n, round(0.93 - 0.04 * place, 4)) for place, n in enumerate(ids)]
    return {"success": True, "query_type": kind, "artifact": "fake", "results": scored}


def identified(decision: str) -> dict[str, Any]:
    """Identify's answer: the picture shows album 59, or 59 and 58 alike, or none."""
    candidates = [album(n, round(0.93 - 0.04 * place, 4)) for place, n in enumerate((59, 58, 57))]
    quad = [[100, 60], [300, 80], [290, 280], [90, 260]]
    return {
        "decision": decision,
        "confidence": 0.97,
        "album": candidates[0] if decision == "match" else None,
        "evidence": None
        if decision == "no_match"
        else {"inliers": 40, "quad": quad, "mirrored": False},
        "candidates": candidates,
    }


def failure(code: str | None, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": {"request_id": "r1"}}}


def parse_form(content_type: str, body: bytes) -> tuple[dict[str, str], bytes]:
    """Just enough of multipart/form-data and JSON for what browsers send."""
    fields: dict[str, str] = {}
    file = b""
    if content_type == "application/json":
        fields = {name: str(value) for name, value in json.loads(body).items()}
    if found := re.search(r"boundary=(\S+)", content_type):
        for part in body.split(b"--" + found[1].encode())[1:-1]:
            head, _, value = part.strip(b"\r\n").partition(b"\r\n\r\n")
            name = re.search(rb'name="([^"]*)"', head)
            if b"filename=" in head:
                file = value
            elif name:
                fields[name[1].decode()] = value.decode()
    return fields, file


def send(http: BaseHTTPRequestHandler, reply: Reply) -> None:
    http.send_response(reply.status)
    for name, value in reply.headers.items():
        http.send_header(name, value)
    if reply.status != 304:
        http.send_header("Content-Length", str(len(reply.body)))
    http.end_headers()
    http.wfile.write(reply.body)


def send_json(http: BaseHTTPRequestHandler, status: int, answer: Any) -> None:
    body = json.dumps(answer).encode()
    send(http, Reply(status, {"Content-Type": "application/json"}, body))


OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "Shazam Visual", "version": "0"},
    "paths": {
        "/api/search-by-text": {
            "get": {
                "summary": "Albums for words",
                "parameters": [
                    {"name": "query", "in": "query", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {"200": {"description": "Albums, best first"}},
            }
        }
    },
}
