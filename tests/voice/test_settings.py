"""`engine/voice/settings.py`: what is read, and what stops a start."""

from __future__ import annotations

import pytest

from engine.base.errors import SettingsError
from engine.voice.settings import LRCLIB, VoiceSettings


def read(**variables: str) -> VoiceSettings:
    return VoiceSettings.from_environment(
        {f"SHAZAM_{name.upper()}": value for name, value in variables.items()}
    )


def test_nothing_needs_to_be_set() -> None:
    settings = read()
    assert (settings.voice, settings.jury_url, settings.lrclib_url) == ("on", "", LRCLIB)
    assert settings.voice_audio_s == 7_200


def test_a_server_is_an_address_without_its_last_slash() -> None:
    assert read(jury_url="http://localhost:11434/v1/").jury_url == "http://localhost:11434/v1"
    assert read(lrclib_url="none").lrclib_url == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("voice", "loud"),
        ("jury_url", "localhost:11434"),
        ("jury_url", "http://user:word@host/v1"),
        ("genius_url", "https://api.genius.com/?q=1"),
        ("voice_audio_s", "7201"),
        ("voice_audio_s", "long"),
    ],
)
def test_a_bad_value_stops_the_start_with_one_line(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        read(**{name: value})
    assert f"SHAZAM_{name.upper()}" in refusal.value.message
    assert "\n" not in refusal.value.message


def test_keys_are_shown_to_nobody() -> None:
    secret = {name for name, row in VoiceSettings.variables.items() if row.secret}
    assert secret >= {"jury_key", "jury_fallback_key", "genius_token"}
