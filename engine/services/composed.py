"""What each service is made of, before anything that answers is imported; BentoML is not needed.

Each function says it of the service of its name, as this process's environment has it now. Raises
`SettingsError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.base.errors import SettingsError
from engine.services.present import LIBRARY, SOUND, VOICE, Beside, capability

if TYPE_CHECKING:
    from engine.base.settings import Settings
    from engine.serving.app.capability import Capability
    from engine.serving.app.failures import Absent

# Each stands on those before it.
BESIDE: tuple[Beside, ...] = (SOUND, LIBRARY, VOICE)


@dataclass(frozen=True)
class Composed:
    """The rooms whose capabilities answer, the service's own first; what `checks` refuse by one
    line, and the addresses that would answer if a room were present."""

    settings: Settings
    rooms: Sequence[str]
    checks: Sequence[Callable[[], None]]
    absent: Absent = field(default_factory=dict)

    def capabilities(self) -> list[Capability]:
        return [capability(room) for room in self.rooms]


def visual() -> Composed:
    settings = _start("covers").settings()
    beside = [one for one in BESIDE if one.is_present()]
    away = [one.absent for one in BESIDE if one not in beside]

    def check_covers() -> None:
        from engine.artifact.store import check_exists
        from engine.vectors.where import check_installed

        check_exists(settings.artifact)
        check_installed(settings.index)

    return Composed(
        settings,
        ["covers", *(one.room for one in beside)],
        [check_covers, *(_check(one.room) for one in beside)],
        {path: what for one in away for path, what in one.items()},
    )


def sound() -> Composed:
    return Composed(_start("sound").settings(), ["sound"], [_check("sound")])


def library() -> Composed:
    # Who serves the library by its name wants one; the workers read it from the environment, too.
    if not os.environ.get(LIBRARY.variable, "").strip():
        os.environ[LIBRARY.variable] = import_module("engine.library.settings").TOGETHER
    if not LIBRARY.is_present():
        given = os.environ[LIBRARY.variable]
        raise SettingsError(
            f"{LIBRARY.variable}={given!r}: this service is the library's. Set it to `shared` or "
            f"`private`, or serve service:ShazamSound. Example: {LIBRARY.variable}=shared"
        )
    rooms = ["sound", "library", *([VOICE.room] if VOICE.is_present() else [])]
    return Composed(_start("sound").settings(), rooms, [_check(room) for room in rooms])


def _start(room: str) -> Any:
    """A room's `service.start`; by name, as an image may lack it."""
    return import_module(f"engine.{room}.service.start")


def _check(room: str) -> Callable[[], None]:
    """What refuses to start with what a room is to serve."""
    return lambda: _start(room).check()
