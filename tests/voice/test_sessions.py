"""`engine/voice/sessions.py` and `jobs.py`: from state to state, each session its key's alone."""

from __future__ import annotations

from typing import Any

import pytest

from engine.base.errors import AudioExpired, JobNotFound, SessionNotFound, SessionNotReady
from engine.voice.jobs import VoiceJobs
from engine.voice.lyrics.given import given
from engine.voice.records import Session, VoiceJob
from engine.voice.sessions import Recording, Reference, Sessions, Wish, new_id

pytestmark = pytest.mark.anyio

REFERENCE = Reference({"kind": "file", "key": "voice/sessions/1/source", "sha256": "0" * 64})
TAKE = Recording("aaaa", "voice/sessions/1/aaaa/recording", 10)
OTHER = Recording("bbbb", "voice/sessions/1/bbbb/recording", 10)


async def begun(sessions: Sessions, owner: str = "", **told: Any) -> Session:
    return await sessions.start(new_id(), owner, Reference(REFERENCE.source, **told))


async def end(jobs: VoiceJobs, job: VoiceJob | None) -> None:
    """A worker has done it."""
    assert job is not None
    assert await jobs.begin(job.job_id, job.attempt, "jury") is not None
    assert await jobs.end(job.job_id, job.attempt, "jury", {"by": []})
    assert await jobs.done(job.job_id, job.attempt)


async def fail(jobs: VoiceJobs, job: VoiceJob | None) -> None:
    assert job is not None
    assert await jobs.fail(job.job_id, job.attempt, "link_failed", "There is nothing there.")


async def sung(sessions: Sessions, jobs: VoiceJobs) -> Session:
    """A session whose take was judged."""
    session = await begun(sessions)
    await end(jobs, session.preparing)
    await sessions.record(session.session_id, "", TAKE)
    session = await sessions.analyze(session.session_id, "", Wish())
    await end(jobs, session.judging)
    await sessions.judged(session.session_id, 1, {"score": 78.0, "take": TAKE.take})
    return await sessions.get(session.session_id, "")


async def test_a_session_goes_from_state_to_state(sessions: Sessions, jobs: VoiceJobs) -> None:
    session = await begun(sessions, title="Night Garden")
    at = session.session_id
    assert (session.state, session.title) == ("preparing", "Night Garden")
    await end(jobs, session.preparing)
    assert (await sessions.get(at, "")).state == "ready"
    assert (await sessions.record(at, "", TAKE)).state == "recorded"
    session = await sessions.analyze(at, "", Wish("fr", 2))
    assert session.state == "analyzing"
    assert session.judging is not None
    assert session.judging.asked == {"take": "aaaa", "language": "fr", "transposition": 2}
    await end(jobs, session.judging)
    assert (await sessions.get(at, "")).state == "done"


async def test_a_recording_may_come_before_its_reference_is_ready(
    sessions: Sessions, jobs: VoiceJobs
) -> None:
    """A take is given to no worker before that."""
    session = await begun(sessions)
    at = session.session_id
    assert (await sessions.record(at, "", TAKE)).state == "recorded"
    session = await sessions.analyze(at, "", Wish())
    assert session.judging is not None
    assert not await jobs.may_begin(session.judging.job_id)
    waiting = await jobs.not_enqueued(0)
    assert [job.kind for job in waiting] == ["reference"]
    await end(jobs, session.preparing)
    assert await jobs.may_begin(session.judging.job_id)
    assert [job.kind for job in await jobs.not_enqueued(0)] == ["take"]
    assert [job.kind for job in await VoiceJobs(jobs._database, "words").not_enqueued(0)] == []


async def test_a_reference_that_fails_takes_the_take_along_until_there_is_another(
    sessions: Sessions, jobs: VoiceJobs
) -> None:
    session = await begun(sessions, title="Night Garden")
    at = session.session_id
    await sessions.record(at, "", TAKE)
    session = await sessions.analyze(at, "", Wish())
    await fail(jobs, session.preparing)
    session = await sessions.get(at, "")
    assert session.state == "failed"
    assert session.judging is not None
    assert session.judging.error is not None
    assert session.judging.error.code == "link_failed"
    with pytest.raises(SessionNotReady, match="fallback-source"):
        await sessions.analyze(at, "", Wish())
    other = Reference({"kind": "link", "url": "https://example.com/song.mp3"}, artist="Ida")
    session = await sessions.replace(at, "", other)
    assert (session.state, session.title, session.artist) == ("recorded", "Night Garden", "Ida")
    assert session.url == "https://example.com/song.mp3"
    assert session.preparing is not None
    assert (session.preparing.state, session.preparing.attempt) == ("queued", 2)
    session = await sessions.analyze(at, "", Wish())
    assert session.state == "analyzing"


