"""Faults, injected: each is named, shows in health, costs no more than it must, and heals."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Serve, Server, draw_cover, workers_of

DEADLINE_S = 2.0


def wait_for(what: Callable[[], Any], seconds: float = 30) -> Any:
    """What `what` returns once that is true; connections may fail meanwhile."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except httpx.TransportError:
            found = None
        if found or time.monotonic() > end:
            assert found, f"not within {seconds} s"
            return found
        time.sleep(0.1)


class Client:
    """One server under test: a different picture a call, so that no answer is remembered."""

    def __init__(self, server: Server) -> None:
        self.server = server
        once = httpx.Limits(max_keepalive_connections=0)  # any worker may answer the next
        self.http = httpx.Client(base_url=server.url, timeout=20, limits=once)
        self._sent = 0

    def search(self, number: int = 3, **options: Any) -> httpx.Response:
        import io

        self._sent += 1
        buffer = io.BytesIO()
        draw_cover(number).save(buffer, "PNG")
        # Bytes behind the picture's end: another upload, the same pixels.
        body = buffer.getvalue() + f"{id(self)} {self._sent}".encode()
        return self.http.post("/api/search-by-image", files={"file": body}, **options)

    def finds(self) -> bool:
        answer = self.search()
        return answer.status_code == 200 and answer.json()["results"][0]["album_id"] == 3

    def status(self, path: str) -> int:
        return self.http.get(path).status_code

    def wait_until_degraded(self) -> None:
        wait_for(lambda: self.status("/readyz") == 503)
        health = self.http.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "degraded")
        assert self.status("/livez") == 200

    def wait_until_healed(self) -> None:
        wait_for(lambda: self.status("/readyz") == 200)
        assert self.http.get("/health").json()["status"] == "healthy"
        assert self.finds()


