"""Processes that test side by side (`pytest -n 3`): what each must know of the others.

A test marked `alone` measures time, or wants the whole machine: while it runs, the others wait.
Lines for the end of the report (`SUMMARY`) reach the process that prints it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

# Lines a test leaves for the end of the report.
SUMMARY = pytest.StashKey[list[str]]()

# What is locked are files that lie here anyway: there is nothing to make, and nothing to remove.
MACHINE = Path(__file__)
GATE = MACHINE.with_name("conftest.py")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # waiting is not in a test's time limit
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with its_turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@contextmanager
def its_turn(*, alone: bool) -> Iterator[None]:
    """The machine, shared with other tests or `alone`.

    Whoever wants it passes the gate first: tests that share it, one after another without a gap
    between them, would keep one that wants it alone waiting to the end.
    """
    with ExitStack() as stack:
        with _locked(GATE, fcntl.LOCK_EX):
            stack.enter_context(_locked(MACHINE, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    with path.open() as file:
        fcntl.flock(file, how)
        try:
            yield
        finally:
            # Closing alone would leave it to a process that a test forked and that still runs.
            fcntl.flock(file, fcntl.LOCK_UN)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["summary"] = session.config.stash.get(SUMMARY, [])


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, which may be switched off
def pytest_testnodedown(node: Any) -> None:
    told = getattr(node, "workeroutput", {}).get("summary", [])
    node.config.stash.setdefault(SUMMARY, []).extend(told)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in config.stash.get(SUMMARY, []):
        terminalreporter.write_line(line)
