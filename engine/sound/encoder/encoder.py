"""What an encoder of sound is, and how its vectors become comparable: one vector a recording.

Vectors of different music are alike before they are standardised: what all music has in common is
most of them (mean cosine of two tracks 0.5 to 0.9). Mean and deviation over the catalogue take
that away, and belong to the artifact as the index does.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import EncoderMismatch
from engine.vectors.embeddings import Embeddings, unit_rows

Kind = Literal["musicnn", "clap", "mert"]
# (N,) float32 in −1…1, mono, 16 kHz.
Samples = NDArray[np.float32]
# (D,) float32, of any length: what comes out of an encoder.
Raw = NDArray[np.float32]

# Tracks' worth of doubt: so much is each deviation drawn to the median one, as of a single track
# there is none.
_DOUBT = 2.0


@dataclass(frozen=True)
class Embedded:
    """A recording as an encoder hears it; `tags` (T,) float32 in 0…1, or None where it has none."""

    vector: Raw
    tags: NDArray[np.float32] | None = None


class SoundEncoder(Protocol):
    """Samples → one vector. Implementations let callers in one at a time."""

    kind: Kind
    name: str
    dimension: int
    tags: tuple[str, ...]

    def embed(self, samples: Samples) -> Embedded:
        """(N,) float32 at 16 kHz in −1…1, as long as one likes → one vector, not standardised.

        Of a long recording windows spread over all of it are heard.
        """
        ...


@runtime_checkable
class WordsEncoder(SoundEncoder, Protocol):
    """An encoder that has words in the space of sounds, too."""

    def embed_text(self, text: str) -> Raw:
        """Words, truncated at what the encoder reads → (D,) float32, not standardised."""
        ...


@dataclass(frozen=True)
class Standard:
    """(D,) float32 each: what is taken from a raw vector, and what it is divided by (> 0)."""

    mean: Raw
    deviation: Raw

    @classmethod
    def fit(cls, raw: Embeddings) -> Standard:
        """(N, D) float32 raw vectors of a catalogue, N ≥ 1 → its `Standard`."""
        rows = np.asarray(raw, np.float64)
        sure = len(rows) / (len(rows) + _DOUBT)
        # Of one track nothing may be taken away, or nothing is left; of two, not all of the mean,
        # or each is the other's contrary. Of more it soon must be: it is most of every vector.
        mean = rows.mean(axis=0) * (1 - 1 / len(rows) ** 2)
        about = np.mean((rows - mean) ** 2, axis=0)
        common = max(float(np.median(about)), 1e-12)
        deviation = np.sqrt(sure * about + (1 - sure) * common)
        return cls(mean.astype(np.float32), deviation.astype(np.float32))

    def apply(self, raw: Embeddings) -> Embeddings:
        """(N, D) float32 raw vectors → (N, D) float32, unit rows (±1e-5)."""
        return unit_rows((raw - self.mean) / self.deviation)

    def toward(self, words: Raw) -> Embeddings:
        """(D,) float32 of words → (1, D) float32, a unit row: its products with standardised rows
        order them as raw products do: t·a = σt·(a − μ)/σ + t·μ, and t·μ is the same for all."""
        return unit_rows((words * self.deviation)[None])

    def write(self, path: Path) -> None:
        np.savez(path, mean=self.mean, deviation=self.deviation)

    @classmethod
    def read(cls, path: Path, dimension: int) -> Standard:
        """What `write` wrote; `EncoderMismatch` if it is not of `dimension` numbers, all finite."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                mean, deviation = (np.asarray(stored[name]) for name in ("mean", "deviation"))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise EncoderMismatch(
                f"{path.name} does not hold a mean and a deviation ({type(error).__name__}). "
                "Rebuild the artifact."
            ) from error
        for values in (mean, deviation):
            if values.shape != (dimension,) or values.dtype != np.float32:
                raise EncoderMismatch(
                    f"{path.name} holds {values.shape} {values.dtype}, and the encoder gives "
                    f"({dimension},) float32. Rebuild the artifact."
                )
        if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and deviation.min() > 0):
            raise EncoderMismatch(
                f"{path.name} holds numbers that nothing can be standardised with. "
                "Rebuild the artifact."
            )
        return cls(mean, deviation)
