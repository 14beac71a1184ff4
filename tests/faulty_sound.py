"""The service of sound, quick to notice, with faults that a file switches on. For tests alone.

The word in the file that `FAULT` names is what happens: `fork`: no process that decodes can be
started; `slow`: who identifies waits until it is gone. An empty file is no fault.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# BentoML knows this module by its own name; `service` must find the project beside it.
sys.path.insert(0, str(Path(__file__).parents[1]))

import engine.serving.work.readiness as readiness
import engine.sound.service.asking as asking
from engine.serving.process import preload

readiness.RETRY_S = (0.1, 0.1)
asking.WATCHED_EVERY_S = 0.1


def fault() -> str:
    path = Path(os.environ["FAULT"])
    return path.read_text() if path.exists() else ""


if not preload.launching():
    from engine.sound import apart, identify

    _identify = identify.Identifier.identify

    def start(*values: Any, **options: Any) -> Any:
        if fault() == "fork":
            raise BlockingIOError(errno.EAGAIN, "secret words of a kernel")
        return subprocess.Popen(*values, **options)

    def slowly(*values: Any) -> Any:
        while fault() == "slow":
            time.sleep(0.02)
        return _identify(*values)

    apart.subprocess = SimpleNamespace(Popen=start, PIPE=subprocess.PIPE)  # type: ignore
    identify.Identifier.identify = slowly  # type: ignore[method-assign]

from service import ShazamSound  # noqa: E402, F401