async def test_results_are_of_the_last_take_until_another_comes(
    sessions: Sessions, jobs: VoiceJobs
) -> None:
    session = await sung(sessions, jobs)
    at = session.session_id
    assert session.judges_the_last
    assert not (await sessions.record(at, "", OTHER)).judges_the_last
    session = await sessions.analyze(at, "", Wish())
    await fail(jobs, session.judging)
    session = await sessions.get(at, "")
    assert (session.state, session.judges_the_last) == ("failed", False)
    assert session.judged_take == TAKE.take


async def test_results_are_not_of_a_reference_that_came_after_them(
    sessions: Sessions, jobs: VoiceJobs
) -> None:
    session = await sung(sessions, jobs)
    assert not (await sessions.replace(session.session_id, "", REFERENCE)).judges_the_last


async def test_what_is_being_worked_on_is_not_changed_under_it(
    sessions: Sessions, jobs: VoiceJobs
) -> None:
    session = await begun(sessions)
    at = session.session_id
    with pytest.raises(SessionNotReady, match="no recording"):
        await sessions.analyze(at, "", Wish())
    with pytest.raises(SessionNotReady, match="being worked on"):
        await sessions.replace(at, "", REFERENCE)
    await end(jobs, session.preparing)
    await sessions.record(at, "", TAKE)
    first = await sessions.analyze(at, "", Wish())
    again = await sessions.analyze(at, "", Wish())
    assert first.judging is not None
    assert again.judging is not None
    assert again.judging.workflow_id == first.judging.workflow_id
    with pytest.raises(SessionNotReady, match="judged already"):
        await sessions.analyze(at, "", Wish("fr"))
    with pytest.raises(SessionNotReady, match="before this one"):
        await sessions.record(at, "", OTHER)


async def test_the_same_take_is_heard_once_and_another_anew(
    sessions: Sessions, jobs: VoiceJobs
) -> None:
    session = await begun(sessions)
    at = session.session_id
    await end(jobs, session.preparing)
    await sessions.record(at, "", TAKE)
    job = (await sessions.analyze(at, "", Wish())).judging
    assert job is not None
    for step in ("separate_user", "score"):
        await jobs.begin(job.job_id, 1, step)
        await jobs.end(job.job_id, 1, step, {"told": 1})
    await jobs.done(job.job_id, 1)
    await sessions.analyze(at, "", Wish("fr"))
    assert set(await jobs.steps(job.job_id)) == {"separate_user"}
    await jobs.done(job.job_id, 2)
    assert (await sessions.record(at, "", OTHER)).state == "recorded"
    await sessions.analyze(at, "", Wish("fr"))
    assert await jobs.steps(job.job_id) == {}


async def test_an_attempt_that_was_followed_tells_nothing_more(
    sessions: Sessions, jobs: VoiceJobs
) -> None:
    session = await begun(sessions)
    job = session.preparing
    assert job is not None
    again = await jobs.begin_anew(job.job_id, 1)
    assert again.attempt == 2
    assert await jobs.begin(job.job_id, 1, "fetch") is None
    assert not await jobs.done(job.job_id, 1)
    assert not await jobs.fail(job.job_id, 1, "internal", "")
    assert await jobs.begin(job.job_id, 2, "fetch") is not None
    assert await jobs.fail(job.job_id, 2, "internal", "")
    assert await jobs.fail(job.job_id, 2, "internal", ""), "twice is the same"


async def test_a_session_is_its_keys_alone(sessions: Sessions) -> None:
    session = await begun(sessions, owner="mine")
    at = session.session_id
    assert (await sessions.get(at, "mine")).session_id == at
    for call in (
        sessions.get(at, "theirs"),
        sessions.record(at, "theirs", TAKE),
        sessions.analyze(at, "theirs", Wish()),
        sessions.replace(at, "theirs", REFERENCE),
        sessions.move_lyrics(at, "theirs", 1.0),
        sessions.delete(at, "theirs"),
        sessions.get("\0no session", None),
    ):
        with pytest.raises(SessionNotFound):
            await call
    assert await sessions.history("theirs", 10) == []


async def test_words_are_moved_and_kept(sessions: Sessions) -> None:
    session = await begun(sessions)
    at = session.session_id
    lyrics = given("[00:01.00]One\n[00:03.00]Two")
    assert await sessions.found_lyrics(at, lyrics)
    session = await sessions.move_lyrics(at, "", 0.5)
    assert session.lyrics == lyrics
    assert session.lines() is not None
    assert session.lines().lines[0].from_s == 1.5  # type: ignore[union-attr]
    assert await sessions.found_lyrics(at, None)
    assert (await sessions.get(at, "")).lyrics is None


