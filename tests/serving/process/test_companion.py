"""`engine/serving/process/companion.py`: what works beside a service lives and ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from conftest import PROJECT

from engine.serving.process import companion
from engine.serving.process.companion import Companion

# Says who it is, at each start, and when it is told to end.
WORKS = """
import os, signal, sys, time
path = sys.argv[1]
def end(*_):
    open(path, "a").write("ends\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(path, "a").write(f"{os.getpid()}\\n")
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a companion `works` writes; it is importable by the processes that are started."""
    (tmp_path / "works.py").write_text(WORKS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{PROJECT}")
    monkeypatch.setattr(companion, "PAUSE_S", 0.05)
    return tmp_path / "told"


def test_one_that_cannot_be_started_is_started_later(
    told: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start, refusals = subprocess.Popen, [OSError(14, "Bad address")]

    def started(*command: object, **how: object) -> object:
        if refusals:
            raise refusals.pop()
        return start(*command, **how)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", started)
    with Companion("works", [str(told)]):
        until(lambda: lines(told))
    assert "could not be started" in capsys.readouterr().out


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def until(true: Callable[[], object], within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_is_started_again_where_it_dies_and_told_to_end(told: Path) -> None:
    with Companion("works", [str(told)]):
        until(lambda: len(lines(told)) == 1)
        os.kill(int(lines(told)[0]), signal.SIGKILL)
        until(lambda: len(lines(told)) == 2)
    assert lines(told)[2:] == ["ends"]
    assert not psutil.pid_exists(int(lines(told)[1]))


def test_it_ends_with_who_started_it(told: Path) -> None:
    code = (
        "import time\n"
        "from engine.serving.process.companion import Companion\n"
        f"with Companion('works', [{str(told)!r}]):\n"
        "    time.sleep(60)\n"
    )
    launcher = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT)
    try:
        until(lambda: len(lines(told)) == 1)
    finally:
        launcher.kill()
        launcher.wait()
    until(lambda: lines(told)[1:] == ["ends"])
    until(lambda: not psutil.pid_exists(int(lines(told)[0])))
