"""`engine/sound/service/settings.py`: environment → one frozen `SoundSettings`."""

from __future__ import annotations

import pytest

from engine.base.errors import SettingsError
from engine.base.settings import SHARED
from engine.sound.service.settings import VARIABLES, SoundSettings


def test_what_sound_reads_beside_what_all_read() -> None:
    assert set(VARIABLES) - set(SHARED) == {"sound_artifact", "max_audio_s"}
    made = SoundSettings.from_environment({})
    assert (made.sound_artifact, made.max_audio_s) == ("artifacts/starter-sound", 600)


def test_a_value_is_taken_and_a_bad_one_named() -> None:
    given = {"SHAZAM_SOUND_ARTIFACT": " shazam-sound:latest ", "SHAZAM_MAX_AUDIO_S": "60"}
    made = SoundSettings.from_environment(given)
    assert (made.sound_artifact, made.max_audio_s) == ("shazam-sound:latest", 60)
    for bad in ("2", "long", "1e9"):
        with pytest.raises(SettingsError, match=r"SHAZAM_MAX_AUDIO_S=.* Example"):
            SoundSettings.from_environment({"SHAZAM_MAX_AUDIO_S": bad})
