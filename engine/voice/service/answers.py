"""Requests → response models: one method an operation of voice."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.base.errors import (
    AudioExpired,
    AudioNotFound,
    AudioNotShared,
    DatabaseUnavailable,
    LyricsNotFound,
    PartUnavailable,
    SessionNotReady,
    ShazamError,
)
from engine.library.service.opened import Library
from engine.serving.http.exchange import current_caller
from engine.serving.http.uploads import Received
from engine.sound.catalogue import Track
from engine.sound.search import SoundSearch
from engine.sound.service.answers import SoundAnswers
from engine.voice.jobs import VoiceJobs
from engine.voice.jury.facts import Language
from engine.voice.lyrics.found import Found, LyricsSources
from engine.voice.lyrics.song import Song
from engine.voice.pipeline.named import queue_of
from engine.voice.records import Session, VoiceJob
from engine.voice.removing import delete_folder
from engine.voice.service import told
from engine.voice.service.forms import Asked
from engine.voice.service.nowords import no_words
from engine.voice.service.schemas import (
    AnalysisModel,
    AudioModel,
    Begun,
    History,
    LyricsModel,
    OffsetModel,
    Removed,
    ResultsModel,
    SessionModel,
    TaskModel,
    TracksModel,
    What,
    WordsModel,
)
from engine.voice.sessions import (
    EXPIRED,
    NO_REFERENCE,
    Recording,
    Reference,
    Sessions,
    Wish,
    folder_of,
    new_id,
)

logger = logging.getLogger("shazam")

Who = Literal["user", "ref"]
FLAC = "audio/flac"
# A request waits no longer for others' words of a song; so many ask at once.
LYRICS_WITHIN_S, LYRICS_AT_ONCE = 5.0, 4
LYRICS_KEPT, LYRICS_KEPT_S = 256, 3_600.0
ENDS_WITHIN_S = 5.0
# A take by its content: enough to tell those of one session apart.
_TAKE_LETTERS = 16


@dataclass(frozen=True)
class SessionAudio:
    """A file of a session as a route sends it: on this disk, or a key of the store."""

    path: Path | None
    key: str


class VoiceAnswers:
    """`sound` and `library` are what is open of these; `search` gives what is searched now."""

    def __init__(
        self,
        library: Library,
        sound: SoundAnswers,
        search: Callable[[], SoundSearch],
        lyrics: LyricsSources,
        audio_s: float,
    ) -> None:
        self.library, self._sound, self._search = library, sound, search
        self._audio_s = audio_s
        self._sessions, self._jobs = Sessions(library.database), VoiceJobs(library.database)
        self._lyrics = lyrics
        self._asking = asyncio.Semaphore(LYRICS_AT_ONCE)
        self._known_lyrics: dict[int, tuple[float, Found]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ENDS_WITHIN_S)

    # --- a session

    async def start(self, asked: Asked) -> Begun:
        """Raises `TrackNotFound`, `AudioNotFound`, and what a link is refused for."""
        session_id, owner = new_id(), current_caller()
        reference = await self._reference(session_id, asked)
        session = await self.library.patiently(
            lambda: self._sessions.start(session_id, owner, reference)
        )
        self._begin(session.preparing)
        return told.begun(session, "status")

    async def replace(self, session_id: str, asked: Asked) -> Begun:
        """Another sound for the reference. Raises as `start`, and `SessionNotFound`,
        `SessionNotReady`, `AudioExpired`."""
        await self._with_audio(session_id)
        reference = await self._reference(session_id, asked)
        session = await self.library.patiently(
            lambda: self._sessions.replace(session_id, current_caller(), reference)
        )
        self._begin(session.preparing)
        return told.begun(session, "status")

    async def status(self, session_id: str) -> SessionModel:
        return await self._model(await self._session(session_id))

    async def check_may_record(self, session_id: str) -> None:
        """Before a body is read. Raises `SessionNotFound`, `SessionNotReady`, `AudioExpired`."""
        session = await self._with_audio(session_id)
        if session.judging is not None and session.judging.is_active:
            raise SessionNotReady(
                "The recording before this one is being judged. Wait until that has ended."
            )

    async def record(self, session_id: str, file: Received) -> SessionModel:
        """A take that came, in the place of the one before. Raises as `check_may_record`, and
        `QuotaExceeded`."""
        before = await self._with_audio(session_id)
        await self.library.quota.send(current_caller(), file.size)
        take = file.sha256[:_TAKE_LETTERS]
        folder = f"{folder_of(session_id)}/{take}"
        recording = Recording(take, f"{folder}/recording", file.size)
        await asyncio.to_thread(self.library.objects.put, recording.key, file.path)
        try:
            session = await self.library.patiently(
                lambda: self._sessions.record(session_id, current_caller(), recording)
            )
        except ShazamError:
            if before.take != take:
                await asyncio.to_thread(delete_folder, self.library.objects, folder)
            raise
        if before.take not in (None, take):
            self._beside(self._delete(f"{folder_of(session_id)}/{before.take}"))
        return await self._model(session)

    async def analyze(self, session_id: str, wish: Wish) -> Begun:
        """Raises `SessionNotFound`, `SessionNotReady`, `AudioExpired`."""
        session = await self.library.patiently(
            lambda: self._sessions.analyze(session_id, current_caller(), wish)
        )
        self._begin(session.judging)
        return told.begun(session, "analysis-status")

    async def analysis(self, session_id: str) -> AnalysisModel:
        return told.analysis_model(await self._session(session_id))

    async def results(
        self, session_id: str, language: Language | None, analysis: int | None
    ) -> ResultsModel:
        """What a template comments in `language`, or in that of the analysis; of the last one, or
        of that which is asked for. Raises `SessionNotFound`, `SessionNotReady`."""
        if analysis is not None:
            past = await self._sessions.analyzed(session_id, current_caller(), analysis)
            return told.results_model(past, language)
        session = await self._session(session_id)
        if session.results is not None:
            return told.results_model(session, language)
        if session.has_no_reference:
            raise SessionNotReady(NO_REFERENCE)
        if session.state == "failed":
            error = session.told.error if session.told else None
            raise SessionNotReady(f"Nothing could be judged: {error.message if error else ''}")
        if session.state == "analyzing":
            raise SessionNotReady("The recording is being judged. Ask for its results shortly.")
        raise SessionNotReady(
            "Nothing was judged in this session yet. Send a recording, then ask for analyze."
        )

    async def history(self, limit: int) -> History:
        found = await self._sessions.history(current_caller(), limit)
        return History(results=[told.past_result(one) for one in found])

    async def delete(self, session_id: str) -> Removed:
        """It, its audio, and what came of it. Raises `SessionNotFound`."""
        await self._sessions.delete(session_id, current_caller())
        await self._delete(folder_of(session_id))
        return Removed(session_id=session_id)

    # --- its words

    async def lyrics(self, session_id: str) -> LyricsModel:
        """Raises `SessionNotFound`, `SessionNotReady`, `LyricsNotFound`."""
        session = await self._session(session_id)
        lyrics, preparing = session.lines(), session.preparing
        if lyrics is not None:
            return told.lyrics_model(lyrics, session.lyrics_offset_s)
        if preparing is not None and preparing.is_active:
            raise SessionNotReady("The words of this song are being looked for. Ask again shortly.")
        raise no_words("this song", session.title, self._lyrics.asked())

    async def offset(self, session_id: str) -> OffsetModel:
        return OffsetModel(offset_s=(await self._session(session_id)).lyrics_offset_s)

    async def move_lyrics(self, session_id: str, seconds: float) -> OffsetModel:
        session = await self._sessions.move_lyrics(session_id, current_caller(), seconds)
        return OffsetModel(offset_s=session.lyrics_offset_s)

    async def track_lyrics(self, track_id: int) -> LyricsModel:
        """Of any track. Raises `TrackNotFound`, `LyricsNotFound`."""
        track = self._sound.track(track_id)
        kept_at, found = self._known_lyrics.get(track_id, (0.0, Found(None)))
        if time.monotonic() - kept_at > LYRICS_KEPT_S or not kept_at:
            song = Song(track.title, track.artist, track.album, track.duration_s)
            async with self._asking:
                found = await asyncio.to_thread(self._lyrics.find, song, LYRICS_WITHIN_S)
            self._keep_lyrics(track_id, found)
        if found.lyrics is None:
            asked = self._lyrics.asked()
            raise no_words(f"track {track_id}", track.title, asked, found.silent)
        return told.lyrics_model(found.lyrics, 0.0)

    def _keep_lyrics(self, track_id: int, found: Found) -> None:
        """Who did not answer may do so soon: that is asked again."""
        if found.silent:
            return
        if len(self._known_lyrics) >= LYRICS_KEPT:
            self._known_lyrics.pop(next(iter(self._known_lyrics)))
        self._known_lyrics[track_id] = time.monotonic(), found

    async def word_times(self, track_id: int) -> WordsModel:
        """Raises `TrackNotFound`, `LyricsNotFound`."""
        self._sound.track(track_id)
        job = await self._jobs.of_track(track_id)
        if job is None or job.state != "done" or job.result is None:
            raise LyricsNotFound(
                f"Nobody has listened to the words of track {track_id} yet. Ask for them by "
                "/api/lyrics/word-timestamps/generate."
            )
        return WordsModel(
            track_id=track_id,
            language=job.result.get("language"),
            words=job.result.get("words") or [],
        )

    async def hear_words(self, track_id: int, missing: str | None) -> TaskModel:
        """Raises `TrackNotFound`, `AudioNotFound`, `PartUnavailable`."""
        if missing is not None:
            raise PartUnavailable(f"Words are not heard here: {missing}")
        _, source = await self._of_track(track_id)
        job = await self.library.patiently(
            lambda: self._jobs.add_words(current_caller(), track_id, source)
        )
        self._begin(job)
        return told.task_model(job)

    async def task(self, task_id: str) -> TaskModel:
        """Raises `JobNotFound`."""
        job = await self._jobs.get(task_id, None)
        self._sound.track(job.track_id or 0)  # whoever may not see the track may not see this
        return told.task_model(job)

    # --- its audio

    async def audio(self, session_id: str) -> AudioModel:
        """What can be heard. Raises `SessionNotFound`."""
        session = await self._session(session_id)
        if session.silent_at is not None:
            return AudioModel(user=[], ref=[])
        mine = {} if session.take is None else {what: _mine(session, what) for what in told.STEMS}
        theirs = told.reference_audio(session)
        return AudioModel(user=await self._there(mine), ref=await self._there(theirs))

    async def _there(self, keys: Mapping[What, str]) -> list[What]:
        """What of these can be handed out."""
        sizes = await asyncio.to_thread(self.library.objects.sizes, keys.values())
        return [what for what, key in keys.items() if sizes.get(key)]

    async def one_audio(self, session_id: str, who: Who, what: What) -> SessionAudio:
        """Raises `SessionNotFound`, `AudioExpired`, `AudioNotFound`, `AudioNotShared`."""
        session = await self._with_audio(session_id)
        if who == "ref" and not session.audio_shared:
            raise AudioNotShared(
                "The licence of this reference does not let this service hand out its audio."
            )
        key = told.reference_key(session, what) if who == "ref" else _mine(session, what)
        objects = self.library.objects
        if key is None or not await asyncio.to_thread(objects.are_whole, [key]):
            raise AudioNotFound(
                f"There is no {who}/{what} in this session (yet). See /api/audio/{session_id}"
                "/tracks for what there is."
            )
        return SessionAudio(objects.path(key), key)

    async def size(self, key: str) -> int:
        return await asyncio.to_thread(self.library.objects.size, key)

    def read(self, key: str, at: int, size: int) -> bytes:
        """Some bytes of an object; not for an event loop."""
        return self.library.objects.read(key, at, at + size)

    # --- what there is to sing

    async def tracks(self, q: str | None, limit: int) -> TracksModel:
        """Those with audio that may be heard."""
        page = await self._sound.tracks(0, limit, q=q, heard=True)
        return TracksModel(total=page.total, tracks=page.tracks)

    def track(self, track_id: int) -> Any:
        """Raises `TrackNotFound`."""
        return self._sound.track(track_id)

    async def recent(self, limit: int) -> TracksModel:
        """What this caller sang beside, the last first; of what is gone by now nothing."""
        ids = await self._sessions.recent_tracks(current_caller())
        found = await asyncio.to_thread(self._search().seen_by(current_caller()).tracks, ids)
        there = [track_id for track_id in ids if track_id in found]
        return TracksModel(total=len(there), tracks=[self.track(one) for one in there[:limit]])

    # --- inside

    async def _model(self, session: Session) -> SessionModel:
        audio = await self._there(told.reference_audio(session))
        return told.session_model(session, self._audio_s, audio)

    async def _session(self, session_id: str) -> Session:
        return await self._sessions.get(session_id, current_caller())

    async def _with_audio(self, session_id: str) -> Session:
        session = await self._session(session_id)
        if session.silent_at is not None:
            raise AudioExpired(EXPIRED)
        return session

    async def _reference(self, session_id: str, asked: Asked) -> Reference:
        """What was asked for, its file in the store."""
        if asked.file is not None:
            await self.library.quota.send(current_caller(), asked.file.size)
            name = f"reference-{asked.file.sha256[:_TAKE_LETTERS]}"
            key = f"{folder_of(session_id)}/{name}/source"
            await asyncio.to_thread(self.library.objects.put, key, asked.file.path)
            source = {"kind": "file", "key": key, "sha256": asked.file.sha256}
            return _named(asked, {**source, "called": asked.file_called})
        if asked.url is not None:
            await asyncio.to_thread(self.library.sources.check, asked.url, None)
            await self.library.quota.send(current_caller(), 0)
            return _named(asked, {"kind": "link", "url": asked.url})
        assert asked.track_id is not None
        track, source = await self._of_track(asked.track_id)
        return Reference(
            source,
            title=asked.title or track.title,
            artist=asked.artist or track.artist,
            album=track.album,
            bpm=track.bpm,
            track_id=track.track_id,
            audio_shared=track.audio_shared,
            words=asked.lyrics,
        )

    async def _of_track(self, track_id: int) -> tuple[Track, dict[str, Any]]:
        """A track, and where its sound is for a worker. Raises `TrackNotFound`, `AudioNotFound`."""
        search = self._search()
        track = await asyncio.to_thread(search.seen_by(current_caller()).track, track_id)
        if self._sound.is_held(track_id):
            sample = await self.library.samples.get(track_id, current_caller())
            told_of = {"kind": "sample", "key": sample.objects["wav"], "sha256": sample.sha256}
            return track, told_of
        files = search.artifact.manifest.files
        if track.audio is not None and track.audio in files:
            entry = files[track.audio]
            return track, {"kind": "artifact", "name": track.audio, "sha256": entry.sha256}
        if track.url is not None:
            return track, {"kind": "link", "url": track.url, "lasting": True}
        raise AudioNotFound(f"There is no audio of track {track_id} here.")

    def _begin(self, job: VoiceJob | None) -> None:
        """Tell the workers of a job that is queued; nobody waits for that."""
        if job is not None and job.state == "queued":
            self._beside(self._start(job))

    async def _start(self, job: VoiceJob) -> None:
        # It is written down: where workers cannot be told, they find it themselves.
        with contextlib.suppress(DatabaseUnavailable):
            if await self._jobs.may_begin(job.job_id):
                await self.library.pipeline.start(job.job_id, job.attempt, *queue_of(job))
                await self._jobs.enqueued(job.job_id, job.attempt)

    async def _delete(self, folder: str) -> None:
        try:
            await asyncio.to_thread(delete_folder, self.library.objects, folder)
        except ShazamError as error:
            logger.warning("audio is left to who removes it in time: %s", error.message)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """What an answer does not wait for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("what an answer did not wait for failed", exc_info=task.exception())


def _mine(session: Session, what: What) -> str:
    """Where a part of the take that came last is, once there is one."""
    return f"{folder_of(session.session_id)}/{session.take}/{what}.flac"


def _named(asked: Asked, source: dict[str, Any]) -> Reference:
    return Reference(source, title=asked.title, artist=asked.artist, words=asked.lyrics)
