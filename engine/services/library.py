"""`service:ShazamLibrary`: tracks by their sound, the library that callers add them to, and singing
beside them.

`bentoml serve` reads this file before it starts workers, which read it again; where one process
answers it comes no further than `take_over`. The order of its lines is that of a start: the
artifact opens in a thread while BentoML is imported.
"""

from __future__ import annotations

from engine.serving.process import collector, preload

# All this before BentoML is imported, here and in the workers that are given this environment.
collector.pause()
preload.set_environment()

from engine.services.composed import library
from engine.services.start import LIBRARY
from engine.serving.app.prepared import or_end, prepare
from engine.serving.process.takeover import take_over
from engine.sound.service import start

composed = or_end(library)
take_over(composed.settings, **LIBRARY.told)
preload.begin(start.OPENER)

import bentoml

from engine.serving.app.bento import options, put_on
from engine.sound.service.bento import SoundApis

prepare(composed.settings, composed.checks)


@bentoml.service(name="shazam_library", **options(composed.settings))
class ShazamLibrary(SoundApis):
    """Which track is this? What BentoML's typed clients call."""


put_on(ShazamLibrary, composed.capabilities, composed.settings, composed.absent)
