"""The service behind a path of a proxy's, taken off or left: whatever is named leads back."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from conftest import Serve, Server, is_error

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def told(server: Server) -> Any:
    """A client as a proxy is one that says where it shows the service."""
    headers = {"X-Forwarded-Prefix": "/records", "X-Forwarded-Proto": "https"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module", params=["", "/records"], ids=["taken off", "left"])
def at(request: pytest.FixtureRequest) -> str:
    """What is before the paths that reach the service."""
    return str(request.param)


def cover_urls(found: Any) -> list[str]:
    return re.findall(r'"cover_url": ?"([^"]*)"', httpx.Response(200, json=found).text)


def test_every_cover_has_an_address_that_works(told: httpx.Client, at: str) -> None:
    photo = told.get("/api/albums/3/cover").content
    form = {"files": {"file": photo}}
    answers = [
        told.get(f"{at}/api/albums?limit=2"),
        told.get(f"{at}/api/albums/3"),
        told.get(f"{at}/api/albums/3/similar"),
        told.get(f"{at}/api/search-by-text?query=red"),
        told.post(f"{at}/api/search", data={"query": "red"}),
        told.post(f"{at}/api/search-by-image", **form),
        told.post(f"{at}/api/identify", **form),
        told.post(f"{at}/api/identify?many=true", **form),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        urls = cover_urls(answer.json())
        assert urls
        assert all(re.fullmatch(r"/records/api/albums/\d+/cover", url) for url in urls)
        assert told.get(urls[0]).headers["content-type"].startswith("image/")


def test_the_page_and_the_documentation_are_beside_their_files(told: httpx.Client, at: str) -> None:
    for document in ("/", "/docs"):
        page = told.get(at + document, headers=HTML)
        assert page.status_code == 200
        files = re.findall(r'(?:href|src)="([\w./-]+)"', page.text)
        assert files
        for name in files:
            assert not name.startswith("/"), name
            assert told.get(f"{at}/{name}").status_code in (200, 307), name
    assert told.get(f"{at}/sw.js").status_code == 200
    assert told.get(f"{at}/openapi.json").json()["servers"] == [{"url": "/records"}]
    assert told.get(f"{at}/schema.json").status_code == 200
    listed = told.get(f"{at}/").json()["endpoints"]
    assert listed["docs"] == "/records/docs"
    assert told.get(listed["health"]).status_code == 200
    shown = told.get(f"{at}/?album=3", headers=HTML).text
    host = re.escape(told.base_url.netloc.decode())
    assert re.search(rf'og:url" content="https://{host}/records/\?album=3"', shown)
    assert re.search(rf'og:image" content="https://{host}/records/api/albums/3/cover"', shown)


def test_redirections_lead_back(told: httpx.Client, at: str) -> None:
    moved = told.get(f"{at}/api/genres/?x=1")
    assert (moved.status_code, moved.headers["location"]) == (307, "/records/api/genres?x=1")
    home = told.get("/records?album=3", headers=HTML)
    assert (home.status_code, home.headers["location"]) == (307, "/records/?album=3")


def test_probes_and_refusals_are_known_behind_it(told: httpx.Client, at: str) -> None:
    assert told.get(f"{at}/livez").json() == {"status": "alive"}
    assert told.get(f"{at}/readyz").json() == {"status": "ready"}
    error = is_error(told.get(f"{at}/nothing"), 404, "not_found")
    assert "/records/nothing" in error["message"]
    is_error(told.get(f"{at}/api/albums/999999"), 404, "album_not_found")
    series = told.get(f"{at}/metrics").text
    assert 'route="/api/albums/{album_id}"' in series  # the prefix makes no label of its own
    assert "records" not in series


@pytest.mark.parametrize(
    "forged", ["//evil.example", "https://evil.example", '/"><evil', "/a/../b"]
)
def test_a_forged_prefix_is_passed_over(server: Server, forged: str) -> None:
    headers = {"X-Forwarded-Prefix": forged}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:
        assert client.get("/api/albums/3").json()["cover_url"] == "/api/albums/3/cover"
        for path in ("/", "/docs", "/?album=3", "/openapi.json", "/api/genres/"):
            answer = client.get(path, headers=HTML)
            assert "evil" not in answer.text + str(answer.headers)


def test_a_setting_says_it_once_for_all(serve: Serve, tiny_artifact: Any) -> None:
    made = serve(tiny_artifact, SHAZAM_ROOT_PATH="/records/")
    try:
        for at in ("", "/records"):
            answer = httpx.get(f"{made.url}{at}/api/albums/3", timeout=60)
            assert answer.json()["cover_url"] == "/records/api/albums/3/cover"
    finally:
        serve.end(made)  # type: ignore[attr-defined]
