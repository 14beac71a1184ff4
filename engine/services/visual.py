"""`service:ShazamVisual`: albums by their covers and, where they are present, tracks by their sound
and the library they are added to.

`bentoml serve` reads this file before it starts workers, which read it again; where one process
answers it comes no further than `take_over`. The order of its lines is that of a start: the
artifact opens in a thread while BentoML is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.serving.process import collector, preload

# All this before BentoML is imported, here and in the workers that are given this environment.
collector.pause()
preload.set_environment()

from engine.covers.service import start
from engine.services.composed import visual
from engine.services.start import VISUAL
from engine.serving.app.prepared import or_end, prepare
from engine.serving.process.takeover import take_over

composed = or_end(visual)
take_over(composed.settings, **VISUAL.told)
# An encoder on a GPU is worth a process of its own, shared by all workers; on a CPU the crossing
# costs more than it gives (benchmarks/README.md).
if not start.settings().separate_encoder():
    preload.begin(start.OPENER)

from importlib import import_module

import bentoml

from engine.covers.service.bento import CoverApis, EncoderService, use_encoder_process
from engine.services.present import SOUND
from engine.serving.app.bento import options, put_on

if TYPE_CHECKING:
    from engine.serving.app.capability import Capability

__all__ = ["EncoderService", "ShazamVisual"]

prepare(composed.settings, composed.checks)


def _apis() -> list[Any]:
    """The typed APIs of what is beside covers; by name, as an image may lack it. BentoML's clients
    have those of the first alone."""
    named = [f"engine.{room}.service.bento" for room in composed.rooms[1:] if room == SOUND.room]
    return [import_module(name).APIS for name in named]


@bentoml.service(name="shazam_visual", **options(composed.settings))
class ShazamVisual(CoverApis, *_apis()):  # type: ignore[misc]
    """Which album is this, and which track? What BentoML's typed clients call."""


def _capabilities() -> list[Capability]:
    use_encoder_process()
    found: list[Capability] = composed.capabilities()
    return found


put_on(ShazamVisual, _capabilities, composed.settings, composed.absent)
