"""The pipeline: seconds of sound → the track they are of, or tracks that sound alike.

    >>> from engine.sound.audio import decode
    >>> search = SoundSearch.open("artifacts/starter-sound")
    >>> clip = decode(Path("web/clip-1.m4a"), first_s=60)
    >>> search.identify(clip).decision, search.identify(clip).best.track_id
    ('match', 63)
    >>> len(search.alike(clip, Wanted(k=3)))
    3

Each step is a method of its own (`embed`, `nearest`, `hits`), because the service runs them in
different places: decoding in a thread a request, encoder and index once a batch.

Tracks may come and go while it serves (`hold`, `let_go`, `hide`): `seen_by` is the same search as
one caller sees it, at that moment.
"""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import (
    AudioNotFound,
    AudioNotShared,
    InvalidRequest,
    TrackNotFound,
)
from engine.sound.artifact import SoundArtifact, check_ids
from engine.sound.audio import Samples
from engine.sound.catalogue import Page, SoundCatalogue, Track, Which, peaks_in
from engine.sound.encoder.because import Common, in_common
from engine.sound.encoder.encoder import SoundEncoder, Standard, WordsEncoder
from engine.sound.fingerprint.align import Agreement
from engine.sound.held import EVERYBODY, Heard, Held, HeldTrack, Seen
from engine.sound.identify import LONGEST_S, SAME, Identifier, Verdict
from engine.sound.opening import (
    answering,
    open_encoder_of,
    open_fingerprints,
    open_identifier,
    open_standard,
)
from engine.vectors.embeddings import Embeddings
from engine.vectors.index import Index, set_index_threads
from engine.vectors.neighbours import Neighbour
from engine.vectors.selection import Selection

