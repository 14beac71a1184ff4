"""The steps of a job: keys of objects → keys of objects and facts, as JSON.

Each may run twice: what it writes has the name of its content, and it is written before the step
ends. What a step tells is what the next ones know; files of this machine are only at hand.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.base.errors import EmptyFile, Internal, ObjectNotFound, StorageUnavailable
from engine.base.files import file_sha256
from engine.base.texts import as_one_line, is_blank
from engine.library.creators import Creator
from engine.library.jobs import Job
from engine.library.pipeline.bench import Bench
from engine.library.pipeline.pool import Cancelled
from engine.library.sources.source import Creator as Maker
from engine.library.sources.source import FetchCancelled, Fetched, Limits

Told = dict[str, Any]

# A step may take so many seconds, and so many more for each second of the recording.
LIMITS = {"analyse": (60.0, 1.0), "waveform": (60.0, 0.25), "listen": (120.0, 1.0)}
# Before it is decoded nobody knows how long it is; 12 s of a core decode a minute and a half.
DECODE_S, DECODE_PER_S = 120.0, 0.5
# Another job that holds the same content is waited for.
_ASK_AGAIN_S, _MOST_WAITS_S = 1.0, 900.0

MEDIA_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", "png": "image/png"}


@dataclass(frozen=True)
class Work:
    """One step of one attempt of a job, and what those before it told."""

    bench: Bench
    job: Job
    told: dict[str, Told]
    report: Callable[[float], None]
    unwanted: threading.Event

    def wanted(self) -> bool:
        return not self.unwanted.is_set()

    @property
    def sha256(self) -> str:
        return str(self.told["fetch"]["sha256"])

    def key(self, name: str) -> str:
        """Of the object `name` of this content."""
        return f"audio/{self.sha256}/{name}"

    def path(self, name: str) -> Path:
        """Where a child writes what will be the object `name`."""
        return self.bench.folder(self.job.job_id) / name

    def keep(self, *names: str) -> dict[str, str]:
        """Put files that a child wrote; their keys by name."""
        for name in names:
            media_type = MEDIA_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
            self.bench.objects.put(self.key(name), self.path(name), media_type=media_type)
        return {name: self.key(name) for name in names}

    def child(self, task: str, seconds: float, **arguments: Any) -> Told:
        return self.bench.pool.run(
            self.job.workflow_id,
            task,
            arguments,
            seconds=seconds,
            report=self.report,
            wanted=self.wanted,
        )

    def seconds(self, step: str) -> float:
        fixed, each = LIMITS[step]
        return fixed + each * float(self.told["decode"]["duration_s"])


def fetch(work: Work) -> Told:
    """An upload is there already; a link is followed. Then the content is this job's, or another's
    who has it: `same`."""
    if work.job.url is not None:
        return _follow(work, work.job.url)
    if work.job.sha256 is None:
        raise Internal("A job without a file and without a link.")
    return _held(work, work.job.sha256, work.job.size or 0)


def _follow(work: Work, url: str) -> Told:
    bench, job = work.bench, work.job
    into = Path(tempfile.mkdtemp(prefix="fetched-", dir=bench.folder(job.job_id)))
    settings = bench.settings
    limits = Limits(
        *(settings.max_source_bytes, settings.max_source_s, settings.source_timeout_s),
        cancelled=work.unwanted,
        report=work.report,
    )
    name = job.source if job.source in bench.sources.states() else None
    try:
        found = bench.sources.fetch(url, into, limits, name)
    except FetchCancelled:
        raise Cancelled(job.workflow_id) from None
    size = found.path.stat().st_size
    if not size:
        raise EmptyFile("There are 0 bytes behind this link. Send one to a recording.")
    told = _held(work, file_sha256(found.path), size)
    if "same" not in told:
        # Nothing of a content is stored before it is this job's.
        bench.objects.put(f"audio/{told['sha256']}/source", found.path, sha256=told["sha256"])
        found.path.replace(work.path("source"))
        _describe(work, found)
    return told


def _describe(work: Work, found: Fetched) -> None:
    """What a source told of a link goes into the sample's row, and who made it into theirs."""
    bench, job = work.bench, work.job
    names = ("title", "artist", "album", "year", "genre", "licence", "audio_shared")
    said = {name: getattr(found, name) for name in names}
    maker = found.creator
    if maker is not None:
        said["creator"] = maker.name or maker.handle
        _keep(bench, maker)
    said |= {"media_type": found.media_type, "picture_url": found.picture_url}
    told = {name: value for name, value in said.items() if value is not None}
    if not bench.rows(lambda: bench.samples.describe(job.job_id, job.attempt, told)):
        raise Cancelled(job.workflow_id)


def _keep(bench: Bench, maker: Maker) -> None:
    """Asked for again where it was not for seven days."""
    if bench.rows(lambda: bench.creators.known(maker.source, maker.handle)) is None:
        now = bench.sources.creator(maker)
        kept = Creator(maker.source, maker.handle, now.name, now.url, now.facts)
        bench.rows(lambda: bench.creators.keep(kept))


def _held(work: Work, sha256: str, size: int) -> Told:
    """The content as it is told; `same`, the track's id, where the library holds it already."""
    deadline = time.monotonic() + _MOST_WAITS_S
    jobs, job = work.bench.jobs, work.job
    while time.monotonic() < deadline:
        content = work.bench.rows(lambda: jobs.content(job.job_id, job.attempt, sha256, size))
        if content is None or not work.wanted():
            raise Cancelled(job.workflow_id)
        if content.held == "ready":
            return {"sha256": sha256, "size": size, "same": content.track_id}
        if content.held == "own":
            return {"sha256": sha256, "size": size}
        work.unwanted.wait(_ASK_AGAIN_S)
    raise Internal("Another job is at the same file, and does not end. Try again later.")


