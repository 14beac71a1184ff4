"""Inputs nobody would send by mistake: thousands, the same each time, and not one 5xx.

`make test` tries a slice; `make fuzz` tries FUZZ times as many and prints how many.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import PROJECT, SERVICE, Serve, Server, wait_until_ready, workers_of
from encoded import ENCODED, heic, saved
from hypothesis import HealthCheck, Phase, given, settings
from mutations import mutated
from PIL import Image
from recorded import recorded
from side_by_side import SUMMARY

schemathesis = pytest.importorskip("schemathesis")

TIMES = int(os.environ.get("FUZZ", "1"))
MAX_UPLOAD = 1_000_000
MAX_PIXELS = 4_000_000


class Tally:
    """How many inputs of each sort were tried, and which answers were a server's error."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.failed: list[str] = []

    def note(self, sort: str, status: int, what: str = "") -> None:
        self.tried[sort] += 1
        if status >= 500:
            self.failed.append(f"{sort}: {status} {what[:300]}")


@pytest.fixture(scope="module")
def tally(pytestconfig: pytest.Config) -> Iterator[Tally]:
    made = Tally()
    yield made
    lines = [f"{count:,} {sort}" for sort, count in made.tried.items()]
    total = f"fuzzed: {sum(made.tried.values()):,} inputs tried, {len(made.failed)} answers of 5xx"
    pytestconfig.stash.setdefault(SUMMARY, []).extend([f"{total} ({', '.join(lines)})"])


@pytest.fixture(scope="module")
def target(serve: Serve, tiny_artifact: Path, tiny_sound: Path) -> Iterator[Server]:
    """A server of covers and sound whose only worker must be the same, and no larger, when all is
    done."""
    made = serve(
        tiny_artifact,
        target=SERVICE,
        SHAZAM_SOUND_ARTIFACT=str(tiny_sound),
        SHAZAM_MAX_UPLOAD_BYTES=str(MAX_UPLOAD),
        SHAZAM_MAX_IMAGE_PIXELS=str(MAX_PIXELS),
        SHAZAM_TIMEOUT_S="5",
    )
    wait_until_ready(made, "/health/ready")
    (worker,) = workers_of(made)
    yield made
    assert [process.pid for process in workers_of(made)] == [worker.pid], "the worker died"
    serve.end(made)  # type: ignore[attr-defined]


def alive(server: Server) -> None:
    answer = httpx.get(f"{server.url}/api/search-by-text", params={"query": "red"}, timeout=20)
    assert answer.status_code == 200, answer.text


def memory_of(server: Server) -> int:
    """Resident bytes of the worker."""
    return workers_of(server)[0].memory_info().rss


def shared_out(
    count: int, seed: int, one: Callable[[httpx.Client, np.random.Generator], None], url: str
) -> None:
    """`one`, `count` times in all, from eight threads, each with a generator of its own."""

    def some(part: int) -> None:
        rng = np.random.default_rng([seed, part])
        with httpx.Client(base_url=url, timeout=30) as client:
            for _ in range(count // 8):
                one(client, rng)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(some, range(8)))


# Every route, from the document


def test_every_route_answers_what_its_document_says(target: Server, tally: Tally) -> None:
    document = schemathesis.openapi.from_url(f"{target.url}/openapi.json")
    document.config.generation.update(modes=list(schemathesis.GenerationMode))
    schemathesis.checks.load_all_checks()
    checks = [
        schemathesis.checks.CHECKS.get_one(name)
        for name in (
            "not_a_server_error",
            "response_schema_conformance",
            "content_type_conformance",
            "status_code_conformance",
        )
    ]

    def ask(case: Any) -> None:
        answer = case.call(timeout=30)
        what = "requests made from the document"
        tally.note(what, answer.status_code, f"{case.method} {case.path}")
        case.validate_response(answer, checks=checks)

    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) >= 22
    for operation in operations:
        settings(
            max_examples=6 * TIMES,
            derandomize=TIMES == 1,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )(given(case=operation.as_strategy())(ask))()
    assert not tally.failed


