"""`engine/library/samples.py`: found, told of, let go of."""

from __future__ import annotations

import asyncio

import pytest
from library.asked import add, content, finish, link, upload

from engine.base.errors import InvalidRequest, SampleNotFound
from engine.library.database import Database
from engine.library.jobs import Jobs
from engine.library.records import announce
from engine.library.samples import Samples

pytestmark = pytest.mark.anyio


async def found(samples: Samples, **asked: str) -> list[str | None]:
    return [sample.title for sample in (await samples.page(**asked)).samples]  # type: ignore[arg-type]


async def test_audio_that_its_sender_does_not_share_stays_so_whatever_a_source_says(
    jobs: Jobs, samples: Samples
) -> None:
    kept = await jobs.submit(upload("kept", audio_shared=False))
    assert (await samples.get(kept.track_id)).audio_shared is False
    await jobs.begin(kept.job_id, 1, "fetch")
    await samples.describe(kept.job_id, 1, {"audio_shared": True})
    assert (await samples.get(kept.track_id)).audio_shared is False
    given = await jobs.submit(upload("given", audio_shared=True))
    assert (await samples.get(given.track_id)).audio_shared is True


async def test_a_finished_sample_has_its_facts_and_objects(jobs: Jobs, samples: Samples) -> None:
    job = await jobs.submit(upload("one", title="Blue Moon"))
    await jobs.begin(job.job_id, 1, "fetch")
    told = {"title": "blue_moon.mp3", "artist": "Someone", "album": None, "audio_shared": False}
    assert await samples.describe(job.job_id, 1, told | {"followers": 3})
    facts = {"bpm": 92.5, "key": "Gbm", "duration_s": 10.0, "bpm_confidence": 0.5, "artist": "X"}
    await finish(jobs, samples, job, **facts)
    sample = await samples.get(job.track_id)
    assert (sample.status, sample.title, sample.artist, sample.album) == (
        "ready", "Blue Moon", "Someone", None,
    )  # fmt: skip
    assert (sample.bpm, sample.key, sample.duration_s) == (92.5, "F# minor", 10.0)
    assert sample.audio_shared is False
    assert sample.details == {"followers": 3, "bpm_confidence": 0.5}
    assert sample.objects == {"heard": f"audio/{content('one')}/heard.npz"}
    assert sample.ready_at is not None
    assert sample.error is None


async def test_a_sample_knows_what_its_file_was_called(jobs: Jobs, samples: Samples) -> None:
    job = await jobs.submit(upload("one", filename="tune 1.wav"))
    assert (await samples.get(job.track_id)).filename == "tune 1.wav"
    other = await jobs.submit(upload("two"))
    assert (await samples.page()).samples[0].filename is None
    assert (await samples.changes_since(0)).changes == []
    await finish(jobs, samples, job)
    (change,) = (await samples.changes_since(0)).changes
    assert change.sample is not None
    assert (change.sample.filename, change.sample.title) == ("tune 1.wav", None)
    assert other.track_id != job.track_id


async def test_samples_are_found_by_the_words_of_their_names(jobs: Jobs, samples: Samples) -> None:
    names = [
        {"title": "Déjà Vu", "artist": "Beyoncé", "album": "B'Day"},
        {"title": "Blue Moon", "artist": "The_Marcels", "creator": "@Doo Wop"},
        {"title": "日本音楽", "artist": "100% Blue"},
    ]
    for number, fields in enumerate(names):
        await jobs.submit(upload(str(number), **fields))
    assert await found(samples) == ["日本音楽", "Blue Moon", "Déjà Vu"]
    assert await found(samples, q="BEYONCE deja") == ["Déjà Vu"]
    assert await found(samples, q="blu") == ["日本音楽", "Blue Moon"]
    assert await found(samples, q="blue moon") == ["Blue Moon"]
    assert await found(samples, q="moon beyonce") == []
    assert await found(samples, q="oon") == []
    assert await found(samples, q="音楽") == ["日本音楽"]
    assert await found(samples, q="wop") == ["Blue Moon"]
    assert await found(samples, q="_") == []
    assert await found(samples, q="%") == []
    assert await found(samples, q="!?") == []
    assert await found(samples, q="  ") == ["日本音楽", "Blue Moon", "Déjà Vu"]
    assert await found(samples, creator="doo wop") == ["Blue Moon"]
    assert await found(samples, creator="doo") == []


async def test_new_names_replace_the_words_of_old_ones(jobs: Jobs, samples: Samples) -> None:
    job = await jobs.submit(link("https://example.org/1"))
    assert (await samples.page(q="moon")).total == 0
    await samples.describe(job.job_id, 1, {"title": "Blue Moon"})
    assert (await samples.page(q="moon")).total == 1
    await samples.delete(job.track_id)
    assert (await samples.page(q="moon")).total == 0


async def test_samples_are_found_by_tempo_key_and_status(jobs: Jobs, samples: Samples) -> None:
    for number, (bpm, key) in enumerate([(90, "A minor"), (92.4, "Am"), (100, "C"), (120, "Dm")]):
        job = await jobs.submit(upload(str(number), title=f"{bpm:g}"))
        await finish(jobs, samples, job, bpm=bpm, key=key)
    await jobs.submit(upload("waiting", title="waiting"))
    assert await found(samples, bpm="91") == ["92.4", "90"]
    assert await found(samples, bpm="92.5-120") == ["120", "100"]
    assert await found(samples, key="a min") == ["92.4", "90"]
    assert await found(samples, key="C major", bpm="100") == ["100"]
    assert await found(samples, status="processing") == ["waiting"]
    assert await found(samples, status="failed") == []
    for wrong in ({"bpm": "fast"}, {"key": "loud"}, {"status": "lost"}):
        with pytest.raises(InvalidRequest):
            await samples.page(**wrong)  # type: ignore[arg-type]


