"""What a process of this service does first: its settings, and the artifact opened by them.

Read by `worker.py` before anything else is: it imports only when called.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.covers.search import CoverSearch
    from engine.covers.service.settings import CoverSettings

SERVICE = "service:ShazamVisual"
OPENER = "engine.covers.service.start:open_search"
# What of an artifact is hashed before its kind is imported, and what is not.
FIRST, LATER = "encoder", ["rows"]


@functools.cache
def settings() -> CoverSettings:
    """This process's settings, read once. Raises `SettingsError`."""
    from engine.covers.service.settings import CoverSettings

    return CoverSettings.from_environment()


def import_ahead(given: CoverSettings | None = None) -> None:
    """What opening needs of heavy packages: FAISS, and what is behind an encoder. The files that
    settings (this process's) name are hashed meanwhile."""
    from engine.base.importing import one_thread

    with one_thread:
        _hash_ahead(given)
        import engine.covers.search  # noqa: F401


def _hash_ahead(given: CoverSettings | None) -> None:
    """All that opening waits for: `rows` may be 5 GB, and is looked at when it is known how much
    of it is."""
    from engine.artifact.ahead import hash_folder
    from engine.artifact.store import local_folder
    from engine.base.errors import SettingsError

    with contextlib.suppress(SettingsError, OSError):  # said where they are read
        folder = local_folder((given or settings()).artifact)
        if folder is not None:
            hash_folder(folder, first=FIRST, without=LATER)


def open_search(given: CoverSettings | None = None, *, with_encoder: bool = True) -> CoverSearch:
    """Find and open the artifact that settings (this process's) name; raises what is wrong with it
    by name.

    For a thread beside an event loop: what it starts (OpenVINO's threads) stands back from it. By
    this process's own settings it is opened as a start does: most golden queries are left unasked.
    """
    from engine.serving.work.lanes import stand_back

    stand_back()
    import_ahead(given)
    from engine.artifact.store import find_artifact
    from engine.covers.search import CoverSearch

    ask_later, given = given is None, given or settings()
    return CoverSearch.open(
        find_artifact(given.artifact),
        runtime=given.runtime,
        threads=given.usable_threads(),
        with_encoder=with_encoder,
        index_at=given.index,
        timeout_s=given.timeout_s / 2,  # of a request: its caller still hears what failed
        ask_later=ask_later,
    )
