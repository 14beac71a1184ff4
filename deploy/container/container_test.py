"""The image, proven: built, started as a platform would, searched, stopped under load, timed.

    python deploy/container/container_test.py [ARTIFACT]        (make container-test)

An artifact of covers gives their image, one of sound that of sound: each must hold nothing of the
other, nor of what the library needs.
Builds through `bentoml containerize --backend buildah` and starts the result under the limits of
the manifests: user 1034, a root file system that cannot be written, a 256 MiB /tmp, no capability,
1 GiB of memory. Prints what it measures and fails where a limit is passed. Where there is no root
or no buildah it says so and does nothing. IMAGE=name tests an image that is there already.

unshare(1) stands in for a container runtime: crun will not start where both generations of cgroups
are mounted, and a build machine has no daemon. What it leaves out is a network of its own, and a
filter of system calls.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))
BASE = os.environ.get("BASE_IMAGE", "docker.io/library/python:3.11-slim")
USER = 1034
GIB = 1 << 30

MOST_BYTES = 900_000_000
MOST_SECONDS = 4.0
STARTS = 5
CALLERS = 8
# Packages and folders that an image of the kind must not have: each costs the others' starts.
NOTHING_OF = {
    "cover": ("av", "dbos", "sqlalchemy", "sound", "library", "starter-sound"),
    "sound": ("cv2", "pillow_heif", "dbos", "sqlalchemy", "covers", "library", "starter"),
    "library": ("cv2", "pillow_heif", "covers", "starter"),
}

# As bento.py, which builds.
os.environ.setdefault("STORAGE_DRIVER", "overlay")
os.environ.setdefault("BUILDAH_ISOLATION", "chroot")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")


def main() -> int:
    reason = cannot()
    if reason:
        print(f"container-test skipped: {reason}")
        return 0
    from engine.artifact.manifest import kind_of
    from engine.artifact.store import find_artifact

    artifact = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "artifacts" / "starter")
    kind = kind_of(find_artifact(artifact))
    image = os.environ.get("IMAGE") or build(artifact)
    with mounted(image) as root:
        failures = look_into(root, kind)
        seconds = []
        for _ in range(STARTS):
            with running(image, root) as service:
                seconds.append(service.first_answer(FIRST[kind]))
        print("start to first answer: " + ", ".join(f"{value:.2f} s" for value in seconds))
        load = os.getloadavg()[0]
        if max(seconds) > MOST_SECONDS and load > (os.cpu_count() or 1):
            print(f"not judged: the machine had other work (load {load:.1f})")
        elif max(seconds) > MOST_SECONDS:
            failures.append(f"a start took longer than {MOST_SECONDS:.0f} s")

        with running(image, root) as service:
            service.first_answer(FIRST[kind])
            asked = service.search_by_cover() if kind == "cover" else service.identify_a_track()
            end = service.stop_under_load(asked or FIRST[kind])
            print(
                f"SIGTERM under load of {CALLERS} callers: {end.answered} answered, "
                f"{len(end.lost)} lost, exit status {end.status} after {end.stopped_after:.2f} s"
                f" ({end.turned_away} came after it and were turned away)"
            )
            print(f"most memory used: {service.memory}")
            if end.lost:
                failures.append(f"requests were lost: {end.lost[:3]}")
            if end.status != 0:
                failures.append(f"exit status {end.status}")
            if not end.answered:
                failures.append("nothing was answered before SIGTERM")
    return told(failures)


def told(failures: Sequence[str]) -> int:
    """Print them; the exit status."""
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


def look_into(root: Path, kind: str) -> list[str]:
    """What is wrong with what is in an image: its size, what builds, what others need."""
    failures = []
    with mounted(BASE) as below:
        above = _unpacked(root) - _unpacked(below)
    print(f"image: {above / 1e6:.0f} MB unpacked above its base")
    if above > MOST_BYTES:
        failures.append(f"more than {MOST_BYTES / 1e6:.0f} MB above the base")
    tools = [name for name in ("gcc", "cc", "c++", "make", "git", "uv") if _has(root, name)]
    print(f"compilers and tools of building in it: {', '.join(tools) or 'none'}")
    strangers = _strangers(root, NOTHING_OF[kind])
    print(f"of what else there is: {', '.join(strangers) or 'nothing'}")
    return failures + [f"{name} is in the image" for name in (*tools, *strangers)]


def cannot() -> str | None:
    if os.geteuid() != 0:
        return "buildah and unshare are run as root here."
    missing = [name for name in ("buildah", "unshare") if not shutil.which(name)]
    if missing:
        return f"{' and '.join(missing)} is not installed (apt-get install buildah debootstrap)."
    if not _has_image(BASE) and not shutil.which("debootstrap"):
        return f"neither {BASE} nor debootstrap, which makes a stand-in, is here."
    probe = subprocess.run(["buildah", "from", "scratch"], capture_output=True, text=True)
    if probe.returncode:
        return f"buildah does not work on this machine ({_last_line(probe.stderr)})."
    _run("buildah", "rm", probe.stdout.strip())
    return None


def build(artifact: str, *options: str) -> str:
    # A name of its own: a test must not replace an image that is about to be pushed.
    image = "localhost/shazam-visual:container-test"
    began = time.monotonic()
    command = [sys.executable, str(HERE / "bento.py"), artifact, "--image", image, *options]
    _run(*command, "--builder", "buildah")
    print(f"built {image} in {time.monotonic() - began:.0f} s")
    return image


@dataclass(frozen=True)
class Question:
    """What is asked, and the field of the answer that must not be empty."""

    path: str
    field: str
    body: bytes | None = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.body is None else {"Content-Type": "multipart/form-data; boundary=x"}


# What a start is measured by.
FIRST = {
    "cover": Question("/api/search-by-text?query=a+red+album+cover", "results"),
    "sound": Question("/api/tracks?limit=1", "tracks"),
}


def form_of(upload: bytes) -> bytes:
    """A form whose field `file` is `upload`; its boundary is x."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return head + upload + b"\r\n--x--\r\n"


