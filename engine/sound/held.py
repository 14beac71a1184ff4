"""Tracks that came while an artifact is served: held in memory beside it, each for those who may
find it.

    HeldTrack ─hold→ a shelf ─beside→ the artifact's own index, fingerprints, names
              ←let_go─

A shelf is one owner's, the one of "" everybody's. It never changes: holding a track makes another
one, so a search that has begun goes on with what there was. Folding (`engine.library.folding`)
makes a version of the artifact of them all.
"""

from __future__ import annotations

import io
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import EncoderMismatch
from engine.base.names import Names
from engine.sound.catalogue import NAMED, Page, Track, folded
from engine.sound.encoder.encoder import Raw, Standard
from engine.sound.fingerprint.files import Stored
from engine.sound.fingerprint.index import FingerprintIndex, Together
from engine.vectors.embeddings import Embeddings, Ids
from engine.vectors.neighbours import Neighbour, best_of

EVERYBODY = ""


@dataclass(frozen=True)
class Heard:
    """What a network and an encoder, known by their digests, heard of a recording: (F, K) int8
    vectors (`fingerprint.files.encoded`), the encoder's (D,) raw vector and (T,) tags in 0…1, T = 0
    where it knows none; (P, 2) int8 peaks (`catalogue.kept_peaks`)."""

    prints: Stored
    vector: Raw
    tags: NDArray[np.float32]
    peaks: NDArray[np.int8]
    network: str
    encoder: str

    def to_bytes(self) -> bytes:
        """What `of` reads."""
        file = io.BytesIO()
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _DIMENSIONS}
        np.savez(file, **arrays, network=np.array(self.network), encoder=np.array(self.encoder))
        return file.getvalue()

    @classmethod
    def of(cls, data: bytes) -> Heard:
        """Raises `EncoderMismatch` for what `to_bytes` did not write."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                arrays = {name: _checked(stored[name], name) for name in _DIMENSIONS}
                return cls(**arrays, network=str(stored["network"]), encoder=str(stored["encoder"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise EncoderMismatch(
                f"What was heard of a track cannot be read ({type(error).__name__}). Let it be "
                "heard again."
            ) from error


_DIMENSIONS = {"prints": 2, "vector": 1, "tags": 1, "peaks": 2}


def _checked(array: NDArray[Any], name: str) -> NDArray[Any]:
    kind = np.float32 if name in ("vector", "tags") else np.int8
    if (
        array.dtype != kind
        or array.ndim != _DIMENSIONS[name]
        or (name != "tags" and not len(array))
    ):
        raise ValueError(f"{name}: {array.dtype} of {array.shape}")
    return array


@dataclass(frozen=True)
class HeldTrack:
    """A track, what was heard of it, whose it is (`EVERYBODY`'s, or only this caller's), and what
    gives the file of its audio or the address where it is."""

    track: Track
    heard: Heard
    owner: str = EVERYBODY
    audio: Callable[[], Path | str] | None = None


@dataclass(frozen=True)
class Shelf:
    """The held tracks of one owner, by id; `rows` (N, D) float32 are their unit vectors in the same
    order."""

    tracks: Mapping[int, HeldTrack]
    rows: Embeddings
    prints: FingerprintIndex

    @cached_property
    def ids(self) -> Ids:
        return np.fromiter(self.tracks, np.int64, len(self.tracks))

    @cached_property
    def genres(self) -> NDArray[np.str_]:
        return np.array([folded(one.track.genre or "") for one in self.tracks.values()], str)

    @cached_property
    def names(self) -> Names:
        return Names(self._write_names, NAMED)

    def nearest(self, query: NDArray[np.float32], k: int, genre: str | None) -> list[Neighbour]:
        """A (D,) unit row → at most `k` neighbours, best first."""
        among = np.flatnonzero(self.genres == folded(genre)) if genre is not None else slice(None)
        return best_of(self.rows[among] @ query, self.ids[among], k)

    def vector(self, track_id: int) -> Embeddings:
        """(1, D) of a track that is here."""
        found: Embeddings = self.rows[self.ids == track_id]
        return found

    def with_(self, fresh: Mapping[int, HeldTrack], rows: Embeddings) -> Shelf:
        """With these tracks too, of these (N, D) unit rows."""
        old = self.without(fresh)
        tracks = {**old.tracks, **fresh}
        order = np.argsort(np.fromiter(tracks, np.int64, len(tracks)))
        ids = list(tracks)
        return Shelf(
            MappingProxyType({ids[at]: tracks[ids[at]] for at in order}),
            np.concatenate([old.rows, rows])[order],
            old.prints.holding({i: one.heard.prints for i, one in fresh.items()}),
        )

    def without(self, ids: Collection[int]) -> Shelf:
        kept = ~np.isin(self.ids, list(ids))
        if kept.all():
            return self
        tracks = {i: one for i, one in self.tracks.items() if i not in ids}
        return Shelf(MappingProxyType(tracks), self.rows[kept], self.prints.without(ids))

    def page(
        self,
        offset: int,
        limit: int,
        *,
        genre: str | None = None,
        album_id: int | None = None,
        q: str | None = None,
        heard: bool = False,
    ) -> Page:
        """As `SoundCatalogue.page`."""
        found: list[int] = self.ids.tolist()
        if genre is not None:
            found = self.ids[self.genres == folded(genre)].tolist()
        if album_id is not None:
            found = [i for i in found if self.tracks[i].track.album_id == album_id]
        if q is not None:
            _, named = self.names.search(q, limit=len(self.tracks))
            passing = set(found)
            found = [i for i in named if i in passing]
        if heard:
            found = [i for i in found if self.tracks[i].track.is_heard]
        shown = found[offset : offset + limit]
        return Page(len(found), [self.tracks[i].track for i in shown])

    def _write_names(self, database: sqlite3.Connection) -> None:
        columns = ", ".join(NAMED.names)
        database.execute(f"CREATE TABLE catalogue.{NAMED.table} ({NAMED.key}, {columns})")
        marks = ", ".join("?" * (1 + len(NAMED.names)))
        database.executemany(
            f"INSERT INTO catalogue.{NAMED.table} VALUES ({marks})",
            [
                (one.track.track_id, *(getattr(one.track, name) for name in NAMED.names))
                for one in self.tracks.values()
            ],
        )


class Held:
    """All shelves. Safe for changes and searches at once: a search takes `seen_by` once."""

    def __init__(self, standard: Standard, own: FingerprintIndex) -> None:
        """By what an artifact's vectors are standardised, and the fingerprints of its own."""
        self._standard = standard
        none = np.zeros((0, len(standard.mean)), np.float32)
        self._empty = Shelf({}, none, FingerprintIndex(own.dimension, own.step_s))
        self._own = own
        self._shelves: Mapping[str, Shelf] = {}
        # What everybody sees of the artifact: less those of its tracks that are gone.
        self._artifact = Seen(own)
        self._changing = threading.Lock()

    def hold(self, tracks: Iterable[HeldTrack]) -> None:
        """Hold these too; those of the same ids are replaced."""
        by_owner: dict[str, dict[int, HeldTrack]] = {}
        for one in tracks:
            by_owner.setdefault(one.owner, {})[one.track.track_id] = one
        fresh = {i for some in by_owner.values() for i in some}
        rows = {owner: self._rows([*some.values()]) for owner, some in by_owner.items()}
        with self._changing:
            shelves = self._without(fresh)
            for owner, some in by_owner.items():
                shelves[owner] = shelves.get(owner, self._empty).with_(some, rows[owner])
            self._shelves = shelves

    def let_go(self, ids: Collection[int]) -> None:
        """Hold these no longer; ids that nobody has are passed over."""
        with self._changing:
            self._shelves = self._without(ids)

    def hide(self, ids: Collection[int]) -> None:
        """These of the artifact's own tracks, and no others of them, are gone."""
        with self._changing:
            if self._artifact.gone != frozenset(ids):
                self._artifact = Seen(self._own.without(ids), gone=frozenset(ids))

    def seen_by(self, caller: str) -> Seen:
        now, seen = self._shelves, self._artifact
        owners = (EVERYBODY, caller) if caller else (EVERYBODY,)
        shelves = tuple(now[owner] for owner in owners if owner in now)
        return replace(seen, shelves=shelves) if shelves else seen

    def __iter__(self) -> Iterator[HeldTrack]:
        return (one for shelf in self._shelves.values() for one in shelf.tracks.values())

    def __len__(self) -> int:
        return sum(len(shelf.tracks) for shelf in self._shelves.values())

    def _without(self, ids: Collection[int]) -> dict[str, Shelf]:
        left = {owner: shelf.without(ids) for owner, shelf in self._shelves.items()}
        return {owner: shelf for owner, shelf in left.items() if shelf.tracks}

    def _rows(self, tracks: Sequence[HeldTrack]) -> Embeddings:
        return self._standard.apply(np.stack([one.heard.vector for one in tracks]))


