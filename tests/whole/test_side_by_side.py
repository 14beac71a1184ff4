"""`tests/side_by_side.py`: who tests beside others, and who is alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import side_by_side

Started = Callable[[bool], tuple[threading.Event, threading.Event, threading.Thread]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """Starts one that wants its turn: the events that it has it, and that it may leave."""
    for name in ("MACHINE", "GATE"):  # of this very run, which holds its own
        (tmp_path / name).touch()
        monkeypatch.setattr(side_by_side, name, tmp_path / name)
    running: list[tuple[threading.Event, threading.Event, threading.Thread]] = []

    def begin(alone: bool) -> tuple[threading.Event, threading.Event, threading.Thread]:
        has_it, may_leave = threading.Event(), threading.Event()

        def test() -> None:
            with side_by_side.its_turn(alone=alone):
                has_it.set()
                may_leave.wait(10)

        thread = threading.Thread(target=test)
        running.append((has_it, may_leave, thread))
        thread.start()
        return running[-1]

    yield begin
    for _, may_leave, thread in running:
        may_leave.set()
        thread.join()


def test_tests_run_beside_each_other(start: Started) -> None:
    assert all(start(False)[0].wait(5) for _ in range(3))


def test_one_that_is_alone_waits_for_the_others_and_lets_none_in_before_it(start: Started) -> None:
    there, may_leave, _ = start(False)
    assert there.wait(5)
    alone, may_end, _ = start(True)
    assert not alone.wait(0.1)
    next_one, _, _ = start(False)
    assert not next_one.wait(0.1)
    may_leave.set()
    assert alone.wait(5)
    assert not next_one.wait(0.1)
    may_end.set()
    assert next_one.wait(5)


def test_what_a_test_leaves_for_the_report_comes_from_the_process_that_ran_it() -> None:
    class Config:
        def __init__(self) -> None:
            self.stash = pytest.Stash()
            self.workeroutput: dict[str, object] = {}

    class Session:
        config = Config()

    class Node:
        config = Config()
        workeroutput = Session.config.workeroutput

    class Reporter:
        def __init__(self) -> None:
            self.lines: list[str] = []

        def write_line(self, line: str) -> None:
            self.lines.append(line)

    Session.config.stash[side_by_side.SUMMARY] = ["fuzzed: 7 inputs"]
    side_by_side.pytest_sessionfinish(Session)
    side_by_side.pytest_testnodedown(Node)
    report = Reporter()
    side_by_side.pytest_terminal_summary(report, Node.config)
    assert report.lines == ["fuzzed: 7 inputs"]