def is_named(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert "secret" not in answer.text
    if status == 503:
        assert int(answer.headers["retry-after"]) >= 1


@pytest.fixture(scope="module")
def fault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fault") / "now"


@pytest.fixture(scope="module")
def faulty(serve: Serve, tiny_artifact: Path, fault: Path) -> Iterator[Client]:
    made = serve(
        tiny_artifact,
        target="faulty_service:ShazamVisual",
        FAULT=str(fault),
        SHAZAM_TIMEOUT_S=str(DEADLINE_S),
    )
    yield Client(made)
    serve.end(made)  # type: ignore[attr-defined]


@pytest.fixture
def set_fault(fault: Path) -> Iterator[Callable[[str], None]]:
    yield lambda name: _replace(fault, name)
    _replace(fault, "")


def _replace(path: Path, text: str) -> None:
    """At once: a reader must not meet an empty file between two contents."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


# The encoder


@pytest.mark.parametrize("name", ["raise", "memory", "wrong"])
def test_an_encoder_that_fails_is_named_and_degraded_and_heals(
    faulty: Client, set_fault: Callable[[str], None], name: str
) -> None:
    assert faulty.finds()
    set_fault(name)
    is_named(faulty.search(), 503, "not_ready")
    faulty.wait_until_degraded()
    is_named(faulty.search(), 503, "not_ready")
    set_fault("")
    faulty.wait_until_healed()


def test_healing_leaves_nothing_open_of_what_was_loaded_before(
    faulty: Client, set_fault: Callable[[str], None]
) -> None:
    (worker,) = workers_of(faulty.server)
    open_files = []
    for _ in range(4):
        set_fault("raise")
        is_named(faulty.search(), 503, "not_ready")
        faulty.wait_until_degraded()
        set_fault("")
        faulty.wait_until_healed()
        open_files.append(len(worker.open_files()))
    assert max(open_files[1:]) <= open_files[0] + 2, open_files


def test_one_failed_call_of_a_sound_encoder_costs_only_its_callers(
    faulty: Client, fault: Path, set_fault: Callable[[str], None]
) -> None:
    set_fault("raise once")
    is_named(faulty.search(), 503, "not_ready")
    assert fault.read_text() == ""
    time.sleep(0.3)  # its golden queries were asked meanwhile
    assert faulty.status("/readyz") == 200
    assert faulty.finds()


def test_an_encoder_that_hangs_is_a_timeout_then_degraded_and_heals(
    faulty: Client, set_fault: Callable[[str], None]
) -> None:
    def degraded() -> int:
        return faulty.server.log.read_text().count("degraded")  # which tests before left there

    set_fault("hang once")
    start, before = time.monotonic(), degraded()
    is_named(faulty.search(), 504, "timeout")
    assert DEADLINE_S - 0.1 < time.monotonic() - start < DEADLINE_S + 5
    wait_for(lambda: degraded() > before)
    faulty.wait_until_healed()


# The decoder


def test_a_picture_for_which_there_is_no_memory_is_refused_and_the_next_is_not(
    faulty: Client, set_fault: Callable[[str], None]
) -> None:
    set_fault("decode-memory")
    is_named(faulty.search(), 503, "overloaded")
    set_fault("")
    assert faulty.status("/readyz") == 200
    assert faulty.finds()


# The process


def test_sigterm_finishes_what_was_accepted_and_waits_for_no_stuck_thread(
    faulty: Client, set_fault: Callable[[str], None]
) -> None:
    """The thread of the hanging encoder above is there still."""
    set_fault("slow")
    clients = [Client(faulty.server) for _ in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(client.search) for client in clients]
        wait_for(lambda: "requests_in_flight 6.0" in faulty.http.get("/metrics").text)
        faulty.server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)  # it has come
        set_fault("")
        assert [answer.result().status_code for answer in asked] == [200] * 6
    assert faulty.server.process.wait(20) == 0
    with pytest.raises(httpx.TransportError):
        faulty.status("/livez")


def test_a_killed_worker_is_replaced_and_costs_only_its_own_requests(
    serve: Serve, tiny_artifact: Path, fault: Path
) -> None:
    """Two workers and the encoder in a process of its own; first a worker dies, then the encoder.
    As in a container, where BentoML alone would leave the dead dead."""
    made = serve(
        tiny_artifact,
        SHAZAM_WORKERS="2",
        SHAZAM_ENCODER_PROCESS="service",
        SHAZAM_THREADS="1",
        BENTOML_CONTAINERIZED="true",
    )
    asking, died = threading.Event(), threading.Event()

    def ask(seed: int) -> list[str]:
        client, told = Client(made), []
        while not asking.is_set():
            try:
                told.append(str(client.search(seed % 30).status_code))
            except httpx.TransportError:
                told.append("lost after" if died.is_set() else "lost before")
        return told

    try:
        wait_for(lambda: len(workers_of(made)) == 2)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            callers = [pool.submit(ask, seed) for seed in range(8)]
            time.sleep(1)
            victim = workers_of(made)[0]
            died.set()
            victim.kill()
            time.sleep(1.5)
            asking.set()
            told = [code for caller in callers for code in caller.result()]
        # Each caller had at most one request with the dead one, and one connection to it left.
        assert set(told) <= {"200", "lost after"}, told
        assert told.count("lost after") <= 2 * 8
        assert told.count("200") > 20

        # The encoder's socket is the launcher's: who asks now waits for the next encoder, which
        # comes within the ten seconds after which the launcher looks, and is not refused.
        (encoder,) = workers_of(made, "shazam_visual_encoder")
        encoder.kill()
        client = Client(made)
        client.http.timeout = httpx.Timeout(60)
        assert client.finds()
        (successor,) = workers_of(made, "shazam_visual_encoder")
        assert successor.pid != encoder.pid
        wait_for(lambda: len(workers_of(made)) == 2)
    finally:
        serve.end(made)  # type: ignore[attr-defined]


# The artifact, while the service runs and when it starts again


def test_an_artifact_damaged_under_a_running_service_is_refused_at_the_restart_and_heals(
    serve: Serve, tiny_artifact: Path, tmp_path: Path, fault: Path
) -> None:
    folder = tmp_path / "artifact"
    shutil.copytree(tiny_artifact, folder)
    made = serve(folder, target="faulty_service:ShazamVisual", FAULT=str(fault))
    client = Client(made)
    try:
        assert client.finds()
        thumbnails = (folder / "thumbnails.sqlite").read_bytes()
        os.truncate(folder / "thumbnails.sqlite", 4096)
        is_named(client.http.get("/api/albums/3/cover"), 503, "not_ready")
        assert client.finds()  # what is in memory still answers
        # The encoder dies, and the worker with it; the next one reads the folder as it is now.
        _replace(fault, "die once")
        with pytest.raises(httpx.TransportError):
            client.search()
        wait_for(lambda: "thumbnails.sqlite" in client.http.get("/readyz").text, 40)
        client.wait_until_degraded()
        (folder / "thumbnails.sqlite").write_bytes(thumbnails)
        client.wait_until_healed()
        assert client.status("/api/albums/3/cover") == 200
    finally:
        serve.end(made)  # type: ignore[attr-defined]
        _replace(fault, "")


# What is around it


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_full_disk_costs_nothing_but_what_is_written_there(
    serve: Serve, tiny_artifact: Path, small_disk: Path
) -> None:
    """Temporary files, caches and BentoML's home have no byte left."""
    there = {name: str(small_disk) for name in ("TMPDIR", "XDG_CACHE_HOME", "BENTOML_HOME", "HOME")}
    made = serve(tiny_artifact, wait=False, **there)
    client = Client(made)
    try:
        wait_for(lambda: client.status("/readyz") == 200, 90)
        fill(small_disk)
        assert client.finds()
        noise = os.urandom(3_000_000)
        answer = client.http.post("/api/search-by-image", files={"file": noise})
        is_named(answer, 415, "unreadable_image")
        for path in ("/api/genres", "/api/albums", "/api/albums/3", "/nowhere", "/docs", "/health"):
            assert client.status(path) in (200, 404)  # each a series of its own
        assert client.status("/metrics") == 200
        serve.end(made)  # type: ignore[attr-defined]
        # … and a start where it is full already.
        made = serve(tiny_artifact, **there)
        assert Client(made).finds()
    finally:
        serve.end(made)  # type: ignore[attr-defined]


# Where the artifact comes from


def test_a_store_that_cannot_be_reached_is_named_and_asked_again(
    serve: Serve, tiny_artifact: Path, tmp_path: Path
) -> None:
    from engine.artifact.pack import pack
    from engine.covers.artifact import Artifact

    packed = tmp_path / "packed.tar"
    digest = pack(Artifact.open(tiny_artifact), packed)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/packed.tar#sha256={digest}"
    made = serve(url, wait=False, XDG_CACHE_HOME=str(tmp_path / "cache"))
    client = Client(made)
    store = None
    try:
        wait_for(lambda: "127.0.0.1" in client.http.get("/readyz").text)
        is_named(client.http.get("/readyz"), 503, "not_ready")
        client.wait_until_degraded()
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
        store = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
        client.wait_until_healed()
    finally:
        serve.end(made)  # type: ignore[attr-defined]
        if store is not None:
            store.kill()
            store.wait()