# Pictures

PICTURES = list(ENCODED.values())


def test_damaged_pictures_are_answered_or_refused_and_leave_nothing(
    target: Server, tally: Tally
) -> None:
    def one(client: httpx.Client, rng: np.random.Generator) -> None:
        body = mutated(PICTURES[rng.integers(len(PICTURES))], rng)
        match int(rng.integers(8)):
            case 0:
                answer = client.post("/api/identify", files={"file": body})
            case 1:
                uri = "data:image/png;base64," + base64.b64encode(body).decode()
                answer = client.post("/v1/embeddings", json={"input": [uri]})
            case _:
                answer = client.post("/api/search-by-image", files={"file": body})
        tally.note("damaged pictures", answer.status_code, answer.text + repr(body[:80]))
        assert answer.status_code in (200, 400, 413, 415), answer.text

    shared_out(80, 0, one, target.url)  # the decoders are loaded, their pools have grown
    before = memory_of(target)
    shared_out(240 * TIMES, 1, one, target.url)
    assert memory_of(target) - before < 60e6
    assert not tally.failed


# Recordings: what decodes them is fuzzed at length by tests/sound/test_fuzz_audio.py.


def test_damaged_recordings_are_answered_or_refused_and_leave_nothing(
    target: Server, tally: Tally
) -> None:
    whole = [recorded(name) for name in ("WebM Opus", "MP4 AAC", "Ogg Opus", "MP3", "WAV")]

    def one(client: httpx.Client, rng: np.random.Generator) -> None:
        body = mutated(whole[rng.integers(len(whole))], rng)
        path = ("/api/identify-sound", "/api/search-by-sound")[rng.integers(2)]
        answer = client.post(path, files={"file": body})
        tally.note("damaged recordings", answer.status_code, answer.text + repr(body[:80]))
        assert answer.status_code in (200, 400, 413, 415, 422), answer.text

    shared_out(16, 4, one, target.url)
    before = memory_of(target)
    shared_out(80 * TIMES, 5, one, target.url)
    assert memory_of(target) - before < 60e6
    assert not tally.failed


def bombs() -> Iterator[tuple[str, bytes]]:
    """Small files of many pixels, frames or bytes."""
    yield "PNG of 400 megapixels", saved(Image.new("1", (20_000, 20_000)), "PNG")
    yield "GIF of 60,000 pixels a side", b"GIF89a" + b"\x60\xea" * 2 + b"\x80\0\0" + b"\0" * 99
    yield "WebP of 16 megapixels", saved(Image.new("L", (4_000, 4_000)), "WEBP", method=0)
    large = Image.new("L", (4_000, 4_000))
    yield "TIFF, deflated", saved(large, "TIFF", compression="tiff_deflate")
    frames = [Image.new("L", (1_900, 1_900), n) for n in range(12)]
    yield "GIF of 12 frames", saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield "HEIC larger than the cap", heic(Image.new("RGB", (2_100, 2_100)))
    text = saved(Image.new("L", (8, 8)), "PNG")
    import zlib

    packed = b"k\0\0" + zlib.compress(bytes(50_000_000))
    chunk = len(packed).to_bytes(4, "big") + b"zTXt" + packed
    chunk += zlib.crc32(b"zTXt" + packed).to_bytes(4, "big")
    yield "PNG with 50 MB of text", text[:33] + chunk + text[33:]


def test_bombs_are_refused_or_read_in_little_memory(target: Server, tally: Tally) -> None:
    made = [(name, body) for name, body in bombs() if len(body) <= MAX_UPLOAD]
    assert len(made) >= 6
    before = memory_of(target)
    for name, body in made:
        answer = httpx.post(f"{target.url}/api/search-by-image", files={"file": body}, timeout=30)
        tally.note("bombs", answer.status_code, name)
        assert answer.status_code in (200, 413, 415), (name, answer.text)
    assert memory_of(target) - before < 100e6
    assert not tally.failed


