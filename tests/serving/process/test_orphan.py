"""`engine/serving/process/orphan.py`: nobody is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest
from conftest import PROJECT

from engine.serving.process import orphan

CHILD = """
import os, signal, time
from engine.serving.process import orphan
orphan.end_with(os.getppid())
orphan.end_with(os.getppid())
os.kill(os.getpid(), signal.SIGHUP)
print("watching", flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def within(seconds: float, happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not (happened := happens()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return happened


def gone(process: int) -> bool:
    return not psutil.pid_exists(process) or psutil.Process(process).status() == "zombie"


def test_a_worker_ends_with_who_started_it_and_not_with_its_terminal() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(2 * orphan.LOOKS_EVERY_S)
        assert not gone(child)
        parent.kill()
        try:
            assert within(10, lambda: gone(child))
        finally:
            if not gone(child):
                os.kill(child, signal.SIGKILL)


def test_bentomls_launcher_ends_with_its_terminal_unless_that_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from circus.sighandler import SysHandler

    before = SysHandler.handle_hup
    monkeypatch.setattr(SysHandler, "handle_hup", before)
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_IGN)
    orphan.end_at_hangup()
    assert SysHandler.handle_hup is before
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_DFL)
    orphan.end_at_hangup()
    assert SysHandler.handle_hup is SysHandler.handle_term
