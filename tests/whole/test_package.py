"""The installed package: a wheel that holds what serving needs, and the command it brings."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import pytest
from conftest import PROJECT

from engine.base.version import VERSION

READY_WITHIN_S = 90
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]


def required(name: str) -> list[str]:
    """The requirements that a file under requirements/ states itself."""
    lines = (PROJECT / "requirements" / f"{name}.in").read_text().splitlines()
    stated = [line.partition("#")[0].strip() for line in lines]
    return [line for line in stated if line and not line.startswith("-r")]


def test_the_package_requires_what_the_files_of_requirements_say() -> None:
    assert sorted(PYPROJECT["dependencies"]) == sorted([*required("covers"), *required("serve")])
    extras = PYPROJECT["optional-dependencies"]
    stands_on = {"ray": "build", "library": "sound", "voice": "library"}
    for name, other in stands_on.items():
        assert extras[name][0] == f"shazam-visual[{other}]"
        assert extras[name][1:] == required(name)
    assert {name: told for name, told in extras.items() if name not in stands_on} == {
        name: required(name) for name in ("build", "gpu", "lancedb", "sound")
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`shazam-visual` in an environment that has this one's packages and no project."""
    venv = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "install"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    packages = venv / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv / "bin" / "shazam-visual"


def run(command: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_wheel_holds_the_code_the_page_and_the_starters_and_no_more_than_that(
    wheel: Path,
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "engine/_data/service.py" in names
    for folder in ("web", "artifacts/starter", "artifacts/starter-sound"):
        files = [path for path in (PROJECT / folder).rglob("*") if path.is_file()]
        held = {name for name in names if name.startswith(f"engine/_data/{folder}/")}
        assert len(held) == len(files)
    roots = {name.partition("/")[0] for name in names}
    assert roots == {"engine", f"shazam_visual-{VERSION}.dist-info"}
    assert wheel.stat().st_size < 80e6


def test_the_installed_command_tells_its_version_and_itself(command: Path, tmp_path: Path) -> None:
    assert run(command, "--version", cwd=tmp_path).stdout.strip() == VERSION
    told = run(command, "--help", cwd=tmp_path).stdout
    assert told.startswith("usage: shazam-visual ")
    assert "python -m engine" not in told


def test_the_installed_command_asks_the_starter(command: Path, tmp_path: Path) -> None:
    ran = run(
        command, "query", "artifacts/starter", "--text", "a red guitar", "--json", cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    assert len(json.loads(ran.stdout)) == 5


def test_what_an_extra_brings_is_asked_for_by_its_name(command: Path, tmp_path: Path) -> None:
    (tmp_path / "covers").mkdir()
    python = command.with_name("python")
    code = "from engine.base.needs import need; need('no_such_package', 'ray.in', by='--ray')"
    ran = run(python, "-c", code, cwd=tmp_path)
    assert "Run: pip install 'shazam-visual[ray]'" in ran.stderr


def test_the_installed_command_serves_page_and_searches(command: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path / "bentoml")}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [command, "serve", "--host", "127.0.0.1", "--port", str(port)],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        assert len(json.loads(get(f"{url}/api/search-by-text?query=red"))["results"]) == 5
        assert b"<html" in get(f"{url}/", accept="text/html")
        assert f"open http://localhost:{port}\n" in (tmp_path / "log").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def get(url: str, accept: str = "application/json") -> bytes:
    """The body of a service's answer, as soon as it is there."""
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        request = urllib.request.Request(url, headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return bytes(reply.read())
        except OSError:  # not listening yet, or not ready
            assert time.monotonic() < deadline
            time.sleep(0.2)
