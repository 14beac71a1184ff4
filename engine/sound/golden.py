"""A few clips of the artifact's own tracks with the answers they had at build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import GoldenQueryFailed
from engine.sound.audio import RATE, Samples
from engine.sound.manifest import GOLDEN
from engine.vectors.embeddings import Embeddings, Ids

CLIP_S = 5.0
NO_TRACK = -1
# Another processor moves a vector in its last digits; another network moves it anywhere.
GOLDEN_COSINE = 0.98


@dataclass(frozen=True)
class Answering:
    """What golden clips are asked of: (N,) samples at 16 kHz → what the network hears, (F, K) unit
    rows; the ids of tracks they may be of, best first; the encoder's (D,) unit row of them. And the
    (N, D) unit rows that the index holds of tracks."""

    hear: Callable[[Samples], NDArray[np.float32]]
    find: Callable[[Samples], Sequence[int]]
    embed: Callable[[Samples], NDArray[np.float32]]
    rows: Callable[[Sequence[int]], Embeddings]


@dataclass(frozen=True)
class GoldenClips:
    """Clips of some tracks, and what was made of them at build: they catch a network, an encoder, a
    standard or an index that is another, or computes wrongly here.

    `clips` (G, N) int16 at 16 kHz; `track_ids` (G,) int64, what each is of, or −1 where that is
    not asked; `heard` (G, F, K) and `vectors` (G, D) float32, the network's and the encoder's unit
    rows of it; `rows` (G, D) float32, what the index held of its track.
    """

    clips: NDArray[np.int16]
    track_ids: Ids
    heard: NDArray[np.float32]
    vectors: Embeddings
    rows: Embeddings

    def write(self, path: Path) -> None:
        np.savez_compressed(
            path,
            clips=self.clips,
            track_ids=self.track_ids,
            heard=self.heard,
            vectors=self.vectors,
            rows=self.rows,
        )

    @classmethod
    def read(cls, path: Path) -> GoldenClips:
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return cls(
                    file["clips"],
                    file["track_ids"],
                    file["heard"],
                    file["vectors"],
                    file["rows"],
                )
        except Exception as error:
            # A damaged .npz makes zipfile, zlib and numpy raise some ten kinds of error.
            raise GoldenQueryFailed(f"{path.name} cannot be read ({error}).") from error

    @classmethod
    def of(cls, clips: Sequence[tuple[int, Samples]], answering: Answering) -> GoldenClips:
        """Clips, (N,) samples of one length each, with the ids of their tracks → those and their
        answers now. Of a track that is not found by it, a clip asks nothing."""
        kept = np.stack([_as_int16(samples) for _, samples in clips])
        played = [_as_samples(clip) for clip in kept]
        track_ids = [track_id for track_id, _ in clips]
        known = [
            i if i in answering.find(c)[:3] else NO_TRACK
            for i, c in zip(track_ids, played, strict=True)
        ]
        return cls(
            kept,
            np.array(known, np.int64),
            np.stack([answering.hear(clip) for clip in played]),
            np.stack([answering.embed(clip) for clip in played]),
            answering.rows(track_ids),
        )

    def without(self, track_ids: Sequence[int]) -> GoldenClips:
        """The same clips where these tracks are gone: what they are of is no longer asked."""
        return replace(
            self, track_ids=np.where(np.isin(self.track_ids, track_ids), NO_TRACK, self.track_ids)
        )

    def check(self, answering: Answering) -> None:
        """Ask every clip again; `GoldenQueryFailed` says which answer broke.

        Doubles as the warm-up: afterwards network, encoder and both indexes have answered once.
        """
        self._check_shapes()
        for number, clip in enumerate(self.clips):
            played, track_id = _as_samples(clip), int(self.track_ids[number])
            what = f"Golden clip {number}, of track {track_id},"
            for by, now, then in (
                ("the fingerprint network", answering.hear(played), self.heard[number]),
                ("the encoder", answering.embed(played)[None], self.vectors[number][None]),
            ):
                _refuse_others(f"{what} is to {by}", now, then)
            if track_id == NO_TRACK:
                continue
            if track_id not in answering.find(played)[:3]:
                raise GoldenQueryFailed(
                    f"{what} is not recognised: network and fingerprints do not belong together. "
                    "Build the artifact again."
                )
        self._check_rows(answering)

    def _check_rows(self, answering: Answering) -> None:
        there = self.track_ids != NO_TRACK
        try:
            now = answering.rows(self.track_ids[there].tolist())
        except KeyError as error:
            raise GoldenQueryFailed(
                f"{GOLDEN} holds a clip of track {error}, which is not in the index. Build the "
                "artifact again."
            ) from error
        if there.any():
            what = "The row of a golden clip's track in the index is"
            _refuse_others(what, now, self.rows[there])

    def _check_shapes(self) -> None:
        count = len(self.clips) if self.clips.ndim == 2 else 0
        arrays = (self.heard, self.vectors, self.rows)
        if (
            not count
            or self.clips.dtype != np.int16
            or not RATE // 2 <= self.clips.shape[1] <= 60 * RATE
            or self.track_ids.shape != (count,)
            or self.track_ids.dtype != np.int64
            or [array.ndim for array in arrays] != [3, 2, 2]
            or any(len(array) != count or array.dtype != np.float32 for array in arrays)
        ):
            raise GoldenQueryFailed(
                f"{GOLDEN} does not hold clips at 16 kHz and the answers to each. Build the "
                "artifact again."
            )


def _refuse_others(what: str, now: NDArray[np.float32], then: NDArray[np.float32]) -> None:
    """(R, D) unit rows now and at build, which must point the same way, all in all."""
    if now.shape != then.shape:
        raise GoldenQueryFailed(
            f"{what} {now.shape} numbers, and was {then.shape} when the artifact was built. Build "
            "it again."
        )
    cosine = float(np.mean(np.sum(now * then, axis=1)))
    if not cosine >= GOLDEN_COSINE:  # NaN fails too
        raise GoldenQueryFailed(
            f"{what} not what it was when the artifact was built: their cosine is {cosine:.3f}, at "
            f"least {GOLDEN_COSINE} was expected. It is another one, or computes wrongly here. "
            "Build the artifact again."
        )


def _as_int16(samples: Samples) -> NDArray[np.int16]:
    return np.clip(np.rint(samples * 32767), -32767, 32767).astype(np.int16)


def _as_samples(clip: NDArray[np.int16]) -> Samples:
    return clip.astype(np.float32) / np.float32(32767)
