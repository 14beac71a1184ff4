"""`service:ShazamVisual`: albums by their covers and, where they are present, tracks by their sound
and the library they are added to.

The launching process reads this file before it starts workers. The order of its lines is that of a
start: the artifact opens in a thread while BentoML is imported.
"""

from __future__ import annotations

from typing import Any

from engine.covers.service import start
from engine.serving.process import collector, preload

# All this before BentoML is imported, here and in the workers that are given this environment.
collector.pause()
preload.set_environment()

import sys

from engine.base.errors import ShazamError
from engine.services.present import LIBRARY, SOUND, VOICE

# Each stands on those before it; typed APIs have the first alone.
BESIDE = (SOUND, LIBRARY, VOICE)
try:
    settings = start.settings()
    rooms = ["covers", *(one.room for one in BESIDE if one.is_present())]
except ShazamError as refusal:
    sys.exit(f"{refusal.code}: {refusal.message}")
# An encoder on a GPU is worth a process of its own, shared by all workers; on a CPU the crossing
# costs more than it gives (benchmarks/README.md).
if not settings.separate_encoder():
    preload.begin(start.OPENER)

from importlib import import_module

import bentoml

from engine.artifact.store import check_exists
from engine.covers.service.bento import CoverApis, EncoderService, use_encoder_process
from engine.services.present import capability
from engine.serving.app.bento import options, prepare, put_on
from engine.vectors.where import check_installed

__all__ = ["EncoderService", "ShazamVisual"]

prepare(
    settings,
    [
        lambda: check_exists(settings.artifact),
        lambda: check_installed(settings.index),
        *[import_module(f"engine.{room}.service.start").check for room in rooms[1:]],
    ],
)


def _apis() -> list[Any]:
    """The typed APIs of what is beside covers; by name, as an image may lack it."""
    named = [f"engine.{room}.service.bento" for room in rooms[1:] if room == SOUND.room]
    return [import_module(name).APIS for name in named]


@bentoml.service(name="shazam_visual", **options(settings))
class ShazamVisual(CoverApis, *_apis()):  # type: ignore[misc]
    """Which album is this, and which track? What BentoML's typed clients call."""


def _capabilities() -> list[Any]:
    use_encoder_process()
    return [capability(room) for room in rooms]


def _absent() -> dict[str, tuple[str, str]]:
    away = [one.absent for one in BESIDE if one.room not in rooms]
    return {path: what for one in away for path, what in one.items()}


put_on(ShazamVisual, _capabilities, settings, _absent())
