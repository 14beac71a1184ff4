"""`engine/library/pipeline/stepping.py`: what is not seen from outside of a worker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from workers import House, clip

from engine.library.pipeline.pool import Cancelled
from engine.library.pipeline.running import Running
from engine.library.pipeline.stepping import Stepping


def _stepping(house: House) -> Stepping:
    bench = SimpleNamespace(rows=house.loop.wait)
    return Stepping(cast("Any", SimpleNamespace(rows=house.jobs, bench=bench)), Running())


def test_an_end_is_written_down_although_the_database_forgot_the_begin(house: House) -> None:
    job = house.submit(house.put(clip(1, 0.1)))
    _stepping(house)._end("decode", job.job_id, 1, {"told": 1})
    steps = house.loop.wait(lambda: house.jobs.steps(job.job_id))
    assert steps["decode"].result == {"told": 1}


def test_an_end_of_what_is_wanted_no_more_is_not(house: House) -> None:
    job = house.submit(house.put(clip(1, 0.1)))
    house.loop.wait(lambda: house.jobs.cancel(job.job_id))
    with pytest.raises(Cancelled):
        _stepping(house)._end("decode", job.job_id, 1, {"told": 1})
