"""`engine/serving/process/launch.py`: `python -m engine serve`, and who looks after the worker."""

from __future__ import annotations

import json
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

from engine.base.errors import SettingsError
from engine.cli.main import main
from engine.covers.service import start
from engine.serving.process import launch, preload


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    processes = []

    def start(
        port: int, artifact: Path | str, *before: str, **environment: str
    ) -> subprocess.Popen[bytes]:
        options = ["--host", "127.0.0.1", "--port", str(port)]
        processes.append(
            subprocess.Popen(
                [*before, sys.executable, "-m", "engine", "serve", *options],
                cwd=PROJECT,
                env={
                    **os.environ,
                    "SHAZAM_ARTIFACT": str(artifact),
                    "BENTOML_HOME": str(tmp_path / "bentoml"),
                    **environment,
                },
                stderr=subprocess.PIPE,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                one.kill()
        process.communicate()


def answer(port: int, path: str) -> bytes:
    """What is answered, with 200, once a worker listens there and is ready."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as reply:
                assert reply.status == 200
                return bytes(reply.read())
        except OSError:  # not listening yet, or not ready
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_worker_that_is_killed_is_replaced_and_sigterm_ends_both(
    started: Callable[..., subprocess.Popen[bytes]], tiny_artifact: Path, free_port: int
) -> None:
    process = started(free_port, tiny_artifact)
    answer(free_port, "/api/search-by-text?query=red")
    (worker,) = psutil.Process(process.pid).children()
    assert psutil.Process(process.pid).memory_info().rss < 40e6
    worker.kill()
    # Who asks now waits at the socket, which is not the worker's.
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/livez", timeout=60) as reply:
        assert reply.status == 200
    answer(free_port, "/api/search-by-text?query=red")
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
    start.settings()  # what a service has read is not what a command is asked for
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


# --- how it ends --------------------------------------------------------------------------------


def answered(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until a service lives."""
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=60):
                return
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)


def all_ended(workers: list[psutil.Process]) -> bool:
    gone, left = psutil.wait_procs(workers, 30)
    return not left and bool(gone)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.bind(("127.0.0.1", port)) is None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_launcher_that_is_killed_leaves_no_worker_and_a_free_port(
    workers: str,
    started: Callable[..., subprocess.Popen[bytes]],
    tiny_artifact: Path,
    free_port: int,
) -> None:
    process = started(free_port, tiny_artifact, SHAZAM_WORKERS=workers)
    answered(free_port, process)
    left = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    assert all_ended(left)
    assert is_free(free_port)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_closed_terminal_stops_as_sigterm_does(
    workers: str,
    started: Callable[..., subprocess.Popen[bytes]],
    tiny_artifact: Path,
    free_port: int,
) -> None:
    process = started(free_port, tiny_artifact, SHAZAM_WORKERS=workers)
    answered(free_port, process)
    left = psutil.Process(process.pid).children(recursive=True)
    for one in [process, *left]:  # as a terminal does
        one.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0
    assert all_ended(left)


def test_what_nohup_started_outlives_its_terminal(
    started: Callable[..., subprocess.Popen[bytes]], tiny_artifact: Path, free_port: int
) -> None:
    process = started(free_port, tiny_artifact, "nohup")
    answered(free_port, process)
    for one in [process, *psutil.Process(process.pid).children(recursive=True)]:
        one.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    answered(free_port, process)


# --- where it listens ---------------------------------------------------------------------------


