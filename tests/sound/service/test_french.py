"""`engine/sound/service/french.py`: every message that a request can meet is there in French."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PROJECT
from said import raised

from engine.base.errors import AudioTooLong
from engine.serving.http.french import MESSAGES, OTHERWISE
from engine.serving.http.languages import Language
from engine.sound.advice import ADVICE
from engine.sound.encoder.because import SAID, Common
from engine.sound.service.french import SOUND, WORDS, because, key_in_french

TABLE = {**MESSAGES, **SOUND}
FRENCH = Language("fr", TABLE, OTHERWISE)
ANSWERING = ["serving", "sound/service", "sound/audio.py", "sound/search.py", "sound/recording.py"]
ANSWERING += ["sound/apart.py", "vectors/neighbours.py"]
ELSEWHERE = {
    "<self.failure.message if self.failure else self._starting>",
    "<first_error(error.errors())>",
    "<str(error.detail)>",
    "<message>",
    "<STARTING>",
}


def files() -> Iterator[Path]:
    for place in ANSWERING:
        found = PROJECT / "engine" / place
        yield from sorted(found.rglob("*.py")) if found.is_dir() else [found]


def test_every_message_that_is_raised_is_in_the_table() -> None:
    found = {message.replace(f"{{}}{ADVICE}", "{}") for path in files() for message in raised(path)}
    advised = {english.replace(f" {ADVICE}", " {}") for english in TABLE}
    assert len(found) > 40
    assert sorted(found - set(TABLE) - advised - ELSEWHERE) == []


def test_no_entry_of_the_table_is_left_over() -> None:
    source = re.sub(r'"\s*f?"', "", " ".join(path.read_text() for path in files()))
    for english in SOUND:
        pieces = [part for part in english.replace(ADVICE, "").split("{}") if part.strip(" ()")]
        assert all(piece.rstrip() in source for piece in pieces), english


def test_a_sentence_reads_well_with_its_values() -> None:
    told = FRENCH.tell(
        AudioTooLong(
            "The recording is longer than 600 s, the most that is accepted. Send a part of it: 10 "
            "s are plenty."
        )
    )
    assert told.startswith("L'enregistrement dure plus de 600 s")


def test_what_two_tracks_share_is_said_in_french() -> None:
    assert because(Common(("jazz", "calm"), 92, "D minor")) == (
        "Les deux : jazz, calme ; environ 92 bpm ; ré mineur"
    )
    assert because(Common((), 92, None)) == "Les deux : environ 92 bpm"
    assert because(Common()) == "Semblables par le timbre et le rythme"
    assert set(WORDS) <= set(SAID.values())


@pytest.mark.parametrize(
    ("key", "french"),
    [("F# minor", "fa dièse mineur"), ("Bb major", "si bémol majeur"), ("8A", "8A"), ("", "")],
)
def test_keys_are_said_in_french(key: str, french: str) -> None:
    assert key_in_french(key) == french
