"""Which capabilities a service has beside its own: those that are wanted, installed and have
something to serve.

Nothing of one that is switched off is imported, and an image that lacks its code or its packages
starts as if there were none. What was asked for by name and cannot be had stops the start.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from engine.base.errors import SettingsError
from engine.base.needs import is_installed, refuse_missing
from engine.base.places import MANIFEST, PROJECT

if TYPE_CHECKING:
    from engine.serving.app.capability import Capability

OFF = "none"


@dataclass(frozen=True)
class Beside:
    """A capability that others may have beside their own: the room it lives in, the variable that
    says what it serves, what it serves where that is unset, what it needs besides serve.in, and the
    addresses that it would answer at."""

    room: str
    variable: str
    default: str
    package: str
    requirements: str
    paths: tuple[str, ...] = ()

    @property
    def absent(self) -> dict[str, tuple[str, str]]:
        """Its addresses → what is missing there where it is not present, and what turns it on."""
        return dict.fromkeys(self.paths, (self.room, self.variable))

    def is_present(self, environ: Mapping[str, str] | None = None) -> bool:
        """Whether it answers in this process. Raises `SettingsError` where the variable asks for
        it and it cannot be had."""
        environ = os.environ if environ is None else environ
        wanted = environ.get(self.variable, "").strip()
        if wanted.lower() == OFF:
            return False
        if not wanted:
            there = (PROJECT / self.default / MANIFEST).is_file()
            return there and self._has_code() and is_installed(self.package)
        if not self._has_code():
            raise SettingsError(
                f"{self.variable}={wanted!r}: this image answers without {self.room}. Serve it "
                f"from the image that has it, or set {self.variable}={OFF}. Example: "
                f"{self.variable}={OFF}"
            )
        named = f"{self.variable}={wanted!r}"
        refuse_missing(self.package, self.requirements, by=named, failure=SettingsError)
        return True

    def _has_code(self) -> bool:
        return find_spec(f"engine.{self.room}") is not None and (
            find_spec(f"engine.{self.room}.service.capability") is not None
        )


@dataclass(frozen=True)
class Asked(Beside):
    """A capability that is there only where its variable asks for it, and not without another."""

    stands_on: Beside | None = None

    def is_present(self, environ: Mapping[str, str] | None = None) -> bool:
        environ = os.environ if environ is None else environ
        wanted = environ.get(self.variable, "").strip()
        if wanted.lower() in ("", OFF) or not super().is_present(environ):
            return False
        if self.stands_on is not None and not self.stands_on.is_present(environ):
            raise SettingsError(
                f"{self.variable}={wanted!r} needs {self.stands_on.room}, which is switched off or "
                f"not here. Set {self.stands_on.variable}, or {self.variable}={OFF}. Example: "
                f"{self.variable}={OFF}"
            )
        return True


@dataclass(frozen=True)
class Along(Beside):
    """A capability that comes along with another, wherever that is, unless its variable says no."""

    stands_on: Beside | None = None

    @property
    def absent(self) -> dict[str, tuple[str, str]]:
        lower = self.stands_on
        off = lower is not None and not lower.is_present()
        variable = lower.variable if lower is not None and off else self.variable
        return dict.fromkeys(self.paths, (self.room, variable))

    def is_present(self, environ: Mapping[str, str] | None = None) -> bool:
        environ = os.environ if environ is None else environ
        if environ.get(self.variable, "").strip().lower() == OFF:
            return False
        lower = self.stands_on
        return (lower is None or lower.is_present(environ)) and self._has_code()


SOUND = Beside(
    "sound",
    "SHAZAM_SOUND_ARTIFACT",
    "artifacts/starter-sound",
    "av",
    "sound.in",
    (
        *("/api/identify-sound", "/api/search-by-sound", "/api/tracks"),
        *("/identify_sound", "/search_by_sound", "/tracks", "/recommend", "/audio", "/waveform"),
    ),
)
LIBRARY = Asked(
    "library", "SHAZAM_LIBRARY", OFF, "dbos", "library.in", ("/api/v1",), stands_on=SOUND
)
VOICE = Along(
    "voice",
    "SHAZAM_VOICE",
    "on",
    "dbos",
    "library.in",
    ("/api/session", "/api/results", "/api/lyrics", "/api/search/tracks", "/api/search/recent"),
    stands_on=LIBRARY,
)


def capability(room: str) -> Capability:
    """What a room brings; by name, as an image may lack it."""
    found: Capability = import_module(f"engine.{room}.service.capability").CAPABILITY
    return found
