"""The library's ready tracks → the search that is served: held as they come, let go as they go.

    changes since a revision ─┬ ready → its heard.npz → held beside the artifact
                              └ gone  → let go

Each process that answers asks for what changed once a second, and compares all it holds with all
there is once a minute. What another network or encoder than those of the served artifact has heard
waits to be heard again: it is named, and found by its words and links alone. What the artifact
itself has (`folding`) is not held; what of it was deleted since is hidden.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from engine.base.errors import (
    ArtifactError,
    EncoderMismatch,
    NotReady,
    ObjectNotFound,
    ShazamError,
)
from engine.library.database import Database
from engine.library.objects import Objects
from engine.library.samples import Sample, Samples
from engine.library.tables import FIRST_TRACK_ID
from engine.sound.catalogue import Track
from engine.sound.held import EVERYBODY, Heard, HeldTrack
from engine.sound.search import SoundSearch

logger = logging.getLogger("shazam")

LOOKS_EVERY_S = 1.0
COMPARES_EVERY_S = 60.0
# Read and held at once: a search that runs meanwhile waits for none of it.
BATCH = 64

GiveAudio = Callable[[Sample], Path | str]


class Growing:
    """One search that grows; on the event loop of the process that answers."""

    def __init__(
        self,
        samples: Samples,
        objects: Objects,
        search: Callable[[], SoundSearch],
        audio: GiveAudio,
        *,
        private: bool,
    ) -> None:
        """`search` gives what is open or raises `NotReady`; `audio` the file or the address of a
        sample's; `private`: each track is its owner's alone."""
        self._samples, self._objects, self._private = samples, objects, private
        self._search, self._audio = search, audio
        self._grown: SoundSearch | None = None
        self._cursor = 0
        self._compared = 0.0
        self._held: dict[int, HeldTrack] = {}
        self._revisions: dict[int, int] = {}  # of what is held, waits, or is the artifact's
        # Ids of those that are to be heard again, and whose they are.
        self.waiting: dict[int, str] = {}

    def held(self, caller: str) -> int:
        """How many tracks that this caller may find."""
        return sum(one.owner in (EVERYBODY, caller) for one in self._held.values())

    def waits(self, caller: str) -> int:
        """How many tracks of this caller's are to be heard again."""
        return sum(owner in (EVERYBODY, caller) for owner in self.waiting.values())

    async def run(self) -> None:
        """Grow until cancelled. A database or a store that is away is asked again."""
        trouble = ""
        while True:
            try:
                await self.look()
            except NotReady as error:
                trouble = _told_once(error, trouble)
            except Exception as error:
                trouble = _told_once(error, trouble)
            else:
                trouble = ""
            await asyncio.sleep(LOOKS_EVERY_S)

    async def look(self) -> None:
        """Take in what changed since the last time."""
        search = self._search()
        if search is not self._grown:
            await self._begin(search)
        while True:
            found = await self._samples.changes_since(self._cursor, BATCH)
            if not found.changes:
                break
            gone = [one.track_id for one in found.changes if one.kind == "gone"]
            await self._let_go(search, gone)
            ready = [one.sample for one in found.changes if one.sample is not None]
            revisions = {one.track_id: one.revision for one in found.changes}
            await self._take(search, ready, revisions)
            self._cursor = found.cursor
        if time.monotonic() >= self._compared + COMPARES_EVERY_S:
            await self._compare(search)

    async def forget(self, track_id: int) -> None:
        """Let go of one that was deleted here: whoever deleted it does not find it a second
        later."""
        with suppress(NotReady):
            await self._let_go(self._search(), [track_id])

    async def _begin(self, search: SoundSearch) -> None:
        """An artifact was opened, perhaps another one: what was read already is held again."""
        known = await asyncio.to_thread(_of_artifact, search)
        kept = [
            one
            for track_id, one in self._held.items()
            if track_id not in known and search.hears_like(one.heard)
        ]
        await asyncio.to_thread(search.hold, kept)
        self._held = {one.track.track_id: one for one in kept}
        self._revisions = {i: at for i, at in self._revisions.items() if i in self._held}
        self.waiting.clear()
        self._grown, self._cursor, self._compared = search, 0, 0.0

    async def _take(
        self, search: SoundSearch, samples: Sequence[Sample], revisions: Mapping[int, int]
    ) -> None:
        """Hold those of `samples` that the artifact has not, and that were heard by its networks;
        `revisions` by track id."""
        fresh = [
            one for one in samples if self._revisions.get(one.track_id) != revisions[one.track_id]
        ]
        own = await asyncio.to_thread(search.catalogue.get, [one.track_id for one in fresh])
        read = [self._read(one) for one in fresh if one.track_id not in own]
        held = [one for one in await asyncio.gather(*read) if one is not None]
        fit = [one for one in held if search.hears_like(one.heard)]
        await asyncio.to_thread(search.hold, fit)
        for one in fresh:
            self._revisions[one.track_id] = revisions[one.track_id]
            self.waiting.pop(one.track_id, None)
        self._held |= {one.track.track_id: one for one in fit}
        unfit = [one for one in held if not search.hears_like(one.heard)]
        self.waiting |= {one.track.track_id: one.owner for one in unfit}

    async def _read(self, sample: Sample) -> HeldTrack | None:
        """A sample as it is held; None where what was heard of it is gone or no such thing."""
        try:
            heard = Heard.of(await asyncio.to_thread(self._objects.read, sample.objects["heard"]))
        except (KeyError, ObjectNotFound, EncoderMismatch) as error:
            logger.error("track %d cannot be held: %s", sample.track_id, error)
            return None
        owner = sample.owner if self._private else EVERYBODY
        return HeldTrack(track_of(sample), heard, owner, audio=lambda: self._audio(sample))

    async def _let_go(self, search: SoundSearch, ids: Collection[int]) -> None:
        if not ids:
            return
        await asyncio.to_thread(search.let_go, ids)
        await asyncio.to_thread(search.hide, [*search.gone, *ids])
        self._forget(ids)

    def _forget(self, ids: Iterable[int]) -> None:
        for track_id in ids:
            self._held.pop(track_id, None)
            self._revisions.pop(track_id, None)
            self.waiting.pop(track_id, None)

    async def _compare(self, search: SoundSearch) -> None:
        """All that is held with all there is: nothing that was missed stays so."""
        there = await self._samples.ready_ids()
        own = await asyncio.to_thread(_of_artifact, search)
        await asyncio.to_thread(search.hide, own - there.keys())
        stale = self._revisions.keys() - there.keys()
        await asyncio.to_thread(search.let_go, stale)
        self._forget(stale)
        revisions = {i: at for i, (_, at) in there.items() if self._revisions.get(i) != at}
        missed = sorted(revisions.keys() - own)
        for begin in range(0, len(missed), BATCH):
            found = await self._samples.get_many(missed[begin : begin + BATCH])
            await self._take(search, [*found.values()], revisions)
        self._compared = time.monotonic()


