"""`engine/serving/http/connections.py`: what is sent arrives as it was sent."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from engine.serving.http.connections import BoundedProtocol

BODY = bytes(range(128, 256)) * 8


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Refuses a path at once, its body unread; else says how long the body was."""
    length = 0
    if scope["path"] != "/refused":
        more = True
        while more:
            message = await receive()
            length, more = length + len(message["body"]), message.get("more_body", False)
    said = b"refused" if scope["path"] == "/refused" else b"%d in %s" % (length, scope["raw_path"])
    headers = [(b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=BoundedProtocol, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(30)


def head(path: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {len(BODY)}\r\n\r\n".encode()


def answer(caller: socket.socket) -> bytes:
    """The body of one whole answer."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += caller.recv(1)
    length = next(
        int(line[15:]) for line in got.lower().split(b"\r\n") if line.startswith(b"content-length:")
    )
    said = b""
    while len(said) < length:
        said += caller.recv(length - len(said))
    return said


@pytest.mark.parametrize("cut", [0, 9, len(head("/next")) - 2, len(head("/next"))])
def test_a_body_after_one_that_was_refused_early_arrives_as_it_was_sent(
    port: int, cut: int
) -> None:
    """The end of the body that nobody read and the next request's head come in one piece."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
        caller.sendall(head("/refused") + BODY[:100])
        assert answer(caller) == b"refused"
        following = head("/next") + BODY
        caller.sendall(BODY[100:] + following[:cut])
        # Apart: a head of its own, so that the pieces are read one by one.
        threading.Event().wait(0.2)
        caller.sendall(following[cut:])
        assert answer(caller) == b"%d in /next" % len(BODY)


def test_letters_of_an_address_are_taken_as_they_were_typed(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
        for _ in range(2):
            caller.sendall("GET /é HTTP/1.1\r\nhost: a\r\n\r\n".encode())
            assert answer(caller) == b"0 in /%C3%A9"
