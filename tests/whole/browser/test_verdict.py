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
    expect(box.locator(".kicker")).to_have_text("This is it: 97% sure")
    title = str(album(59)["title"])
    expect(box.locator("h3")).to_have_text(title)
    expect(box).to_contain_text("Mono Club · 2019")
    expect(box.get_by_alt_text("Your picture, with the sleeve outlined")).to_be_visible()
    expect(box.get_by_alt_text(f"Cover of {title}")).to_be_visible()
    assert box.locator("svg").get_attribute("viewBox") == "0 0 400 300"
    points = box.locator("polygon").first.get_attribute("points")
    assert points == "100,60 300,80 290,280 90,260"
    # The drawing and the picture under it share one box, so the corners lie where they were found.
    assert box.locator("svg").bounding_box() == box.locator(".photo img").bounding_box()
    expect(page.locator("#live")).to_contain_text("This is it")
    # It is shown once: neither among those that look alike, nor a second time above them.
    expect(page.locator("#title")).to_have_text("What looks alike")
    assert page.locator('#shelf a[data-album="59"]').count() == 0
    assert page.locator(".best").count() == 0
    assert "%" not in page.locator("#shelf").inner_text()
    assert page.title() == f"{title} by Mono Club · Shazam Visual"
    screenshot(page, "verdict-match")
    box.locator("h3 a").click()
    expect(page.locator(".best h3")).to_have_text(title)


def test_two_albums_with_one_artwork_are_both_shown(
    visit, fake: Fake, photo: Path, screenshot
) -> None:
    fake.identified = 200, identified("ambiguous")
    page = visit()
    page.set_input_files("#file", photo)
    box = decided(page, "ambiguous")
    expect(box.locator("h3")).to_have_text("One of these")
    choices = box.locator(".choices a.card")
    expect(choices).to_have_count(2)
    for place, number in enumerate((59, 58)):
        expect(choices.nth(place)).to_contain_text(str(album(number)["title"]))
        assert choices.nth(place).locator("img").bounding_box()["width"] > 80
    screenshot(page, "verdict-ambiguous")
    choices.nth(1).click()
    expect(page.locator(".best h3")).to_have_text(str(album(58)["title"]))


def test_a_picture_of_none_of_them_says_so_in_either_language(
    visit, fake: Fake, photo: Path, screenshot
) -> None:
    fake.identified = 200, identified("no_match")
    page = visit()
    page.set_input_files("#file", photo)
    box = decided(page, "no_match")
    expect(box.locator("h3")).to_have_text("Not in the crate")
    # What is only alike has no place above, and no percentage that reads like a verdict.
    assert page.locator(".best").count() == 0
    expect(page.locator("#title")).to_have_text("What looks alike")
    expect(page.locator("#shelf .rank").first).to_have_text("Rank 11")
    assert "%" not in page.locator("#shelf").inner_text()
    assert box.locator("polygon").count() == 0
    page.get_by_role("button", name="Français").click()
    expect(page.locator("#verdict h3")).to_have_text("Pas dans le bac")
    assert len([call for call in fake.calls("/api/identify") if not call.query]) == 1
    screenshot(page, "verdict-no-match")


def test_the_albums_do_not_wait_for_the_verdict_and_nothing_moves_when_it_comes(
    visit, fake: Fake, photo: Path, screenshot
) -> None:
    fake.unproved.set()
    page = visit(**PHONE)
    page.set_input_files("#file", photo)
    expect(page.locator("#shelf a.card").first).to_be_visible()
    expect(page.locator("#verdict")).to_have_attribute("aria-busy", "true")
    before = page.locator("#shelf").bounding_box()["y"] + page.evaluate("scrollY")
    fake.unproved.clear()
    box = decided(page, "match")
    assert page.locator("#shelf").bounding_box()["y"] + page.evaluate("scrollY") == before
    assert page.evaluate("shifts") < 0.02
    assert box.evaluate("node => node.scrollWidth <= node.clientWidth")
    screenshot(page, "verdict-phone")


