"""`engine/serving/process/launch.py`: `python -m engine serve`, and who looks after the worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from conftest import PROJECT

from engine.cli.main import main
from engine.serving.process import preload


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    processes = []

    def start(port: int, artifact: Path | str) -> subprocess.Popen[bytes]:
        options = ["--host", "127.0.0.1", "--port", str(port)]
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "engine", "serve", *options],
                cwd=PROJECT,
                env={
                    **os.environ,
                    "SHAZAM_ARTIFACT": str(artifact),
                    "BENTOML_HOME": str(tmp_path / "bentoml"),
                },
                stderr=subprocess.PIPE,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            for one in [*psutil.Process(process.pid).children(), process]:
                one.kill()
        process.communicate()


def test_a_worker_that_is_killed_is_replaced_and_sigterm_ends_both(
    started: Callable[..., subprocess.Popen[bytes]], tiny_artifact: Path, free_port: int
) -> None:
    def answer(path: str) -> int:
        deadline = time.monotonic() + 60
        while True:
            try:
                url = f"http://127.0.0.1:{free_port}{path}"
                with urllib.request.urlopen(url, timeout=60) as reply:
                    return int(reply.status)
            except OSError:  # not listening yet, or not ready
                assert time.monotonic() < deadline
                time.sleep(0.1)

    process = started(free_port, tiny_artifact)
    assert answer("/api/search-by-text?query=red") == 200
    (worker,) = psutil.Process(process.pid).children()
    assert psutil.Process(process.pid).memory_info().rss < 40e6
    worker.kill()
    # Who asks now waits at the socket, which is not the worker's.
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/livez", timeout=60) as reply:
        assert reply.status == 200
    assert answer("/api/search-by-text?query=red") == 200
    (other,) = psutil.Process(process.pid).children()
    assert other.pid != worker.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not psutil.pid_exists(other.pid)
    assert process.stderr is not None
    assert b"another is started" in process.stderr.read()


def test_a_worker_that_cannot_start_is_not_started_again(
    started: Callable[..., subprocess.Popen[bytes]], free_port: int
) -> None:
    process = started(free_port, "nowhere/at-all")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    (line,) = errors.splitlines()
    assert b"SHAZAM_ARTIFACT='nowhere/at-all'" in line


def test_several_processes_are_started_by_bentoml(monkeypatch: pytest.MonkeyPatch) -> None:
    class Replaced(Exception):
        pass

    def execv(path: str, arguments: list[str]) -> None:
        assert arguments[1:4] == ["-m", "bentoml", "serve"]
        assert arguments[-4:] == ["--host", "127.0.0.1", "--port", "4000"]
        raise Replaced

    monkeypatch.setattr(os, "execv", execv)
    for variable, value in (("SHAZAM_WORKERS", "2"), ("SHAZAM_ENCODER_PROCESS", "service")):
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            with pytest.raises(Replaced):
                main(["serve", "--host", "127.0.0.1", "--port", "4000"])


def test_what_opens_is_named_and_called_once_beside_a_worker_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "an_opener.py").write_text(
        "import threading\ncalls = []\n\n"
        "def open_it():\n    calls.append(threading.current_thread().name)\n    return calls\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    preload.begin("an_opener:open_it")  # in no worker: a launcher, a test
    assert preload.take() is None
    assert "an_opener" not in sys.modules
    for _ in range(2):  # by worker.py, then by the module of the service
        preload.begin("an_opener:open_it", worker=True)
    opening = preload.take()
    assert opening is not None
    (thread,) = opening.result(10)
    assert thread.startswith("preload")
    assert preload.take() is None


def test_nothing_of_the_service_is_imported_before_what_opens_runs() -> None:
    code = "import sys, engine.covers.service.start\nprint(*sys.modules)"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    ours = {name for name in run.stdout.split() if name.startswith("engine.")}
    packages = {"engine.base", "engine.base.version", "engine.covers", "engine.covers.service"}
    assert ours == {*packages, "engine.covers.service.start"}
    assert "numpy" not in run.stdout.split()
