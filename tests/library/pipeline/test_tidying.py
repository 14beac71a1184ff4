from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from workers import House, clip

from engine.library.jobs import Job
from engine.library.pipeline.bench import Bench
from engine.library.pipeline.tidying import Tidying
from engine.library.settings import LibrarySettings


def _tidying(house: House, *, keep_days: float = 30.0, young_s: float = 3_600.0) -> Tidying:
    bench = SimpleNamespace(
        settings=LibrarySettings(keep_days=keep_days),
        database=house.rows,
        objects=house.objects,
        client=house.pipeline._client,
    )
    return Tidying(cast("Bench", bench), young_s=young_s)


def _tidy(house: House, **settings: float) -> None:
    house.loop.wait(_tidying(house, **settings).tidy)


def _keys(house: House) -> list[str]:
    return sorted(one.key for one in house.objects.list())


def _age(house: House, seconds: float) -> None:
    for one in house.objects.list():
        path = house.storage / one.key
        os.utime(path, (time.time() - seconds,) * 2)


def _workflows(house: House) -> list[Any]:
    return list(house.pipeline._client.list_workflows())


def test_an_object_without_a_row_goes_after_an_hour(house: House) -> None:
    stray, kept = house.put(clip(1, 0.1)), house.put(clip(2, 0.1))
    house.submit(kept)
    house.objects.put(f"audio/{stray.sha256}/audio.wav", b"x")
    _tidy(house)
    assert len(_keys(house)) == 3
    _age(house, 3_601)
    _tidy(house)
    assert _keys(house) == [f"uploads/{kept.sha256}"]


def test_where_there_is_no_row_at_all_nothing_is_removed(house: House) -> None:
    """As where a worker is given another database, or an empty one."""
    house.put(clip(1, 0.1))
    _age(house, 3_601)
    before = _keys(house)
    _tidy(house)
    assert _keys(house) == before
    house.submit(house.put(clip(2, 0.1)))
    _tidy(house)
    assert len(_keys(house)) == 1


def test_a_young_object_keeps_the_others_of_its_content(house: House) -> None:
    stray = house.put(clip(1, 0.1))
    _age(house, 3_601)
    house.objects.put(f"audio/{stray.sha256}/audio.wav", b"x")
    _tidy(house)
    assert len(_keys(house)) == 2


def _cancelled(house: House, seed: int) -> Job:
    job = house.send(clip(seed, 0.1))
    house.cancel(job)
    return job


def test_what_nobody_tried_again_goes_with_its_files_and_its_workflow(house: House) -> None:
    job = _cancelled(house, 1)
    waiting = house.send(clip(2, 0.1))
    _tidy(house)
    assert len(_keys(house)) == len(_workflows(house)) == 2
    time.sleep(1.1)  # the engine looks for what ended before a second
    _tidy(house, keep_days=1e-6)
    assert _keys(house) == [waiting.upload_key]
    assert [one.workflow_id for one in _workflows(house)] == [waiting.workflow_id]
    assert job.job_id not in house.loop.wait(lambda: house.jobs.several([job.job_id]))


def test_scratch_of_a_worker_that_was_killed_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.library.pipeline import scratch

    alive = scratch.Scratch(tmp_path)
    killed = tmp_path / "shazam-work-killed"
    killed.mkdir()
    (killed / "audio.wav").write_bytes(b"x")
    monkeypatch.setattr(scratch, "_YOUNG_S", -1.0)
    another = scratch.Scratch(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([alive.folder, another.folder])
    another.remove()
    alive.remove()
    assert list(tmp_path.iterdir()) == []
