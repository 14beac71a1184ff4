"""The page on the real service with the embedded artifact: from a first visit to a found cover.

Needs the session fixture `server` (tests/conftest.py), whose `.url` is a running service.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from .test_reach import PHONE


@pytest.fixture
def live(visitor: Any, server: Any) -> Any:
    """`live(path, **context options)` on the real service."""
    return lambda path="/", **options: visitor(server.url + path, **options)


def test_a_first_visit_ends_at_a_found_cover(live, tmp_path: Path, screenshot) -> None:
    page = live()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    covers = page.locator("#shelf .cover img")
    expect(covers.first).to_have_js_property("complete", True)
    screenshot(page, "live-crate")
    card = page.locator("#shelf a.card").nth(4)
    name = card.locator(".name").inner_text()
    path = tmp_path / "cover.webp"
    path.write_bytes(page.request.get(page.url + covers.nth(4).get_attribute("src")[1:]).body())
    page.set_input_files("#file", path)
    expect(page.locator("#verdict h3")).to_have_text(name)
    expect(page.locator("#shelf a.card")).to_have_count(12)
    page.wait_for_load_state("networkidle")
    screenshot(page, "live-picture")


def test_words_then_an_album_then_a_genre_and_back(live, screenshot) -> None:
    page = live()
    page.locator("#words").fill("a red circle")
    page.locator("#words").press("Enter")
    expect(page.locator("#shelf a.card")).to_have_count(12)
    page.wait_for_load_state("networkidle")
    screenshot(page, "live-words")
    best = page.locator(".best h3").inner_text()
    name = page.locator("#shelf a.card .name").first.inner_text()
    page.locator("#shelf a.card").first.click()
    expect(page.locator(".best h3")).to_have_text(name)
    expect(page.locator("#shelf a.card")).to_have_count(12)
    genre = page.locator(".best .tag").inner_text()
    page.locator(".best .tag").click()
    expect(page.locator("#title")).to_have_text("Closest albums")
    expect(page.locator(".best .tag")).to_have_text(genre)
    assert set(page.locator("#shelf .genre").all_inner_texts()) <= {genre}
    page.go_back()
    page.go_back()
    expect(page.locator(".best h3")).to_have_text(best)


def test_a_photo_and_words_from_a_phone(live, screenshot) -> None:
    page = live("/", **PHONE)
    page.locator("#words").fill("blue")
    page.locator("#shoot").tap()
    release = page.locator("#release")
    expect(release).to_be_enabled()
    release.tap()
    expect(page.locator(".best h3")).to_be_visible()
    expect(page.locator("#shelf a.card")).to_have_count(12)
    screenshot(page, "live-phone")


def test_a_file_that_is_no_picture_gets_the_services_message(live, tmp_path: Path) -> None:
    path = tmp_path / "letter.pdf"
    path.write_bytes(b"%PDF-1.7\n" + bytes(2000))
    page = live()
    page.set_input_files("#file", path)
    expect(page.locator('[data-panel="refused"] p')).to_contain_text("Try a JPEG")


def test_an_unknown_album_gets_the_services_message(live) -> None:
    page = live("/?album=99999999")
    expect(page.locator('[data-panel="refused"]')).to_be_visible()
    expect(page.get_by_role("button", name="Back to the crate")).to_be_visible()


def test_the_api_page_lists_every_route(live, screenshot) -> None:
    page = live("/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    listed = page.locator(".opblock-summary-path").all_inner_texts()
    listed = [path.replace("\u200b", "") for path in listed]
    for path in (
        "/",
        "/health",
        "/livez",
        "/readyz",
        "/metrics",
        "/api/search-by-image",
        "/api/search-by-text",
        "/api/search",
        "/api/albums",
        "/api/albums/{album_id}",
        "/api/albums/{album_id}/similar",
        "/api/albums/{album_id}/cover",
        "/api/genres",
        "/v1/embeddings",
    ):
        assert path in listed
    screenshot(page, "live-docs")


def test_a_client_still_gets_json_at_the_root(visitor, server: Any) -> None:
    page = visitor(server.url + "/")
    answer = page.request.get(server.url + "/", headers={"Accept": "*/*"})
    assert answer.json()["status"] == "running"


def looked_after(page: Any) -> None:
    """Wait until the page's worker has all, and the page."""
    state = page.evaluate(
        """() => Promise.race([
          new Promise((done) => setTimeout(() => done("no worker"), 15000)),
          navigator.serviceWorker.ready.then(() => "a worker"),
        ])"""
    )
    assert state == "a worker"


def test_a_page_visited_once_opens_without_a_connection(live) -> None:
    """On the real service: a policy of the API's on the worker would keep it from being one."""
    page = live()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    looked_after(page)
    assert page.evaluate("caches.match('./').then((it) => it.headers.get('content-type'))") == (
        "text/html; charset=utf-8"
    )
    page.context.set_offline(True)
    page.goto(page.url)
    expect(page.locator('[data-panel="offline"]')).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#shelf a.card")).to_have_count(36)


def test_a_page_without_room_to_keep_anything_opens_all_the_same(live) -> None:
    page = live()
    looked_after(page)
    page.evaluate("caches.delete('shell')")
    session = page.context.new_cdp_session(page)
    origin = page.url.rstrip("/")
    session.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": 0})
    page.goto(page.url + "?q=red")
    expect(page.locator("#shelf a.card")).to_have_count(12)