def decode(work: Work) -> Told:
    """The source → WAV, MP3, a preview."""
    longest_s = work.bench.settings.max_source_s
    wav, mp3, short = "audio.wav", "audio.mp3", "preview.mp3"
    with work.bench.at_hand(work.job.job_id, *_sources(work)) as source:
        facts = work.child(
            "decode",
            DECODE_S + DECODE_PER_S * longest_s,
            source=str(source),
            wav=str(work.path(wav)),
            mp3=str(work.path(mp3)),
            short=str(work.path(short)),
            max_s=longest_s,
        )
    kept = work.keep(wav, mp3, short)
    return {**facts, "objects": {"wav": kept[wav], "mp3": kept[mp3], "preview": kept[short]}}


def _sources(work: Work) -> tuple[str, ...]:
    """Where the bytes may be: another job of the same content may have moved them."""
    return work.key("source"), f"uploads/{work.sha256}"


def analyse(work: Work) -> Told:
    """Loudness, tempo, key, energy, danceability."""
    duration_s = work.told["decode"]["duration_s"]
    with work.bench.at_hand(work.job.job_id, work.key("audio.wav")) as wav:
        return work.child("analyse", work.seconds("analyse"), wav=str(wav), duration_s=duration_s)


def waveform(work: Work) -> Told:
    """Its peaks, and a picture of them."""
    peaks, picture = "peaks.npz", "waveform.png"
    with work.bench.at_hand(work.job.job_id, work.key("audio.wav")) as wav:
        work.child(
            "waveform",
            work.seconds("waveform"),
            wav=str(wav),
            kept=str(work.path(peaks)),
            picture=str(work.path(picture)),
        )
    kept = work.keep(peaks, picture)
    return {"objects": {"peaks": kept[peaks], "waveform": kept[picture]}}


def listen(work: Work) -> Told:
    """Fingerprints, a vector and tags."""
    heard = "heard.npz"
    with (
        work.bench.at_hand(work.job.job_id, work.key("audio.wav")) as wav,
        work.bench.at_hand(work.job.job_id, work.key("peaks.npz")) as peaks,
    ):
        work.child(
            "listen",
            work.seconds("listen"),
            wav=str(wav),
            kept=str(peaks),
            heard=str(work.path(heard)),
            artifact=str(work.bench.artifact),
        )
    return {"objects": {"heard": work.keep(heard)[heard]}}


def store(work: Work) -> Told:
    """The source beside what was made of it; then all of it is there, and named."""
    objects = work.bench.objects
    with work.bench.at_hand(work.job.job_id, *_sources(work)) as source:
        if not objects.exists(work.key("source")):
            objects.put(work.key("source"), source, sha256=work.sha256)
    keys = {"source": work.key("source")}
    for step in ("decode", "waveform", "listen"):
        keys |= work.told[step]["objects"]
    try:
        size = sum(objects.size(key) for key in keys.values())
    except ObjectNotFound as error:
        raise StorageUnavailable(
            "A file that was stored is gone from the library's storage. Send the recording again."
        ) from error
    return {"objects": keys, "size": size}


# What a file may say of itself, where neither who sent it nor its source does.
_TAGS = ("title", "artist", "album", "year", "genre", "licence")
_COLUMNS = ("bpm", "key", "loudness_lufs", "energy", "danceability")
# What is no column of a sample is kept among its details.
_DETAILS = ("bpm_confidence", "key_confidence", "peak_dbfs")


def catalogue(work: Work) -> Told:
    """Ready, and found from now on."""
    job, bench, samples = work.job, work.bench, work.bench.samples
    decoded, analysis = work.told["decode"], work.told["analyse"]
    facts = {
        **{name: analysis[name] for name in (*_COLUMNS, *_DETAILS)},
        "duration_s": decoded["duration_s"],
        "channels": decoded["channels"],
        "stored_bytes": work.told["store"]["size"],
    }
    tags = {name: decoded["tags"][name] for name in _TAGS if decoded["tags"][name] is not None}
    bench.rows(lambda: samples.describe(job.job_id, job.attempt, {**_named(job), **tags}))
    _match(work)
    keys = work.told["store"]["objects"]
    if not bench.rows(lambda: samples.finish(job.job_id, job.attempt, facts, keys)):
        raise Cancelled(job.workflow_id)
    return {}


def _named(job: Job) -> Told:
    """A title of last resort: what its file is called."""
    stem = Path(str(job.fields.get("filename") or "")).stem
    title = as_one_line(stem.replace("_", " "))
    return {} if is_blank(title) else {"title": title}


def _match(work: Work) -> None:
    """What outside catalogues hold of the same name; one that does not answer tells nothing."""
    bench = work.bench
    found = bench.rows(lambda: bench.samples.get_many([work.job.track_id]))
    sample = found.get(work.job.track_id)
    if sample is not None and sample.title and sample.artist:
        matches = [asdict(one) for one in bench.sources.search(sample.title, sample.artist)]
        if matches:
            bench.rows(lambda: bench.samples.matched(sample.track_id, matches))


def clean(work: Work) -> Told:
    """What was only needed on the way is removed."""
    # A source that is kept by its content is never asked for at the old place again.
    if work.bench.objects.exists(work.key("source")):
        work.bench.objects.delete(f"uploads/{work.sha256}")
    work.bench.clear(work.job.job_id)
    return {}


RUN: dict[str, Callable[[Work], Told]] = {
    "fetch": fetch,
    "decode": decode,
    "analyse": analyse,
    "waveform": waveform,
    "listen": listen,
    "store": store,
    "catalogue": catalogue,
    "clean": clean,
}