async def test_a_source_names_what_the_singer_did_not(sessions: Sessions) -> None:
    session = await begun(sessions, title="Night Garden")
    told = {"title": "song 3", "artist": "Ida", "audio_shared": False, "duration_s": 3}
    assert await sessions.described(session.session_id, told)
    session = await sessions.get(session.session_id, "")
    assert (session.title, session.artist, session.audio_shared) == ("Night Garden", "Ida", False)


async def test_results_stay_when_the_audio_is_gone(sessions: Sessions, jobs: VoiceJobs) -> None:
    session = await sung(sessions, jobs)
    at = session.session_id
    await sessions.silence(at)
    session = await sessions.get(at, "")
    assert (session.state, session.results) == ("done", {"score": 78.0, "take": "aaaa"})
    assert [one.session_id for one in await sessions.history("", 10)] == [at]
    for call in (
        sessions.record(at, "", OTHER),
        sessions.analyze(at, "", Wish("fr")),
        sessions.replace(at, "", REFERENCE),
    ):
        with pytest.raises(AudioExpired):
            await call


async def test_what_is_at_work_when_the_audio_goes_has_failed(
    sessions: Sessions, jobs: VoiceJobs
) -> None:
    session = await begun(sessions)
    await sessions.silence(session.session_id)
    job = (await sessions.get(session.session_id, "")).preparing
    assert job is not None
    assert job.error is not None
    assert (job.state, job.error.code) == ("failed", "audio_expired")
    assert not await sessions.known_reference(session.session_id, "0" * 32)


async def test_a_session_that_is_deleted_is_gone_with_its_jobs(
    sessions: Sessions, jobs: VoiceJobs
) -> None:
    session = await sung(sessions, jobs)
    await sessions.delete(session.session_id, "")
    with pytest.raises(SessionNotFound):
        await sessions.get(session.session_id, "")
    assert session.judging is not None
    with pytest.raises(JobNotFound):
        await jobs.get(session.judging.job_id)
    assert await sessions.history("", 10) == []


async def test_history_and_recent_tracks_are_newest_first(
    sessions: Sessions, jobs: VoiceJobs
) -> None:
    for number in (7, 8, 7):
        session = await begun(sessions, track_id=number)
        await sessions.record(session.session_id, "", TAKE)
    await begun(sessions, track_id=9)  # nothing was sung beside it
    await begun(sessions, owner="theirs", track_id=10)
    assert await sessions.recent_tracks("") == [7, 8]
    judged = [(await sung(sessions, jobs)).session_id for _ in range(3)]
    assert [one.session_id for one in await sessions.history("", 2)] == judged[:0:-1]


async def test_history_has_each_analysis_of_a_session(sessions: Sessions, jobs: VoiceJobs) -> None:
    session = await sung(sessions, jobs)
    at = session.session_id
    for score in (60.0, 61.0):  # its step was run twice
        assert await sessions.judged(at, 2, {"score": score, "take": OTHER.take})
    past = await sessions.history("", 10)
    assert [(one.session_id, one.analysis, one.score) for one in past] == [(at, 2, 61), (at, 1, 78)]
    assert (await sessions.get(at, "")).score == 61.0
    first = await sessions.analyzed(at, "", 1)
    assert (first.score, first.judged_take, first.analyzed_at) == (
        78.0,
        TAKE.take,
        session.analyzed_at,
    )
    for owner, analysis in (("", 3), ("theirs", 1)):
        with pytest.raises(SessionNotFound):
            await sessions.analyzed(at, owner, analysis)
    assert await sessions.history("theirs", 10) == []
    await sessions.silence(at)
    assert len(await sessions.history("", 10)) == 2
    assert await sessions.judged(at, 101, {"score": 62.0})
    assert [one.analysis for one in await sessions.history("", 10)] == [101, 2]
    await sessions.delete(at, "")
    assert await sessions.history("", 10) == []
    assert not await sessions.judged(at, 3, {"score": 1.0})


async def test_words_of_a_track_are_heard_once(jobs: VoiceJobs) -> None:
    source = {"kind": "artifact", "name": "audio/7.opus", "sha256": "0" * 64}
    first = await jobs.add_words("mine", 7, source)
    assert (await jobs.add_words("theirs", 7, source)).job_id == first.job_id
    assert (await jobs.add_words("mine", 8, source)).job_id != first.job_id
    assert await jobs.tell(first.job_id, 1, {"words": []})
    await jobs.done(first.job_id, 1)
    found = await jobs.of_track(7)
    assert found is not None
    assert (found.state, found.result) == ("done", {"words": []})
    assert (await jobs.add_words("mine", 7, source)).job_id == first.job_id
    assert await jobs.of_track(9) is None
