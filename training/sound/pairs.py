"""Music → batches of three seconds as recorded and as heard, as mel frames."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.sound.fingerprint import spectrum
from engine.sound.hearing import codec as codecs
from engine.sound.hearing import phone, rooms
from training.sound.music import Music, Track

RATE = spectrum.RATE
Samples = npt.NDArray[np.float32]

FRAMES = 95 + 3 * 32  # four windows, half a second apart
LENGTH = (FRAMES - 1) * spectrum.HOP + spectrum.LENGTH
BEFORE = RATE // 2  # heard before the clip begins: the room still sounds of it
# Rows of the index are half a second apart, a query's an eighth: a sixteenth off at most.
MOST_OFF_S = 0.07


@dataclass(frozen=True)
class Recipe:
    """What of it is how likely."""

    pairs: int = 64
    siblings: int = 16  # of the pairs: other places of tracks that are in the batch
    faint_snr_db: float = -4.0
    clear_snr_db: float = 16.0
    quiet_share: float = 0.1  # without noise
    dry_share: float = 0.1  # without a room
    rooms: int = 150  # at hand; one in twenty that is used is built anew
    coded_share: float = 0.1
    speed_share: float = 0.5  # at another speed


@dataclass(frozen=True)
class Batch:
    """Frames (pairs, 191, 64) float16 as recorded and as heard; whose and from which second."""

    recorded: npt.NDArray[np.float16]
    heard: npt.NDArray[np.float16]
    tracks: npt.NDArray[np.int32]
    seconds: npt.NDArray[np.float32]


class Pairs:
    def __init__(self, music: Music, speech: Samples, recipe: Recipe, seed: int) -> None:
        self.music, self.speech, self.recipe = music, speech, recipe
        self.rng = np.random.default_rng(seed)
        lengths = np.array([t.samples for t in music.tracks], np.float64)
        # Long tracks less often than their length says, packages of many short ones likewise.
        self.weights = np.sqrt(lengths) / np.sqrt(lengths).sum()
        self.rooms = [rooms.two(self.rng, RATE) for _ in range(recipe.rooms)]

    def batch(self, easier_db: float = 0.0) -> Batch:
        chosen = self._places()
        recorded = [self._recorded(track, start) for track, start in chosen]
        heard = [self._heard(track, start, easier_db) for track, start in chosen]
        self._code(heard)
        return Batch(
            np.stack([spectrum.frames(s) for s in recorded]).astype(np.float16),
            np.stack([spectrum.frames(s) for s in heard]).astype(np.float16),
            np.array([self.music.tracks.index(t) for t, _ in chosen], np.int32),
            np.array([start / RATE for _, start in chosen], np.float32),
        )

    def _places(self) -> list[tuple[Track, int]]:
        places: list[tuple[Track, int]] = []
        while len(places) < self.recipe.pairs:
            if len(places) >= self.recipe.pairs - self.recipe.siblings:
                track = places[int(self.rng.integers(len(places)))][0]
            else:
                track = self.music.tracks[self.rng.choice(len(self.weights), p=self.weights)]
            start = int(self.rng.integers(RATE, track.samples - LENGTH - RATE))
            near = any(t is track and abs(s - start) < LENGTH + RATE for t, s in places)
            if not near and self._audible(track, start):
                places.append((track, start))
        return places

    def _audible(self, track: Track, start: int) -> bool:
        """Whether no half second of it is fainter than −55 dB of full scale."""
        piece = self._cut(track, start, start + LENGTH)[: LENGTH // 4000 * 4000]
        return bool(np.square(piece.reshape(-1, 4000)).mean(1).min() > 10**-5.5)

    def _cut(self, track: Track, start: int, end: int) -> Samples:
        piece = self.music.samples[
            track.start + max(start, 0) : track.start + min(end, track.samples)
        ]
        padding = (max(-start, 0), max(end - track.samples, 0))
        return np.pad(piece.astype(np.float32) / 32_768, padding)

    def _recorded(self, track: Track, start: int) -> Samples:
        gain = 10 ** (self.rng.uniform(-12, 6) / 20)
        return self._cut(track, start, start + LENGTH) * np.float32(gain)

    def _heard(self, track: Track, start: int, easier_db: float) -> Samples:
        rng, recipe = self.rng, self.recipe
        index = int(rng.integers(len(self.rooms)))
        if rng.random() < 0.05:
            self.rooms[index] = rooms.two(rng, RATE)
        speed = 1.0
        if rng.random() < recipe.speed_share:
            speed = 1 + phone.LONGEST_SHIFT * float(rng.uniform(-1.1, 1.1))
        snr = None
        if rng.random() > recipe.quiet_share:
            snr = easier_db + float(rng.uniform(recipe.faint_snr_db, recipe.clear_snr_db))
        place = phone.invent(
            rng,
            responses=None if rng.random() < recipe.dry_share else self.rooms[index],
            snr_db=snr,
            speed=speed,
            recordings=self.speech,
        )
        centre = start + LENGTH / 2 + rng.uniform(-MOST_OFF_S, MOST_OFF_S) * RATE
        begin = int(centre - (BEFORE + LENGTH / 2) * speed)
        end = begin + int((BEFORE + LENGTH) * speed) + 8
        return place.played(self._cut(track, begin, end), RATE, rng)[BEFORE : BEFORE + LENGTH]

    def _code(self, heard: list[Samples]) -> None:
        """A share of the clips through one codec, one after the other in one file."""
        few = self.rng.permutation(len(heard))[: round(len(heard) * self.recipe.coded_share)]
        if not len(few):
            return
        name = str(self.rng.choice(codecs.available()))
        together = codecs.coded(np.concatenate([heard[i] for i in few]), RATE, name)
        for k, i in enumerate(few):
            heard[i] = together[k * LENGTH : (k + 1) * LENGTH]


def endless(
    folder: Path, packages: Collection[str], recipe: Recipe, seed: int, easy: int
) -> Iterator[Batch]:
    """Batches for ever, the first `easy` of them with less noise."""
    speech = np.load(folder / "speech.npy", mmap_mode="r")
    pairs = Pairs(Music.open(folder).of(packages), speech, recipe, seed)
    for made in itertools.count():
        yield pairs.batch(8.0 * max(0.0, 1 - made / easy))