def test_without_a_verdict_the_albums_stay(visit, fake: Fake, photo: Path) -> None:
    fake.identified = 503, failure("overloaded", "Full.")
    page = visit()
    page.set_input_files("#file", photo)
    expect(decided(page, "none")).to_contain_text("could not be checked")
    expect(page.locator("#shelf a.card")).to_have_count(13)


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
    assert len([call for call in fake.calls("/api/identify") if not call.query]) == 1


@pytest.mark.parametrize(
    ("confidence", "said"),
    [(0.9997, "over 99% sure"), (0.9912, "over 99% sure"), (0.9899, "98% sure"), (1.0, "over 99%")],
)
def test_no_probability_is_rounded_up_to_certainty(
    visit, fake: Fake, photo: Path, confidence: float, said: str
) -> None:
    fake.identified = 200, {**identified("match"), "confidence": confidence}
    page = visit()
    page.set_input_files("#file", photo)
    expect(decided(page, "match")).to_contain_text(said)
    assert "100" not in page.locator("#verdict").inner_text()


def test_each_of_several_sleeves_can_be_chosen(visit, fake: Fake, photo: Path, screenshot) -> None:
    other = {**identified("match"), "album": album(33, 0.9)}
    other["evidence"] = {"inliers": 20, "quad": [[5, 5], [80, 5], [80, 90], [5, 90]]}
    fake.many = [identified("match"), other]
    page = visit()
    page.set_input_files("#file", photo)
    box = decided(page, "match")
    sleeves = box.get_by_role("button", name="Sleeve")
    expect(sleeves).to_have_count(2)
    expect(box.locator("h3")).to_have_text(str(album(59)["title"]))
    screenshot(page, "verdict-several")
    sleeves.nth(1).press("Enter")
    expect(box.locator("h3")).to_have_text(str(album(33)["title"]))
    expect(sleeves.nth(1)).to_be_focused()
    expect(sleeves.nth(1)).to_have_attribute("aria-pressed", "true")
    sleeves.nth(0).click()
    expect(box.locator("h3")).to_have_text(str(album(59)["title"]))


def test_a_wide_photo_is_shown_whole(visit, fake: Fake, tmp_path: Path) -> None:
    path = tmp_path / "wide.jpg"
    draw_cover(3, 400).resize((600, 200)).save(path)
    page = visit()
    page.set_input_files("#file", path)
    frame = decided(page, "match").locator(".photo").bounding_box()
    assert abs(frame["width"] / frame["height"] - 3) < 0.05


def test_a_match_leads_elsewhere_and_can_be_passed_on(visit, fake: Fake, photo: Path) -> None:
    fake.links = {"Discogs": "https://discogs.example/?q={artist}+{title}"}
    page = visit(script="navigator.share = (what) => { window.shared = what; };")
    page.set_input_files("#file", photo)
    box = decided(page, "match")
    link = box.get_by_role("link", name="Discogs")
    expect(link).to_have_attribute("href", "https://discogs.example/?q=Mono%20Club+Seven%20Horizon")
    assert "noopener" in link.get_attribute("rel")
    box.get_by_role("button", name="Share").click()
    assert page.evaluate("shared.url").endswith("/?album=59")


def test_what_was_found_is_kept_in_this_browser(visit, fake: Fake, photo: Path) -> None:
    page = visit()
    expect(page.locator("#finds")).to_be_hidden()
    page.set_input_files("#file", photo)
    decided(page, "match")
    page.get_by_role("button", name="Finds (1)").click()
    expect(page.locator("#title")).to_have_text("My finds")
    expect(page.locator("#shelf a.card")).to_have_count(1)
    assert page.url.endswith("/?finds=")
    page.reload()
    expect(page.locator("#shelf a.card")).to_have_count(1)
    page.locator("#shelf a.card").click()
    expect(page.locator(".best h3")).to_have_text(str(album(59)["title"]))