def reached(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


def test_all_addresses_of_ipv6_are_those_of_ipv4_too() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with launch.listen("::", 0) as listening:
        port = listening.getsockname()[1]
        assert reached("127.0.0.1", port)
        assert reached("::1", port)
    with launch.listen("0.0.0.0", 0) as listening:
        port = listening.getsockname()[1]
        assert (reached("127.0.0.1", port), reached("::1", port)) == (True, False)


def test_a_host_is_a_name_or_an_address_and_else_refused_in_one_line() -> None:
    for given, meant in (("localhost", "127.0.0.1"), ("[::]", "::"), ("0.0.0.0", "0.0.0.0")):
        assert launch.address_of(given) == meant
    for given in ("", "no such host", "1.2.3.4.5", "a" * 300, "bj\udcff"):
        with pytest.raises(SettingsError, match="--host"):
            launch.address_of(given)


# --- without a home -----------------------------------------------------------------------------


def test_a_home_that_cannot_be_written_is_done_without(
    started: Callable[..., subprocess.Popen[bytes]],
    tiny_artifact: Path,
    free_port: int,
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    homeless = {"HOME": str(tmp_path / "file"), "BENTOML_HOME": "", "TMPDIR": str(tmp_path)}
    answered(free_port, started(free_port, tiny_artifact, **homeless))
    (made,) = tmp_path.glob("shazam-visual-*/bentoml")
    assert made.is_dir()


def test_a_bentoml_home_that_cannot_be_written_is_told_in_one_line(
    started: Callable[..., subprocess.Popen[bytes]],
    tiny_artifact: Path,
    free_port: int,
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    process = started(free_port, tiny_artifact, BENTOML_HOME=str(tmp_path / "file" / "bentoml"))
    _, errors = process.communicate(timeout=60)
    (line,) = errors.decode().splitlines()
    assert process.returncode == 1
    assert line.startswith("invalid_setting: BentoML cannot keep its folders in ")
    assert "Set BENTOML_HOME" in line


def test_what_starts_a_worker_loads_nothing_that_only_workers_need() -> None:
    code = (
        "import sys\n"
        "from engine.cli import main, artifacts\n"
        "from engine.covers.service import settings, start\n"
        "from engine.services.start import VISUAL\n"
        "from engine.serving.process import launch\n"
        "assert artifacts._service_of('artifacts/starter') is VISUAL\n"
        "artifacts._name_artifact('artifacts/starter', VISUAL.variable)\n"
        "VISUAL.read_settings()\n"
        "heavy = {'pydantic', 'numpy', 'bentoml', 'fastapi', 'starlette', 'faiss'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)


def test_a_worker_answers_without_bentoml_until_that_is_asked_for(
    started: Callable[..., subprocess.Popen[bytes]], tiny_artifact: Path, free_port: int
) -> None:
    process = started(free_port, tiny_artifact, SHAZAM_SOUND_ARTIFACT="none")
    answer(free_port, "/api/search-by-text?query=red")
    (worker,) = psutil.Process(process.pid).children()
    assert "engine.serving.process.worker" in worker.cmdline()
    before = worker.memory_info().rss
    routes = {one["route"] for one in json.loads(answer(free_port, "/schema.json"))["routes"]}
    assert routes == {"/identify", "/search_by_image", "/search_by_text"}
    # All of BentoML has come only now.
    assert worker.memory_info().rss > before + 20e6
    assert json.loads(answer(free_port, "/api/search-by-text?query=red"))["success"]


def test_a_traced_worker_is_bentomls_own(
    started: Callable[..., subprocess.Popen[bytes]], tiny_artifact: Path, free_port: int
) -> None:
    process = started(free_port, tiny_artifact, SHAZAM_TRACES="http://127.0.0.1:9/v1/traces")
    deadline = time.monotonic() + 60
    while not (workers := psutil.Process(process.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "-" in workers[0].cmdline()  # for what is composed


@pytest.mark.parametrize("command", ["serve", "studio"])
@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
def test_a_port_that_is_taken_is_told_with_the_way_out(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
    several: bool,
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setenv("SHAZAM_WORKERS", "2" if several else "1")
    data = [] if command == "serve" else ["--data", str(tmp_path)]
    with launch.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert main([command, "--host", "127.0.0.1", "--port", str(port), *data]) == 1
    err = capsys.readouterr().err
    assert f"Port {port} is taken already" in err
    other = port + 1 if port < 65_535 else 8_080
    assert f"--port {other}" in err
    assert f"PORT={other}" in err
