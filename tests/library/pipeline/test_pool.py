from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.base.errors import AudioTooLong, StorageFull, UnreadableAudio, WorkerLost
from engine.library.pipeline.pool import Cancelled, Pool

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TESTS))
        made = Pool(2, memory_bytes=1 << 30, tasks="hostile_tasks")
        yield made
        made.close()


def _within(seconds: float, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    """Whether it runs: what nobody has looked at since it ended does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class _Asked(threading.Thread):
    """A task in a thread: what it gave, or raised."""

    def __init__(self, pool: Pool, key: str, task: str, **arguments: Any) -> None:
        super().__init__(daemon=True)
        self._do = lambda: pool.run(key, task, arguments, seconds=60)
        self.raised: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._do()
        except Exception as error:
            self.raised = error


def _begun(path: Path) -> tuple[psutil.Process, psutil.Process]:
    _within(60, lambda: path.is_file() and len(path.read_text().split()) == 2)
    own, other = (psutil.Process(int(pid)) for pid in path.read_text().split())
    return own, other


def test_a_task_answers_and_tells_how_far_it_is(pool: Pool) -> None:
    told: list[float] = []
    answer = pool.run("a", "echo", {"x": [1, "é"]}, seconds=10, report=told.append)
    assert answer["x"] == [1, "é"]
    assert told == [0.5]


def test_a_process_is_kept_for_the_next_task(pool: Pool) -> None:
    first, second = (pool.run("a", "echo", {}, seconds=10)["pid"] for _ in range(2))
    assert first == second


def test_a_named_failure_is_that_failure(pool: Pool) -> None:
    with pytest.raises(UnreadableAudio, match="This is a picture"):
        pool.run("a", "refuse", {}, seconds=10)
    with pytest.raises(StorageFull):
        pool.run("a", "fill", {}, seconds=10)


def test_more_memory_than_a_recording_needs_is_too_long_a_recording(pool: Pool) -> None:
    with pytest.raises(AudioTooLong, match="memory"):
        pool.run("a", "eat", {}, seconds=30)


def test_a_process_that_dies_once_is_followed_by_another(pool: Pool, tmp_path: Path) -> None:
    counted = {"counted": str(tmp_path / "runs"), "times": 1}
    assert pool.run("a", "die", counted, seconds=10) == {"begun": 2}


def test_what_ends_its_process_twice_is_worker_lost(pool: Pool, tmp_path: Path) -> None:
    counted = {"counted": str(tmp_path / "runs"), "times": 9}
    with pytest.raises(WorkerLost, match="ends the process"):
        pool.run("a", "die", counted, seconds=10)
    assert (tmp_path / "runs").stat().st_size == 2


def test_what_takes_too_long_is_ended_with_all_that_it_started(pool: Pool, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with pytest.raises(WorkerLost, match="takes longer than 1 s"):
        pool.run("a", "wait", {"begun": str(begun)}, seconds=1)
    _within(2, lambda: not any(_lives(int(pid)) for pid in begun.read_text().split()))


def test_what_is_cancelled_ends_within_two_seconds(pool: Pool, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    asked = _Asked(pool, "job.1", "wait", begun=str(begun))
    processes = _begun(begun)
    pool.cancel("job.1")
    asked.join(2)
    assert isinstance(asked.raised, Cancelled)
    _within(2, lambda: not any(_lives(process.pid) for process in processes))


def test_what_is_wanted_no_more_does_not_begin(pool: Pool, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with pytest.raises(Cancelled):
        pool.run("a", "wait", {"begun": str(begun)}, seconds=10, wanted=lambda: False)
    assert not begun.exists()


def test_a_pause_ends_what_runs_and_it_begins_anew_afterwards(pool: Pool, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    asked = _Asked(pool, "job.1", "wait", begun=str(begun))
    own, _ = _begun(begun)
    begun.unlink()
    pool.pause()
    _within(2, lambda: not _lives(own.pid))
    time.sleep(0.3)
    assert not begun.exists()
    assert asked.is_alive()
    pool.resume()
    again, _ = _begun(begun)
    assert again.pid != own.pid
    pool.cancel("job.1")
    asked.join(2)


def test_a_child_dies_with_its_worker(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    source = (
        "from engine.library.pipeline.pool import Pool\n"
        f"Pool(1, tasks='hostile_tasks').run('a', 'wait', {{'begun': {str(begun)!r}}}, seconds=60)"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", source], env={"PYTHONPATH": f"{TESTS.parent}:{TESTS}"}
    )
    own, other = _begun(begun)
    worker.kill()
    worker.wait()
    _within(2, lambda: not _lives(own.pid))
    other.kill()
