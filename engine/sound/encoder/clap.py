"""CLAP: ten seconds of sound, or words, → a vector in one space (Wu et al., 2022; LAION's).

Both towers are exported when the artifact is made (`making.export`), so serving needs neither torch
nor transformers. Samples are of 16 kHz here and CLAP's of 48: what lies above 8 kHz is not heard.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.sound.audio import RATE, resample
from engine.sound.encoder.encoder import Embedded, Kind, Raw, Samples
from engine.sound.encoder.mel import MelBands
from engine.sound.encoder.windows import window_starts
from engine.sound.network import FOLDER, Network

SOUND, WORDS, TOKENIZER = "sound.xml", "words.xml", "tokenizer.json"
WINDOWS = 6  # of 10 s, heard of a recording

# The front end of every unfused checkpoint that LAION published.
BANDS = MelBands(48_000, window=1_024, hop=480, bands=64, lowest_hz=50.0, highest_hz=14_000.0)
SECONDS = 10
FRAMES = SECONDS * BANDS.rate // BANDS.hop + 1
_SILENCE = 1e-10  # power, below which nothing is told apart

# Kernels are prepared for every length; rows are padded to one of these, and masked.
LENGTHS = (8, 16, 32, 77)


def patches(samples: Samples, most: int) -> NDArray[np.float32]:
    """(N,) float32 at 16 kHz in −1…1 → (P, 1, 1001, 64) float32 dB; 1 ≤ P ≤ `most`.

    What is shorter than 10 s is repeated as often as it fits whole, then silent.
    """
    length = SECONDS * RATE
    starts = window_starts(len(samples), length, most)
    heard = [_window(samples[start : start + length]) for start in starts]
    return np.stack([_decibels(window) for window in heard])[:, None]


def _window(samples: Samples) -> Samples:
    """At most 10 s at 16 kHz → exactly 10 s at 48 kHz."""
    length = SECONDS * BANDS.rate
    window = np.zeros(length, np.float32)
    if len(samples):
        # Of a few samples, resampling leaves none.
        samples = np.resize(samples, max(len(samples), RATE // 100))
        at_rate = resample(samples, RATE, BANDS.rate)[:length]
        repeated = np.tile(at_rate, max(1, length // len(at_rate)))
        window[: len(repeated)] = repeated
    return window


def _decibels(window: Samples) -> NDArray[np.float32]:
    padded = np.pad(window, BANDS.window // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, BANDS.window)[:: BANDS.hop]
    return 10 * np.log10(np.maximum(BANDS.power(frames), np.float32(_SILENCE)))


class Tokenizer:
    """`tokenizer.json` of an encoder's folder: words → ids, and which of them count."""

    def __init__(self, path: Path, pad: int, longest: int = LENGTHS[-1]) -> None:
        from tokenizers import Tokenizer as Backend

        self._backend = Backend.from_file(str(path))
        self._backend.no_padding()
        # A caller's "</s>" is ordinary text: as a token it would end the query there.
        self._backend.encode_special_tokens = True
        self._backend.enable_truncation(max_length=longest)
        self._pad = pad

    def __call__(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Words → (1, L) int64 ids, and (1, L) int64: 1 where a token is, 0 where nothing is."""
        found = self._backend.encode(text).ids
        length = next(length for length in LENGTHS if length >= len(found))
        ids = np.full((1, length), self._pad, np.int64)
        ids[0, : len(found)] = found
        mask = np.zeros((1, length), np.int64)
        mask[0, : len(found)] = 1
        return ids, mask


class ClapEncoder:
    """Both towers of an artifact's `encoder/`, on OpenVINO."""

    kind: Kind = "clap"
    tags: tuple[str, ...] = ()

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        windows: int,
        pad: int,
        threads: int | None = None,
        cache: Path | None = None,
    ) -> None:
        """`folder` holds tokenizer.json and openvino/, `pad` is the id of the token of nothing."""
        self.name = name
        self._windows = windows
        self._tokenizer = Tokenizer(folder / TOKENIZER, pad)
        self._sound = Network(folder / FOLDER / SOUND, threads=threads, cache=cache)
        self._words = Network(folder / FOLDER / WORDS, threads=threads, cache=cache)
        self.dimension = self._sound.dimension

    def embed(self, samples: Samples) -> Embedded:
        (rows,) = self._sound.run(patches(samples, self._windows))
        return Embedded(rows.mean(axis=0))

    def embed_text(self, text: str) -> Raw:
        (rows,) = self._words.run(*self._tokenizer(text))
        return rows.reshape(-1)