# Bodies

BOUNDARY = "XbX"


def form(*parts: tuple[str, bytes]) -> bytes:
    made = b""
    for header, body in parts:
        made += f"--{BOUNDARY}\r\nContent-Disposition: form-data; {header}\r\n\r\n".encode()
        made += body + b"\r\n"
    return made + f"--{BOUNDARY}--\r\n".encode()


def test_damaged_bodies_are_refused(target: Server, tally: Tally) -> None:
    picture = ENCODED["PNG"]
    nested = form(('name="file"; filename="x"', form(('name="file"; filename="y"', picture))))
    many = form(*((f'name="k{n}"', b"1") for n in range(200)))
    good: list[tuple[str, bytes]] = [
        (f"multipart/form-data; boundary={BOUNDARY}", body)
        for body in (
            form(('name="file"; filename="x.png"', picture), ('name="k"', b"3")),
            form(('name="query"', b"red"), ('name="negative"', b"blue")),
            nested,
            many,
        )
    ]
    good.append(("application/x-www-form-urlencoded", b"query=red&k=3&image_weight=0.5"))
    good.append(("application/json", b'{"query": "red", "k": 3, "genre_id": null}'))
    good.append(("application/json", b'{"model": "x", "input": ["red", "blue"], "dimensions": 3}'))
    good.append(("application/json", b"[" * 20_000))
    paths = (
        "/api/search",
        "/api/search-by-image",
        "/api/identify",
        "/api/identify-sound",
        "/api/search-by-sound",
        "/v1/embeddings",
        "/search_by_text",
        "/search",
    )

    def one(client: httpx.Client, rng: np.random.Generator) -> None:
        kind, body = good[rng.integers(len(good))]
        if rng.integers(4):
            body = mutated(body, rng)
        if not rng.integers(4):
            kind = mutated(kind.encode(), rng).decode("latin-1")
            kind = re.sub(r"[^\x20-\x7e]", "?", kind).strip()
        path = paths[rng.integers(len(paths))]
        answer = client.post(path, content=body, headers={"Content-Type": kind})
        tally.note("damaged bodies", answer.status_code, f"{path} {kind} {body[:200]!r}")
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert set(answer.json()) == {"error"}

    shared_out(400 * TIMES, 2, one, target.url)
    assert not tally.failed


# Bytes


def exchanged(server: Server, data: bytes, seconds: float = 3) -> bytes:
    """What comes back for raw bytes, until the server closes or says no more."""
    found = b""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", server.port), 10) as connection,
    ):
        connection.settimeout(seconds)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            found += part
    return found


def test_whoever_asks_for_websocket_is_answered_in_http(target: Server) -> None:
    """uvicorn would change the protocol, and fail to stop where the caller is gone by then."""
    asked = (
        b"GET /livez HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", target.port), 10) as connection:
        connection.sendall(asked)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_damaged_requests_are_refused_in_our_shape(target: Server, tally: Tally) -> None:
    whole = [
        b"GET /api/albums/3?limit=5 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nX-Request-ID: a\r\n\r\n",
        b"GET /api/search-by-text?query=red&k=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /api/search HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b'Content-Type: application/json\r\n\r\n10\r\n{"query": "red"}\r\n0\r\n\r\n',
        b'GET /api/albums/1/cover HTTP/1.1\r\nHost: x\r\nIf-None-Match: "x"\r\n\r\n',
        b"OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: http://localhost:3000\r\n"
        b"Access-Control-Request-Method: POST\r\n\r\n",
        b"GET /api/albums HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    ]

    def some(part: int) -> None:
        rng = np.random.default_rng([3, part])
        for _ in range(40 * TIMES):
            data = mutated(whole[rng.integers(len(whole))], rng)
            answers = re.findall(rb"^HTTP/1\.1 (\d{3})", exchanged(target, data), re.MULTILINE)
            for status in answers or [b"0"]:
                tally.note("damaged requests", int(status), repr(data))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(some, range(8)))
    refusal = exchanged(target, b"\x16\x03\x01 this is TLS, not HTTP\r\n\r\n")
    assert refusal.startswith(b"HTTP/1.1 400")
    error = json.loads(refusal.partition(b"\r\n\r\n")[2])["error"]
    assert (error["code"], set(error)) == ("invalid_request", {"code", "message", "details"})
    alive(target)
    assert not tally.failed


