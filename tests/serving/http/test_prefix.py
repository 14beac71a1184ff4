"""`engine/serving/http/prefix.py`: which path is meant behind a proxy's, and which prefixes are."""

from __future__ import annotations

import pytest

from engine.base.settings import Settings, path_prefix
from engine.serving.http.prefix import Prefix, make_relative

ROUTES = ("/", "/docs", "/openapi.json", "/api/albums", "/v1/models", "/web/{digest}/{name}")


@pytest.mark.parametrize(
    ("given", "prefix"),
    [("/records", "/records"), (" /a/b-c/d_e~1.2/ ", "/a/b-c/d_e~1.2"), ("/", ""), ("", "")],
)
def test_a_path_of_plain_letters_is_a_prefix(given: str, prefix: str) -> None:
    assert path_prefix(given) == prefix


REFUSED = (
    "records",
    "//evil.example",
    "/a//b",
    "/..",
    "/a/../b",
    "/.",
    "https://evil.example/a",
    "/a?b",
    "/a#b",
    "/a b",
    "/a%2f",
    '/"><script>',
    "/a\\b",
    "/é",
    "/" + "a" * 101,
    "/a" * 9,
)


@pytest.mark.parametrize("given", REFUSED)
def test_what_could_be_more_than_a_path_is_no_prefix(given: str) -> None:
    with pytest.raises(ValueError, match="is not a path such as /records"):
        path_prefix(given)
    header = [(b"x-forwarded-prefix", given.encode())]
    assert Prefix("", ROUTES).of({"headers": header}) == ""


def test_a_setting_comes_before_what_a_proxy_says() -> None:
    scope = {"headers": [(b"x-forwarded-prefix", b"/outer/, /inner")]}
    assert Prefix("", ROUTES).of(scope) == "/outer"
    assert Prefix("/ours", ROUTES).of(scope) == "/ours"
    assert Settings.from_environment({"SHAZAM_ROOT_PATH": "/ours/"}).root_path == "/ours"


@pytest.mark.parametrize(
    ("path", "prefix", "own"),
    [
        ("/api/albums", "/records", "/api/albums"),  # the proxy took it off
        ("/records/api/albums", "/records", "/api/albums"),
        ("/records/", "/records", "/"),
        ("/records", "/records", ""),
        ("/recordshop", "/records", "/recordshop"),
        ("/records/nothing", "/records", "/nothing"),
        ("/api/albums", "/api", "/api/albums"),
        ("/api/api/albums", "/api", "/api/albums"),
        ("/api/docs", "/api", "/docs"),
        ("/api/", "/api", "/"),
        ("/docs/x", "/docs", "/docs/x"),
        ("/records//evil.example", "/records", "//evil.example"),
    ],
)
def test_a_request_is_known_with_the_prefix_and_without(path: str, prefix: str, own: str) -> None:
    assert Prefix("", ROUTES).own_path(path, prefix) == own


def test_a_redirection_names_no_host() -> None:
    for given, expected in (
        (b"http://inner:3000/records/api/albums?k=1", b"/records/api/albums?k=1"),
        (b"/records/", b"/records/"),
        (b"http://inner//evil.example/", b"/evil.example/"),
    ):
        start = {"headers": [(b"location", given), (b"x-other", given)]}
        make_relative(start)
        assert start["headers"] == [(b"location", expected), (b"x-other", given)]
