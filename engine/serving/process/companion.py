"""A process that works beside a service on this machine: begun with it, begun again where it dies,
ended with it.

    python -m engine.serving.process.companion LAUNCHER MODULE ARGUMENT…

is what it is: MODULE, run as by `python -m`, which ends once LAUNCHER is not its parent any more.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from engine.serving.process import orphan

# After one that died so young another follows later: it may well die, too.
YOUNG_S, PAUSE_S = 5.0, 2.0
# One that is told to end puts down what it is at; so long, then it is killed.
ENDS_WITHIN_S = 30.0


class Companion:
    """`with Companion("engine", ["work"]):` runs it for as long as the block."""

    def __init__(self, module: str, arguments: Sequence[str]) -> None:
        launched = [sys.executable, "-m", __name__, str(os.getpid())]
        self._command = [*launched, module, *arguments]
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        # As it is now: what another thread sets while a process is started may tear it.
        self._environment = dict(os.environ)
        self._watch = threading.Thread(target=self._run, name="companion", daemon=True)

    def __enter__(self) -> Companion:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._watch.join()

    def stop(self) -> None:
        """Tell it to end; returns at once."""
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            told = self._one()
            if self._stopping.is_set():
                return
            print(f"what works beside the service {told}; another is started", flush=True)
            if time.monotonic() - began < YOUNG_S:
                self._stopping.wait(PAUSE_S)

    def _one(self) -> str:
        """From its start to its end: what became of it."""
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, env=self._environment
            )
        except OSError as error:  # no memory, or no process is left just now
            return f"could not be started ({error})"
        if self._stopping.is_set():  # while it was being started
            self._process.terminate()
        return f"ended ({self._ended(self._process)})"

    def _ended(self, process: subprocess.Popen[bytes]) -> int:
        """Its exit status, once it has one."""
        while process.poll() is None and not self._stopping.is_set():
            with_pause(process, 0.5)
        try:
            return process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def with_pause(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for its end, for so long."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


if __name__ == "__main__":
    orphan.end_with(int(sys.argv.pop(1)))
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
