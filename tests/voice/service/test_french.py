"""`engine/voice/service/french.py`: what a request or a job can meet is there in French."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from conftest import PROJECT
from said import raised

from engine.library.service.french import LIBRARY
from engine.serving.http.french import MESSAGES, OTHERWISE
from engine.serving.http.languages import Language
from engine.sound.service.french import SOUND
from engine.voice.lyrics.found import LyricsSources
from engine.voice.service.french import VOICE
from engine.voice.service.health import NO_WORKER, NOT_YET
from engine.voice.service.running import OPENING
from engine.voice.sessions import EXPIRED

TABLE = {**MESSAGES, **SOUND, **LIBRARY, **VOICE}
FRENCH = Language("fr", TABLE, OTHERWISE)
# Said on a command line, or by what a child hears to who reads the log.
NOT_ASKED = ("models", "ear")


def files() -> Iterator[Path]:
    room = PROJECT / "engine/voice"
    for path in sorted(room.rglob("*.py")):
        if path.relative_to(room).parts[0] not in NOT_ASKED:
            yield path


def test_every_message_that_is_raised_is_in_the_table() -> None:
    found = {message for path in files() for message in raised(path) if message[0] != "<"}
    assert len(found) > 30
    assert sorted(found - set(TABLE)) == []
    assert {EXPIRED, OPENING, NO_WORKER, NOT_YET} <= set(VOICE)


def test_no_entry_of_the_table_is_left_over() -> None:
    source = re.sub(r'"\s*f?"', "", " ".join(path.read_text() for path in files()))
    source = source.replace("\\'", "'").replace('\\"', '"')
    for english in VOICE:
        pieces = [part for part in english.split("{}") if part.strip(" ()")]
        assert all(piece.rstrip() in source for piece in pieces), english


def test_a_sentence_reads_well_with_its_values() -> None:
    missing = "The field 'offset_s' is missing. Send JSON: {\"offset_s\": 1.5}."
    assert FRENCH.said(missing) == (
        'Le champ « offset_s » manque. Envoyez du JSON : {"offset_s": 1.5}.'
    )
    why = FRENCH.said(f"Words are not heard here: {NO_WORKER}")
    assert why == f"Les paroles ne sont pas entendues ici : {VOICE[NO_WORKER]}"


def test_why_a_source_of_words_is_absent_is_said_in_french() -> None:
    states = LyricsSources.of("", "https://api.genius.com", "").states()
    assert FRENCH.said(states["genius"] or "") == "SHAZAM_GENIUS_TOKEN n'est pas défini."
