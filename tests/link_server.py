"""A web server on this machine that answers as it is told, for the tests of links and of APIs."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


def tone() -> bytes:
    """A tenth of a second of silence, as WAV: 1,644 bytes."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(bytes(1_600))
    return file.getvalue()


TONE = tone()


@dataclass(frozen=True)
class Reply:
    """One answer. `length` is what it says of its length, if that is not the truth; "" nothing."""

    body: bytes = b""
    media_type: str = "audio/wav"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: str | None = None


def redirect(to: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": to})


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(json.dumps(value).encode(), "application/json", status, headers)


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in small letters
    body: str


Answering = Callable[[BaseHTTPRequestHandler], None]


class LinkServer:
    """`at[path]` is an answer, a list of answers of which the last stays, or what answers by
    itself; whatever else is asked for is not there. `connections` counts sockets, also silent
    ones."""

    def __init__(self) -> None:
        self.at: dict[str, Reply | list[Reply] | Answering] = {}
        self.asked: list[Asked] = []
        self.connections = 0
        self.closing = threading.Event()
        server = self

        class Counted(ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> Any:
                server.connections += 1
                return super().get_request()

            def handle_error(self, *_: Any) -> None:
                pass

        class Handler(BaseHTTPRequestHandler):
            def any(self) -> None:
                with contextlib.suppress(ConnectionError):
                    server._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        for method in ("GET", "HEAD", "POST"):
            setattr(Handler, f"do_{method}", Handler.any)
        self._server = Counted(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.asked.append(Asked(handler.command, parts.path, query, headers, body))
        answer = self.at.get(parts.path, Reply(b"not here", "text/plain", 404))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if not isinstance(answer, Reply):
            answer(handler)
            return
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", answer.media_type)
        if answer.length != "":
            handler.send_header("Content-Length", answer.length or str(len(answer.body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(answer.body)
