"""Vectors of all tracks → those that a clip's vectors agree with, in time.

Up to FLAT_UP_TO rows every line through every track is summed: nothing is missed. Above, each of a
clip's vectors finds the codes nearest to it, these vote for lines, and the best lines are compared
by their rows.

An index grows and shrinks while it serves: what is added lies in memory beside the files, whose
rows of removed tracks belong to nobody, until `write` makes files of all (`files`). Several answer
together as one (`Together`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.base.progress import Progress
from engine.sound.fingerprint.align import Agreement, Proposal, Vectors, diagonals, fit, speeds
from engine.sound.fingerprint.files import (
    BLOCK,
    CODES,
    ROWS,
    FingerprintWriter,
    Stored,
    decoded,
    describe,
    encoded,
    open_files,
    read_codes,
)

# Rows of removed tracks, before all files are made anew.
_WASTED_AT_MOST = 0.25
# A longer clip is proposed in parts: a line of the wrong speed leaves the right one by 0.2 s in 10.
_PART_S = 10.0
# Clip vectors this far apart propose lines; all of them are compared in the end.
_PROPOSE_EVERY_S = 0.25
# How many tracks are proposed, at how many places each, and how many lines are tried at all speeds.
_TRACKS, _PLACES, _AT_ALL_SPEEDS = 12, 3, 8
_NEAREST, _LISTS_VISITED = 48, 12
_BIN_S = 0.5
# Votes of a track's places are told apart by number; a clip may begin before its track does.
_PLACES_A_TRACK, _BEFORE = 1 << 32, 1 << 16


class _Room:
    """Decoded rows with room behind them: of three thousand tracks they are 320 MB, too much to be
    copied for each that comes. Whoever holds fewer rows sees none of those behind."""

    def __init__(self, rows: Vectors, more: int = 0) -> None:
        self._rows = np.empty((len(rows) + more, rows.shape[1]), np.float32)
        self._rows[: len(rows)] = rows
        self._used = len(rows)
        self._lock = threading.Lock()

    def with_(self, before: Vectors, fresh: Vectors) -> tuple[_Room, Vectors]:
        """`before`, the first rows here, and `fresh` ones behind them; in a larger room where there
        is none left, or others have taken it."""
        begin, end = len(before), len(before) + len(fresh)
        with self._lock:
            if self._used == begin and end <= len(self._rows):
                self._rows[begin:end] = fresh
                self._used = end
                return self, self._rows[:end]
        return _Room(before, len(fresh) + begin // 2).with_(before, fresh)


@dataclass(frozen=True)
class _Shelf:
    """What an index holds at one moment, a search keeps the one it began with: (T,) ids, first rows
    and counts of rows, ascending by first row, and the parts added since the files were written."""

    ids: NDArray[np.int64]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    filed: Stored
    added: tuple[Stored, ...] = ()
    codes: Any = None

    @cached_property
    def beside(self) -> Vectors:
        """(A, D) rows that have no codes: those added, and those of the files where they are few.
        The first of them is row `beside_from`."""
        parts = self.added if self.codes is not None else (self.filed, *self.added)
        rows = [np.zeros((0, self.filed.shape[1]), np.float32), *map(decoded, parts)]
        return np.concatenate(rows)

    @property
    def beside_from(self) -> int:
        return 0 if self.codes is None else len(self.filed)

    @cached_property
    def end(self) -> int:
        return len(self.filed) + sum(map(len, self.added))

    def rows(self, track: int, low: int, high: int) -> Vectors:
        """Rows `low` to `high` of the track at this place of the table."""
        first = int(self.first[track])
        if first >= self.beside_from:
            first -= self.beside_from
            return self.beside[first + low : first + high]
        return decoded(self.filed[first + low : first + high])

    def stored(self, track: int) -> Stored:
        first, count = int(self.first[track]), int(self.count[track])
        if first < len(self.filed):
            return self.filed[first : first + count]
        return encoded(self.rows(track, 0, count))

    def tracks_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) rows → the places of their tracks in the table, −1 for a row that is nobody's."""
        at = np.searchsorted(self.first, rows, "right") - 1
        inside = (at >= 0) & (rows < self.first[at] + self.count[at])
        return np.where(inside, at, -1)

    def without(self, ids: Iterable[int]) -> _Shelf:
        """Each part that was added is one track's, in their order: it goes with it."""
        kept = ~np.isin(self.ids, list(ids))
        if kept.all():
            return self
        beside = self.first >= len(self.filed)
        parts = zip(self.added, kept[beside].tolist(), strict=True)
        added = tuple(part for part, stays in parts if stays)
        first = self.first[kept & ~beside]
        ends = len(self.filed) + np.cumsum([0, *map(len, added)], dtype=np.int64)
        first = np.concatenate([first, ends[:-1]])
        return _Shelf(self.ids[kept], first, self.count[kept], self.filed, added, self.codes)

    def holding(self, parts: Mapping[int, Stored]) -> _Shelf:
        """With these tracks, none of which it has."""
        counts = np.array([len(part) for part in parts.values()], np.int64)
        made = _Shelf(
            np.concatenate([self.ids, np.array(list(parts), np.int64)]),
            np.concatenate([self.first, self.end + np.cumsum(counts) - counts]),
            np.concatenate([self.count, counts]),
            self.filed,
            (*self.added, *parts.values()),
            self.codes,
        )
        if "beside" in self.__dict__:  # or the next search would decode again what it knows
            room = self.__dict__.get("room") or _Room(self.beside)
            made.__dict__["room"], made.__dict__["beside"] = room.with_(
                self.beside, np.concatenate([*map(decoded, parts.values())])
            )
        return made


