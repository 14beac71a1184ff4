"""The steps of a reference and of a take: keys of objects → keys of objects and facts, as JSON.

Each may run twice: what it writes has one name for one content, and is written before it ends. A
part whose models are not there tells so, and what needs it is not measured: that is no failure.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.base.errors import (
    AudioNotFound,
    EmptyFile,
    InvalidRequest,
    ObjectDamaged,
    ObjectNotFound,
    SessionNotFound,
    UnreadableAudio,
)
from engine.base.files import file_sha256
from engine.library.pipeline.line import Task, Told
from engine.library.pipeline.pool import Cancelled
from engine.library.sources.source import FetchCancelled, Fetched, Limits
from engine.voice.lyrics.given import given
from engine.voice.lyrics.lines import Lyrics
from engine.voice.lyrics.song import Song
from engine.voice.pipeline.kit import Kit
from engine.voice.pipeline.named import VERSION
from engine.voice.records import Session, VoiceJob
from engine.voice.references import Reference
from engine.voice.sessions import folder_of
from engine.voice.settings import MOST_S

ORIGINAL, VOCALS, INSTRUMENTALS = "original.flac", "vocals.flac", "instrumentals.flac"
PITCH, MELODY, ALIGNMENT = "pitch.npz", "melody.npz", "alignment.npz"
FLAC = "audio/flac"
# A task may take so many seconds, and so many more for each second of the recording.
LIMITS = {
    "separate": (120.0, 2.0),
    "listen": (120.0, 1.0),
    "words": (120.0, 2.0),
    "align": (60.0, 1.0),
    "score": (60.0, 0.5),
}
GONE = "What was made of the reference is gone. Begin a new session."
DAMAGED = "A file that was kept for this session is damaged. Begin a new session."
# Before it is decoded nobody knows how long it is.
RECEIVE_S = 300.0


@dataclass(frozen=True)
class Work:
    """One step of one attempt of a job, and what those before it told."""

    kit: Kit
    task: Task

    @property
    def job(self) -> VoiceJob:
        job: VoiceJob = self.task.job
        return job

    @property
    def told(self) -> dict[str, Told]:
        return self.task.told

    def session(self) -> Session:
        """Whose job this is. Raises `Cancelled` where it is gone, or its audio is."""
        kit, session_id = self.kit, self.job.session_id or ""
        try:
            session = kit.bench.rows(lambda: kit.sessions.get(session_id, None))
        except SessionNotFound:
            raise Cancelled(self.job.workflow_id) from None
        if session.silent_at is not None:
            raise Cancelled(self.job.workflow_id)
        return session

    def reference(self, reference_id: str) -> Reference:
        found = self.kit.bench.rows(lambda: self.kit.references.get(reference_id))
        if found is None:
            raise ObjectNotFound(GONE)
        return found

    def path(self, name: str) -> Path:
        """Where a child writes what will be an object."""
        return self.kit.bench.folder(self.job.job_id) / name

    def keep(self, keys: Mapping[str, str]) -> None:
        """Put files that a child wrote, by their names, under these keys. Raises `Cancelled`, and
        keeps nothing of a take, where its session was deleted meanwhile."""
        objects = self.kit.bench.objects
        for name, key in keys.items():
            media_type = FLAC if name.endswith(".flac") else "application/octet-stream"
            objects.put(key, self.path(name), media_type=media_type)
        if self.job.kind != "take":
            return
        try:
            self.session()
        except Cancelled:
            for key in keys.values():
                objects.delete(key)
            raise

    @contextlib.contextmanager
    def at_hand(self, *keys: str | None) -> Iterator[list[str | None]]:
        """Objects as paths of files not to be changed; None stays None."""
        with contextlib.ExitStack() as stack:
            bench, into = self.kit.bench, self.kit.bench.folder(self.job.job_id)
            yield [
                None if key is None else str(stack.enter_context(bench.objects.local(key, into)))
                for key in keys
            ]

    @contextlib.contextmanager
    def sent(self, key: str, digest: str) -> Iterator[Path]:
        """What a caller sent, as a file, where its sha256 begins with `digest` as it did then: what
        is empty or another by now was damaged here."""
        bench = self.kit.bench
        with bench.objects.local(key, bench.folder(self.job.job_id)) as path:
            if not (path.stat().st_size and file_sha256(path).startswith(digest)):
                raise ObjectDamaged(DAMAGED)
            yield path

    def receive(self, source: Path) -> Told:
        """What somebody sent, or a link brought → `ORIGINAL`."""
        original = str(self.path(ORIGINAL))
        return self._child("received", 0.0, source=str(source), original=original, max_s=MOST_S)

    def hear(self, task: str, duration_s: float, **arguments: Any) -> Told:
        """Of objects that we made: whoever sent the recording is not to blame where one of them
        cannot be read."""
        try:
            return self._child(task, duration_s, **arguments)
        except (InvalidRequest, UnreadableAudio) as error:
            raise ObjectDamaged(DAMAGED) from error

    def _child(self, task: str, duration_s: float, **arguments: Any) -> Told:
        fixed, each = LIMITS.get(task, (RECEIVE_S, 0.0))
        return self.kit.bench.pool.run(
            self.job.workflow_id,
            task,
            arguments,
            seconds=fixed + each * duration_s,
            report=self.task.report,
            wanted=self.task.wanted,
        )


# --- the reference: each step is remembered by its content


def fetch(work: Work) -> Told:
    """What is sung beside, wherever it is → FLAC, and what was made of the same content before."""
    with _found(work) as (path, sha256, lasting):
        rows, references = work.kit.bench.rows, work.kit.references
        reference = rows(lambda: references.of_content(sha256, lasting=lasting))
        told = _remembered(work, reference, "fetch")
        if told is None:
            key = reference.key(ORIGINAL)
            facts = work.receive(path)
            work.keep({ORIGINAL: key})
            told = {**facts, "sha256": sha256, "objects": {"original": key}}
            _remember(work, reference, "fetch", told)
    _name(work, reference, told)
    return {**told, "reference_id": reference.reference_id}


def _name(work: Work, reference: Reference, told: Told) -> None:
    """Tell the session what it is about, as soon as that is known; a file that does not say its
    title is called by its own name."""
    session_id = work.job.session_id
    if session_id is None:
        return
    sessions, rows = work.kit.sessions, work.kit.bench.rows
    tags = told.get("tags") or {}
    called = {**tags, "title": tags.get("title") or work.session().source.get("called")}
    rows(lambda: sessions.described(session_id, called))
    if not rows(lambda: sessions.known_reference(session_id, reference.reference_id)):
        raise Cancelled(work.job.workflow_id)


@contextlib.contextmanager
def _found(work: Work) -> Iterator[tuple[Path, str, bool]]:
    """The sound of a reference as a file at hand, the sha256 of its content, and whether that is an
    artifact's track, which stays."""
    job = work.job
    source = job.asked if job.session_id is None else work.session().source
    kind = source["kind"]
    if kind == "link":
        path, lasting = _follow(work, source["url"]), bool(source.get("lasting"))
        if not lasting:
            _count(work, path.stat().st_size)
        yield path, file_sha256(path), lasting
    elif kind == "artifact":
        yield _of_artifact(work, source), source["sha256"], True
    else:
        # The digest of a sample is that of what was sent, not of the sound that was made of it.
        digest = source["sha256"] if kind == "file" else ""
        with work.sent(source["key"], digest) as path:
            yield path, source["sha256"], False


