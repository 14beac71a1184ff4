"""`engine/library/service/french.py`: what a request or a job can meet is there in French."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from conftest import PROJECT
from said import raised

from engine.base.errors import JobFinished, QuotaExceeded
from engine.library.service.french import LIBRARY
from engine.serving.http.french import MESSAGES, OTHERWISE
from engine.serving.http.languages import Language
from engine.sound.service.french import SOUND

TABLE = {**MESSAGES, **SOUND, **LIBRARY}
FRENCH = Language("fr", TABLE, OTHERWISE)
# Said by who starts a process, to who started it.
STARTING = ["migrations", "folding.py"]


def files() -> Iterator[Path]:
    room = PROJECT / "engine/library"
    for path in sorted(room.rglob("*.py")):
        if path.relative_to(room).parts[0] not in STARTING:
            yield path


def test_every_message_that_is_raised_is_in_the_table() -> None:
    found = {message for path in files() for message in raised(path) if message[0] != "<"}
    assert len(found) > 60
    assert sorted(found - set(TABLE)) == []


def test_no_entry_of_the_table_is_left_over() -> None:
    read = [*files(), PROJECT / "engine/services/present.py", PROJECT / "engine/sound/held.py"]
    source = re.sub(r'"\s*f?"', "", " ".join(path.read_text() for path in read))
    for english in LIBRARY:
        pieces = [part for part in english.split("{}") if part.strip(" ()")]
        assert all(piece.rstrip() in source for piece in pieces), english


def test_a_sentence_reads_well_with_its_values() -> None:
    told = FRENCH.tell(JobFinished("This job is done: there is nothing to cancel."))
    assert told == "Cette tâche est finie : il n'y a rien à annuler."
    full = QuotaExceeded(
        "All 3 tracks of today are added. More can be added from midnight (UTC) on.",
        retry_after_s=1,
    )
    assert FRENCH.tell(full).startswith("Les 3 morceaux du jour sont ajoutés.")