async def test_pages_tell_how_many_there_are(jobs: Jobs, samples: Samples) -> None:
    for number in range(5):
        await jobs.submit(upload(str(number), title=str(number)))
    page = await samples.page(offset=1, limit=2)
    assert (page.total, [sample.title for sample in page.samples]) == (5, ["3", "2"])
    assert (await samples.page(offset=10**30, limit=10**30)).samples == []


async def test_in_a_private_library_a_key_sees_its_own(database: Database) -> None:
    jobs, samples = Jobs(database, private=True), Samples(database, private=True)
    mine = await add(jobs, samples, "one", "me")
    theirs = await add(jobs, samples, "one", "they")
    assert [s.track_id for s in (await samples.page("me")).samples] == [mine]
    assert set(await samples.get_many([mine, theirs], "me")) == {mine}
    assert set(await samples.get_many([mine, theirs, 2**70])) == {mine, theirs}
    for asked in (samples.get, samples.delete, samples.count_download):
        with pytest.raises(SampleNotFound):
            await asked(theirs, "me")
    assert {owner for owner, _ in (await samples.ready_ids()).values()} == {"me", "they"}


async def test_downloads_are_counted(jobs: Jobs, samples: Samples) -> None:
    track_id = await add(jobs, samples, "one")
    asked = [samples.count_download(track_id) for _ in range(5)]
    assert sorted(await asyncio.gather(*asked)) == [1, 2, 3, 4, 5]
    for absent in (1, 2**70):
        with pytest.raises(SampleNotFound):
            await samples.count_download(absent)


async def test_matches_and_the_artifact_are_kept(jobs: Jobs, samples: Samples) -> None:
    track_id = await add(jobs, samples, "one")
    await samples.matched(track_id, [{"source": "jamendo", "title": "a\0"}])
    await samples.mark_folded([track_id], "demo-2")
    sample = await samples.get(track_id)
    assert sample.matches == [{"source": "jamendo", "title": "a"}]
    assert sample.folded == "demo-2"


async def test_changes_tell_of_what_can_be_found_and_of_what_is_gone(
    jobs: Jobs, samples: Samples
) -> None:
    assert (await samples.changes_since(0)).changes == []
    first, second = [await add(jobs, samples, name) for name in ("one", "two")]
    await jobs.submit(upload("three"))
    told = await samples.changes_since(0)
    assert [(one.track_id, one.kind) for one in told.changes] == [
        (first, "ready"),
        (second, "ready"),
    ]
    assert told.changes[0].sample == await samples.get(first)
    await samples.delete(first)
    later = await samples.changes_since(told.cursor)
    assert [(one.track_id, one.kind, one.sample) for one in later.changes] == [
        (first, "gone", None)
    ]
    assert (await samples.changes_since(later.cursor)).cursor == later.cursor
    # Who begins anew is told the last of each alone.
    everything = await samples.changes_since(0, limit=1)
    assert [one.track_id for one in everything.changes] == [second]
    rest = await samples.changes_since(everything.cursor)
    assert [one.kind for one in rest.changes] == ["gone"]
    assert await samples.ready_ids() == {second: ("", everything.cursor)}


async def test_what_was_ready_and_is_cancelled_is_gone_until_it_is_ready_again(
    jobs: Jobs, samples: Samples
) -> None:
    job = await jobs.submit(upload("one"))
    await samples.finish(job.job_id, 1, {}, {})
    await jobs.cancel(job.job_id)
    told = await samples.changes_since(0)
    assert [one.kind for one in told.changes] == ["gone"]
    await finish(jobs, samples, await jobs.retry(job.job_id))
    later = await samples.changes_since(told.cursor)
    assert [one.kind for one in later.changes] == ["ready"]


async def test_no_change_is_missed_by_who_reads_while_others_write(database_url: str) -> None:
    """Writers that hold their transactions for uneven times, so that sequences would be committed
    out of their order; a reader that goes on from its cursor, never back."""
    databases = [await Database.open(database_url) for _ in range(4)]
    reading, expected = Samples(databases[0]), set(range(1, 41))
    seen: set[int] = set()

    async def write(database: Database, track_ids: range) -> None:
        for track_id in track_ids:
            async with database.writing() as connection:
                if track_id % 3:
                    await announce(connection, track_id, "gone")
                await asyncio.sleep(0.004 * (track_id % 4))
                if not track_id % 3:
                    await announce(connection, track_id, "gone")

    async def read(writing: asyncio.Future[list[None]]) -> None:
        cursor, last = 0, False
        while not last:
            last = writing.done()
            told = await reading.changes_since(cursor, limit=3)
            last = last and not told.changes
            assert all(one.revision > cursor for one in told.changes)
            seen.update(one.track_id for one in told.changes)
            cursor = told.cursor
            await asyncio.sleep(0.001)

    shares = [range(first, 41, 4) for first in range(1, 5)]
    writing = asyncio.gather(*(write(d, s) for d, s in zip(databases, shares, strict=True)))
    await read(writing)
    assert seen == expected
    for database in databases:
        await database.close()
