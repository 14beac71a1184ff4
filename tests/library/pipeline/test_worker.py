"""Real workers, killed as workers are."""

from __future__ import annotations

from workers import House, clip

from engine.library.pipeline.durable import STEPS


def test_what_killed_workers_were_at_is_done_by_the_next_and_no_step_twice(house: House) -> None:
    amid = house.worker("decode:middle")
    job = house.send(clip(1))
    amid.killed()
    assert house.job(job).state == "running"
    house.worker("listen:after").killed()
    assert house.job(job).step == "listen"
    last = house.worker()
    assert house.ended(job).state == "done"
    assert house.runs(job) == dict.fromkeys(STEPS, 1) | {"decode": 2}
    assert house.strays(job) == []
    assert last.stop() == 0
