"""What a library must bear: a disk that is full, a database that goes away, workers that die, hang
or are of another version. Each is a named failure or a wait that ends, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import av
import numpy as np
import pytest
from object_stores import BUCKET, Middleman, credentials, moto
from postgres import Postgres
from workers import House, clip

from engine.base.errors import DatabaseUnavailable
from engine.library.pipeline import durable
from engine.library.pipeline.durable import STEPS
from engine.library.pipeline.lease import DEAD_S
from engine.library.pipeline.worker import DECLARED_DEAD
from engine.sound.audio import encode

pytestmark = pytest.mark.skipif(
    not os.environ.get("NO_SKIP"), reason="takes minutes; make test-optional runs it"
)

ONCE = dict.fromkeys(STEPS, 1)


def test_a_full_disk_is_told_and_what_was_done_before_is_not_repeated(house: House) -> None:
    job = house.send(clip(1))
    full = house.worker("listen:full")
    ended = house.ended(job)
    assert (ended.state, ended.error and ended.error.code) == ("failed", "storage_full")
    assert full.stop() == 0
    house.retry(job)
    house.worker()
    assert house.ended(job).state == "done"
    assert house.runs(job) == ONCE | {"listen": 2}


def test_what_nobody_foresaw_is_internal_and_tells_nothing_of_itself(house: House) -> None:
    job = house.send(clip(1))
    house.worker("analyse:bad")
    error = house.ended(job).error
    assert error is not None
    assert error.code == "internal"
    assert "Zero" not in error.message
    assert "ZeroDivisionError" in house.log()


def test_a_worker_that_lives_takes_over_from_one_that_died(house: House) -> None:
    house.send(clip(0))
    first = house.worker("", HOLDS_SECOND="analyse")
    held = house.send(clip(1))
    house.until(held, lambda now: now.step == "analyse")
    second = house.worker()
    waiting = house.send(clip(2))  # the second worker is there and works
    assert house.ended(waiting).state == "done"
    assert house.job(held).step == "analyse"
    first.kill()
    assert house.ended(held, within_s=20).state == "done"
    assert house.runs(held) == ONCE | {"analyse": 2}
    assert second.lives


@pytest.mark.timeout(200)
def test_a_worker_that_hung_learns_that_others_took_over_and_ends(house: House) -> None:
    house.send(clip(0))
    hung = house.worker("", HOLDS_SECOND="analyse")
    held = house.send(clip(1))
    house.until(held, lambda now: now.step == "analyse")
    os.kill(hung.pid, signal.SIGSTOP)
    house.worker()
    assert house.ended(held, within_s=DEAD_S + 40).state == "done"
    os.kill(hung.pid, signal.SIGCONT)
    assert hung.wait(20) == DECLARED_DEAD
    assert house.runs(held) == ONCE | {"analyse": 2}


@pytest.mark.timeout(200)
def test_a_database_that_is_away_for_20_s_is_waited_for(
    postgres: Postgres, migrated_postgres: str, tmp_path: Path
) -> None:
    house = House(postgres.create(migrated_postgres), tmp_path)
    try:
        worker = house.worker()
        jobs = [house.send(clip(1, 20.0))]
        house.until(jobs[0], lambda now: now.step == "decode")
        postgres.stop()
        time.sleep(20)
        postgres.start()
        jobs.append(house.send(clip(2)))
        assert [house.ended(job, within_s=120).state for job in jobs] == ["done", "done"]
        assert worker.lives
        assert house.runs(jobs[0]) == ONCE
        assert house.strays(*jobs) == []
    finally:
        house.close()


def test_a_workflow_of_another_version_is_begun_anew_by_this_one(house: House) -> None:
    job = house.submit(house.put(clip(1)))
    house.pipeline._client.enqueue(
        {
            "workflow_name": durable.WORKFLOW,
            "queue_name": durable.QUEUE,
            "workflow_id": job.workflow_id,
            "app_version": "0",
        },
        job.job_id,
        job.attempt,
    )
    house.loop.wait(lambda: house.jobs.enqueued(job.job_id, job.attempt))
    house.worker()
    ended = house.ended(job)
    assert (ended.state, ended.attempt) == ("done", 2)


def test_a_workflow_that_the_engine_forgot_is_begun_again(house: House) -> None:
    job = house.send(clip(1))
    house.pipeline._client.delete_workflow(job.workflow_id)
    house.worker()
    assert house.ended(job).state == "done"


@pytest.mark.timeout(200)
def test_a_store_that_answers_503_is_waited_for_and_at_last_named(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "library.sqlite")
    with moto() as url, contextlib.ExitStack() as opened:
        between = Middleman(url)
        opened.callback(between.close)
        with credentials(url):
            house = House(f"sqlite:///{tmp_path}/library.sqlite", tmp_path, f"s3://{BUCKET}")
            house.objects.check()  # its connection is made now
        opened.callback(house.close)
        with credentials(between.url):
            house.worker(STORE_PATIENCE_S="8")
        job = house.send(clip(1))
        house.until(job, lambda now: now.step == "decode")
        between.fail("503")
        time.sleep(4)
        assert house.job(job).step == "decode"
        between.fail("", 0)
        assert house.ended(job).state == "done"
        assert house.runs(job) == ONCE
        away = house.send(clip(2))
        house.until(away, lambda now: now.step == "decode")
        between.fail("503")
        error = house.ended(away).error
        assert (error and error.code) == "storage_unavailable"
        between.fail("", 0)
        house.retry(away)
        assert house.ended(away).state == "done"
        assert house.runs(away) == ONCE | {"decode": 2}
        assert house.strays(job, away) == []


def test_a_worker_whose_engine_lost_its_file_ends_and_the_next_does_what_is_left(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "library.sqlite")
    house = House(f"sqlite:///{tmp_path}/library.sqlite", tmp_path)
    try:
        worker = house.worker("", HOLDS_SECOND="analyse")
        house.ended(house.send(clip(0)))
        held = house.send(clip(1))
        house.until(held, lambda now: now.step == "analyse")
        for path in tmp_path.glob("library.dbos.sqlite*"):
            path.unlink()
        assert worker.wait(10) == DECLARED_DEAD
        with contextlib.suppress(DatabaseUnavailable):  # as the service does
            house.send(clip(2))
        late = house.submit(house.put(clip(2)))
        house.worker()
        assert [house.ended(job).state for job in (held, late)] == ["done", "done"]
        assert house.runs(held) == ONCE | {"analyse": 2}
    finally:
        house.close()


def test_300_s_of_silence_and_a_video_without_sound_are_told(house: House, tmp_path: Path) -> None:
    silence = encode(np.zeros(8_000 * 300, np.float32), 8_000, "wav", "pcm_u8")
    jobs = {"audio_silent": house.send(silence), "no_sound": house.send(_film(tmp_path))}
    house.worker()
    for code, job in jobs.items():
        ended = house.ended(job, within_s=120)
        assert (ended.state, ended.error and ended.error.code) == ("failed", code)


def _film(folder: Path) -> bytes:
    path = folder / "film.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(5):
            black = np.zeros((32, 32, 3), np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(black, "rgb24")))
        output.mux(stream.encode(None))
    return path.read_bytes()
