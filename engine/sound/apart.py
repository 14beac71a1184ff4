"""`audio.decode` in processes of its own: what a hostile file costs, it costs there.

Ten kilobytes of MP4 can say that they hold eighty million packets, and ffmpeg makes room for them:
5 GB and 24 s. Memory and time of a library in C can be bounded from outside alone, and so can what
nobody has found yet. A process that dies is followed by another; its caller's file is refused. One
that cannot start is a 503, and tried again by whoever asks next.

    python -m engine.sound.apart    a process: questions on stdin, answers on stdout
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import queue
import resource
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import numpy as np

from engine.base import errors
from engine.base.errors import NotReady, Overloaded, ShazamError, UnreadableAudio
from engine.sound.advice import ADVICE
from engine.sound.mixing import Samples

MEMORY_BYTES = 512 << 20  # above what the process has when it starts
SECONDS = 10.0  # of the wall's clock, for one file
START_S = 60.0
_PART = struct.Struct("<Q")
# What a machine refuses now and may grant a little later.
_FULL = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
T = TypeVar("T")

logger = logging.getLogger("shazam")


class Decoder:
    """So many processes that decode; may be asked from any thread, and waits for a free one."""

    def __init__(self, processes: int = 1, *, seconds: float = SECONDS) -> None:
        """Raises `Overloaded` or `NotReady` where no process can be started."""
        self._seconds = seconds
        self._processes = processes
        self._free: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        started: list[_Process] = []
        try:
            for _ in range(processes):
                started.append(_Process())
        except ShazamError:
            for process in started:
                process.end()
            raise
        for process in started:
            self._free.put(process)

    def decode(
        self,
        source: bytes,
        *,
        first_s: float | None = None,
        max_s: float | None = None,
        name: str = "The upload",
    ) -> Samples:
        """As `audio.decode`; also raises `UnreadableAudio` where it ended its process, `Overloaded`
        or `NotReady` where there is no process and none can be started."""
        asked = {"first_s": first_s, "max_s": max_s, "name": name}
        for _ in range(2):  # one may have been ended by others, as when a machine lacks memory
            with self._one() as process:
                answer, body = process.ask(asked, source, self._seconds)
                if answer is None:
                    process.end()
            if answer is not None or process.late:
                break
        if answer is None:
            raise UnreadableAudio(f"{name} is not a recording we can read. {ADVICE}")
        if "error" in answer:
            raise _failure(answer)
        return np.frombuffer(body, np.float32)

    def check(self) -> None:
        """Raise `Overloaded` or `NotReady` where a process is missing and cannot be started. Waits
        for none: those that are not free are at work."""
        with contextlib.suppress(queue.Empty), self._one(wait=False):
            pass

    def close(self) -> None:
        """End the processes, once they are free."""
        for _ in range(self._processes):
            process = self._free.get()
            if process is not None:
                process.end()

    @contextlib.contextmanager
    def _one(self, *, wait: bool = True) -> Iterator[_Process]:
        process = self._free.get(block=wait)
        try:
            if process is not None and not process.lives:
                process.end()
                process = None
            process = process or _Process()
            yield process
        except Exception:
            if process is not None:  # what it answers next would be this caller's
                process.end()
            raise
        finally:
            self._free.put(process)


def _failure(answer: dict[str, Any]) -> ShazamError:
    kind = cast("type[ShazamError]", getattr(errors, answer["error"]))
    return kind(answer["message"])


class _Process:
    late = False  # whether the clock ended it

    def __init__(self) -> None:
        with _told_why():
            self._popen = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=Path(__file__).parents[2],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is for who asks; without them it reads an end
            )
        ready = None
        try:
            ready = self._within(START_S, lambda: _read(self._stdout))
        finally:
            if not ready:
                self.end()
        if not ready:
            logger.error("the process that decodes ended with %s", self._popen.returncode)
            raise _does_not_start()

    @property
    def lives(self) -> bool:
        return self._popen.poll() is None

    @property
    def _stdout(self) -> IO[bytes]:
        return cast("IO[bytes]", self._popen.stdout)

    def ask(
        self, asked: dict[str, Any], body: bytes, seconds: float
    ) -> tuple[dict[str, Any] | None, bytes]:
        """What it answers, and the samples' bytes; None if it died, or was killed by the clock."""

        def exchange() -> tuple[dict[str, Any] | None, bytes]:
            stdin = cast("IO[bytes]", self._popen.stdin)
            with contextlib.suppress(BrokenPipeError):
                _write(stdin, json.dumps(asked).encode(), body)
            head, found = _read(self._stdout), _read(self._stdout)
            return (json.loads(head), found or b"") if head else (None, b"")

        return self._within(seconds, exchange)

    def _within(self, seconds: float, do: Callable[[], T]) -> T:
        def kill() -> None:
            self.late = True
            self._popen.kill()

        watch = threading.Timer(seconds, kill)
        watch.daemon = True
        try:
            with _told_why():
                watch.start()
                return do()
        finally:
            watch.cancel()

    def end(self) -> None:
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@contextlib.contextmanager
def _told_why() -> Iterator[None]:
    """What a machine refuses: processes, threads, memory, the executable → a named failure."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        logger.exception("a process that decodes cannot be started or asked")
        # Python says so of a thread that could not start.
        full = not isinstance(error, OSError) or error.errno in _FULL
        if full:
            raise Overloaded(
                "There is no memory, or no process, to decode a recording with. Try again later.",
                retry_after_s=5,
            ) from error
        raise _does_not_start() from error


def _does_not_start() -> NotReady:
    return NotReady(
        "The process that decodes recordings does not start; it is tried again. Try again shortly.",
        retry_after_s=5,
    )


def _write(pipe: IO[bytes], *parts: bytes) -> None:
    for part in parts:
        pipe.write(_PART.pack(len(part)))
        pipe.write(part)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    """The next part; None where there is no more, or not the whole of it."""
    head = pipe.read(_PART.size)
    if len(head) < _PART.size:
        return None
    (length,) = _PART.unpack(head)
    body = pipe.read(length)
    return body if len(body) == length else None


def _serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until whoever asks is gone."""
    # A launcher tells all its descendants to end; whoever asks has answers to finish.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    from engine.sound.audio import decode

    _bound()
    _write(answers, b"ready")
    while (head := _read(questions)) is not None and (body := _read(questions)) is not None:
        asked = json.loads(head)
        try:
            _write(answers, b"{}", decode(body, **asked).tobytes())
        except Overloaded:
            # The bound is this process's own: the machine has memory, the file wants too much.
            message = f"{asked['name']} takes more memory than a recording needs. {ADVICE}"
            _write(answers, _told(UnreadableAudio(message)), b"")
        except ShazamError as error:
            _write(answers, _told(error), b"")


def _told(error: ShazamError) -> bytes:
    return json.dumps({"error": type(error).__name__, "message": error.message}).encode()


def _bound() -> None:
    """No more memory than `MEMORY_BYTES` above that of now, no file written, no core left."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    pages = Path("/proc/self/statm")
    if pages.exists():
        most = int(pages.read_text().split()[0]) * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