def _count(work: Work, size: int) -> None:
    """What a caller's own link brought is of their quota, as what they send is."""
    kit, owner = work.kit, work.job.owner
    kit.bench.rows(lambda: kit.quota.bring(owner, size))


def _of_artifact(work: Work, source: Mapping[str, Any]) -> Path:
    """A file of the artifact that is served; workers have the same one."""
    path: Path = work.kit.bench.artifact / str(source["name"])
    if not path.is_file() or file_sha256(path) != source["sha256"]:
        raise AudioNotFound(
            "The worker's artifact does not hold the audio of this track. Serve both from the same."
        )
    return path


def _follow(work: Work, url: str) -> Path:
    bench, settings = work.kit.bench, work.kit.bench.settings
    into = Path(tempfile.mkdtemp(prefix="fetched-", dir=bench.folder(work.job.job_id)))
    limits = Limits(
        settings.max_source_bytes, MOST_S, settings.source_timeout_s, work.task.unwanted
    )
    try:
        found = bench.sources.fetch(url, into, limits)
    except FetchCancelled:
        raise Cancelled(work.job.workflow_id) from None
    if not found.path.stat().st_size:
        raise EmptyFile("There are 0 bytes behind this link. Send one to a recording.")
    _describe(work, found)
    return found.path


def _describe(work: Work, found: Fetched) -> None:
    session_id = work.job.session_id
    if session_id is not None:
        told = {name: getattr(found, name) for name in ("title", "artist", "album")}
        if not found.audio_shared:
            told["audio_shared"] = False
        work.kit.bench.rows(lambda: work.kit.sessions.described(session_id, told))


