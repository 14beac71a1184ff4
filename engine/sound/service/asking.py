"""The pipeline for many callers at once: what `SoundSearch` does, off the event loop and bounded.

    upload ─threads→ samples ┬─threads→ verdict ─→ track, place, or none
                             └─one thread→ vector ─→ tracks alike

Callers share no batch: a clip's own windows are one already. Those of ten together would save 9 %
of the encoder's time and nothing of the fingerprints', and each would wait for all.

Decoding is the caller's own risk and runs in processes of its own (`engine.sound.apart`): what a
hostile file costs, it costs there. Loading happens in the background
(`engine.serving.work.readiness`), of the artifact and of those processes each for itself: where
they cannot be started, tracks are still told of. What stops answering is found out by golden
queries, and opened anew.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from engine.base.errors import (
    ArtifactError,
    AudioTooQuiet,
    AudioTooShort,
    GoldenQueryFailed,
    NotReady,
    Overloaded,
    ShazamError,
)
from engine.base.importing import one_thread
from engine.serving.http.exchange import current_caller
from engine.serving.process import collector, preload
from engine.serving.process.address import invitation
from engine.serving.watch.metrics import Metrics, Subject
from engine.serving.work.lanes import Lane
from engine.serving.work.readiness import Readiness
from engine.sound.advice import LEAST_S, LEAST_WINDOW_S
from engine.sound.service.start import open_search

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from engine.sound.apart import Decoder
    from engine.sound.artifact import SoundArtifact
    from engine.sound.identify import Verdict
    from engine.sound.search import SoundHit, SoundSearch
    from engine.sound.service.forms import WantedTracks
    from engine.sound.service.settings import SoundSettings

    Samples = npt.NDArray[np.float32]

T = TypeVar("T")

logger = logging.getLogger("shazam")

SUBJECT = Subject(
    name="sound",
    stages=("listen", "fingerprint", "liken"),
    items="tracks",
    uploads="recordings",
)

STARTING = "Sound is being loaded; everything else may answer already. Try again shortly."

# How often the files of an open artifact are looked at: a score of them, without reading any.
WATCHED_EVERY_S = 2.0
# Of a recording, so much is listened to: a minute costs a second of one core.
LISTENED_S = 60.0
RATE = 16_000  # Hz, of what is decoded
# Processes that decode, each of 60 MB: a minute of Opus takes one of them 0.1 s.
DECODERS = 2


def refuse_short(samples: Samples, least_s: float = LEAST_S) -> None:
    """Raise `AudioTooShort` where (N,) samples at `RATE` are of less than `least_s` seconds; what
    is told is how many give an answer."""
    if len(samples) < least_s * RATE:
        raise AudioTooShort(
            f"The recording has {len(samples) / RATE:.1f} seconds; {LEAST_S:g} are the least, "
            "and 10 are plenty."
        )


def refuse_silent(samples: Samples) -> None:
    """Raise `AudioTooQuiet` where no second of (N,) samples at `RATE` sounds: silence would be like
    whatever is quietest."""
    from engine.sound.fingerprint.sounding import SILENT_DBFS, levels

    seconds = len(samples) // RATE
    if levels(samples, 1.0, 1.0, seconds).max() < SILENT_DBFS:
        raise AudioTooQuiet(
            "The recording is silent. See whether the microphone is muted, or go nearer to the "
            "music, and record again."
        )


@dataclass(frozen=True, slots=True)
class About:
    """What is being served: an artifact's id, how many tracks, and the encoder of likeness."""

    artifact: str
    tracks: int
    encoder: str


