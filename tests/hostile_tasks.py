"""What a child process may meet: tasks that wait, die, and want too much."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.base.errors import UnreadableAudio


def echo(*, report: Callable[[float], None], **told: Any) -> dict[str, Any]:
    print("what a library prints is no answer")
    report(0.5)
    return {**told, "pid": os.getpid()}


def wait(*, begun: str, report: Callable[[float], None]) -> dict[str, Any]:
    """For ever, with a process of its own, whose id it writes down."""
    other = subprocess.Popen(["sleep", "600"])
    Path(begun).write_text(f"{os.getpid()} {other.pid}")
    while True:
        time.sleep(1)


def die(*, counted: str, times: int, report: Callable[[float], None]) -> dict[str, Any]:
    """So many times; then it answers."""
    with Path(counted).open("a") as file:
        file.write("x")
    died = Path(counted).stat().st_size
    if died <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"begun": died}


def refuse(*, report: Callable[[float], None]) -> dict[str, Any]:
    raise UnreadableAudio("This is a picture.")


def eat(*, report: Callable[[float], None]) -> dict[str, Any]:
    return {"eaten": len(bytearray(4 << 30))}


def fill(*, report: Callable[[float], None]) -> dict[str, Any]:
    raise OSError(28, "No space left on device")


TASKS = {"echo": echo, "wait": wait, "die": die, "refuse": refuse, "eat": eat, "fill": fill}
