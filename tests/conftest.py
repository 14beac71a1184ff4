"""What many tests share: no network, encoders and artifacts made on the spot, a real server."""

# ruff: noqa: E402 (the environment is set before anything that reads it is imported)
from __future__ import annotations

import os
import sys
import tempfile

# Tests say `from conftest import …`; pytest knows this file by the name of its path. Twice imported
# it would make a second home, and leave the summary to the first.
sys.modules.setdefault("conftest", sys.modules[__name__])

# Before anything imports BentoML or a hub's client: both read their environment at import.
_HOME = tempfile.TemporaryDirectory(prefix="shazam-tests-", ignore_cleanup_errors=True)
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["BENTOML_HOME"] = _HOME.name
# Tests share their machine: threads that wait for each other's turn cost more than they give.
_THREADS_BEFORE = os.environ.get("OMP_NUM_THREADS")
os.environ["OMP_NUM_THREADS"] = "1"
for _variable in [name for name in os.environ if name.startswith("SHAZAM_")]:
    del os.environ[_variable]

import contextlib
import ipaddress
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from encoders import write_clip
from PIL import Image, ImageDraw
from postgres import Postgres

from engine.serving.process import preload

PROJECT = Path(__file__).parents[1]
STARTER = PROJECT / "artifacts" / "starter"
READY_WITHIN_S = 120
OWN = ("engine", "serve")
SERVICE = "service:ShazamVisual"  # by BentoML's name

# What processes that test side by side know of each other.
pytest_plugins = ["side_by_side"]


@pytest.hookimpl(tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector) -> None:
    """Before a file of tests is imported. As often as it loads a room's `conftest.py`, pytest lets
    go of the module of that name, whichever it was."""
    if isinstance(collector, pytest.Module):
        sys.modules["conftest"] = sys.modules[__name__]


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """A connection to anything but this machine fails, and says which test asked for it."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def refuse_strangers(address: Any) -> None:
        if not isinstance(address, tuple):
            return  # a Unix socket
        host = str(address[0])
        try:
            loopback = ipaddress.ip_address(host.split("%")[0]).is_loopback
        except ValueError:
            loopback = host == "localhost"
        if not loopback:
            raise OSError(f"tests have no network; refused a connection to {address}")

    def guarded(self: socket.socket, address: Any) -> None:
        refuse_strangers(address)
        return connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        refuse_strangers(address)
        return connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        patch.setattr(socket.socket, "connect_ex", guarded_ex)
        yield


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of random weights, 32 pixels and 32 dimensions: a folder as transformers writes it."""
    return write_clip(tmp_path_factory.mktemp("encoder") / "tiny-clip")


