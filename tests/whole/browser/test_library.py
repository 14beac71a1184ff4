"""The library's part of the page, on a real service and a real worker."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import PROJECT, STARTER, Serve, Server, wait_until_ready
from playwright.sync_api import expect
from recorded import wav
from tracks import RATE, tune

from .conftest import painted
from .fake_service import Fake
from .test_reach import PHONE
from .test_sound import REFUSE

SMALL_PHONE = {**PHONE, "viewport": {"width": 360, "height": 740}}
WITHIN_S = 90  # what a worker does, on a machine that does more
WEB_PORT = "http://127.0.0.1:80/a.wav"  # this machine: refused before anything is asked
# What a finger can miss: smaller than WCAG 2.2 asks of a target (2.5.8).
TOO_SMALL = """() => [...document.querySelectorAll("main button, main a, main input, main select")]
  .filter((node) => node.checkVisibility() && !node.closest(".wave"))
  .filter((node) => Math.min(node.offsetWidth, node.offsetHeight) < 24)
  .map((node) => node.outerHTML.slice(0, 90))"""


@dataclass
class Studio:
    """A service and a worker, as `engine studio` starts them."""

    server: Server
    process: subprocess.Popen[bytes]

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nothing is begun meanwhile: jobs stay in the queue."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def health(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.server.url}/api/v1/health", trust_env=False)
        told: dict[str, Any] = answer.json()
        return told


def recording(folder: Path, number: int) -> Path:
    """Six seconds of a tune of its own."""
    path = folder / f"tune {number}.wav"
    path.write_bytes(wav((tune(number, 6.0) * 32_000).astype("<i2")[:, None], RATE))
    return path


@pytest.fixture(scope="module")
def studio(
    serve: Serve, tiny_sound: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    data = tmp_path_factory.mktemp("studio")
    environment = {
        "SHAZAM_SOUND_ARTIFACT": str(tiny_sound),
        "SHAZAM_LIBRARY": "shared",
        "SHAZAM_DATABASE": f"sqlite:///{data / 'library.sqlite'}",
        "SHAZAM_STORAGE": str(data / "objects"),
        "SHAZAM_VOICE_MODELS": str(data / "none"),  # what they hear is not measured
    }
    with (data / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine", "work", "--concurrency", "1"],
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
    server = serve(STARTER, **environment)
    wait_until_ready(server, "/health/ready")
    made = Studio(server, process)
    deadline = time.monotonic() + WITHIN_S
    while made.health().get("status") != "healthy":
        assert time.monotonic() < deadline, (data / "worker.log").read_text()
        time.sleep(0.2)
    yield made
    process.terminate()
    process.wait(30)
    serve.end(server)  # type: ignore[attr-defined]


@pytest.fixture
def live(visitor: Callable[..., Any], studio: Studio) -> Callable[..., Any]:
    return lambda path="/?library=", **options: visitor(studio.server.url + path, **options)


def row(page: Any, title: str) -> Any:
    return page.locator(".sample", has_text=title)


def added(page: Any, path: Path) -> Any:
    """The row of a recording that is ready."""
    page.set_input_files("#files", path)
    made = row(page, path.stem)
    expect(made.locator(".wave svg")).to_have_count(2, timeout=1000 * WITHIN_S)
    return made


def test_a_file_becomes_a_track_that_plays_is_taken_away_and_deleted(
    live, tmp_path: Path, screenshot
) -> None:
    page = live("/")
    page.locator("#kinds").get_by_role("link", name="Library").click()
    expect(page.locator(".none")).to_contain_text("Nothing is in the library yet")
    assert page.url.endswith("/?library=")
    page.get_by_text("Say what it is").click()
    page.get_by_label("Artist", exact=True).fill("The Fifties")
    track = added(page, recording(tmp_path, 50))
    expect(track.locator("a.name")).to_have_text("tune 50 · The Fifties")
    expect(page.get_by_label("Artist", exact=True)).to_have_value("")  # said of that one alone
    expect(page.locator("#live")).to_have_text("tune 50 is ready.")
    expect(page.locator("#count")).to_have_text("1 track")
    expect(track.locator(".facts")).to_contain_text("LUFS")
    expect(track.locator(".facts")).to_contain_text("0:06")
    slider = track.get_by_role("slider", name="Position in tune 50")
    slider.fill("3")
    track.get_by_role("button", name="Play from 0:03").click()
    expect(track.get_by_role("button", name="Pause")).to_be_visible()
    expect(track.locator(".clock")).to_have_text(re.compile("0:0[456] / 0:06"))
    for kind in ("MP3", "WAV"):
        with page.expect_download() as download:
            track.get_by_role("button", name=f"Download tune 50 as {kind}").click()
        assert download.value.suggested_filename == f"The Fifties - tune 50.{kind.lower()}"
        assert Path(download.value.path()).stat().st_size > 10_000
    track.get_by_role("button", name="More about tune 50").click()
    expect(track.locator(".extra .row")).not_to_have_count(0)
    expect(track.locator(".extra")).to_contain_text("No other track here is the same recording.")
    screenshot(page, "library-about")
    track.locator("a.name").click()
    expect(page.locator(".track h3")).to_have_text("tune 50")
    page.go_back()
    expect(track.locator(".wave svg")).to_have_count(2)
    track.get_by_role("button", name="Delete tune 50").click()
    expect(track).to_contain_text("This cannot be undone.")
    expect(track.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(track.get_by_role("button", name="Delete tune 50")).to_be_focused()
    page.keyboard.press("Enter")
    track.get_by_role("button", name="Delete for good").click()
    expect(page.locator(".sample")).to_have_count(0)
    expect(page.locator("#count")).to_have_text("0 tracks")
    page.reload()
    expect(page.locator(".none")).to_contain_text("Nothing is in the library yet")


def test_what_waits_is_there_after_a_reload_is_cancelled_and_tried_again(
    live, studio: Studio, tmp_path: Path, screenshot
) -> None:
    page = live(**SMALL_PHONE)
    with studio.at_rest():
        page.set_input_files("#files", recording(tmp_path, 51))
        expect(page.locator(".going")).to_contain_text("Waiting for its turn")
        page.reload()
        expect(page.locator(".sample progress")).to_have_count(1)
        expect(page.locator("#kinds")).to_be_visible()  # all is there that comes by itself
        moved = page.evaluate("window.shifts")
        screenshot(page, "library-waiting")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".why")).to_have_text("Cancelled.")
        again = page.get_by_role("button", name="again")
        expect(again).to_be_focused()
        again.click()
        expect(page.locator(".going")).to_contain_text("Waiting for its turn")
    track = row(page, "tune 51")
    expect(track.locator(".wave svg")).to_have_count(2, timeout=1000 * WITHIN_S)
    assert page.evaluate("window.shifts") - moved < 0.02  # its row was as high from the start
    # The same content is the same track.
    page.set_input_files("#files", recording(tmp_path, 51))
    expect(page.locator("#live")).to_contain_text("is in the library already.")
    expect(track).to_have_count(1)


def test_without_events_it_asks(live, tmp_path: Path) -> None:
    page = live(service_workers="block")  # or the page's worker asks, unseen by the route
    page.route("**/events", lambda route: route.abort())
    with page.expect_request(re.compile(r"/api/v1/jobs/\w+$")):
        added(page, recording(tmp_path, 52))


@pytest.mark.parametrize(
    ("locale", "silent", "private", "wrong"),
    [
        ("en-GB", "Nothing can be heard", "not on the public internet", "begins with https://"),
        ("fr-FR", "On n’y entend rien", "pas sur l'internet public", "commence par https://"),
    ],
)
def test_what_failed_says_why_and_can_be_tried_again(
    live, tmp_path: Path, screenshot, locale: str, silent: str, private: str, wrong: str
) -> None:
    page = live(locale=locale)
    path = tmp_path / f"silence {locale}.wav"
    long = 4 * RATE + len(locale) + ord(locale[0])  # of each language a content of its own
    path.write_bytes(wav(np.zeros((long, 1), "<i2"), RATE))
    page.set_input_files("#files", path)
    failed = page.locator(".sample", has_text=silent)
    expect(failed.locator(".why")).to_be_visible(timeout=1000 * WITHIN_S)
    expect(
        failed.get_by_role("button", name="Réessayer" if locale[0] == "f" else "again")
    ).to_be_visible()
    page.locator("#link").fill("javascript:alert(1)")
    page.keyboard.press("Enter")
    expect(page.locator("#link-wrong")).to_contain_text(wrong)
    page.locator("#link").fill(WEB_PORT)
    page.keyboard.press("Enter")
    refused = row(page, WEB_PORT)
    expect(refused.locator(".why")).to_contain_text(private)
    screenshot(page, f"library-failed-{locale[:2]}")
    page.reload()  # it is called as before by who knows no more than the service tells
    expect(row(page, path.name).locator(".why")).to_contain_text(silent)
    page.locator("#link").fill(WEB_PORT)
    page.keyboard.press("Enter")
    refused.get_by_role("button", name="Fermer" if locale[0] == "f" else "Dismiss").click()
    expect(refused).to_have_count(0)


def test_filters_are_in_the_address_and_lead_to_what_fits(live, tmp_path: Path) -> None:
    page = live()
    added(page, recording(tmp_path, 53))
    page.get_by_role("searchbox", name="Title, artist or album").fill("tune 53")
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_have_text("1 track")
    assert page.url.endswith("?library=&q=tune+53")
    page.get_by_text("More filters").click()
    page.get_by_label("State").select_option("failed")
    page.get_by_label("BPM from").fill("30")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".none")).to_have_text("Nothing fits these filters.")
    assert page.url.endswith("?library=&q=tune+53&bpm=30-999&status=failed")
    page.reload()
    expect(page.get_by_label("State")).to_have_value("failed")
    expect(page.get_by_label("BPM from")).to_have_value("30")
    expect(page.locator(".narrowing summary")).to_have_text("More filters (2 filters)")
    page.get_by_role("button", name="Remove filters").click()
    expect(row(page, "tune 53")).to_be_visible()
    page.go_back()
    expect(page.locator(".none")).to_have_text("Nothing fits these filters.")


def test_a_recording_is_sung_to_judged_and_heard(live, tmp_path: Path) -> None:
    path = recording(tmp_path, 55)
    page = live("/", script=REFUSE % "NotFoundError")
    page.get_by_role("link", name="Sing", exact=True).click()
    page.get_by_text("Another song").click()
    with page.expect_file_chooser() as song:
        page.get_by_role("button", name="Choose a file").click()
    song.value.set_files(path)
    page.locator(".start").click(timeout=1000 * WITHIN_S)
    with page.expect_file_chooser() as take:
        page.get_by_role("button", name="From a file").click()
    take.value.set_files(path)
    page.get_by_role("button", name="To the jury").click()
    expect(page.locator(".dial")).to_be_visible(timeout=1000 * WITHIN_S)
    expect(page.locator("#title")).to_have_text("tune 55")
    expect(page.locator(".jury blockquote")).to_have_count(3)
    expect(page.locator(".parts .missing")).not_to_have_count(0)
    page.get_by_role("button", name="Another song").click()
    page.get_by_role("link", name="tune 55").click()
    expect(page.locator(".dial")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen_and_axe_finds_nothing(
    live, tmp_path: Path, screenshot, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe-core comes with it")
    page = live(color_scheme=scheme, bypass_csp=True, locale="en" if scheme == "light" else "fr")
    track = added(page, recording(tmp_path, 54))
    for summary in page.locator("summary").all():
        summary.click()
    track.locator("[aria-expanded]").click()
    expect(track.locator(".extra .row")).not_to_have_count(0)
    page.evaluate((files(axe) / "axe.min.js").read_text())
    report = page.evaluate(
        "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })"
    )
    assert [
        (problem["id"], node["html"][:90], node["failureSummary"][:300])
        for problem in report["violations"]
        for node in problem["nodes"]
    ] == []
    for width in (360, 768, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        painted(page)
        page.locator("#kinds").scroll_into_view_if_needed()
        screenshot(page, f"library-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(TOO_SMALL) == [], width


def test_both_languages_say_the_same_things_of_the_library(visit, fake: Fake) -> None:
    page = visit()
    url = f"/web/{fake.page.digest}/library-strings.js"
    strings = page.evaluate("async (url) => (await import(url)).sentences", url)
    assert list(strings["en"]) == list(strings["fr"])
    for key, english in strings["en"].items():
        for value in (
            "{n}",
            "{title}",
            "{time}",
            "{part}",
            "{why}",
            "{names}",
            "{level}",
            "{sure}",
        ):
            assert (value in english) == (value in strings["fr"][key]), key


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_on_a_phone_the_library_is_in_reach(live, screenshot, locale: str) -> None:
    page = live("/", locale=locale, **SMALL_PHONE)
    link = page.locator("#kinds [data-kind=library]")
    expect(link).to_be_in_viewport(ratio=1)  # before anything is scrolled
    screenshot(page, f"library-in-reach-{locale[:2]}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    link.click()
    expect(page.locator("#title")).to_be_in_viewport()
    expect(page.locator("#link")).to_be_in_viewport(ratio=1)
    screenshot(page, f"library-phone-{locale[:2]}")


def test_keys_are_named_as_the_language_names_them(visit, fake: Fake) -> None:
    page = visit(locale="fr-FR")
    url = f"/web/{fake.page.digest}/sound.js"
    ask = "async ([url, keys]) => keys.map((await import(url)).tonality)"
    said = page.evaluate(ask, [url, ["D minor", "F# major", "Bb minor", "8A"]])
    assert said == ["ré mineur", "fa dièse majeur", "si bémol mineur", "8A"]
    page.get_by_role("button", name="English").click()
    assert page.evaluate(ask, [url, ["F# major", "Bb minor"]]) == ["F# major", "Bb minor"]


def test_where_there_is_no_library_nothing_is_said_of_it(visit, fake: Fake) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.wait_for_load_state("networkidle")
    expect(page.locator("[data-kind=library]")).to_be_hidden()
    assert not [seen.path for seen in fake.seen if "/library" in seen.path]
