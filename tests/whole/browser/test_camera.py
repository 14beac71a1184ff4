"""The camera that is pointed: it follows a sleeve, and a record that is known takes its photo."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import STARTER, Server
from PIL import Image
from playwright.sync_api import expect

from engine.covers.catalogue import Catalogue
from engine.covers.photos.photo import simulate_photo

from .conftest import launched, until
from .fake_service import UNSURE, Fake, album, identified
from .test_reach import PHONE

POINTED_AT = 4  # an album of the starter
SURE = {**identified("match"), "candidates": [album(59, 0.93)]}
BLIND = {**identified("no_match"), **UNSURE}


def likely(number: int) -> dict[str, Any]:
    """One look that is not sure of an album."""
    return {**identified("unsure"), "confidence": 0.7, "candidates": [album(number, 0.9)]}


def glances(fake: Fake) -> list[Any]:
    return [seen for seen in fake.calls("/api/identify") if seen.query.get("quick")]


def rests(page: Any, count: Callable[[], int]) -> bool:
    """Whether it stays as it is for four frames' time."""
    before = count()
    page.wait_for_timeout(500)
    return count() == before


def photos(fake: Fake) -> list[Any]:
    return [seen for seen in fake.calls("/api/search-by-image") if seen.method == "POST"]


@pytest.mark.parametrize("screen", [{}, PHONE], ids=["laptop", "phone"])
def test_a_record_that_is_known_takes_its_own_photo(
    visit, fake: Fake, screen: dict[str, Any]
) -> None:
    fake.glances = [BLIND, SURE]
    page = visit(**screen)
    page.locator("#shoot").click()
    dialog = page.get_by_role("dialog", name="Fill the frame with the sleeve")
    expect(dialog).to_be_hidden()
    expect(page.locator("#verdict")).to_have_attribute("data-decision", "match")
    assert len(photos(fake)) == 1
    frame, taken = (Image.open(io.BytesIO(one[-1].file)) for one in (glances(fake), photos(fake)))
    assert frame.format == taken.format == "JPEG"
    assert frame.size == (min(512, taken.width),) * 2
    assert taken.width == taken.height
    assert page.evaluate("document.getElementById('video').srcObject") is None


@pytest.mark.parametrize("screen", [{}, PHONE], ids=["laptop", "phone"])
def test_the_outline_lies_where_the_video_shows_the_sleeve(
    visit, fake: Fake, screen: dict[str, Any], screenshot
) -> None:
    fake.glances = [likely(number) for number in (56, 57, 58, 59)] * 100
    page = visit(**screen)
    page.locator("#shoot").click()
    drawn = page.locator("#sight .other .over")
    expect(drawn).to_be_attached()
    screenshot(page, f"camera-outline-{'phone' if screen else 'laptop'}")
    width, height = page.evaluate("[video.videoWidth, video.videoHeight]")
    side = min(width, height)
    scale = side / min(side, 512)
    points = [tuple(map(float, one.split(","))) for one in drawn.get_attribute("points").split()]
    assert points[0] == pytest.approx(
        (100 * scale + (width - side) / 2, 60 * scale + (height - side) / 2)
    )
    svg = page.locator("#sight svg")
    assert svg.get_attribute("viewBox") == f"0 0 {width} {height}"
    assert svg.get_attribute("preserveAspectRatio") == "xMidYMid slice"  # as object-fit: cover


def test_what_several_frames_say_alike_is_believed_and_what_they_do_not_is_not(
    visit, fake: Fake
) -> None:
    fake.glances = [likely(one) for one in (57, 58, 59, 57, 58, 59, 56)] + [BLIND] * 6
    page = visit()
    page.locator("#shoot").click()
    expect(page.locator("#release")).to_be_enabled()
    until(page, lambda: len(glances(fake)) >= 13)
    assert photos(fake) == []
    fake.glances = [likely(59), BLIND, likely(59), likely(58), likely(59)]
    expect(page.get_by_role("dialog")).to_be_hidden()
    until(page, lambda: photos(fake))
    expect(page.locator("#verdict")).to_have_attribute("data-decision", "match")
    assert len(photos(fake)) == 1


def test_a_service_that_gives_no_answer_leaves_the_button(visit, fake: Fake) -> None:
    fake.glances = [None]
    page = visit()
    page.locator("#shoot").click()
    until(page, lambda: glances(fake))
    page.locator("#release").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#verdict")).to_have_attribute("data-decision", "match")
    assert len(photos(fake)) == 1


def test_nothing_is_asked_once_the_camera_is_closed(visit, fake: Fake) -> None:
    page = visit()
    page.locator("#shoot").click()
    until(page, lambda: glances(fake))
    page.keyboard.press("Escape")
    expect(page.locator("#sight svg")).to_have_count(0)
    until(page, lambda: rests(page, lambda: len(glances(fake))))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a camera sees on the way to a sleeve and when it is there; MJPEG, 640 × 480."""
    data = Catalogue(STARTER / "catalogue.sqlite", STARTER / "thumbnails.sqlite").thumbnail(
        POINTED_AT
    )
    assert data is not None
    cover = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    frames = [Image.new("RGB", (640, 480), (96, 92, 88))] * 10
    for seed in range(6):
        scene = frames[0].copy()
        photo = Image.fromarray(simulate_photo(cover, np.random.default_rng(seed), "mild").image)
        photo.thumbnail((480, 480))
        scene.paste(photo, ((640 - photo.width) // 2, (480 - photo.height) // 2))
        frames += [scene] * 15
    path = tmp_path_factory.mktemp("video") / "sleeve.mjpeg"
    with path.open("wb") as file:
        for frame in frames:
            frame.save(file, "JPEG", quality=90)
    return path


@pytest.fixture(scope="module")
def pointed(playwright: Any, video: Path) -> Iterator[Any]:
    with launched(playwright, f"--use-file-for-fake-video-capture={video}") as browser:
        yield browser


def test_a_camera_pointed_at_a_sleeve_finds_its_album_by_itself(
    pointed: Any, server: Server, screenshot: Callable[[Any, str], None]
) -> None:
    page = pointed.new_page(locale="en-GB")
    page.goto(server.url)
    title = page.request.get(f"{server.url}/api/albums/{POINTED_AT}").json()["title"]
    page.locator("#shoot").click()
    expect(page.locator("#verdict h3")).to_have_text(title)
    expect(page.locator("#camera")).to_be_hidden()
    screenshot(page, "camera-found")
    page.close()