DEFAULT_K, MAX_K = 5, 100
# Genres whose tracks are kept as a filter, made once.
REMEMBERED_GENRES = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for beside the sound: at most `k` tracks, of one genre, no less alike."""

    k: int = DEFAULT_K
    genre: str | None = None
    min_score: float | None = None


@dataclass(frozen=True, slots=True)
class SoundHit:
    """A track, its cosine similarity to the query, and of a neighbour what both have in common:
    `str()` of that says it in words."""

    track: Track
    similarity: float
    because: Common | None = None


@dataclass(frozen=True)
class SoundSearch:
    """One opened artifact. Safe for concurrent use."""

    artifact: SoundArtifact
    index: Index
    catalogue: SoundCatalogue
    encoder: SoundEncoder
    standard: Standard
    identifier: Identifier
    held: Held = field(init=False, repr=False, compare=False)
    _selections: Selections = field(init=False, repr=False, compare=False)
    # What a caller sees beside the artifact; None: what everybody does, whenever it is asked.
    _view: Seen | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "held", Held(self.standard, self.identifier.index))
        object.__setattr__(self, "_selections", Selections(self.catalogue))

    @classmethod
    def open(cls, path: str | Path, *, threads: int | None = None) -> SoundSearch:
        """Open and verify an artifact, load its network and its encoder on `threads` each (all
        cores, by default), and ask its golden clips.

        Raises an `ArtifactError` that names what is wrong.
        """
        artifact = SoundArtifact.open(Path(path))
        set_index_threads(1)  # a search is short beside an encoding, and FAISS's threads spin
        catalogue = artifact.open_catalogue()
        index = artifact.open_index()
        check_ids(catalogue, "index", index.ids())
        fingerprints = open_fingerprints(artifact)
        check_ids(catalogue, "fingerprints", fingerprints.ids())
        identifier = open_identifier(artifact, fingerprints, threads=threads)
        standard = open_standard(artifact)
        encoder = open_encoder_of(artifact, threads=threads)
        search = cls(artifact, index, catalogue, encoder, standard, identifier)
        artifact.golden().check(answering(identifier, encoder, standard, index))
        return search

    @property
    def artifact_id(self) -> str:
        return self.artifact.id

    @property
    def encoder_name(self) -> str:
        return self.artifact.manifest.encoder.name

    @property
    def total_tracks(self) -> int:
        seen = self._seen
        return len(self.catalogue) - len(seen.gone) + seen.count

    @property
    def _seen(self) -> Seen:
        return self.held.seen_by(EVERYBODY) if self._view is None else self._view

    def seen_by(self, caller: str) -> SoundSearch:
        """The same at this moment, with what is held for everybody and for this caller alone."""
        seen = copy.copy(self)
        object.__setattr__(seen, "_view", self.held.seen_by(caller))
        return seen

    def hold(self, tracks: Iterable[HeldTrack]) -> None:
        """Find these too, from now on, none of whose ids the artifact has. Raises ValueError where
        one was heard by other networks: ask `hears_like` first."""
        tracks = [*tracks]
        for one in tracks:
            if not self.hears_like(one.heard):
                raise ValueError(f"track {one.track.track_id} was heard by other networks")
        self.held.hold(tracks)

    def let_go(self, ids: Collection[int]) -> None:
        """Find these no longer; what is not held is passed over."""
        self.held.let_go(ids)

    def hide(self, ids: Collection[int]) -> None:
        """Find these of the artifact's own tracks no longer, and all others of them."""
        self.held.hide(self.catalogue.get([*ids]))

    @property
    def gone(self) -> frozenset[int]:
        """The artifact's own tracks that are hidden."""
        return self._seen.gone

    def held_track(self, track_id: int) -> HeldTrack | None:
        """What is held of a track, where it is none of the artifact's."""
        return self._seen.track(track_id)

    def hears_like(self, heard: Heard) -> bool:
        """Whether what was heard of a track can be compared with the artifact's tracks."""
        told = self.artifact.manifest
        return (heard.network, heard.encoder) == (told.fingerprint.digest, told.encoder.digest)

    def identify(self, samples: Samples) -> Verdict:
        """(N,) float32 at 16 kHz → which track it is of and from when on, or that it is none."""
        return self.identifier.identify(samples, self._seen.prints)

    def alike(self, samples: Samples, wanted: Wanted = Wanted()) -> list[SoundHit]:
        """(N,) float32 at 16 kHz → tracks that sound alike, best first."""
        vector = self.embed(samples)
        return self.hits(self.nearest(vector[None], wanted)[0], wanted)

    def by_text(self, text: str, wanted: Wanted = Wanted()) -> list[SoundHit]:
        """Words → tracks that sound like them. Raises `InvalidRequest` where the encoder knows
        none (`knows_words`)."""
        return self.hits(self.nearest(self.embed_text(text)[None], wanted)[0], wanted)

    def neighbours(self, track_id: int, wanted: Wanted = Wanted()) -> list[SoundHit]:
        """The tracks that are most like one, itself left out, each with what both have in common.
        Raises `TrackNotFound`."""
        track = self.track(track_id)
        shelf = self._seen.shelf_of(track_id)
        vector = shelf.vector(track_id) if shelf else self.index.vectors([track_id])
        near = self.nearest(vector, replace(wanted, k=wanted.k + 1))[0]
        others = [neighbour for neighbour in near if neighbour.id != track_id][: wanted.k]
        hits = self.hits(others, wanted)
        return [replace(hit, because=self._because(track, hit.track)) for hit in hits]

    def twins(self, track_id: int) -> list[Agreement]:
        """The other tracks that are the same recording, as far as the middle minute of one tells,
        best first; each begins where it does in theirs. Raises `TrackNotFound`."""
        self.track(track_id)
        seen = self._seen
        shelf = seen.shelf_of(track_id)
        rows = (shelf.prints if shelf else seen.own).vectors(track_id)
        step_s = seen.own.step_s
        most = round(LONGEST_S / step_s)
        first = max(0, (len(rows) - most) // 2)
        found = seen.prints.search(rows[first : first + most], step_s)
        return [
            replace(one, offset_s=one.offset_s - first * step_s * one.speed)
            for one in found
            if one.track_id != track_id and one.score >= SAME
        ]

    def _because(self, one: Track, other: Track) -> Common:
        first, second = (self._tags(track.track_id) for track in (one, other))
        tags = None if first is None or second is None else (first, second)
        usual = self.catalogue.usual_tags()
        return in_common(one, other, tags, names=self.encoder.tags, usual=usual)

    def _tags(self, track_id: int) -> NDArray[np.float32] | None:
        held = self.held_track(track_id)
        if held is None:
            return self.catalogue.tags(track_id)
        return held.heard.tags if len(held.heard.tags) == len(self.encoder.tags) else None

    @property
    def knows_words(self) -> bool:
        """Whether the encoder can embed words."""
        return isinstance(self.encoder, WordsEncoder)

    def embed(self, samples: Samples) -> NDArray[np.float32]:
        """(N,) float32 at 16 kHz → (D,) float32 unit row, what the index holds of tracks."""
        row: NDArray[np.float32] = self.standard.apply(self.encoder.embed(samples).vector[None])[0]
        return row

    def embed_text(self, text: str) -> NDArray[np.float32]:
        """Words → (D,) float32 unit row. Raises `InvalidRequest` where the encoder knows none."""
        if not isinstance(self.encoder, WordsEncoder):
            raise InvalidRequest(
                f"The encoder {self.encoder_name} knows sounds and no words. Search by sound, or "
                "find words of titles with GET /api/tracks?q=."
            )
        row: NDArray[np.float32] = self.standard.toward(self.encoder.embed_text(text))[0]
        return row

    def nearest(self, vectors: Embeddings, wanted: Wanted) -> list[list[Neighbour]]:
        """(N, D) unit rows → N lists of at most `wanted.k` neighbours, best first, ties by id."""
        among = None if wanted.genre is None else self._selections.of_genre(wanted.genre)
        seen = self._seen
        found = self.index.search(vectors, wanted.k + len(seen.gone), among)
        if not seen.shelves and not seen.gone:
            return found
        rows = zip(found, vectors, strict=True)
        return [seen.merged(near, row, wanted.k, wanted.genre) for near, row in rows]

    def hits(self, neighbours: Sequence[Neighbour], wanted: Wanted) -> list[SoundHit]:
        """Neighbours → tracks, those below `min_score` left out."""
        least = -1.0 if wanted.min_score is None else wanted.min_score
        kept = [near for near in neighbours if near.similarity >= least]
        tracks = self.tracks([near.id for near in kept])
        # What was held may have been let go since, where nobody asked as a caller (`seen_by`).
        there = [near for near in kept if near.id in tracks]
        return [SoundHit(tracks[near.id], near.similarity) for near in there]

    def tracks(self, track_ids: Sequence[int]) -> dict[int, Track]:
        """The tracks with these ids; unknown ids are left out."""
        seen = self._seen
        found = self.catalogue.get([i for i in track_ids if i not in seen.gone])
        for shelf in seen.shelves:
            found |= {i: shelf.tracks[i].track for i in track_ids if i in shelf.tracks}
        return found

    def page(self, offset: int = 0, limit: int = 20, **which: Unpack[Which]) -> Page:
        """As `SoundCatalogue.page`; what is held comes after the artifact's own, but by its name
        before it."""
        seen = self._seen
        own = partial(self.catalogue.page, **which, without=seen.gone)
        pages: list[Callable[[int, int], Page]] = [own]
        for shelf in seen.shelves:
            pages.append(partial(shelf.page, **which))
        by_name = which.get("q") is not None
        return one_after_another(reversed(pages) if by_name else pages, offset, limit)

    def track(self, track_id: int) -> Track:
        """Raises `TrackNotFound`."""
        track = self.tracks([track_id]).get(track_id)
        if track is None:
            raise TrackNotFound(
                f"There is no track {track_id}. GET /api/tracks lists those there are."
            )
        return track

    def peaks(self, track_id: int) -> NDArray[np.float32] | None:
        """(P, 2) float32 in −1…1, least and greatest of each part of a track; None where nothing
        was drawn of it. Raises `TrackNotFound`."""
        self.track(track_id)
        held = self.held_track(track_id)
        return self.catalogue.peaks(track_id) if held is None else peaks_in(held.heard.peaks)

    def audio(self, track_id: int) -> Path | str:
        """The file of a track's audio, or the URL where it is. Of one that is held it may have to
        be asked for elsewhere: not for an event loop.

        Raises `TrackNotFound`, `AudioNotShared`, `AudioNotFound`.
        """
        track = self.track(track_id)
        if not track.audio_shared:
            raise AudioNotShared(
                f"The licence of track {track_id} does not let this service hand out its audio."
            )
        held = self.held_track(track_id)
        if held is not None and held.audio is not None:
            return held.audio()
        if track.audio is not None and track.audio in self.artifact.manifest.files:
            return self.artifact.path / track.audio
        if track.url is not None:
            return track.url
        raise AudioNotFound(f"There is no audio of track {track_id} here.")


def one_after_another(pages: Iterable[Callable[[int, int], Page]], offset: int, limit: int) -> Page:
    """The page of several lists, one behind the other, each given by its own pages."""
    total, tracks = 0, list[Track]()
    for page in pages:
        found = page(max(0, offset - total), limit - len(tracks))
        total, tracks = total + found.total, tracks + found.tracks
    return Page(total, tracks)


class Selections:
    """Genre → the tracks that a search is restricted to; the `REMEMBERED_GENRES` asked for last
    are kept. Safe for concurrent use."""

    def __init__(self, catalogue: SoundCatalogue) -> None:
        self._catalogue = catalogue
        self._made: OrderedDict[str, Selection] = OrderedDict()
        self._lock = threading.Lock()

    def of_genre(self, genre: str) -> Selection:
        spelled = self._catalogue.genre(genre) or ""
        with self._lock:
            known = self._made.pop(spelled, None)
            made = known or Selection(self._catalogue.ids_of_genre(spelled))
            self._made[spelled] = made
            if len(self._made) > REMEMBERED_GENRES:
                self._made.popitem(last=False)
        return made
