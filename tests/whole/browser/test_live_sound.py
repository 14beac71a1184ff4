"""The page on the real service: a tune across a simulated room, heard by its microphone."""

from __future__ import annotations

import functools
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from conftest import STARTER, Serve, Server, wait_until_ready
from playwright.sync_api import expect
from recorded import wav
from tracks import ELSEWHERE, RATE, tune

from engine.base.files import file_sha256
from engine.sound.audio import resample, to_opus
from engine.sound.hearing.phone import Place
from engine.sound.hearing.rooms import two

from .conftest import launched
from .test_reach import PHONE

TUNE, FROM_S = 2, 2.0


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another host, which has a tune; its address."""
    folder = tmp_path_factory.mktemp("elsewhere")
    to_opus(tune(ELSEWHERE), RATE, folder / "tune.opus", 48)
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{host.server_port}/tune.opus"
        host.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map: ClassVar = {".opus": "audio/ogg"}

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def hearing(
    serve: Serve, tiny_sound: Path, elsewhere: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The audio of one of its tracks is at another host."""
    folder = tmp_path_factory.mktemp("hearing") / "sound"
    shutil.copytree(tiny_sound, folder)
    with sqlite3.connect(folder / "catalogue.sqlite") as database:
        database.execute("UPDATE tracks SET url = ? WHERE track_id = ?", (elsewhere, ELSEWHERE))
    database.close()
    manifest = json.loads((folder / "manifest.json").read_text())
    changed = folder / "catalogue.sqlite"
    entry = {"sha256": file_sha256(changed), "size": changed.stat().st_size}
    manifest["files"]["catalogue.sqlite"] = entry
    (folder / "manifest.json").write_text(json.dumps(manifest))
    made = serve(STARTER, SHAZAM_SOUND_ARTIFACT=str(folder))
    wait_until_ready(made, "/health/ready")
    yield made
    serve.end(made)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def in_a_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of a tune, from `FROM_S` on, as a phone hears them among people."""
    rng = np.random.default_rng(3)
    place = Place(responses=two(rng, RATE), snr_db=15.0)
    heard = place.heard(tune(TUNE)[round(FROM_S * RATE) :], RATE, rng)
    path = tmp_path_factory.mktemp("room") / "heard.wav"
    path.write_bytes(wav((resample(heard, RATE, 48_000) * 32_000).astype("<i2")[:, None], 48_000))
    return path


@pytest.fixture(scope="module")
def chromium(playwright: Any, in_a_room: Path) -> Iterator[Any]:
    """A browser whose microphone hears that room."""
    with launched(playwright, f"--use-file-for-fake-audio-capture={in_a_room}") as browser:
        yield browser


@pytest.fixture
def live(visitor: Callable[..., Any], hearing: Server) -> Callable[..., Any]:
    return lambda path="/", **options: visitor(hearing.url + path, **options)


@pytest.mark.parametrize("screen", [{}, PHONE], ids=["laptop", "phone"])
def test_a_tune_in_a_room_is_found_and_plays_from_there(
    live, hearing: Server, screen: dict[str, Any], screenshot
) -> None:
    page = live(**screen)
    with page.expect_response("**/api/identify-sound") as asked:
        page.locator("#hear").click()
        page.wait_for_timeout(2_000)
        screenshot(page, f"live-ear-{'phone' if screen else 'laptop'}")
    expect(page.locator(".track h3")).to_have_text(f"Tune {TUNE}")
    answer = asked.value.json()
    if answer["decision"] == "match":
        assert answer["evidence"]["offset_s"] == pytest.approx(FROM_S, abs=1.5)  # it opens slowly
    button = page.locator(".track .play")
    before = page.locator(".track .clock").inner_text()
    assert before != "0:00 / 0:12"
    button.click()
    expect(page.locator(".track .clock")).not_to_have_text(before)
    expect(page.locator(".track .trouble")).to_be_hidden()
    expect(page.locator("#shelf .row")).to_have_count(5)
    expect(page.locator("#shelf .because").first).not_to_be_empty()
    page.wait_for_load_state("networkidle")
    screenshot(page, f"live-heard-{'phone' if screen else 'laptop'}")


def test_a_track_that_is_at_another_host_plays(live, elsewhere: str) -> None:
    page = live(f"/?track={ELSEWHERE}", also=elsewhere)
    origin = elsewhere.rsplit("/", 1)[0]
    policy = page.request.get(page.url, headers={"Accept": "text/html"}).headers
    assert f"media-src 'self' blob: {origin};" in policy["content-security-policy"]
    with page.expect_response(elsewhere) as played:
        page.locator(".track .play").click()
    assert played.value.ok
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator(".track .clock")).not_to_have_text("0:00 / 0:12")
    expect(page.locator(".track .trouble")).to_be_hidden()


def test_a_recording_from_a_file_begins_where_it_does(live, tmp_path: Path) -> None:
    page = live()
    expect(page.locator("#hear")).to_be_visible()
    path = tmp_path / "clip.wav"
    clip = tune(4)[round(3.5 * RATE) : round(9.5 * RATE)]
    path.write_bytes(wav((clip * 32_000).astype("<i2")[:, None], RATE))
    page.set_input_files("#file", path)
    expect(page.locator(".track h3")).to_have_text("Tune 4")
    expect(page.locator(".track .clock")).to_have_text("0:03 / 0:12")
    expect(page.locator(".track .player")).to_contain_text("may not be heard here")


def test_what_is_no_recording_gets_an_answer_in_words(live, tmp_path: Path) -> None:
    page = live(locale="fr")
    expect(page.locator("#hear")).to_be_visible()
    path = tmp_path / "clip.mp3"
    path.write_bytes(b"no recording" * 99)
    page.set_input_files("#file", path)
    expect(page.locator("[data-panel=refused]")).to_contain_text("pas un enregistrement lisible")


def test_tracks_are_listed_found_by_name_and_played_where_an_album_is(live) -> None:
    page = live("/?tracks=")
    expect(page.locator("#count")).to_have_text("6 tracks")
    page.get_by_role("searchbox", name="Title, artist or album").fill("tune 3")
    page.keyboard.press("Enter")
    expect(page.locator("#shelf .row").first).to_contain_text("Tune 3")
    page.goto(page.url.split("?")[0] + "?album=11")
    expect(page.locator(".best .playable .name")).to_have_count(2)
    page.locator(".best .play").first.click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