def track_of(sample: Sample, library: str = "") -> Track:
    """A sample as catalogues know tracks; with the name of its `library` where it leaves that."""
    return Track(
        sample.track_id,
        sample.duration_s or 0.0,
        title=sample.title,
        artist=sample.artist or sample.creator,
        album=sample.album,
        year=sample.year,
        genre=sample.genre,
        bpm=sample.bpm,
        key=sample.key,
        licence=sample.licence,
        source=sample.source,
        audio=sample.objects.get("mp3"),
        audio_shared=sample.audio_shared,
        digest=sample.sha256,
        extra={"library": library} if library else {},
    )


async def name_of(database: Database) -> str:
    """What tells one library from all others: its tracks carry it into artifacts."""
    return (await database.secret("name")).hex()[:16]


def refuse_foreign(search: SoundSearch, name: str) -> None:
    """Raise `ArtifactError` where an artifact has tracks of another library than the one of this
    name: both would give the same ids to different tracks. Not for an event loop."""
    own = sorted(_of_artifact(search))
    for begin in range(0, len(own), BATCH):
        for track_id, track in search.catalogue.get(own[begin : begin + BATCH]).items():
            if track.extra.get("library") != name:
                raise ArtifactError(
                    f"The artifact has track {track_id}, which another library gave to it. Serve "
                    "it with that library's SHAZAM_DATABASE, or with SHAZAM_LIBRARY=none."
                )


def _of_artifact(search: SoundSearch) -> set[int]:
    """The library's tracks that an artifact has itself."""
    ids = search.catalogue.ids()
    return set(ids[ids >= FIRST_TRACK_ID].tolist())


def _told_once(error: Exception, before: str) -> str:
    said = f"{type(error).__name__}: {error}"
    if said != before:
        told = error.message if isinstance(error, ShazamError) else "a bug"
        logger.warning("the library's tracks cannot be looked at now: %s", told, exc_info=error)
    return said
