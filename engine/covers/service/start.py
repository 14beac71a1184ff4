"""What a process of this service does first: its settings, and the artifact opened by them.

Read by `worker.py` before anything else is: it imports only when called.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.covers.search import CoverSearch
    from engine.covers.service.settings import CoverSettings

SERVICE = "service:ShazamVisual"
OPENER = "engine.covers.service.start:open_search"


@functools.cache
def settings() -> CoverSettings:
    """This process's settings, read once. Raises `SettingsError`."""
    from engine.covers.service.settings import CoverSettings

    return CoverSettings.from_environment()


def import_ahead() -> None:
    """What opening needs of heavy packages: FAISS, and what is behind an encoder."""
    from engine.base.importing import one_thread

    with one_thread:
        import engine.artifact.store
        import engine.covers.search  # noqa: F401


def open_search(given: CoverSettings | None = None, *, with_encoder: bool = True) -> CoverSearch:
    """Find and open the artifact that settings (this process's) name; raises what is wrong with it
    by name.

    For a thread beside an event loop: what it starts (OpenVINO's threads) stands back from it.
    """
    from engine.serving.work.lanes import stand_back

    stand_back()
    import_ahead()
    from engine.artifact.store import find_artifact
    from engine.covers.search import CoverSearch

    given = given or settings()
    return CoverSearch.open(
        find_artifact(given.artifact),
        runtime=given.runtime,
        threads=given.usable_threads(),
        with_encoder=with_encoder,
        index_at=given.index,
        timeout_s=given.timeout_s / 2,  # of a request: its caller still hears what failed
    )
