"""Opens the artifact while the rest of a worker is still being imported.

A worker spends about as long importing BentoML and FastAPI, on one core, as it does hashing files
and preparing the encoder, mostly outside the interpreter lock. `worker.py`, or else `service.py`
before its other imports, calls `begin`; `AsyncSearch` takes the result. The launching process reads
`service.py` too and must stay light, so nothing happens there.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from engine.base.errors import ShazamError
from engine.base.settings import Settings
from engine.serving.work.lanes import stand_back

if TYPE_CHECKING:
    from engine.covers.search import CoverSearch

WORKER = "_bentoml_impl.worker.service"

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
_opening: Future[CoverSearch] | None = None


def set_environment() -> None:
    """`ENVIRONMENT`, for this process and those it starts; what the user has set stays."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def begin(*, worker: bool = False) -> None:
    """Start to open the artifact in a thread, in a worker that will search and encode itself; once.
    A process that is about to become one says so by `worker`."""
    global _opening
    if _opening is not None or not (worker or in_worker()):
        return
    # Imports make objects and no garbage: looking for it is a tenth of their time.
    gc.disable()
    try:
        settings = Settings.from_environment()
    except ShazamError:
        return  # service.py reads them next and says what is wrong
    if not settings.separate_encoder():
        pool = ThreadPoolExecutor(1, thread_name_prefix="preload")
        _opening = pool.submit(open_search, settings)
        pool.shutdown(wait=False)


def in_worker() -> bool:
    """Whether this process answers requests; the launcher and tests read `service.py`, too."""
    return _main_module() == WORKER


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


def take() -> Future[CoverSearch] | None:
    """What `begin` started, once; None where it started nothing or was asked before."""
    global _opening
    opening, _opening = _opening, None
    return opening


def open_search(settings: Settings, *, with_encoder: bool = True) -> CoverSearch:
    """Find and open the artifact the settings name; raises what is wrong with it by name.

    For a thread beside an event loop: what it starts (OpenVINO's threads) stands back from it.
    """
    stand_back()
    from engine.artifact.store import find_artifact
    from engine.covers.search import (
        CoverSearch,  # heavy: FAISS, and the encoder's runtime behind it
    )

    return CoverSearch.open(
        find_artifact(settings.artifact),
        runtime=settings.runtime,
        threads=settings.usable_threads(),
        with_encoder=with_encoder,
        index_at=settings.index,
        timeout_s=settings.timeout_s / 2,  # of a request: its caller still hears what failed
    )
