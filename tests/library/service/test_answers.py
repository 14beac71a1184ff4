"""`engine/library/service/answers.py`: what is answered of files that come, on rows of a test."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.base.errors import QuotaExceeded
from engine.library.database import Database
from engine.library.jobs import Jobs
from engine.library.objects import Objects
from engine.library.quota import Quota
from engine.library.samples import Samples
from engine.library.service.answers import LibraryAnswers
from engine.serving.http.uploads import Received

pytestmark = pytest.mark.anyio


class _Home:
    """The part of a `Library` that files need; no worker is told of anything."""

    def __init__(self, database: Database, folder: Path, jobs: int = 0) -> None:
        self.objects = Objects.open(str(folder / "objects"))
        self.jobs = Jobs(database, quota=Quota(database, jobs=jobs))
        self.samples = Samples(database)
        self._folder = folder
        self._file = folder / "came"

    @property
    def answers(self) -> LibraryAnswers:
        async def told(*_: object) -> None: ...

        async def patiently(call: Any) -> Any:
            return await call()

        library = SimpleNamespace(
            objects=self.objects,
            jobs=self.jobs,
            pipeline=SimpleNamespace(start=told),
            patiently=patiently,
        )
        return LibraryAnswers(cast("Any", library), cast("Any", None), cast("Any", None))

    def came(self, data: bytes, filename: str = "a.wav") -> Received:
        self._file.write_bytes(data)
        return Received(self._file, hashlib.sha256(data).hexdigest(), len(data), filename)


async def test_a_spent_quota_gives_what_is_there_and_stores_nothing_new(
    database: Database, tmp_path: Path
) -> None:
    home = _Home(database, tmp_path, jobs=1)
    first = await home.answers.add_file(home.came(b"one"), {})
    again = await home.answers.add_file(home.came(b"one"), {})
    assert (again.job_id, again.state) == (first.job_id, "queued")
    stored = home.objects.list()
    with pytest.raises(QuotaExceeded):
        await home.answers.add_file(home.came(b"two"), {})
    assert home.objects.list() == stored


async def test_how_far_a_job_is_is_told_to_a_thousandth(database: Database, tmp_path: Path) -> None:
    home = _Home(database, tmp_path)
    made = await home.answers.add_file(home.came(b"one"), {})
    await home.jobs.begin(made.job_id, 1, "waveform", 0.05 + 0.35 + 0.3 * 0.49)
    assert (await home.answers.job(made.job_id)).progress == 0.547


async def test_names_hold_no_line_breaks_nor_what_turns_others_round(
    database: Database, tmp_path: Path
) -> None:
    home = _Home(database, tmp_path)
    odd = "Night\r\nGarden\u202e3pm.\u2066 \x1b[1mשיר"
    made = await home.answers.add_file(home.came(b"one", f"\u202ea\n{odd}.wav"), {"title": odd})
    assert (await home.samples.get(made.track_id)).title == "Night Garden3pm. [1mשיר"
    assert (await home.jobs.get(made.job_id)).fields["filename"] == "a Night Garden3pm. [1mשיר.wav"
    nothing = await home.answers.add_file(home.came(b"two"), {"title": "\u202e\r\n"})
    sample = await home.samples.get(nothing.track_id)
    assert sample.title is None
    await home.jobs.begin(nothing.job_id, 1, "fetch")
    told = {"title": "Of\nits\u202d source", "creator": "\u202e", "licence": "CC\x00 BY"}
    assert await home.samples.describe(nothing.job_id, 1, told)
    sample = await home.samples.get(nothing.track_id)
    assert (sample.title, sample.creator, sample.licence) == ("Of its source", None, "CC BY")
