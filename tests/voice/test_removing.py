"""`engine/voice/removing.py` and `references.py`: audio goes in time, whatever was killed when."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from engine.library.database import Database
from engine.library.jobs import Jobs, Submission
from engine.library.objects import Objects
from engine.library.samples import Samples
from engine.voice.references import YOUNG, References
from engine.voice.removing import YOUNG_S, Removing
from engine.voice.sessions import Reference, Sessions, folder_of, new_id
from engine.voice.tables import ReferenceRow, SessionRow

pytestmark = pytest.mark.anyio

SOURCE = Reference({"kind": "file", "key": "voice/sessions/1/source", "sha256": "0" * 64})
TWO_HOURS = 7_200.0


@pytest.fixture
def removing(sessions: Sessions, references: References, objects: Objects) -> Removing:
    return Removing(sessions, references, objects, audio_s=TWO_HOURS, keep_days=30)


async def begun(database: Database, sessions: Sessions, objects: Objects, ago_s: float) -> str:
    """A session that began so long ago, with a recording."""
    session = await sessions.start(new_id(), "", SOURCE)
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    async with database.writing() as connection:
        this = SessionRow.session_id == session.session_id
        await connection.execute(update(SessionRow).where(this).values(created_at=at))
    objects.put(f"{folder_of(session.session_id)}/aaaa/recording", b"sound")
    return session.session_id


def left(objects: Objects) -> set[str]:
    return {stored.key for stored in objects.list()}


async def aged(database: Database, reference_id: str, by: timedelta) -> None:
    async with database.writing() as connection:
        this = ReferenceRow.reference_id == reference_id
        old = datetime.now(UTC) - by
        await connection.execute(update(ReferenceRow).where(this).values(used_at=old))


async def test_audio_of_a_session_is_gone_before_its_time_is(
    database: Database, sessions: Sessions, objects: Objects, removing: Removing
) -> None:
    old = await begun(database, sessions, objects, TWO_HOURS - 60)
    young = await begun(database, sessions, objects, TWO_HOURS - 300)
    await removing.remove(listed=False)
    assert left(objects) == {f"{folder_of(young)}/aaaa/recording"}
    assert (await sessions.get(old, "")).silent_at is not None
    assert (await sessions.get(young, "")).silent_at is None


async def test_audio_of_a_session_that_began_by_a_clock_that_was_ahead_is_gone_at_once(
    database: Database, sessions: Sessions, objects: Objects, removing: Removing
) -> None:
    """It would stay until that clock's time, and two hours more."""
    await begun(database, sessions, objects, -TWO_HOURS)
    near = await begun(database, sessions, objects, -60)
    await removing.remove(listed=False)
    assert left(objects) == {f"{folder_of(near)}/aaaa/recording"}


async def test_what_a_killed_process_left_of_a_session_is_found(
    database: Database, sessions: Sessions, objects: Objects, removing: Removing
) -> None:
    """Between its row and its objects; or a recording that came when the audio had gone."""
    old = await begun(database, sessions, objects, 10)
    await sessions.silence(old)
    await removing.remove()
    assert left(objects) == set()


async def test_objects_without_a_row_are_young_for_a_while(
    objects: Objects, removing: Removing, tmp_path: Path
) -> None:
    key = f"{folder_of(new_id())}/reference-0/source"
    objects.put(key, b"sound")
    await removing.remove()
    assert left(objects) == {key}
    path = objects.path(key)
    assert path is not None
    for old in (time.time() - YOUNG_S - 1, time.time() + YOUNG_S + 60):
        objects.put(key, b"sound")
        os.utime(path, (old, old))
        await removing.remove()
        assert left(objects) == set()


async def test_what_was_made_of_a_file_goes_with_the_last_session_that_sings_it(
    database: Database,
    sessions: Sessions,
    references: References,
    objects: Objects,
    removing: Removing,
) -> None:
    first = await begun(database, sessions, objects, 10)
    last = await begun(database, sessions, objects, 10)
    made = await references.of_content("1" * 64, lasting=False)
    objects.put(made.key("vocals.flac"), b"sound")
    for session_id in (first, last):
        assert await sessions.known_reference(session_id, made.reference_id)
    await sessions.silence(first)
    await removing.remove()
    assert made.key("vocals.flac") in left(objects)
    await sessions.silence(last)
    await removing.remove()
    assert left(objects) == set()
    again = await references.of_content("1" * 64, lasting=False)
    assert again.reference_id != made.reference_id


async def test_what_was_made_of_a_track_is_remembered_until_nobody_sings_it(
    database: Database, references: References, objects: Objects, removing: Removing
) -> None:
    made = await references.of_content("1" * 64, lasting=True)
    objects.put(made.key("vocals.flac"), b"sound")
    await references.tell(made.reference_id, "fetch", {"duration_s": 2.0})
    await aged(database, made.reference_id, timedelta(days=29))
    await removing.remove()
    known = await references.of_content("1" * 64, lasting=False)
    assert known.facts == {"fetch": {"duration_s": 2.0}}
    await aged(database, made.reference_id, timedelta(days=31))
    await removing.remove()
    assert left(objects) == set()
    assert await references.get(made.reference_id) is None


async def test_what_was_made_of_a_track_of_the_library_goes_with_it(
    database: Database,
    sessions: Sessions,
    references: References,
    objects: Objects,
    removing: Removing,
) -> None:
    tracks, owner = Samples(database), Jobs(database)
    job = await owner.submit(Submission("", "upload", sha256="1" * 64, upload_key="a", size=1))
    session_id = await begun(database, sessions, objects, 10)
    made = await references.of_content("1" * 64, lasting=False)
    objects.put(made.key("vocals.flac"), b"sound")
    assert await sessions.known_reference(session_id, made.reference_id)
    await sessions.silence(session_id)
    await removing.remove()
    assert left(objects) == {made.key("vocals.flac")}
    await tracks.delete(job.track_id)
    await removing.remove()
    assert left(objects) == set()


async def test_what_nobody_named_yet_is_left_alone_while_it_is_young(
    database: Database, references: References, objects: Objects, removing: Removing
) -> None:
    made = await references.of_content("1" * 64, lasting=False)
    objects.put(made.key("original.flac"), b"sound")
    await removing.remove()
    assert left(objects) == {made.key("original.flac")}
    await aged(database, made.reference_id, YOUNG + timedelta(seconds=1))
    await removing.remove()
    assert left(objects) == set()


async def test_a_reference_whose_row_went_before_its_objects_is_found(
    references: References, objects: Objects, removing: Removing
) -> None:
    objects.put("voice/references/0123/vocals.flac", b"sound")
    await removing.remove()
    assert left(objects) == set()


async def test_uploads_that_a_killed_service_received_are_removed(
    removing: Removing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, young = tmp_path / "shazam-upload-old", tmp_path / "shazam-upload-young"
    for path in (old, young):
        path.write_bytes(b"sound")
    long_ago = time.time() - 4_000
    os.utime(old, (long_ago, long_ago))
    await removing.remove()
    assert young.exists()
    assert not old.exists()
