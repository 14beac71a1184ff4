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
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import AudioNotFound, AudioNotShared, InvalidRequest, TrackNotFound
from engine.sound.artifact import SoundArtifact, check_ids
from engine.sound.audio import Samples
from engine.sound.catalogue import SoundCatalogue, Track
from engine.sound.encoder.because import Common, in_common
from engine.sound.encoder.encoder import SoundEncoder, Standard, WordsEncoder
from engine.sound.identify import Identifier, Verdict
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
    _selections: Selections = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
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
        return len(self.catalogue)

    def identify(self, samples: Samples) -> Verdict:
        """(N,) float32 at 16 kHz → which track it is of and from when on, or that it is none."""
        return self.identifier.identify(samples)

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
        vector = self.index.vectors([track_id])
        near = self.nearest(vector, replace(wanted, k=wanted.k + 1))[0]
        others = [neighbour for neighbour in near if neighbour.id != track_id][: wanted.k]
        hits = self.hits(others, wanted)
        return [replace(hit, because=self._because(track, hit.track)) for hit in hits]

    def _because(self, one: Track, other: Track) -> Common:
        first, second = (self.catalogue.tags(track.track_id) for track in (one, other))
        tags = None if first is None or second is None else (first, second)
        usual = self.catalogue.usual_tags()
        return in_common(one, other, tags, names=self.encoder.tags, usual=usual)

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
        return self.index.search(vectors, wanted.k, among)

    def hits(self, neighbours: Sequence[Neighbour], wanted: Wanted) -> list[SoundHit]:
        """Neighbours → tracks, those below `min_score` left out."""
        least = -1.0 if wanted.min_score is None else wanted.min_score
        kept = [near for near in neighbours if near.similarity >= least]
        tracks = self.catalogue.get([near.id for near in kept])
        return [SoundHit(tracks[near.id], near.similarity) for near in kept]

    def track(self, track_id: int) -> Track:
        """Raises `TrackNotFound`."""
        track = self.catalogue.track(track_id)
        if track is None:
            raise TrackNotFound(
                f"There is no track {track_id}. GET /api/tracks lists those there are."
            )
        return track

    def peaks(self, track_id: int) -> NDArray[np.float32] | None:
        """(P, 2) float32 in −1…1, least and greatest of each part of a track; None where nothing
        was drawn of it. Raises `TrackNotFound`."""
        self.track(track_id)
        return self.catalogue.peaks(track_id)

    def audio(self, track_id: int) -> Path | str:
        """The file of a track's audio, or the URL where it is.

        Raises `TrackNotFound`, `AudioNotShared`, `AudioNotFound`.
        """
        track = self.track(track_id)
        if not track.audio_shared:
            raise AudioNotShared(
                f"The licence of track {track_id} does not let this service hand out its audio."
            )
        if track.audio is not None and track.audio in self.artifact.manifest.files:
            return self.artifact.path / track.audio
        if track.url is not None:
            return track.url
        raise AudioNotFound(f"There is no audio of track {track_id} here.")


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
