"""A process that works for a worker: questions on stdin, answers and progress on stdout.

python -m engine.library.pipeline.child BYTES MODULE
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import resource
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from engine.base.errors import AudioTooLong, Internal, Overloaded, ShazamError
from engine.library.pipeline.transcode import told_if_full
from engine.serving.work.lanes import stand_back

_PR_SET_PDEATHSIG = 1
_REPORT_S = 0.25
_MOST_FILE_BYTES = 64 << 30

logger = logging.getLogger("shazam.work")


def main(memory_bytes: int, tasks: str) -> None:
    """Answer by the module `tasks` until the worker is gone."""
    # What a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    _die_with_parent()
    stand_back()  # from a service on the same machine: who waits for an answer goes first
    known = import_module(tasks).TASKS
    _bound(memory_bytes)
    answers.write("ready\n")
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _answer(known[asked["task"]], asked["arguments"], _Reports(answers))
        answers.write(json.dumps(answer, allow_nan=False) + "\n")


class _Reports:
    """Takes 0…1 as often as a task likes, and passes on some."""

    def __init__(self, answers: IO[str]) -> None:
        self._answers, self._next = answers, 0.0

    def __call__(self, share: float) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _REPORT_S
            self._answers.write(json.dumps({"progress": min(max(share, 0.0), 1.0)}) + "\n")


def _answer(task: Any, arguments: dict[str, Any], report: _Reports) -> dict[str, Any]:
    try:
        with told_if_full():
            return {"result": task(report=report, **arguments)}
    except (Overloaded, MemoryError):
        # The bound is this process's own: the machine has memory, the file wants too much.
        return _told(AudioTooLong("This recording takes more memory than one needs. Send a part."))
    except ShazamError as error:
        return _told(error)
    except Exception:
        logger.exception("a task failed")
        return _told(Internal("Something went wrong on our side. Try again later."))


def _told(error: ShazamError) -> dict[str, Any]:
    return {"error": type(error).__name__, "message": error.message}


def _die_with_parent() -> None:
    if sys.platform != "linux":
        return  # it reads an end when the worker is gone, after the task that it is at
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died in between
        os._exit(1)


def _bound(memory_bytes: int) -> None:
    """No more memory than that above what there is now, no endless file, no core left."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_FILE_BYTES, _MOST_FILE_BYTES))
    pages = Path("/proc/self/statm")
    if pages.exists():
        most = int(pages.read_text().split()[0]) * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