def separate_reference(work: Work) -> Told:
    """The reference's voice, and the rest."""
    fetched = work.told["fetch"]
    reference = work.reference(fetched["reference_id"])
    told = _remembered(work, reference, "separate_reference")
    if told is None:
        told = _separated(work, fetched, reference.key)
        if "missing" not in told:  # models that come later are asked then
            _remember(work, reference, "separate_reference", told)
    return told


def pitch_reference(work: Work) -> Told:
    """Its melody, and the curve that a singer sees beforehand."""
    fetched, separated = work.told["fetch"], work.told["separate_reference"]
    reference = work.reference(fetched["reference_id"])
    told = _remembered(work, reference, "pitch_reference")
    by_voice = "missing" not in separated
    if told is None or told["by_voice"] != by_voice or _may_hear_more(work, told):
        key = reference.key(MELODY)
        told = {**_listened(work, fetched, separated, key), "by_voice": by_voice}
        _remember(work, reference, "pitch_reference", told)
    return told


def _may_hear_more(work: Work, told: Told) -> bool:
    """Models of pitch came after this was heard."""
    return not told["pitch"] and work.kit.absent("pitch") is None


def lyrics(work: Work) -> Told:
    """The words: as they were sent, else of the first source that has them."""
    session = work.session()
    found = given(session.words)
    if found is None:
        duration_s = work.told["fetch"]["duration_s"]
        song = Song(session.title, session.artist, session.album, duration_s)
        found = work.kit.lyrics.find(song).lyrics
    kit = work.kit
    if not kit.bench.rows(lambda: kit.sessions.found_lyrics(session.session_id, found)):
        raise Cancelled(work.job.workflow_id)
    return {"source": found and found.source, "lines": len(found.lines) if found else 0}


def words_reference(work: Work) -> Told:
    """When each word of a track is sung, as it is heard: for who asks that, and for singers, of
    whom no word is asked that is not heard in the reference either."""
    kit, job = work.kit, work.job
    told = _words_of_reference(work) if job.kind == "words" or work.told["lyrics"]["lines"] else {}
    if job.kind == "words" and not kit.bench.rows(
        lambda: kit.jobs.tell(job.job_id, job.attempt, told)
    ):
        raise Cancelled(job.workflow_id)
    kit.bench.clear(job.job_id)
    return {"words": len(told.get("words") or [])}


def _words_of_reference(work: Work) -> Told:
    fetched, separated = work.told["fetch"], work.told["separate_reference"]
    reference = work.reference(fetched["reference_id"])
    told = _remembered(work, reference, "words_reference")
    if told is None:
        told = _worded(work, fetched, separated, None, None)
        if "missing" not in told:
            _remember(work, reference, "words_reference", told)
    return told


# --- the take


