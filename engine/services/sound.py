"""`service:ShazamSound`: tracks by their sound, and nothing else.

The launching process reads this file before it starts workers. The order of its lines is that of a
start: the artifact opens in a thread while BentoML is imported.
"""

from __future__ import annotations

from engine.serving.process import collector, preload
from engine.sound.service import start

# All this before BentoML is imported, here and in the workers that are given this environment.
collector.pause()
preload.set_environment()

import sys

from engine.base.errors import ShazamError

try:
    settings = start.settings()
except ShazamError as refusal:
    sys.exit(f"{refusal.code}: {refusal.message}")
preload.begin(start.OPENER)

import bentoml

from engine.services.present import capability
from engine.serving.app.bento import options, prepare, put_on
from engine.sound.service.bento import SoundApis

prepare(settings, [start.check])


@bentoml.service(name="shazam_sound", **options(settings))
class ShazamSound(SoundApis):
    """Which track is this? What BentoML's typed clients call."""


put_on(ShazamSound, lambda: [capability("sound")], settings)