GIBI = 1 << 30


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked"])
def test_a_body_of_a_gibibyte_is_cut_off_and_held_nowhere(
    target: Server, tally: Tally, chunked: bool
) -> None:
    before = memory_of(target)
    head = "POST /api/search-by-image HTTP/1.1\r\nHost: x\r\n"
    head += "Content-Type: multipart/form-data; boundary=XbX\r\n"
    head += "Transfer-Encoding: chunked\r\n\r\n" if chunked else f"Content-Length: {GIBI}\r\n\r\n"
    begin = form(('name="file"; filename="x"', b""))[:-11]
    part = bytes(65536)
    if chunked:
        begin, part = (b"%x\r\n%s\r\n" % (len(one), one) for one in (begin, part))
    sent, answer = 0, b""
    with socket.create_connection(("127.0.0.1", target.port), 10) as connection:
        connection.sendall(head.encode() + begin)
        with contextlib.suppress(OSError):
            while sent < GIBI:
                connection.sendall(part)
                sent += len(part)
        with contextlib.suppress(OSError):
            answer = connection.recv(12)
    tally.note("bodies of a gibibyte", int(answer[9:12] or 413))
    assert answer in (b"HTTP/1.1 413", b"")  # a reset may overtake the answer it follows
    assert sent < 200e6
    assert memory_of(target) - before < 30e6
    alive(target)


def test_slow_uploads_and_slow_headers_end(target: Server, tally: Tally) -> None:
    """A byte at a time: an upload has its request's deadline, headers have ten seconds."""
    body = b"POST /api/search-by-image HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n"
    body += b"Content-Type: multipart/form-data; boundary=XbX\r\n\r\n--XbX\r\n"
    with contextlib.ExitStack() as stack:
        connect = lambda: stack.enter_context(  # noqa: E731
            socket.create_connection(("127.0.0.1", target.port), 20)
        )
        uploads, headers = [connect() for _ in range(20)], [connect() for _ in range(20)]
        for one in uploads:
            one.sendall(body)
        for one in headers:
            one.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        start = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - start < 4:
                for one in (*uploads, *headers):
                    one.sendall(b"x")
                time.sleep(0.2)
        alive(target)  # with all of them open
        for one in uploads:
            assert one.recv(12) == b"HTTP/1.1 504"
            tally.note("slow uploads", 504 - 100)  # refused as promised, not a failure of ours
        for one in headers:
            assert one.recv(12) == b""
            tally.note("slow headers", 0)
        assert 4 < time.monotonic() - start < 30


def test_headers_without_end_are_cut_off(target: Server, tally: Tally) -> None:
    before = memory_of(target)
    with socket.create_connection(("127.0.0.1", target.port), 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Long: ")
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 64 << 20:
                connection.sendall(bytes([97]) * 65536)
                sent += 65536
    tally.note("endless headers", 0)
    assert sent < 32 << 20
    assert memory_of(target) - before < 20e6
    alive(target)


# Files


def test_damaged_files_of_artifacts_and_imports_are_refused(
    tally: Tally, tiny_artifact: Path
) -> None:
    for seed in range(TIMES):
        run = subprocess.run(
            [sys.executable, "tests/fuzz_files.py", str(seed), "600", str(tiny_artifact)],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=250,
        )
        assert run.returncode == 0, f"seed {seed}: {run.stderr[-2000:]}"
        for count, sort in re.findall(r"(\d+) × (.*): ", run.stdout):
            tally.tried[f"damaged: {sort}"] += int(count)
