"""Faults of sound, injected: each is named on every route, shows in health, and heals."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from conftest import Serve, Server, is_error, workers_of
from tracks import RATE, tune

from engine.sound.audio import encode

LISTENING = ("/api/identify-sound", "/api/search-by-sound")
TELLING = (
    "/api/tracks",
    "/api/tracks?q=tune",
    "/api/tracks/2",
    "/api/tracks/2/similar",
    "/api/tracks/2/waveform",
    "/api/tracks/2/waveform?format=svg",
    "/api/tracks/2/audio",
    "/audio/2",
)


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)
    return found


class Client:
    """One service of sound under test, and a clip of its track 2 from second 3.2 on."""

    def __init__(self, server: Server, clip: bytes) -> None:
        self.server, self.clip = server, clip
        self.http = httpx.Client(base_url=server.url, timeout=20)

    def post(self, path: str) -> httpx.Response:
        return self.http.post(path, files={"file": self.clip})

    def health(self) -> tuple[int, str]:
        answer = self.http.get("/health")
        return answer.status_code, answer.json()["status"]

    def wait_until_degraded(self) -> str:
        """What `/readyz` says of it."""
        wait_for(lambda: self.health() == (503, "degraded"))
        assert self.http.get("/livez").status_code == 200
        return str(is_error(self.http.get("/readyz"), 503, "not_ready")["message"])

    def wait_until_healed(self) -> None:
        wait_for(lambda: self.health() == (200, "healthy"))
        assert self.post("/api/identify-sound").json()["track"]["track_id"] == 2
        for path in TELLING:
            assert self.http.get(path).status_code == 200, path

    def decoders(self) -> list[psutil.Process]:
        (worker,) = workers_of(self.server, "shazam_sound")
        children = worker.children()
        return [one for one in children if "engine.sound.apart" in " ".join(one.cmdline())]


@pytest.fixture(scope="module")
def folder(tiny_sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = tmp_path_factory.mktemp("faulty") / "sound"
    shutil.copytree(tiny_sound, copied)
    return copied


@pytest.fixture(scope="module")
def fault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fault") / "now"


@pytest.fixture(scope="module")
def faulty(serve: Serve, folder: Path, fault: Path) -> Iterator[Client]:
    made = serve(
        target="faulty_sound:ShazamSound", FAULT=str(fault), SHAZAM_SOUND_ARTIFACT=str(folder)
    )
    clip = encode(tune(2)[round(3.2 * RATE) : round(9.2 * RATE)], RATE, "ogg", "libopus", kbit=32)
    client = Client(made, clip)
    yield client
    client.http.close()
    serve.end(made)  # type: ignore[attr-defined]


# The artifact, while it is open


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(range(256)))


def remove(path: Path) -> None:
    path.unlink()


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_another_catalogue(path: Path) -> None:
    """Of the same size: every page of it is there, and its titles are others."""
    other = path.with_suffix(".new")
    shutil.copy(path, other)
    with sqlite3.connect(other) as database:
        database.execute("UPDATE tracks SET title = 'Other' || substr(title, 6)")
    database.close()
    other.replace(path)


def restore(path: Path, content: bytes) -> None:
    if path.is_dir():
        path.rmdir()
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("catalogue.sqlite", cut),
        ("catalogue.sqlite", replace_by_another_catalogue),
        ("waveforms.sqlite", overwrite),
        ("fingerprints/rows.i8", cut),
        ("standard.npz", replace_by_a_folder),
        ("manifest.json", remove),
    ],
)
def test_a_file_that_is_harmed_while_it_is_open_is_named_on_every_route_and_heals(
    faulty: Client, folder: Path, name: str, harm: Callable[[Path], None]
) -> None:
    path, (worker,) = folder / name, workers_of(faulty.server, "shazam_sound")
    content = path.read_bytes()
    faulty.wait_until_healed()
    harm(path)
    assert Path(name).name in faulty.wait_until_degraded()
    for route in LISTENING:
        answer = faulty.post(route)
        assert Path(name).name in is_error(answer, 503, "not_ready")["message"]
        assert int(answer.headers["retry-after"]) >= 1
    for route in TELLING:
        is_error(faulty.http.get(route), 503, "not_ready")
    restore(path, content)
    faulty.wait_until_healed()
    assert workers_of(faulty.server, "shazam_sound") == [worker], "it was the same all along"


def test_a_file_that_is_written_again_as_it_was_costs_nothing(faulty: Client, folder: Path) -> None:
    path = folder / "catalogue.sqlite"
    content = path.read_bytes()
    with path.open("r+b") as file:  # not cut first: a moment without its end would be told, rightly
        file.write(content)
    for _ in range(8):
        assert faulty.health() == (200, "healthy")
        time.sleep(0.1)
    assert faulty.http.get("/api/tracks/2").status_code == 200


# The processes that decode


def test_decoders_that_cannot_start_are_named_tracks_are_told_of_and_it_heals(
    faulty: Client, fault: Path
) -> None:
    faulty.wait_until_healed()
    fault.write_text("fork")
    for process in faulty.decoders():
        process.kill()
        wait_for(lambda: process.status() == psutil.STATUS_ZOMBIE)  # noqa: B023
    for route in LISTENING:
        answer = faulty.post(route)
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"]["code"] in ("overloaded", "not_ready")
        assert "secret" not in answer.text
        assert int(answer.headers["retry-after"]) >= 1
    assert "no process" in faulty.wait_until_degraded()
    for path in TELLING:
        assert faulty.http.get(path).status_code == 200, path
    fault.write_text("")
    faulty.wait_until_healed()
    assert len(faulty.decoders()) >= 1


# The end: last, as it ends the server


def test_sigterm_finishes_what_was_accepted(faulty: Client, fault: Path) -> None:
    faulty.wait_until_healed()
    fault.write_text("slow")
    decoders = faulty.decoders()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(faulty.post, "/api/identify-sound") for _ in range(6)]
        wait_for(lambda: "requests_in_flight 6.0" in faulty.http.get("/metrics").text)
        faulty.server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)  # it has come
        fault.write_text("")
        answers = [answer.result() for answer in asked]
    assert [answer.status_code for answer in answers] == [200] * 6
    assert {answer.json()["track"]["track_id"] for answer in answers} == {2}
    assert faulty.server.process.wait(20) == 0
    assert not [one for one in decoders if one.is_running()], "a process that decodes is left"
