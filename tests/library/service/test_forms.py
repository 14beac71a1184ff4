"""`engine/library/service/forms.py`: what is wrong with what was sent, by its name."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from engine.base.errors import InvalidRequest
from engine.library.service.forms import ABOUT, read_about, read_link

FIELDS = ", ".join(("url", *ABOUT))


def read(body: bytes) -> tuple[str, dict[str, Any]]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return asyncio.run(read_link(Request({"type": "http", "headers": []}, receive)))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"url": 5}', "url='5' is not a text."),
        (b'{"url": ["https://a.example"]}', "is not a text."),
        (b'{"url": " "}', "The field 'url' is missing."),
        (b'{"title": "Night"}', "The field 'url' is missing."),
        (b'{"link": "https://a.example"}', f"'link' is no field of this form; those are {FIELDS}."),
        (
            b'{"url": "https://a.example", "k": 1}',
            f"'k' is no field of this form; those are {FIELDS}.",
        ),
        (b'{"url": "https://a.example", "title": 5}', "title='5' is not a text."),
        (b'{"url": "https://a.example", "url": "https://b.example"}', "'url' came 2 times"),
        (b"url=https://a.example", "The body is not JSON from character 1 on. Send an object"),
    ],
)
def test_what_is_wrong_with_a_link_is_named(body: bytes, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(body)
    assert said in refused.value.message


def test_a_link_and_what_is_told_of_it() -> None:
    assert read(b'{"url": " https://a.example/b ", "title": " Night ", "year": 1974}') == (
        "https://a.example/b",
        {"title": "Night", "year": 1974},
    )


def test_fields_beside_a_file_are_named() -> None:
    with pytest.raises(InvalidRequest, match="those are file, title"):
        read_about({"yaer": "1974"}, beside="file")
