"""`engine/serving/http/ranges.py`: all of a file, or the part that a player asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from engine.base.errors import RangeNotSatisfiable
from engine.serving.http import ranges
from engine.serving.http.ranges import FilePart, part_of

BODY = bytes(range(256)) * 4


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-", (0, 1000)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=990-5000", (990, 1000)),
        ("bytes=-10", (990, 1000)),
        ("bytes=-5000", (0, 1000)),
        (" Bytes = 3 - 4 ", (3, 5)),
        ("bytes=999-", (999, 1000)),
        # What is no single range of bytes gets the whole.
        ("bytes=1-2,5-6", None),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=٣-", None),
        ("seconds=1-2", None),
        ("bytes", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_a_range_is_one_part_or_the_whole(wanted: str, part: tuple[int, int] | None) -> None:
    assert part_of(wanted, 1000) == part


@pytest.mark.parametrize(
    ("wanted", "size"), [("bytes=1000-", 1000), ("bytes=-0", 1000), ("bytes=0-", 0)]
)
def test_a_range_behind_the_end_is_refused_with_the_size(wanted: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as refusal:
        part_of(wanted, size)
    assert refusal.value.headers() == {"Content-Range": f"bytes */{size}"}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(ranges, "CHUNK_BYTES", 100)
    file = tmp_path / "track.ogg"
    file.write_bytes(BODY)

    async def sent(request: Request) -> FilePart:
        return FilePart(
            file,
            "audio/ogg",
            {"ETag": '"v1"'},
            wanted=request.headers.get("range"),
            if_range=request.headers.get("if-range"),
            if_none_match=request.headers.get("if-none-match"),
        )

    return TestClient(Starlette(routes=[Route("/", sent)]))


def test_a_file_is_sent_whole_and_says_that_parts_can_be_had(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(BODY))
    assert "content-range" not in answer.headers


def test_a_part_is_sent_with_where_it_is(client: TestClient) -> None:
    answer = client.get("/", headers={"Range": "bytes=5-304"})
    assert (answer.status_code, answer.content) == (206, BODY[5:305])
    assert answer.headers["content-range"] == "bytes 5-304/1024"
    assert answer.headers["content-length"] == "300"


@pytest.mark.parametrize(("version", "status"), [('"v1"', 206), ('"v0"', 200), ('W/"v1"', 200)])
def test_a_part_of_another_version_is_not_sent(
    client: TestClient, version: str, status: int
) -> None:
    answer = client.get("/", headers={"Range": "bytes=0-9", "If-Range": version})
    assert answer.status_code == status
    assert len(answer.content) == (10 if status == 206 else len(BODY))


def test_what_a_caller_has_already_is_not_sent(client: TestClient) -> None:
    answer = client.get("/", headers={"If-None-Match": '"v0", W/"v1"', "Range": "bytes=0-9"})
    assert (answer.status_code, answer.content) == (304, b"")
