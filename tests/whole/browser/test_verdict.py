"""Which album a picture shows: the outline in it, the cover beside it, and the words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from .fake_service import Fake, album, draw_cover, failure, identified
from .test_reach import PHONE


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    scene = draw_cover(2, 400)
    scene.paste(draw_cover(59, 200), (95, 70))
    scene.resize((400, 300)).save(path, quality=90)
    return path


def decided(page: Any, decision: str) -> Any:
    box = page.locator("#verdict")
    expect(box).to_have_attribute("data-decision", decision)
    return box


def test_a_match_outlines_the_sleeve_beside_its_cover(visit, photo: Path, screenshot) -> None:
    page = visit()
    page.set_input_files("#file", photo)
    box = decided(page, "match")
    expect(box.locator("h3")).to_have_text("This is it")
    expect(box).to_contain_text(f"{album(59)['title']} by Mono Club. Sure to 97%.")
    expect(box.get_by_alt_text("Your picture, with the sleeve outlined")).to_be_visible()
    expect(box.get_by_alt_text(f"Cover of {album(59)['title']}")).to_be_visible()
    assert box.locator("svg").get_attribute("viewBox") == "0 0 400 300"
    points = box.locator("polygon").first.get_attribute("points")
    assert points == "100,60 300,80 290,280 90,260"
    # The drawing and the picture under it share one box, so the corners lie where they were found.
    assert box.locator("svg").bounding_box() == box.locator(".photo img").bounding_box()
    expect(page.locator("#live")).to_contain_text("This is it")
    screenshot(page, "verdict-match")


def test_two_albums_with_one_artwork_are_both_named(visit, fake: Fake, photo: Path) -> None:
    fake.identified = 200, identified("ambiguous")
    page = visit()
    page.set_input_files("#file", photo)
    box = decided(page, "ambiguous")
    expect(box).to_contain_text(str(album(59)["title"]))
    expect(box).to_contain_text(str(album(58)["title"]))


def test_a_picture_of_none_of_them_says_so_in_either_language(
    visit, fake: Fake, photo: Path, screenshot
) -> None:
    fake.identified = 200, identified("no_match")
    page = visit()
    page.set_input_files("#file", photo)
    box = decided(page, "no_match")
    expect(box.locator("h3")).to_have_text("Not in the crate")
    assert box.locator("polygon").count() == 0
    page.get_by_role("button", name="Français").click()
    expect(page.locator("#verdict h3")).to_have_text("Pas dans le bac")
    assert len(fake.calls("/api/identify")) == 1
    screenshot(page, "verdict-no-match")


def test_the_albums_do_not_wait_for_the_verdict_and_nothing_moves_when_it_comes(
    visit, fake: Fake, photo: Path, screenshot
) -> None:
    fake.proving = 1.0
    page = visit(**PHONE)
    page.set_input_files("#file", photo)
    expect(page.locator(".best h3")).to_be_visible()
    expect(page.locator("#verdict")).to_have_attribute("aria-busy", "true")
    before = page.locator(".best").bounding_box()["y"] + page.evaluate("scrollY")
    box = decided(page, "match")
    assert page.locator(".best").bounding_box()["y"] + page.evaluate("scrollY") == before
    assert page.evaluate("shifts") < 0.02
    assert box.evaluate("node => node.scrollWidth <= node.clientWidth")
    screenshot(page, "verdict-phone")


def test_without_a_verdict_the_albums_stay(visit, fake: Fake, photo: Path) -> None:
    fake.identified = 503, failure("overloaded", "Full.")
    page = visit()
    page.set_input_files("#file", photo)
    expect(decided(page, "none")).to_contain_text("could not be checked")
    expect(page.locator("#shelf a.card")).to_have_count(12)


def test_words_beside_the_picture_ask_for_something_like_it_and_back_shows_the_verdict_again(
    visit, fake: Fake, photo: Path
) -> None:
    page = visit()
    page.set_input_files("#file", photo)
    decided(page, "match")
    page.locator("#words").fill("but green")
    page.locator("#words").press("Enter")
    expect(page.locator(".best h3")).to_have_text(str(album(0)["title"]))
    assert page.locator("#verdict").count() == 0
    page.go_back()
    decided(page, "match")
    assert len(fake.calls("/api/identify")) == 1
