"""What a process of this service does first: its settings, and the artifact opened by them.

It imports only when called: a worker reads it before anything else, and a launcher to look whether
there is something to serve.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.sound.search import SoundSearch
    from engine.sound.service.settings import SoundSettings

OPENER = "engine.sound.service.start:open_search"


@functools.cache
def settings() -> SoundSettings:
    """This process's settings, read once. Raises `SettingsError`."""
    from engine.sound.service.settings import SoundSettings

    return SoundSettings.from_environment()


def check() -> None:
    """Raise a one-line `SettingsError` where there is no sound to serve, or no means to hear."""
    from engine.artifact.store import check_exists
    from engine.base.errors import SettingsError
    from engine.base.needs import refuse_missing
    from engine.sound.service.settings import DEFAULT

    variable, where = "SHAZAM_SOUND_ARTIFACT", settings().sound_artifact
    named = f"{variable}={where!r}"
    refuse_missing("av", "sound.in", by=named, failure=SettingsError)
    check_exists(where, kind="sound", setting=variable, example=DEFAULT)


def import_ahead() -> None:
    """What opening needs of heavy packages: FAISS, OpenVINO, ffmpeg."""
    from engine.base.importing import one_thread

    with one_thread:
        import engine.artifact.store
        import engine.sound.search  # noqa: F401


def open_search(given: SoundSettings | None = None) -> SoundSearch:
    """Find and open the artifact that settings (this process's) name; raises what is wrong with it
    by name.

    For a thread beside an event loop: what it starts (OpenVINO's threads) stands back from it.
    """
    from engine.serving.work.lanes import stand_back

    stand_back()
    import_ahead()
    from engine.artifact.store import find_artifact
    from engine.sound.search import SoundSearch

    given = given or settings()
    return SoundSearch.open(find_artifact(given.sound_artifact), threads=given.usable_threads())