def separate_user(work: Work) -> Told:
    """The recording → FLAC, then the singer's voice and the rest."""
    recording, key = _recording(work), _take_key(work)
    with work.sent(recording["key"], recording["take"]) as source:
        facts = work.receive(source)
    work.keep({ORIGINAL: key(ORIGINAL)})
    received = {**facts, "objects": {"original": key(ORIGINAL)}}
    separated = _separated(work, received, key)
    objects = {**received["objects"], **separated.get("objects", {})}
    return {**received, **separated, "objects": objects}


def _recording(work: Work) -> Mapping[str, Any]:
    recording = work.session().recording
    if recording is None or recording["take"] != work.job.asked["take"]:
        raise Cancelled(work.job.workflow_id)
    return recording


def _take_key(work: Work) -> Callable[[str], str]:
    """Keys of what is made of this take."""
    folder = f"{folder_of(work.job.session_id or '')}/{work.job.asked['take']}"
    return lambda name: f"{folder}/{name}"


def pitch(work: Work) -> Told:
    """The singer's melody."""
    separated = work.told["separate_user"]
    return _listened(work, separated, separated, _take_key(work)(MELODY))


def words(work: Work) -> Told:
    """What was sung, as it is heard; nobody listens where there are no words to compare with."""
    known = work.session().lines()
    if known is None:
        return {"missing": "Nobody told the words of this song."}
    separated = work.told["separate_user"]
    # A language is found out in each of them, and once in a while another one in either.
    heard = work.reference(work.session().reference_id or "").facts.get("words_reference", {})
    return _worded(work, separated, separated, heard.get("language"), known)


def align(work: Work) -> Told:
    """When each moment of the reference was sung."""
    key = _take_key(work)(ALIGNMENT)
    mine, theirs, _ = _melodies(work)
    with work.at_hand(mine, theirs) as [user, reference]:
        told = work.hear(
            "align",
            _duration_s(work),
            user_melody=user,
            reference_melody=reference,
            alignment=str(work.path(ALIGNMENT)),
        )
    work.keep({ALIGNMENT: key})
    return {**told, "objects": {"alignment": key}}


def score(work: Work) -> Told:
    """The number, its parts, phrase by phrase; no language model is asked."""
    session, asked = work.session(), work.job.asked
    mine, theirs, facts = _melodies(work)
    heard = work.told["words"]
    alignment = work.told["align"]["objects"]["alignment"]
    confidences = {
        "user": work.told["separate_user"].get("confidence"),
        "reference": facts.get("separate_reference", {}).get("confidence"),
    }
    with work.at_hand(mine, theirs, alignment) as [user, reference, aligned]:
        results = work.hear(
            "score",
            _duration_s(work),
            user_melody=user,
            reference_melody=reference,
            alignment=aligned,
            words=to_the_end(heard),
            lyrics=_lines(session.lines(), facts["fetch"]["duration_s"]),
            reference_words=facts.get("words_reference", {}).get("words"),
            transposition=int(asked.get("transposition", 0)),
            offset_s=0.0,
            separation=confidences,
        )
    return {"results": results}


def to_the_end(heard: Told) -> list[dict[str, Any]] | None:
    """The words, unless the time was up: what was not listened to would count as not sung."""
    found: list[dict[str, Any]] | None = heard.get("words")
    return found if heard.get("complete", True) else None


def jury(work: Work) -> Told:
    """What three say of it; then all that came of the take is written down."""
    session, results = work.session(), work.told["score"]["results"]
    language = work.job.asked.get("language", "en")
    comments = work.kit.jury.comments(results, session.title, session.artist, language)
    whole = {**results, "language": language, "jury": comments, "take": work.job.asked["take"]}
    kit = work.kit
    told = (session.session_id, work.job.attempt, whole)
    if not kit.bench.rows(lambda: kit.sessions.judged(*told)):
        raise Cancelled(work.job.workflow_id)
    kit.bench.clear(work.job.job_id)
    return {"by": [one["by"] for one in comments]}


