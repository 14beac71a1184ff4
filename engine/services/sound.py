"""`service:ShazamSound`: tracks by their sound, and nothing else.

`bentoml serve` reads this file before it starts workers, which read it again; where one process
answers it comes no further than `take_over`. The order of its lines is that of a start: the
artifact opens in a thread while BentoML is imported.
"""

from __future__ import annotations

from engine.serving.process import collector, preload

# All this before BentoML is imported, here and in the workers that are given this environment.
collector.pause()
preload.set_environment()

from engine.services.composed import sound
from engine.services.start import SOUND
from engine.serving.app.prepared import or_end, prepare
from engine.serving.process.takeover import take_over
from engine.sound.service import start

composed = or_end(sound)
take_over(composed.settings, **SOUND.told)
preload.begin(start.OPENER)

import bentoml

from engine.serving.app.bento import options, put_on
from engine.sound.service.bento import SoundApis

prepare(composed.settings, composed.checks)


@bentoml.service(name="shazam_sound", **options(composed.settings))
class ShazamSound(SoundApis):
    """Which track is this? What BentoML's typed clients call."""


put_on(ShazamSound, composed.capabilities, composed.settings, composed.absent)