@dataclass
class _Load:
    """What became of the requests that were under way when SIGTERM came."""

    answered: int = 0
    turned_away: int = 0
    lost: list[str] = field(default_factory=list)
    status: int | None = None
    stopped_after: float = 0.0


class _Service:
    """A container that runs on the host's network."""

    def __init__(self, command: list[str], port: int, log: Path, memory: _Memory) -> None:
        self.port, self.log, self.memory = port, log, memory
        self.began = time.monotonic()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, preexec_fn=memory.enter
            )

    def signal(self, number: int) -> None:
        """To the entry point, which is the one child of unshare(1)."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(children[0]), number)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def put(self, question: Question) -> Any:
        return self.ask(question.path, question.method, question.body, **question.headers)

    def first_answer(self, question: Question) -> float:
        """Seconds from the start of the container to its first answer."""
        self.ready()
        status, body = self.put(question)
        assert status == 200, body
        assert json.loads(body)[question.field], body
        return time.monotonic() - self.began

    def ready(self) -> float:
        """Seconds from the start of the container until it says that it is ready."""
        while time.monotonic() - self.began < 60 and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("/readyz")[0] == 200:
                    return time.monotonic() - self.began
            time.sleep(0.02)
        log = self.log.read_text(errors="replace")[-3000:]
        raise SystemExit(f"FAILED: the container did not become ready; its log ends:\n{log}")

    def search_by_cover(self) -> Question | None:
        """A cover of the catalogue finds its own album."""
        album = json.loads(self.ask("/api/albums?limit=1")[1])["albums"][0]["album_id"]
        status, cover = self.ask(f"/api/albums/{album}/cover")
        if status == 404:
            print("not searched by cover: the artifact holds none")
            return None
        assert status == 200, cover
        question = Question("/api/search-by-image", "results", form_of(cover))
        status, found = self.put(question)
        assert status == 200, found
        ids = [result["album_id"] for result in json.loads(found)["results"]]
        print(f"searched by cover: album {album} found at rank {ids.index(album) + 1}")
        return None  # under load words are asked, as ever

    def identify_a_track(self) -> Question | None:
        """The audio of a track of the catalogue is that track from its beginning on."""
        tracks = json.loads(self.ask("/api/tracks?limit=1000")[1])["tracks"]
        heard = [track["track_id"] for track in tracks if track["audio_url"]]
        if not heard:
            print("nothing identified: the artifact holds no audio")
            return None
        status, audio = self.ask(f"/api/tracks/{heard[0]}/audio")
        assert status == 200, audio
        question = Question("/api/identify-sound", "decision", form_of(audio))
        status, body = self.put(question)
        assert status == 200, body
        found = json.loads(body)
        assert found["decision"] == "match", body
        assert found["track"]["track_id"] == heard[0], body
        at = found["evidence"]["offset_s"]
        print(f"identified: track {heard[0]} from second {at} on, sure by {found['confidence']}")
        return question

    def stop_under_load(self, question: Question) -> _Load:
        load, stopped = _Load(), threading.Event()

        def call() -> None:
            while True:
                before = not stopped.is_set()
                try:
                    status, _ = self.put(question)
                except (OSError, http.client.HTTPException) as error:
                    # A request that began before the signal must be answered. Afterwards a
                    # platform sends none; a refusal of those that come all the same loses nothing.
                    if before:
                        load.lost.append(repr(error))
                    else:
                        load.turned_away += 1
                        return
                else:
                    if status == 200:
                        load.answered += 1
                    elif before:
                        load.lost.append(f"status {status}")

        with concurrent.futures.ThreadPoolExecutor(CALLERS) as callers:
            calls = [callers.submit(call) for _ in range(CALLERS)]
            time.sleep(2)
            stopped.set()
            began = time.monotonic()
            self.signal(signal.SIGTERM)
            load.status = self.process.wait(60)
            load.stopped_after = time.monotonic() - began
            for waiting in calls:
                waiting.result()
        return load


class _Memory:
    """A limit of 1 GiB by cgroup, of either generation; none where there is no such controller."""

    def __init__(self, name: str) -> None:
        self._folder: Path | None = None
        for controllers, limit, self._peak in (
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
            ("/sys/fs/cgroup", "memory.max", "memory.peak"),
        ):
            folder = Path(controllers) / name
            with contextlib.suppress(OSError):
                folder.mkdir()
                self._folder = folder
                (folder / limit).write_text(str(GIB))
                return
            self.remove()

    def enter(self) -> None:
        if self._folder is not None:
            (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    def __str__(self) -> str:
        if self._folder is None:
            return "not limited and not measured, there is no memory controller here"
        peak = int((self._folder / self._peak).read_text())
        killed = "" if peak < GIB else " (the limit: files it may give back count too)"
        return f"{peak / (1 << 20):.0f} MiB of {GIB >> 20}{killed}"

    def remove(self) -> None:
        if self._folder is not None:
            for _ in range(50):
                with contextlib.suppress(OSError):
                    self._folder.rmdir()
                    break
                time.sleep(0.1)
        self._folder = None


@contextlib.contextmanager
def running(
    image: str,
    root: Path,
    *,
    state: Path | None = None,
    settings: Sequence[str] = (),
    entry: Sequence[str] = (),
) -> Iterator[_Service]:
    """The image, started at a port of its own: `state` is a folder that is its /tmp, `settings` are
    more variables, `entry` what it runs where that is not its entry point."""
    name = f"shazam-visual-test-{os.getpid()}-{time.monotonic_ns()}"
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="shazam-visual-") as temporary:
        memory = _Memory(name)
        command = _command(image, root, port, state, settings, entry)
        service = _Service(command, port, Path(temporary) / "log", memory)
        try:
            yield service
        finally:
            # --kill-child forgets its child when setpriv changes the user; the death of the entry
            # point, PID 1 of its namespace, takes all the rest along.
            with contextlib.suppress(OSError, IndexError):
                service.signal(signal.SIGKILL)
            service.process.kill()
            service.process.wait(20)
            memory.remove()


# Mounts are the namespace's own, so they go with it. PID 1 of the namespace is the entry point, as
# in a container.
START = """
set -e
touch "$ROOT/etc/hosts" "$ROOT/etc/resolv.conf"
mount --bind "$ROOT" "$ROOT" && mount -o remount,bind,ro "$ROOT"
for file in hosts resolv.conf; do mount --bind "/etc/$file" "$ROOT/etc/$file"; done
if [ -n "$STATE" ]; then mount --bind "$STATE" "$ROOT/tmp"
else mount -t tmpfs -o nosuid,nodev,mode=1777,size=256m tmpfs "$ROOT/tmp"; fi
mount -t proc proc "$ROOT/proc"
mount -t tmpfs -o nosuid,mode=755,size=64k tmpfs "$ROOT/dev"
for device in null zero urandom random; do
    touch "$ROOT/dev/$device" && mount --bind "/dev/$device" "$ROOT/dev/$device"
