"""Opens what a worker will serve while the rest of it is still being imported.

A worker spends about as long importing BentoML and FastAPI, on one core, as it does hashing files
and preparing an encoder, mostly outside the interpreter lock. `worker.py`, or else the module of
the service before its other imports, calls `begin` with the name of what opens; the service takes
the result. The launching process reads that module too and must stay light, so nothing happens
there.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

WORKER = "_bentoml_impl.worker.service"  # BentoML's
ALONE = "engine.serving.process.worker"  # ours, which answers without it

# Read by libraries when they load, or by a process when it begins. A service reports to nobody and
# asks no hub. Text files are UTF-8 also while OpenVINO has set another locale. FAISS's threads wait
# by spinning, which takes the cores from the encoder's: a search is short beside an encoding. And
# every thread's own heap keeps what decoding freed in it: with two, a worker is 35 MB smaller under
# load.
ENVIRONMENT = {
    "BENTOML_DO_NOT_TRACK": "True",
    "HF_HUB_OFFLINE": "1",
    "PYTHONUTF8": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
_opening: Future[Any] | None = None


def set_environment() -> None:
    """`ENVIRONMENT`, for this process and those it starts; what the user has set stays."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def begin(opener: str, *, worker: bool = False) -> None:
    """Start to call `opener`, a "module:function" that takes nothing, in a thread; once, and in a
    worker alone. A process that is about to become one says so by `worker`.

    By name, as importing the module is the first thing that may overlap.
    """
    global _opening
    if _opening is not None or not (worker or (in_worker() and not alone())):
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="preload")
    _opening = pool.submit(_call, opener)
    pool.shutdown(wait=False)


def _call(opener: str) -> Any:
    module, _, function = opener.partition(":")
    return getattr(importlib.import_module(module), function)()


def import_ahead(opener: str) -> None:
    """Import, in this thread, what an opener will need: its module's own `import_ahead`.

    Threads that import take turns at the interpreter, and one that hashes and compiles does not:
    the sooner that has begun, the more of a start is on two cores.
    """
    importlib.import_module(opener.partition(":")[0]).import_ahead()


def defer_models() -> None:
    """Let every model of pydantic be built when it is first used: FastAPI defines 40 to describe an
    API, and the routes of a service as many again, which was 0.2 s of every start."""
    from pydantic import BaseModel

    BaseModel.model_config["defer_build"] = True


def in_worker() -> bool:
    """Whether this process answers requests; the launcher and tests import a service, too."""
    return _main_module() in (WORKER, ALONE)


def alone() -> bool:
    """Whether this worker answers without BentoML, whose application it may still make."""
    return _main_module() == ALONE


def launching() -> bool:
    """Whether this process only starts and watches workers: `bentoml serve`."""
    bentoml = Path(sys.argv[0]).name == "bentoml" or _main_module() == "bentoml.__main__"
    return bentoml and "serve" in sys.argv[1:]


def seconds_so_far() -> dict[str, float]:
    """How long this worker's launcher took to start it, and this worker to get here: `launcher` and
    `imports`. Empty where no launcher started it, and but on Linux."""
    if not in_worker() or not Path("/proc/self/stat").exists():
        return {}
    launcher, worker = _started(os.getppid()), _started(os.getpid())
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return {"launcher": worker - launcher, "imports": now - worker}


def _started(process: int) -> float:
    """When a process began, in seconds since the machine did (proc(5): `starttime`)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _main_module() -> str | None:
    """What `python -m` was given."""
    return getattr(getattr(sys.modules["__main__"], "__spec__", None), "name", None)


def take() -> Future[Any] | None:
    """What `begin` started, once; None where it started nothing or was asked before."""
    global _opening
    opening, _opening = _opening, None
    return opening