class AsyncSound:
    """One artifact of sound served to many callers. Create, `start()`, then ask."""

    def __init__(self, settings: SoundSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self._ready = metrics.ready.labels(SUBJECT.name)
        self._readiness: Readiness[SoundSearch] = Readiness(
            self._open,
            self._check,
            explain=_explain,
            starting=STARTING,
            limit_s=settings.timeout_s,
            verify=_verify,
            watch=_watch,
            on_ready=self._on_ready,
            on_lost=self._on_lost,
        )
        self._ears: Readiness[Decoder] = Readiness(
            lambda: asyncio.to_thread(self._open_decoder),
            lambda decoder, _: asyncio.to_thread(decoder.check),
            explain=_deaf,
            starting=STARTING,
            limit_s=settings.timeout_s,
            on_ready=self._on_ears,
            on_lost=self._on_deaf,
        )
        self._loop = asyncio.get_running_loop()
        threads, limit_s = settings.usable_threads(), settings.timeout_s
        self._listen = Lane("listen", threads, limit_s)
        # Beside the decoders: one slow upload must not keep others from being identified.
        self._match = Lane("match", threads, limit_s)
        # One at a time: an encoder spreads over the cores by itself.
        self._liken = Lane("liken", 1, limit_s)

    def start(self) -> None:
        """Begin to load; returns at once."""
        self._ready.set(0)
        self._readiness.start()
        self._ears.start()

    async def settled(self) -> None:
        """Returns once everything is open, or the first attempt to open it has failed."""
        await self._readiness.settled()
        await self._ears.settled()

    async def stop(self) -> None:
        if self._readiness.opening:
            from engine.artifact.remote import stop_fetching

            stop_fetching()
        self._readiness.stop()
        self._ears.stop()
        for lane in (self._listen, self._match, self._liken):
            lane.close()
        if self._ears.ready:
            await asyncio.to_thread(self._ears.now.close)

    @property
    def ready(self) -> bool:
        """Whether a recording would be identified."""
        return self._readiness.ready and self._ears.ready

    @property
    def failed(self) -> bool:
        """Whether the artifact or the processes that decode could not be opened, or were lost."""
        return self._readiness.failure is not None or self._ears.failure is not None

    def check_ready(self) -> None:
        """Raises `NotReady` where a recording would not be identified."""
        self._readiness.now, self._ears.now  # noqa: B018

    def look_into(self, error: Exception) -> None:
        """An answer failed: is what is open still what was opened? Returns at once."""
        self._readiness.look_into(error)

    @property
    def is_open(self) -> bool:
        """Whether there is an artifact to answer from."""
        return self._readiness.ready

    @property
    def now(self) -> SoundSearch:
        """What is open, as whoever asks here sees it, at this moment. Raises `NotReady` while
        nothing is: sound that is still being loaded beside something else is not waited for."""
        return self._readiness.now.seen_by(current_caller())

    @property
    def whole(self) -> SoundSearch:
        """What is open, to be changed: tracks to be held. Raises `NotReady`."""
        return self._readiness.now

    @property
    def artifact_id(self) -> str:
        return self._readiness.now.artifact_id if self.is_open else "none"

    @property
    def about(self) -> About:
        """Raises `NotReady` while there is nothing to search."""
        search = self.now
        return About(search.artifact_id, search.total_tracks, search.encoder_name)

    async def beside(self, call: Callable[..., T], *values: Any) -> T:
        """`call(*values)` among the decoders: what would keep the event loop from others."""
        return await self._listen(call, *values)

    async def identify(self, data: bytes, search: SoundSearch | None = None) -> Verdict:
        """Bytes of a recording → which track it is of, of `search`, by default what is open now.
        Raises what decoding raises, and `AudioTooShort`."""
        search = search or self.now
        samples = await self._samples(data, LEAST_WINDOW_S)
        with self.metrics.timed("fingerprint"):
            return await self._watched(self._match, search.identify, samples)

    async def alike(self, data: bytes, wanted: WantedTracks) -> list[SoundHit]:
        """Bytes of a recording → tracks that sound like it, best first."""
        search = self.now
        samples = await self._samples(data, LEAST_S)
        refuse_silent(samples)
        with self.metrics.timed("liken"):
            return await self._watched(self._liken, search.alike, samples, _wanted(wanted))

    async def by_text(self, text: str, wanted: WantedTracks) -> list[SoundHit]:
        """Words → tracks that sound so. Raises `InvalidRequest` where the encoder knows none."""
        with self.metrics.timed("liken"):
            return await self._watched(self._liken, self.now.by_text, text, _wanted(wanted))

    async def neighbours(self, track_id: int, wanted: WantedTracks) -> list[SoundHit]:
        """Raises `TrackNotFound`."""
        return await self.beside(self.now.neighbours, track_id, _wanted(wanted))

    async def _samples(self, data: bytes, least_s: float) -> Samples:
        """The first `LISTENED_S` of a recording: (N,) float32 at `RATE`, at least `least_s`."""
        decoder = self._ears.now
        with self.metrics.timed("listen"):
            samples = await self._listen(self._decode, decoder, data)
        refuse_short(samples, least_s)
        return samples

    def _decode(self, decoder: Decoder, data: bytes) -> Samples:
        try:
            return decoder.decode(
                data,
                first_s=LISTENED_S,
                max_s=self.settings.max_audio_s,
                name="The recording",
            )
        except Overloaded as error:  # no process, and not a queue before one
            self._loop.call_soon_threadsafe(self._ears.look_into, error)
            raise

    async def _watched(self, lane: Lane, call: Callable[..., T], *values: Any) -> T:
        try:
            return await lane(call, *values)
        except ShazamError:
            raise
        except Exception as error:
            self._readiness.look_into(error)
            raise NotReady(
                "A network failed while it worked on this request. Try again: it is being looked "
                "after.",
                retry_after_s=2,
            ) from error

    async def _open(self) -> SoundSearch:
        start, opening = time.perf_counter(), preload.take()
        search: SoundSearch
        if opening is not None:
            search = await asyncio.wrap_future(opening)
        else:
            search = await asyncio.to_thread(open_search, self.settings)
        await self._ears.settled()
        seconds = {"sound": time.perf_counter() - start}
        self._tell(search, seconds if opening is None else {**preload.seconds_so_far(), **seconds})
        if opening is not None and (line := invitation(keys=bool(self.settings.api_keys))):
            logger.info("%s", line)  # sound is alone: nobody else tells where it is
        return search

    def _open_decoder(self) -> Decoder:
        with one_thread:
            from engine.sound.apart import Decoder

        return Decoder(
            min(DECODERS, self.settings.usable_threads()), seconds=self.settings.timeout_s / 2
        )

    async def _check(self, search: SoundSearch, error: Exception) -> None:
        # Not in a lane: that may be full of what failed.
        await asyncio.to_thread(_check_again, search)

    def _tell(self, search: SoundSearch, seconds: dict[str, float]) -> None:
        for part, value in seconds.items():
            self.metrics.start.labels(part).set(value)
        about = About(search.artifact_id, search.total_tracks, search.encoder_name)
        logger.info(
            "ready: artifact %s, %s tracks, %s, seconds: %s",
            about.artifact,
            f"{about.tracks:,}",
            about.encoder,
            ", ".join(f"{part} {value:.2f}" for part, value in seconds.items()),
        )
        self.metrics.artifacts[SUBJECT.items].labels(
            artifact=about.artifact, encoder=about.encoder, runtime="openvino-cpu", precision="fp32"
        ).set(about.tracks)

    def _on_ears(self, _: bool) -> None:
        self._ready.set(self.ready)

    def _on_deaf(self, decoder: Decoder) -> None:
        self._ready.set(0)
        # Those of its processes that live may be at work.
        threading.Thread(target=decoder.close, daemon=True).start()

    def _on_ready(self, again: bool) -> None:
        self._ready.set(self.ready)
        collector.keep(again=again)

    def _on_lost(self, search: SoundSearch) -> None:
        self._ready.set(0)
        collector.let_go()


def _check_again(search: SoundSearch) -> None:
    """Raise an `ArtifactError` where what is open is no longer what was opened, or answers golden
    clips otherwise. The files first: to touch a mapped one that was cut ends the process."""
    from engine.sound.manifest import CATALOGUE, WAVEFORMS
    from engine.sound.opening import answering

    search.artifact.check_again({CATALOGUE, WAVEFORMS})
    parts = search.identifier, search.encoder, search.standard, search.index
    search.artifact.golden().check(answering(*parts))


async def _watch(search: SoundSearch) -> None:
    """Raise an `ArtifactError` where a file looks otherwise than when it was opened."""
    await asyncio.sleep(WATCHED_EVERY_S)
    await asyncio.to_thread(search.artifact.refuse_changed)


def _verify(search: SoundSearch) -> Coroutine[Any, Any, None] | None:
    """Digests of audio too large to wait for; a wrong one ends the service's answers."""
    return _verify_audio(search.artifact) if search.artifact.unverified else None


async def _verify_audio(artifact: SoundArtifact) -> None:
    for name in artifact.unverified:  # one by one, so that a stop waits for one at most
        await asyncio.to_thread(artifact.verify, name)


def _explain(found: Exception) -> ShazamError:
    """What a check found → what callers are told until all is loaded again."""
    if isinstance(found, ArtifactError) and not isinstance(found, GoldenQueryFailed):
        return found
    return NotReady(
        f"A network of sound stopped answering ({type(found).__name__}); it is being loaded again. "
        "Try again shortly."
    )


def _deaf(found: Exception) -> ShazamError:
    """The same of the processes that decode: what refused them says why."""
    if isinstance(found, ShazamError):
        return found
    return NotReady("No process decodes recordings now; others are started. Try again shortly.")


def _wanted(wanted: WantedTracks) -> Any:
    from engine.sound.search import Wanted

    return Wanted(k=wanted.k, genre=wanted.genre, min_score=wanted.min_score)
