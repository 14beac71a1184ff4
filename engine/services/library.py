"""`service:ShazamLibrary`: tracks by their sound, the library that callers add them to, and singing
beside them.

As `sound`, whose artifact it opens first; the library is opened beside it.
"""

from __future__ import annotations

import os

from engine.services.present import LIBRARY, VOICE
from engine.serving.process import collector, preload
from engine.sound.service import start

# All this before BentoML is imported, here and in the workers that are given this environment.
collector.pause()
preload.set_environment()

import sys

from engine.base.errors import SettingsError, ShazamError
from engine.library.settings import TOGETHER

# Who serves the library by its name wants one; the workers read it from the environment, too.
if not os.environ.get(LIBRARY.variable, "").strip():
    os.environ[LIBRARY.variable] = TOGETHER
try:
    if not LIBRARY.is_present():
        given = os.environ[LIBRARY.variable]
        raise SettingsError(
            f"{LIBRARY.variable}={given!r}: this service is the library's. Set it to `shared` or "
            f"`private`, or serve service:ShazamSound. Example: {LIBRARY.variable}=shared"
        )
    settings = start.settings()
except ShazamError as refusal:
    sys.exit(f"{refusal.code}: {refusal.message}")
preload.begin(start.OPENER)

from importlib import import_module

import bentoml

from engine.services.present import capability
from engine.serving.app.bento import options, prepare, put_on
from engine.sound.service.bento import SoundApis

rooms = ["sound", "library", *([VOICE.room] if VOICE.is_present() else [])]
prepare(settings, [import_module(f"engine.{room}.service.start").check for room in rooms])


@bentoml.service(name="shazam_library", **options(settings))
class ShazamLibrary(SoundApis):
    """Which track is this? What BentoML's typed clients call."""


put_on(ShazamLibrary, lambda: [capability(room) for room in rooms], settings)
