"""One life of workers on SQLite: killed between two steps and amid one, followed by another, which
then meets files that are none."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import psutil
import pytest
from workers import House, clip

from engine.library.jobs import Job, Submission
from engine.library.pipeline.durable import LINKS_OF_ONE, STEPS
from engine.serving.watch.logs import JsonFormatter
from engine.sound.audio import encode
from engine.sound.held import Heard

ONCE = dict.fromkeys(STEPS, 1)
AMID = ONCE | {"decode": 2}


@pytest.fixture(scope="module")
def house(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("life")
    shutil.copy(migrated_sqlite, folder / "library.sqlite")
    made = House(f"sqlite:///{folder / 'library.sqlite'}", folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def survived(house: House) -> list[Job]:
    """Two jobs of a worker that was killed; from then on another works."""
    jobs = [house.send(clip(1)), house.send(clip(2))]
    house.worker("store:after", concurrency=2, HOLDS_SECOND="decode").killed()
    assert {(house.job(job).state, house.job(job).step) for job in jobs} == {
        ("running", "store"),
        ("running", "decode"),
    }
    house.worker("", SHAZAM_MAX_SOURCE_S="30", SHAZAM_TRUSTED_HOSTS="127.0.0.1")
    return [house.ended(job) for job in jobs]


def test_what_a_killed_worker_was_at_is_done_by_the_next_and_no_step_twice(
    house: House, survived: list[Job]
) -> None:
    """One job was between two steps, the other in the middle of one."""
    assert {job.state for job in survived} == {"done"}
    runs = [house.runs(job) for job in survived]
    assert runs in ([ONCE, AMID], [AMID, ONCE])
    assert house.strays(*survived) == []


def test_a_track_is_told_with_its_files(house: House, survived: list[Job]) -> None:
    sample = house.sample(survived[0])
    assert (sample.status, round(sample.duration_s or 0, 2)) == ("ready", 2.0)
    kinds = {"source", "wav", "mp3", "preview", "peaks", "waveform", "heard"}
    assert set(sample.objects) == kinds
    assert house.objects.read(sample.objects["source"]) == clip(1)
    assert Heard.of(house.objects.read(sample.objects["heard"])).prints.shape == (1, 64)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "unreadable_audio"),
        (clip(3, 0.3), "audio_too_short"),
        (encode(np.zeros(8_000 * 3, np.float32), 8_000, "wav", "pcm_u8"), "audio_silent"),
        (encode(np.zeros(8_000 * 31, np.float32), 8_000, "wav", "pcm_u8"), "audio_too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_track_fails_by_name(
    house: House, survived: list[Job], data: bytes, code: str
) -> None:
    job = house.ended(house.send(data))
    assert (job.state, job.error and job.error.code) == ("failed", code)
    assert house.sample(job).status == "failed"
    upload = f"uploads/{job.sha256}"
    house.until(job, lambda _: [key for key in _keys(house) if job.sha256 in key] == [upload])


def _keys(house: House) -> list[str]:
    return [stored.key for stored in house.objects.list()]


def test_the_same_content_is_the_same_job(house: House, survived: list[Job]) -> None:
    again = house.send(clip(1))
    assert again.job_id == survived[0].job_id
    assert house.job(again).state == "done"


@pytest.mark.alone
def test_a_job_is_cancelled_while_a_child_works_and_goes_on_when_it_is_retried(
    house: House, survived: list[Job]
) -> None:
    job = house.send(clip(4, 6.0))  # a second of decoding
    house.until(job, lambda now: now.step == "decode")
    (child,) = psutil.Process(house.pid).children()
    house.cancel(job)
    began = time.monotonic()
    while child.is_running():
        assert time.monotonic() - began < 2
        time.sleep(0.02)
    assert house.job(job).state == "cancelled"
    again = house.ended(house.retry(job))
    assert (again.state, again.attempt) == ("done", 2)
    assert house.runs(job) == AMID


class _Files(BaseHTTPRequestHandler):
    """/new.wav and /known.wav; /endless.wav never ends."""

    def do_GET(self) -> None:
        data = clip(1 if "known" in self.path else 5)
        endless = "endless" in self.path
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav")
        self.send_header("Content-Length", f"{len(data) * (1_000 if endless else 1)}")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)
            while endless:
                self.wfile.write(bytes(100))
                time.sleep(0.1)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _follow(house: House, url: str, owner: str = "") -> Job:
    job = house.submit(Submission(owner, "direct", url=url))
    house.begin(job)
    return job


def test_a_link_is_followed_and_one_to_a_known_content_ends_with_its_track(
    house: House, survived: list[Job], files: str
) -> None:
    new, known = _follow(house, f"{files}/new.wav"), _follow(house, f"{files}/known.wav")
    assert house.ended(new).state == "done"
    assert house.sample(new).title == "new"
    assert house.objects.read(house.sample(new).objects["source"]) == clip(5)
    assert house.ended(known).state == "done"
    assert house.job(known).track_id == survived[0].track_id
    assert set(house.runs(known)) == {"fetch", "clean"}


def test_links_that_never_end_keep_neither_files_nor_others_links_waiting(
    house: House, survived: list[Job], files: str
) -> None:
    """Nor are they waited for when they are cancelled: their places are free at once."""
    slow = [_follow(house, f"{files}/endless.wav?{n}", "me") for n in range(LINKS_OF_ONE + 1)]
    house.until(slow[0], lambda _: len(_fetching(house, slow)) == LINKS_OF_ONE)
    theirs = _follow(house, f"{files}/known.wav?again", "they")
    assert house.ended(house.send(clip(6)), within_s=60).state == "done"
    assert house.ended(theirs, within_s=60).state == "done"
    at = _fetching(house, slow)
    assert len(at) == LINKS_OF_ONE
    for job in at:
        house.cancel(job)
    house.until(slow[0], lambda _: bool(_fetching(house, slow)), within_s=60)
    for job in slow:
        house.cancel(job)
    assert {house.job(job).state for job in slow} == {"cancelled"}


def _fetching(house: House, jobs: list[Job]) -> list[Job]:
    return [job for job in map(house.job, jobs) if (job.state, job.step) == ("running", "fetch")]


def test_a_worker_that_is_told_to_stop_does(house: House, survived: list[Job]) -> None:
    assert house.stop() == 0


def test_what_dbos_logs_is_a_line_as_ours_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is set up where DBOS sets up its own."""
    from dbos._logger import init_logger

    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    monkeypatch.setattr(logging.getLogger("shazam"), "handlers", [handler])
    init_logger()
    logging.getLogger("dbos").warning("The database\nis away.")
    told = json.loads(written.getvalue())
    assert (told["logger"], told["message"]) == ("dbos", "The database\nis away.")
