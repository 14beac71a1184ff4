from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from workers import House, clip

from engine.library.pipeline.durable import STEPS
from engine.library.pipeline.pool import Cancelled
from engine.library.pipeline.workflow import SHARES, _end


def _bench(house: House) -> Any:
    return cast("Any", SimpleNamespace(jobs=house.jobs, rows=house.loop.wait))


def test_shares_of_the_steps_are_all_of_a_job() -> None:
    assert tuple(SHARES) == STEPS
    assert sum(SHARES.values()) == pytest.approx(1)


def test_an_end_is_written_down_although_the_database_forgot_the_begin(house: House) -> None:
    job = house.submit(house.put(clip(1, 0.1)))
    _end(_bench(house), "decode", job.job_id, 1, {"told": 1})
    steps = house.loop.wait(lambda: house.jobs.steps(job.job_id))
    assert steps["decode"].result == {"told": 1}


def test_an_end_of_what_is_wanted_no_more_is_not(house: House) -> None:
    job = house.submit(house.put(clip(1, 0.1)))
    house.loop.wait(lambda: house.jobs.cancel(job.job_id))
    with pytest.raises(Cancelled):
        _end(_bench(house), "decode", job.job_id, 1, {"told": 1})
