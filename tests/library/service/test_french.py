"""`engine/library/service/french.py`: what a request or a job can meet is there in French."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from conftest import PROJECT
from said import NAMED, raised, told

from engine.base import errors
from engine.base.errors import JobFinished, QuotaExceeded
from engine.library.service.forms import TRACK
from engine.library.service.french import LIBRARY
from engine.library.settings import LibrarySettings
from engine.library.sources.sources import Sources
from engine.serving.http.french import MESSAGES, OTHERWISE
from engine.serving.http.languages import Language
from engine.sound.advice import ADVICE
from engine.sound.service.french import SOUND

TABLE = {**MESSAGES, **SOUND, **LIBRARY}
FRENCH = Language("fr", TABLE, OTHERWISE)
# English words that French has not, one of which is in every sentence or half of one.
ENGLISH = re.compile(
    r"(?<!=)\b(the|this|that|these|it|its|is|are|has|have|of|with|by|and|not|no|none|than|there|what|"
    r"which|where|send|give|check|try|again|later|upload|instead|another|each|more|less|any)\b",
    re.IGNORECASE,
)
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


def test_what_is_told_in_french_is_french_to_its_last_word() -> None:
    """With values in it: those that are words, and numbers as French writes them."""
    known = {"ADVICE": ADVICE, "TRACK.curl": TRACK.curl, "TRACK.json_example": TRACK.json_example}
    shared = [PROJECT / f"engine/sound/{name}.py" for name in ("audio", "recording", "apart")]
    of_forms = {**known, "name": "title"}
    english = {
        one
        for path in [*files(), *shared]
        for one in told(path, of_forms if path.name == "forms.py" else known)
    }
    assert len(english) > 110
    french = {one: FRENCH.said(one) for one in english}
    assert [one for one, said in french.items() if said is None] == []
    left = [said for said in french.values() if said and ENGLISH.search(said.replace("…", ""))]
    assert left == []
    numbers = [said for said in french.values() if said and re.search(r"\d[.,]\d{3}|\d\.\d", said)]
    assert numbers == []


def test_every_code_that_a_job_may_fail_with_is_in_the_readme() -> None:
    (table,) = re.findall(
        r"\| `code` of a job \|.*?\n\n", (PROJECT / "README.md").read_text(), re.S
    )
    written = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", table)) - {"code"}
    rooms = [PROJECT / "engine/library" / room for room in ("pipeline", "sources", "analysis")]
    files = [
        *(path for room in rooms for path in room.rglob("*.py")),
        PROJECT / "engine/sound/recording.py",
    ]
    raised = {name for path in files for name in re.findall(r"\b(\w+)\(", path.read_text())}
    codes = {getattr(errors, name).code for name in raised & NAMED if hasattr(errors, name)}
    assert codes - written <= {
        "invalid_setting",
        "invalid_request",
        "database_unavailable",
        "overloaded",
    }
    assert written <= {getattr(errors, name).code for name in NAMED if hasattr(errors, name)}


def test_why_a_source_is_absent_is_said_in_french() -> None:
    absent = [why for why in Sources.of(LibrarySettings()).states().values() if why]
    absent += ["yt-dlp is not installed. Run: pip install -r requirements/library.lock"]
    assert len(absent) >= 4
    assert [why for why in absent if FRENCH.said(why) is None] == []
    told = FRENCH.said("SHAZAM_A and SHAZAM_B are not set.")
    assert told == "SHAZAM_A et SHAZAM_B ne sont pas définis."


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