class FingerprintIndex:
    """Tracks by the vectors of their sound. Safe for searches and changes at once."""

    def __init__(self, dimension: int, step_s: float) -> None:
        """An empty one, of vectors of `dimension` numbers, `step_s` apart."""
        self.dimension, self.step_s = dimension, step_s
        none = np.zeros(0, np.int64)
        self._shelf = _Shelf(none, none, none, np.zeros((0, dimension), np.int8))
        self._folder: Path | None = None
        self._changing = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> FingerprintIndex:
        """The one in an artifact's `fingerprints/`. Raises `ArtifactError` where its files cannot
        be read or do not fit together."""
        files = open_files(folder)
        made = cls(files.about.dimension, files.about.step_s)
        ids, first, count = np.ascontiguousarray(files.table.T)
        made._shelf = _Shelf(ids, first, count, files.rows, (), files.codes)
        made._folder = folder
        return made

    def __len__(self) -> int:
        """How many tracks."""
        return len(self._shelf.ids)

    def __contains__(self, track_id: int) -> bool:
        return bool((self._shelf.ids == track_id).any())

    @property
    def minutes(self) -> float:
        """Of sound."""
        return int(self._shelf.count.sum()) * self.step_s / 60

    def ids(self) -> NDArray[np.int64]:
        """(T,) int64, ascending."""
        return np.sort(self._shelf.ids)

    def vectors(self, track_id: int) -> Vectors:
        """(F, D) float32 of a track, off by 0.2 % of what was added. KeyError for an unknown id."""
        shelf = self._shelf
        for at in np.flatnonzero(shelf.ids == track_id).tolist():
            return decoded(shelf.stored(at))
        raise KeyError(track_id)

    def add(self, track_id: int, vectors: Vectors) -> None:
        """Hold (F, D) vectors of a track, `step_s` apart, F ≥ 1; those of that id are replaced."""
        if not len(vectors) or vectors.shape[1] != self.dimension:
            raise ValueError(f"track {track_id}: {vectors.shape} is not (1 …, {self.dimension})")
        part = encoded(vectors)
        with self._changing:
            self._shelf = self._shelf.without([track_id]).holding({track_id: part})

    def remove(self, ids: Iterable[int]) -> None:
        """Hold these tracks no longer; ids that it has not are passed over."""
        with self._changing:
            self._shelf = self._shelf.without(ids)

    def without(self, ids: Iterable[int]) -> FingerprintIndex:
        """The same without these tracks, over the same rows."""
        return self._of(self._shelf.without(ids))

    def holding(self, parts: Mapping[int, Stored]) -> FingerprintIndex:
        """The same and these tracks, (F, D) int8 each, F ≥ 1, in place of those of their ids."""
        for track_id, part in parts.items():
            if not len(part) or part.shape[1] != self.dimension:
                raise ValueError(f"track {track_id}: {part.shape} is not (1 …, {self.dimension})")
        return self._of(self._shelf.without(parts).holding(parts) if parts else self._shelf)

    def _of(self, shelf: _Shelf) -> FingerprintIndex:
        made = FingerprintIndex(self.dimension, self.step_s)
        made._shelf, made._folder = shelf, self._folder
        return made

    def write(self, folder: Path, progress: Progress | None = None) -> None:
        """Make files of all it holds in `folder`.

        Codes that are there are kept and lengthened until a quarter of their rows is of removed
        tracks; then, and where there were none, they are trained on what is here.
        """
        shelf = self._shelf
        kept = int(shelf.count[shelf.first < len(shelf.filed)].sum())
        if shelf.codes is not None and kept >= (1 - _WASTED_AT_MOST) * len(shelf.filed):
            self._lengthen(folder, shelf)
            return
        with FingerprintWriter(folder, self.dimension, self.step_s, progress) as writer:
            for track, track_id in enumerate(shelf.ids.tolist()):
                writer.add_stored(track_id, shelf.stored(track))

    def _lengthen(self, folder: Path, shelf: _Shelf) -> None:
        assert self._folder is not None
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ROWS).open("wb") as file:
            for start in range(0, len(shelf.filed), BLOCK):
                shelf.filed[start : start + BLOCK].tofile(file)
            for part in shelf.added:
                part.tofile(file)
        held = open_files(self._folder).about
        codes = read_codes(self._folder, held, mapped=False)
        gone = np.ones(len(shelf.filed), bool)
        for first, count in zip(shelf.first.tolist(), shelf.count.tolist(), strict=True):
            gone[first : first + count] = False
        codes.remove_ids(np.flatnonzero(gone))
        says = np.flatnonzero(shelf.beside.any(axis=1))
        codes.add_with_ids(shelf.beside[says], len(shelf.filed) + says)
        faiss.write_index(codes, str(folder / CODES))
        table = np.stack([shelf.ids, shelf.first, shelf.count], axis=1)
        describe(folder, table, self.dimension, self.step_s, shelf.end, held.lists)

    def search(self, clip: Vectors, step_s: float, most: int = 8) -> list[Agreement]:
        """(Q, D) vectors of a clip, `step_s` apart, which goes a whole number of times into the
        index's → at most `most` tracks that it agrees with, each where it does best, best first."""
        ratio = round(self.step_s / step_s)
        if ratio < 1 or abs(ratio * step_s - self.step_s) > 1e-6:
            raise ValueError(f"{step_s} s do not go into {self.step_s} s a whole number of times")
        shelf = self._shelf
        if not clip.any() or not len(shelf.ids):
            return []
        proposed = [p for part in self._parts(clip, step_s) for p in self._propose(shelf, *part)]
        lines = [(p, self._line(shelf, clip, step_s, p)) for p in proposed]
        lines.sort(key=lambda pair: -pair[1].score if pair[1] else 2.0)
        every = speeds(len(clip) * step_s)
        best: dict[int, Agreement] = {}
        for number, (proposal, line) in enumerate(lines):
            if line is not None and number < _AT_ALL_SPEEDS:
                line = self._line(shelf, clip, step_s, proposal, every)
            if line is None:
                continue
            known = best.get(proposal.track)
            if known is None or line.score > known.score:
                best[proposal.track] = line
        return sorted(best.values(), key=lambda found: -found.score)[:most]

    def likeness(
        self,
        one: Agreement,
        other: Agreement,
        clip_s: float,
        *,
        among: FingerprintIndex | None = None,
    ) -> float:
        """How alike two tracks are where a clip of this length lies on each, −1 to 1: two copies of
        one recording are nearly the same there, whatever noise the clip has. The other may be one
        of another index, `among`."""
        shelf, theirs = self._shelf, (among or self)._shelf
        at = int(np.flatnonzero(shelf.ids == one.track_id)[0])
        low = max(0, round(one.offset_s / self.step_s))
        high = min(int(shelf.count[at]), low + max(2, round(clip_s / self.step_s)))
        if high - low < 2:
            return 0.0
        begins = other.offset_s + low * self.step_s - one.offset_s
        place = int(np.flatnonzero(theirs.ids == other.track_id)[0])
        rows, every = shelf.rows(at, low, high), speeds((high - low) * self.step_s)
        line = self._line(theirs, rows, self.step_s, Proposal(place, begins, 0.0), every)
        return 0.0 if line is None else line.score

    def _line(
        self,
        shelf: _Shelf,
        clip: Vectors,
        step_s: float,
        proposed: Proposal,
        among: NDArray[np.float64] | None = None,
    ) -> Agreement | None:
        """The best line through a track near a proposal, or None."""
        begins = proposed.track_s - proposed.clip_s
        margin = 1.0 + 0.03 * len(clip) * step_s
        low = max(0, int((begins - margin) / self.step_s))
        high = int((begins + len(clip) * step_s + margin) / self.step_s) + 1
        high = min(int(shelf.count[proposed.track]), high)
        if low >= high:
            return None
        similarities = clip @ shelf.rows(proposed.track, low, high).T
        line = fit(
            similarities,
            step_s=step_s,
            first_s=low * self.step_s,
            row_s=self.step_s,
            proposed=proposed,
            among=among,
        )
        if line is None:
            return None
        return line.of(int(shelf.ids[proposed.track]))

    def _parts(self, clip: Vectors, step_s: float) -> Iterator[tuple[Vectors, float, float]]:
        """The clip's parts, thinned: vectors, their step and where the part begins, seconds."""
        thin = max(1, round(_PROPOSE_EVERY_S / step_s))
        thinned, step_s = clip[::thin], step_s * thin
        size = max(1, round(_PART_S / step_s))
        number = max(1, round(len(thinned) / size))
        begins = 0.0
        for part in np.array_split(thinned, number):
            if part.any():
                yield part, step_s, begins
            begins += len(part) * step_s

    def _propose(
        self, shelf: _Shelf, clip: Vectors, step_s: float, begins: float
    ) -> Iterator[Proposal]:
        """Where a clip, `begins` seconds into the whole one, may lie."""
        found = self._by_diagonals(shelf, clip, step_s)
        if shelf.codes is not None:
            found = [*found, *self._by_votes(shelf, clip, step_s)]
        for proposal in found:
            yield Proposal(proposal.track, proposal.track_s, proposal.clip_s + begins)

    def _by_diagonals(self, shelf: _Shelf, clip: Vectors, step_s: float) -> list[Proposal]:
        """The best lines through the rows beside the codes: the best tracks, some places each."""
        held = np.flatnonzero(shelf.first >= shelf.beside_from)
        if not len(held):
            return []
        sums, middles = diagonals(clip @ shelf.beside.T, round(self.step_s / step_s))
        phase, best = sums.argmax(axis=0), sums.max(axis=0)
        first = shelf.first[held] - shelf.beside_from
        ends = first + shelf.count[held]
        # Every second piece lies between two tracks, where removed ones were.
        borders = np.stack([first, np.minimum(ends, len(best) - 1)], axis=1).ravel()
        of_track = np.maximum.reduceat(best, borders)[::2]
        found = []
        for number in np.argsort(-of_track)[:_TRACKS].tolist():
            low, high = int(first[number]), int(ends[number])
            for row in _peaks(best[low:high], _PLACES):
                clip_s = float(middles[phase[low + row]]) * step_s
                found.append(Proposal(int(held[number]), row * self.step_s, clip_s))
        return found

    def _by_votes(self, shelf: _Shelf, clip: Vectors, step_s: float) -> list[Proposal]:
        """The lines that most of the nearest codes lie on."""
        says = np.flatnonzero(clip.any(axis=1))
        visiting = faiss.SearchParametersIVF(nprobe=_LISTS_VISITED)
        near, rows = shelf.codes.search(clip[says], _NEAREST, params=visiting)
        asked = np.repeat(says, _NEAREST)
        near, rows = near.ravel(), rows.ravel()
        tracks = shelf.tracks_of(rows)
        valid = (rows >= 0) & (tracks >= 0)
        asked, near, rows, tracks = asked[valid], near[valid], rows[valid], tracks[valid]
        middle = len(clip) // 2 * step_s
        lies = (rows - shelf.first[tracks]) * self.step_s + middle - asked * step_s
        # Each vote counts in two bins that overlap by half: no line is cut in two.
        half = np.floor(lies / (_BIN_S / 2)).astype(np.int64) + _BEFORE
        keys = tracks * _PLACES_A_TRACK + np.stack([half - 1, half])
        bins, place = np.unique(keys, return_inverse=True)
        votes = np.bincount(place.ravel(), np.tile(np.maximum(near, 0) ** 2, 2), len(bins))
        found: list[Proposal] = []
        places: dict[int, int] = {}
        for number in np.argsort(-votes)[: 4 * _TRACKS * _PLACES].tolist():
            track, bin_ = divmod(int(bins[number]), _PLACES_A_TRACK)
            places[track] = places.get(track, 0) + 1
            if places[track] <= 2 * _PLACES and len(places) <= 2 * _TRACKS:
                track_s = (bin_ - _BEFORE + 1) * _BIN_S / 2
                found.append(Proposal(track, track_s, middle))
        return found


class Together:
    """Several indices whose tracks differ, asked as if they were one."""

    def __init__(self, parts: Sequence[FingerprintIndex]) -> None:
        self._parts = parts

    def search(self, clip: Vectors, step_s: float, most: int = 8) -> list[Agreement]:
        """As `FingerprintIndex.search`."""
        found = [one for part in self._parts for one in part.search(clip, step_s, most)]
        return sorted(found, key=lambda one: -one.score)[:most]

    def likeness(self, one: Agreement, other: Agreement, clip_s: float) -> float:
        """As `FingerprintIndex.likeness`."""
        return self._with(one).likeness(one, other, clip_s, among=self._with(other))

    def _with(self, found: Agreement) -> FingerprintIndex:
        return next(part for part in self._parts if found.track_id in part)


def _peaks(values: Vectors, most: int) -> list[int]:
    """The places of the greatest values, none beside another."""
    left = values.copy()
    found: list[int] = []
    while len(found) < min(most, len(values)):
        at = int(left.argmax())
        if left[at] == -np.inf:
            break
        found.append(at)
        left[max(0, at - 2) : at + 3] = -np.inf
    return found
