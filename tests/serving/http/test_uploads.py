"""`engine/serving/http/uploads.py`: bodies that are put away as they come."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from engine.base.errors import AudioTooLong, InvalidRequest
from engine.serving.http.forms import Upload
from engine.serving.http.uploads import received

UPLOAD = Upload(
    field="file",
    noun="recording",
    curl="curl -F file=@track.mp3",
    json_example="{}",
    kinds=("audio/",),
    recognised=lambda _: True,
    too_large=lambda size, limit: AudioTooLong(f"{size} > {limit}"),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are, for as long as a test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def form(*parts: tuple[str, bytes]) -> Iterator[bytes]:
    """A multipart body in pieces of 64 kB."""
    for name, data in parts:
        yield f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        for at in range(0, len(data), 65_536):
            yield data[at : at + 65_536]
        yield b"\r\n"
    yield b"--B--\r\n"


def take(pieces: Iterator[bytes], kind: str = "multipart/form-data; boundary=B") -> Any:
    """(fields, bytes that came, their sha256 as told, their name)."""

    async def receive() -> dict[str, Any]:
        piece = next(pieces, None)
        if piece == b"GONE":
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def run() -> Any:
        headers = [(b"content-type", kind.encode())]
        scope = {"type": "http", "method": "POST", "headers": headers}
        async with received(Request(scope, receive), UPLOAD) as (fields, file):
            if file is None:
                return fields, None
            data = file.path.read_bytes()
            assert file.size == len(data)
            return fields, data, file.sha256, file.filename

    return asyncio.run(run())


TRACK = bytes(range(256)) * 20_000  # 5 MB


def test_a_file_is_hashed_as_it_comes_and_gone_when_it_is_done(folder: Path) -> None:
    parts = (("title", b"Night"), ('file"; filename="a b.mp3', TRACK), ("year", b"1974"))
    fields, data, sha256, name = take(form(*parts))
    assert fields == {"title": "Night", "year": "1974"}
    assert (data, name) == (TRACK, "a b.mp3")
    assert sha256 == hashlib.sha256(TRACK).hexdigest()
    assert list(folder.iterdir()) == []


def test_a_body_may_be_the_file_itself() -> None:
    fields, data, sha256, _ = take(iter([TRACK[:70_000], TRACK[70_000:]]), "audio/mpeg")
    assert (fields, data) == ({}, TRACK)
    assert sha256 == hashlib.sha256(TRACK).hexdigest()


def test_little_of_it_is_in_memory() -> None:
    def pieces() -> Iterator[bytes]:
        yield b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(480):
            yield bytes(65_536)
        yield b"\r\n--B--\r\n"

    async def receive() -> dict[str, Any]:
        piece = next(given, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def run() -> int:
        headers = [(b"content-type", b"multipart/form-data; boundary=B")]
        request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
        async with received(request, UPLOAD) as (_, file):
            assert file is not None
            return file.size

    given = pieces()
    tracemalloc.start()
    assert asyncio.run(run()) == 480 * 65_536  # 31 MB
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8 << 20


@pytest.mark.parametrize(
    ("pieces", "kind", "words"),
    [
        (form(('other"; filename="x', b"1")), "multipart/form-data; boundary=B", "in 'other'"),
        (
            form(('file"; filename="x', b"1"), ('file"; filename="y', b"2")),
            "",
            "more than one file",
        ),
        (iter([b"--B\r\nnonsense\r\n\r\nx\r\n--B--\r\n"]), "", "cannot be read"),
        (
            iter([b'--B\r\nContent-Disposition: form-data; name="file"\r\n\r\n1', b"GONE"]),
            "",
            "ende",
        ),
        (iter([b"x"]), "text/plain", "The body is text/plain"),
        (iter([b"x", b"GONE"]), "audio/ogg", "ended before"),
    ],
)
def test_what_cannot_be_taken_is_said_and_leaves_nothing(
    folder: Path, pieces: Iterator[bytes], kind: str, words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        take(pieces, kind or "multipart/form-data; boundary=B")
    assert list(folder.iterdir()) == []


def test_a_form_without_a_file_is_its_fields() -> None:
    assert take(form(("title", b"Night"))) == ({"title": "Night"}, None)


def test_of_two_values_of_a_field_none_is_passed_over() -> None:
    with pytest.raises(InvalidRequest, match="'title' came 2 times; send it once"):
        take(form(("title", b"One"), ("file", b"RIFF"), ("title", b"Two")))