def draw_cover(number: int, side: int = 96) -> Image.Image:
    """A picture unlike those of other numbers: two colours and one of five patterns."""
    rng = np.random.default_rng(number)
    ground, ink = (tuple(int(c) for c in rng.integers(0, 256, 3)) for _ in range(2))
    image = Image.new("RGB", (side, side), ground)
    draw = ImageDraw.Draw(image)
    step = int(rng.integers(6, 20))
    for at in range(0, side, 2 * step):
        if number % 5 == 0:
            draw.rectangle((at, 0, at + step, side), fill=ink)
        elif number % 5 == 1:
            draw.rectangle((0, at, side, at + step), fill=ink)
        elif number % 5 == 2:
            draw.ellipse((at, at // 2, at + 2 * step, at // 2 + 2 * step), fill=ink)
        elif number % 5 == 3:
            draw.line((0, at, side, side - at), fill=ink, width=step // 2)
        else:
            draw.rectangle((at // 2, at // 2, side - at // 2, side - at // 2), outline=ink, width=3)
    return image


COVERS = 30


@pytest.fixture(scope="session")
def covers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`COVERS` pictures cover-00.png … and one damaged file, broken.jpg. Do not write into it."""
    folder = tmp_path_factory.mktemp("covers")
    for number in range(COVERS):
        draw_cover(number).save(folder / f"cover-{number:02}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    return folder


@pytest.fixture(scope="session")
def tiny_metadata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metadata of `covers`: titles, artists, years and three genres."""
    path = tmp_path_factory.mktemp("metadata") / "metadata.csv"
    lines = ["file,title,artist,year,genre"]
    lines += [
        f"cover-{n:02}.png,Title {n},Artist {n % 7},{1970 + n},{('jazz', 'metal', 'folk')[n % 3]}"
        for n in range(COVERS)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def tiny_artifact(
    tmp_path_factory: pytest.TempPathFactory, tiny_clip: Path, covers: Path, tiny_metadata: Path
) -> Path:
    """An artifact of `covers` and `tiny_metadata`, ids 0 to 29. Copy it before you change it."""
    from engine.covers.making.build import build

    out = tmp_path_factory.mktemp("artifact") / "tiny"
    build(covers, out, metadata=tiny_metadata, encoder=str(tiny_clip), precision="fp32")
    return out


@pytest.fixture(scope="session")
def tiny_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact of the tracks of `tracks.py`, ids 0 to 5. Copy it before you change it."""
    from tracks import write_tracks

    from engine.sound.making.build import build

    folder = tmp_path_factory.mktemp("tracks")
    metadata = write_tracks(folder)
    out = tmp_path_factory.mktemp("sound") / "tiny"
    build(folder, out, metadata=metadata)
    return out


@pytest.fixture
def quick_runtime(tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds with `tiny_clip` take the runtime that `tiny_artifact` was given, none of their own.

    Exporting takes seconds, and what is exported depends on the encoder alone.
    """
    from engine.covers.manifest import read_manifest

    entry = read_manifest(tiny_artifact).encoder.runtimes["openvino-cpu"]

    def give(_encoder: Any, folder: Path, *_: Any, **options: Any) -> Any:
        for path in (tiny_artifact / "encoder").iterdir():
            if path.is_dir():
                shutil.copytree(path, folder / path.name)
        return entry.model_copy(update={"requested": options["requested"]})

    monkeypatch.setattr("engine.covers.making.assemble.give_cpu_runtime", give)


@dataclass(frozen=True)
class Server:
    """A running service."""

    url: str
    port: int
    log: Path
    process: subprocess.Popen[bytes]


def workers_of(server: Server, name: str = "shazam_visual") -> list[psutil.Process]:
    """The server's processes of one BentoML service, by its name on their command lines; where it
    is alone there, our own worker says the name of its class."""
    found, kind = [], "service:" + "".join(part.title() for part in name.split("_"))
    for process in psutil.Process(server.process.pid).children():
        with contextlib.suppress(psutil.Error):  # dead, and not yet replaced
            told = process.cmdline()
            alone = preload.ALONE in told and kind in told
            if alone or f"--service-name {name} " in " ".join(told) + " ":
                found.append(process)
    return found


def is_error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The one error shape, with the request's id in body and header."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["code"] == code
    assert body["error"]["details"]["request_id"] == answer.headers["x-request-id"]
    assert "x-artifact" in answer.headers
    assert len(body["error"]["message"]) > 20
    return body["error"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for this session; `create()` gives a database on it."""
    server = Postgres()
    yield server
    server.close()


Serve = Callable[..., Server]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts further servers: `serve(artifact=…, SHAZAM_API_KEYS="one")`; all end with the session.

    `wait=False` returns at once; `end(server)` (an attribute of the function) stops one early. They
    start as those of `make serve`, in half the time that `bentoml serve` takes. That starts what is
    a `target`: the service by its name, with faults to switch on (`faulty_service:ShazamVisual`),
    or a bento's folder, from a `cwd` that is not this project.
    """
    running: list[Server] = []

    def start(
        artifact: Path | str = STARTER,
        *,
        wait: bool = True,
        target: str = "",
        cwd: Path = PROJECT,
        **env: str,
    ) -> Server:
        home = tmp_path_factory.mktemp("server")
        port = _free_port()
        log = home / "server.log"
        environment = {
            **{name: value for name, value in os.environ.items() if name[:7] != "SHAZAM_"},
            "BENTOML_HOME": str(home / "bentoml"),
            "SHAZAM_ARTIFACT": str(artifact),
            "SHAZAM_SOUND_ARTIFACT": "none",  # covers alone, unless a test says otherwise
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(PROJECT / "tests"),
            **env,
        }
        environment.pop("OMP_NUM_THREADS")  # a server is started as a user would start it
        if _THREADS_BEFORE:
            environment["OMP_NUM_THREADS"] = _THREADS_BEFORE
        command = [sys.executable, "-m", *(("bentoml", "serve", target) if target else OWN)]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        made = Server(f"http://127.0.0.1:{port}", port, log, process)
        running.append(made)
        if wait:
            try:
                wait_until_ready(made)
            except BaseException:
                end(made)
                raise
        return made

    def end(made: Server) -> None:
        if made in running:
            running.remove(made)
            _end(made)

    start.end = end  # type: ignore[attr-defined]
    yield start
    for made in list(running):
        end(made)


@pytest.fixture(scope="session")
def server(serve: Serve) -> Server:
    """The service as `bentoml serve` starts it, on the embedded artifact."""
    if not (STARTER / "manifest.json").is_file():
        pytest.skip("artifacts/starter is not there yet")
    return serve(STARTER, target=SERVICE)


@pytest.fixture(scope="session")
def both(serve: Serve) -> Server:
    """The service with all that it has, as `make serve` starts it: covers and sound."""
    for folder in (STARTER, STARTER.with_name("starter-sound")):
        if not (folder / "manifest.json").is_file():
            pytest.skip(f"artifacts/{folder.name} is not there yet")
    made = serve(STARTER, SHAZAM_SOUND_ARTIFACT="")
    wait_until_ready(made, "/health/ready")
    return made


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(made: Server, path: str = "/readyz") -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if made.process.poll() is not None:
            break
        with (
            contextlib.suppress(OSError),  # urllib's errors among them: not ready yet
            urllib.request.urlopen(f"{made.url}{path}", timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.1)
    tail = made.log.read_text(errors="replace")[-3000:]
    pytest.fail(f"the server was not ready within {READY_WITHIN_S} s; its log ends:\n{tail}")


def _end(made: Server) -> None:
    made.process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        made.process.wait(20)
    # Whatever of its group outlived it; the group is the server's own (start_new_session).
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(made.process.pid, signal.SIGKILL)
    made.process.wait(10)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With NO_SKIP a skipped test is a failed one: where optional parts must be there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("NO_SKIP") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
