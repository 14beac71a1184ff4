"""What is told of a recording, from step to step: as JSON, or as arrays in a file of their own."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from engine.base.files import file_sha256

Array = npt.NDArray[np.float32]
FRAME_S = 0.016  # from one frame of pitch to the next
SURE = 0.5  # confidence from which a frame's pitch counts


@dataclass(frozen=True)
class Pitch:
    """(T,) float32 each, a frame each `FRAME_S`: the middle of the frame in seconds, the pitch in
    Hz (something also where nobody sings), and how sure that is, 0…1; `SURE` is enough."""

    times_s: Array
    hz: Array
    confidence: Array

    def save(self, path: Path, voice: Path) -> None:
        """What was heard in the file `voice`."""
        arrays = {"times_s": self.times_s, "hz": self.hz, "confidence": self.confidence}
        save_arrays(path, {**arrays, "sha256": np.array(file_sha256(voice))})

    @classmethod
    def load(cls, path: Path, voice: Path) -> Self | None:
        """None where it was not heard in this very file `voice`, or is damaged: whoever hears it
        once more does without."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                if str(held["sha256"]) != file_sha256(voice):
                    return None
                return cls(held["times_s"], held["hz"], held["confidence"])
        except (EOFError, ValueError, zipfile.BadZipFile):
            return None


@dataclass(frozen=True)
class Word:
    """A word that was heard, when, and how probable the recogniser finds it, 0…1."""

    text: str
    start_s: float
    end_s: float
    probability: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        return cls(
            str(told["text"]),
            float(told["start_s"]),
            float(told["end_s"]),
            float(told["probability"]),
        )


@dataclass(frozen=True)
class Line:
    """A line of lyrics, and when it is sung in the reference: None where nobody knows."""

    text: str
    from_s: float | None = None
    to_s: float | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        begins, ends = told.get("from_s"), told.get("to_s")
        return cls(
            str(told["text"]),
            None if begins is None else float(begins),
            None if ends is None else float(ends),
        )


def save_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """An .npz that is there whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    beside.replace(path)