def _melodies(work: Work) -> tuple[str, str, Mapping[str, Told]]:
    """The key of the singer's, that of the reference's, and what was told of the reference."""
    reference = work.reference(work.session().reference_id or "")
    if _remembered(work, reference, "pitch_reference") is None:
        raise ObjectNotFound(GONE)
    mine = work.told["pitch"]["objects"]["melody"]
    return mine, reference.key(MELODY), reference.facts


def _duration_s(work: Work) -> float:
    return float(work.told["separate_user"]["duration_s"])


def _lines(found: Lyrics | None, duration_s: float) -> list[dict[str, Any]] | None:
    return None if found is None else [asdict(line) for line in found.within(duration_s).lines]


# --- what both are made of


def _separated(work: Work, received: Told, key: Callable[[str], str]) -> Told:
    """A recording's voice and the rest, under keys of this folder; `missing` where nothing here can
    tell them apart."""
    if why := work.kit.absent("separation"):
        return {"missing": why, "objects": {}}
    with work.at_hand(received["objects"]["original"]) as [original]:
        told = work.hear(
            "separate",
            received["duration_s"],
            source=original,
            vocals=str(work.path(VOCALS)),
            instrumentals=str(work.path(INSTRUMENTALS)),
            pitch=str(work.path(PITCH)),
            models=str(work.kit.models),
        )
    names = {"vocals": VOCALS, "instrumentals": INSTRUMENTALS}
    if told["pitched"]:
        names["pitch"] = PITCH
    work.keep({name: key(name) for name in names.values()})
    return {**told, "objects": {what: key(name) for what, name in names.items()}}


def _stems(received: Told, separated: Told) -> tuple[str, str | None]:
    """The key of a voice, and that of the rest; where nothing told them apart, all of it is the
    voice."""
    objects = separated.get("objects", {})
    return objects.get("vocals") or received["objects"]["original"], objects.get("instrumentals")


def _listened(work: Work, received: Told, separated: Told, key: str) -> Told:
    known = separated.get("objects", {}).get("pitch")
    with work.at_hand(*_stems(received, separated), known) as [vocals, instrumentals, pitch]:
        told = work.hear(
            "listen",
            received["duration_s"],
            vocals=vocals,
            instrumentals=instrumentals,
            pitch=pitch,
            melody=str(work.path(MELODY)),
            models=str(work.kit.models),
        )
    work.keep({MELODY: key})
    return {**told, "objects": {"melody": key}}


def _worded(
    work: Work, received: Told, separated: Told, language: str | None, lyrics: Lyrics | None
) -> Told:
    if why := work.kit.absent("words"):
        return {"missing": why}
    with work.at_hand(*_stems(received, separated)) as [vocals, instrumentals]:
        return work.hear(
            "words",
            received["duration_s"],
            vocals=vocals,
            instrumentals=instrumentals,
            models=str(work.kit.models),
            language=language,
            lyrics=[] if lyrics is None else [line.text for line in lyrics.lines],
        )


def _remembered(work: Work, reference: Reference, step: str) -> Told | None:
    """What a step told of this content before, where that is of this version and still whole."""
    told = reference.facts.get(step)
    if told is None or told.get("version") != VERSION:
        return None
    keys = told.get("objects", {}).values()
    return told if work.kit.bench.objects.are_whole(keys, told.get("seals")) else None


def _remember(work: Work, reference: Reference, step: str, told: Told) -> None:
    seals = work.kit.bench.objects.seals(told.get("objects", {}).values())
    value = {**told, "version": VERSION, "seals": seals}
    references = work.kit.references
    work.kit.bench.rows(lambda: references.tell(reference.reference_id, step, value))


RUN: dict[str, Callable[[Work], Told]] = {
    "fetch": fetch,
    "separate_reference": separate_reference,
    "pitch_reference": pitch_reference,
    "lyrics": lyrics,
    "words_reference": words_reference,
    "separate_user": separate_user,
    "pitch": pitch,
    "words": words,
    "align": align,
    "score": score,
    "jury": jury,
}
