"""What a launcher needs to know of a service before there is one; it imports only when called."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from engine.base.settings import Settings


class Told(TypedDict):
    """What a launcher is told of a service, each as in `Service`."""

    service: str
    opener: str
    compose: str


@dataclass(frozen=True, slots=True)
class Service:
    """BentoML's name of it ("module:class"), what opens its artifact ("module:function"), what says
    of what it is made (the same), its settings ("module:class"), and the variable that names its
    artifact."""

    name: str
    opener: str
    compose: str
    settings: str
    variable: str

    @property
    def told(self) -> Told:
        return {"service": self.name, "opener": self.opener, "compose": self.compose}

    def read_settings(self) -> Settings:
        """Its settings, as this process's environment has them now: a command puts what it was
        asked for there. Raises `SettingsError`."""
        module, _, name = self.settings.partition(":")
        kind: type[Settings] = getattr(import_module(module), name)
        return kind.from_environment()


VISUAL = Service(
    "service:ShazamVisual",
    "engine.covers.service.start:open_search",
    "engine.services.composed:visual",
    "engine.covers.service.settings:CoverSettings",
    "SHAZAM_ARTIFACT",
)
SOUND = Service(
    "service:ShazamSound",
    "engine.sound.service.start:open_search",
    "engine.services.composed:sound",
    "engine.sound.service.settings:SoundSettings",
    "SHAZAM_SOUND_ARTIFACT",
)
LIBRARY = Service(
    "service:ShazamLibrary",
    "engine.sound.service.start:open_search",
    "engine.services.composed:library",
    "engine.sound.service.settings:SoundSettings",
    "SHAZAM_SOUND_ARTIFACT",
)
# Kind of an artifact → the service that it is the first of.
OF_KIND = {"cover": VISUAL, "sound": SOUND}
