"""`engine/serving/http/preview.py`: what a link to the page shows where it is pasted."""

from __future__ import annotations

import gzip
import re

import pytest
from conftest import PROJECT

from engine.serving.http.page import load_page, wants_json
from engine.serving.http.preview import Preview, public_origin

PAGE = load_page(PROJECT / "web")
EMPIRE = Preview(
    "Empire", "Ezra Whitlock", "https://a.example/api/albums/770/cover", "https://a.example/", "x"
)


def properties(body: bytes) -> dict[str, str]:
    found = re.findall(r'<meta (?:property|name)="([\w:]+)" content="([^"]*)">', body.decode())
    return dict(found)


def test_the_head_tells_the_album_and_the_rest_is_the_page() -> None:
    plain, told = PAGE.index().body, PAGE.index(preview=EMPIRE).body
    assert b"<title>Empire \xc2\xb7 Shazam Visual</title>" in told
    found = properties(told)
    assert found["og:title"] == "Empire"
    assert found["og:description"] == "Ezra Whitlock"
    assert found["og:image"] == "https://a.example/api/albums/770/cover"
    assert found["twitter:card"] == "summary_large_image"
    assert told.count(b"<title>") == 1
    assert told.split(b"</title>", 1)[1].endswith(plain.split(b"</title>", 1)[1])


def test_a_title_cannot_leave_its_place() -> None:
    evil = '"><script>alert(1)</script></title>\\1 \\g<0> & é'
    told = PAGE.index(preview=Preview(evil, evil, None, None)).body.decode()
    assert "<script>alert" not in told
    assert told.count("</title>") == 1
    assert "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;/title&gt;\\1 \\g&lt;0&gt;" in told


def test_without_a_picture_none_is_told() -> None:
    found = properties(Preview("A", "", None, None).head().encode())
    assert found == {
        "og:site_name": "Shazam Visual",
        "og:type": "website",
        "og:title": "A",
        "twitter:card": "summary",
    }


def test_each_album_is_a_version_of_its_own_and_the_policy_is_the_pages() -> None:
    plain, told = PAGE.index(), PAGE.index(preview=EMPIRE)
    other = PAGE.index(preview=Preview("Other", "", None, None))
    assert len({plain.headers["ETag"], told.headers["ETag"], other.headers["ETag"]}) == 3
    assert PAGE.index(told.headers["ETag"], preview=EMPIRE).status == 304
    assert PAGE.index(plain.headers["ETag"], preview=EMPIRE).status == 200
    without = {name: value for name, value in told.headers.items() if name != "ETag"}
    assert without == {name: value for name, value in plain.headers.items() if name != "ETag"}


def test_it_travels_compressed() -> None:
    packed = PAGE.index(accept_encoding="gzip", preview=EMPIRE)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == PAGE.index(preview=EMPIRE).body


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "a.example"}, "http://a.example"),
        ({"host": "a.example:3000", "x-forwarded-proto": "https"}, "https://a.example:3000"),
        ({"host": "inner", "x-forwarded-host": "a.example, b"}, "http://a.example"),
        ({"host": "[::1]:3000"}, "http://[::1]:3000"),
        ({"host": "a.example", "x-forwarded-proto": "javascript"}, "http://a.example"),
        ({"host": 'a"><b'}, None),
        ({}, None),
    ],
)
def test_the_address_is_what_the_caller_or_its_proxy_says(
    headers: dict[str, str], expected: str | None
) -> None:
    assert public_origin("http", headers) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, False),
        ("*/*", False),
        ("text/html,*/*;q=0.8", False),
        ("application/json", True),
        ("application/json, text/html;q=0.5", True),
        ("text/html, application/json;q=0.9", False),
        ("application/json;q=0", False),
    ],
)
def test_json_is_asked_for_by_name(accept: str | None, expected: bool) -> None:
    assert wants_json(accept) is expected