done
mkdir "$ROOT/dev/shm" && mount -t tmpfs -o nosuid,nodev,mode=1777,size=64m tmpfs "$ROOT/dev/shm"
cd "$ROOT"
exec chroot . /usr/bin/env --chdir="$FOLDER" --ignore-environment "$@"
"""
UNPRIVILEGED = (
    *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"),
    *("--bounding-set=-all", "--inh-caps=-all"),
)


def _command(
    image: str,
    root: Path,
    port: int,
    state: Path | None,
    settings: Sequence[str],
    entry: Sequence[str],
) -> list[str]:
    about = json.loads(_run("buildah", "inspect", "--type", "image", image))["OCIv1"]["config"]
    return [
        *("env", f"ROOT={root}", f"FOLDER={about['WorkingDir']}", f"STATE={state or ''}"),
        *("unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"),
        *("sh", "-c", START, "start"),
        *about["Env"],
        *(f"PORT={port}", "BENTOML_HOME=/tmp/bentoml", "HOME=/tmp", *settings),
        *UNPRIVILEGED,
        *(entry or about["Entrypoint"]),
    ]


@contextlib.contextmanager
def mounted(image: str) -> Iterator[Path]:
    container = _run("buildah", "from", "--pull-never", image).strip()
    try:
        yield Path(_run("buildah", "mount", container).strip())
    finally:
        _run("buildah", "rm", container)


def _unpacked(root: Path) -> int:
    """Bytes on disk of everything below a folder, hard links once."""
    return int(_run("du", "-sxB1", str(root)).split()[0])


def _strangers(root: Path, names: Sequence[str]) -> list[str]:
    """Which of these packages, rooms of `engine` and artifacts lie below a folder."""
    wanted = [part for name in names for part in ("-o", "-name", name)][1:]
    found = _run("find", str(root), "-xdev", "-type", "d", "(", *wanted, ")").splitlines()
    homes = ("site-packages", "engine", "artifacts")
    return sorted({Path(path).name for path in found if Path(path).parent.name in homes})


def _has(root: Path, name: str) -> bool:
    folders = ("usr/bin", "usr/local/bin", "bin", "app/.venv/bin")
    return any((root / folder / name).is_file() for folder in folders)


def _has_image(name: str) -> bool:
    command = ["buildah", "inspect", "--type", "image", name]
    return subprocess.run(command, capture_output=True).returncode == 0


def _run(*command: str) -> str:
    """Standard output of a command; its last words and the end of the program where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"FAILED: {' '.join(command[:4])} …: {_last_line(done.stderr)}")
    return done.stdout


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1][:300]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