@dataclass(frozen=True)
class Seen:
    """What one caller may find at one moment: the fingerprints of an artifact's `own` tracks
    without those that are `gone`, and what is held beside them."""

    own: FingerprintIndex
    shelves: tuple[Shelf, ...] = ()
    gone: frozenset[int] = frozenset()

    @property
    def count(self) -> int:
        """Of the tracks that are held."""
        return sum(len(shelf.tracks) for shelf in self.shelves)

    @property
    def prints(self) -> FingerprintIndex | Together:
        if not self.shelves:
            return self.own
        return Together((self.own, *(shelf.prints for shelf in self.shelves)))

    def track(self, track_id: int) -> HeldTrack | None:
        shelf = self.shelf_of(track_id)
        return shelf.tracks[track_id] if shelf else None

    def shelf_of(self, track_id: int) -> Shelf | None:
        return next((shelf for shelf in self.shelves if track_id in shelf.tracks), None)

    def merged(
        self, found: Sequence[Neighbour], query: NDArray[np.float32], k: int, genre: str | None
    ) -> list[Neighbour]:
        """An artifact's neighbours of a (D,) unit row, `k` and as many more as are gone → the `k`
        best of them and of all here, ties by id."""
        near = [one for one in found if one.id not in self.gone]
        for shelf in self.shelves:
            near += shelf.nearest(query, k, genre)
        return sorted(near, key=lambda one: (-one.similarity, one.id))[:k]
