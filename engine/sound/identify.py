"""Samples of a clip → which track they are of, from when on, or why that cannot be said.

    samples ─embed→ vectors ─index→ lines on some tracks ─calibration→ a probability → a verdict

Of a calibrated verdict nine in ten that say 0.9 are right. Calibrations are fitted on simulated
recordings by `making.calibration`; one stores weights by the names of its features.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from engine.base.errors import ArtifactError
from engine.base.odds import rescaled, sigmoid
from engine.base.strict import Strict
from engine.sound.advice import LEAST_S
from engine.sound.fingerprint.align import Agreement, Vectors
from engine.sound.fingerprint.index import FingerprintIndex, Together
from engine.sound.fingerprint.sounding import RATE, Embeds, Samples, sounding_vectors

logger = logging.getLogger("shazam.identify")

FILE = "calibration.json"
FEATURES = ("score", "lead", "windows", "sameness")
# Of a clip this much is looked at, and less than that tells too little. A recorder that was asked
# for three seconds may give a frame less.
LONGEST_S, _FRAME_S = 60.0, 0.1
# A track's vectors are half a second apart, a clip's so near that one of them meets each in phase.
STEP_S = 0.125
# A clip whose loudest parts are fainter than this was not matched because little can be heard.
QUIET_DBFS = -50.0
# Clip vectors this far apart are of other moments; so many tracks make the field of the others.
_APART, _RIVALS = 13, 5
# Two tracks as alike as this along the clip are the same recording: neither speaks against the
# other.
SAME = 0.7

Decision = Literal["match", "no_match"]
Reason = Literal["too_short", "too_quiet", "no_agreement"]
Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`confidence` is the probability that the decision is right: that `best` is the track, or that
    the index has none. `best` is there where the decision is a match; `candidates` are the tracks
    that agreed best, best first, whatever was decided. `clip_s` is how much was looked at."""

    decision: Decision
    confidence: float
    reason: Reason | None
    best: Agreement | None
    candidates: tuple[Agreement, ...]
    clip_s: float


class Calibration(Strict):
    """`weights` and `bias` over `features` give log-odds; below `match_at` no match is claimed.
    `present` (slope, bias) over the log-odds of the best track gives those of its being there all
    the same. `network` is the digest of the fingerprinter it was fitted with,
    `clips` how many simulated recordings it rests on."""

    features: tuple[str, ...]
    weights: tuple[Finite, ...]
    bias: Finite
    present: tuple[Finite, Finite]
    match_at: float = Field(ge=0, le=1)
    network: str = ""
    clips: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _a_weight_for_each(self) -> Calibration:
        if len(self.weights) != len(self.features):
            raise ValueError("it has not a weight for each feature")
        return self

    def probability(self, evidence: NDArray[np.float64]) -> float:
        """(F,) of `FEATURES` → the probability, 0–1, that the clip is of this track."""
        return float(sigmoid(np.dot(self.weights, evidence) + self.bias))

    def absent(self, probability: float) -> float:
        """The probability that the index lacks the track, given its best candidate's."""
        return 1 - rescaled(probability, self.present)

    def write(self, path: Path) -> None:
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def of(cls, folder: Path, network: str = "") -> Calibration:
        """The calibration of an artifact's folder; the built-in one where it has none, or one over
        features of another version, or of another network than the one of this digest. Raises
        `ArtifactError` where it is there and cannot be read."""
        path = folder / FILE
        if not path.is_file():
            return DEFAULT
        try:
            read = cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            said = f"{error.error_count()} fields" if isinstance(error, ValidationError) else error
            raise ArtifactError(f"{FILE} cannot be read ({said}). Build it again.") from error
        if read.features != FEATURES or (network and read.network != network):
            logger.warning("%s is another version's; a built-in one is used.", FILE)
            return DEFAULT
        return read


class Identifier:
    """Samples → verdicts. Safe for concurrent use."""

    def __init__(
        self, fingerprinter: Embeds, index: FingerprintIndex, calibration: Calibration
    ) -> None:
        self.fingerprinter, self.index, self.calibration = fingerprinter, index, calibration

    def identify(
        self, samples: Samples, among: FingerprintIndex | Together | None = None
    ) -> Verdict:
        """(N,) float32 at 16 kHz, −1 to 1; its first minute is looked at. `among` is what it is
        compared with in place of the index."""
        index = self.index if among is None else among
        samples = samples[: round(LONGEST_S * RATE)]
        clip_s = len(samples) / RATE
        if clip_s < LEAST_S - _FRAME_S:
            return _nothing("too_short", clip_s)
        vectors, loudness = sounding_vectors(self.fingerprinter, samples, STEP_S)
        says = vectors.any(axis=1)
        if not says.any():
            return _nothing("too_quiet", clip_s)
        if says.sum() * STEP_S + self.fingerprinter.window_s < LEAST_S - _FRAME_S:
            return _nothing("too_short", clip_s)
        found = tuple(index.search(vectors, STEP_S))
        probability = self.probability(found, vectors, index)
        if found and probability >= self.calibration.match_at:
            return Verdict("match", probability, None, found[0], found, clip_s)
        quiet = float(np.quantile(loudness, 0.9)) < QUIET_DBFS
        reason: Reason = "too_quiet" if quiet else "no_agreement"
        absent = self.calibration.absent(probability)
        return Verdict("no_match", absent, reason, None, found, clip_s)

    def probability(
        self, found: Sequence[Agreement], vectors: Vectors, index: FingerprintIndex | Together
    ) -> float:
        """Tracks of an index that a clip agrees with, best first, and its (Q, D) vectors `STEP_S`
        apart → the probability that it is of the best of them."""
        if not found:
            return 0.0
        return self.calibration.probability(weigh(index, found, vectors))


def weigh(
    index: FingerprintIndex | Together, found: Sequence[Agreement], vectors: Vectors
) -> NDArray[np.float64]:
    """Tracks of an index that a clip agrees with, best first, and its (Q, D) vectors → (4,) of
    `FEATURES`. `lead` is what the best is ahead of the mean of the next, those left out that are
    the same recording once more; with `sameness` a clip of one long sound, which is like every
    other such sound, is no find."""
    best, clip_s = found[0], len(vectors) * STEP_S
    near = [o for o in found[1:3] if index.likeness(best, o, clip_s) < SAME]
    others = [other.score for other in (*near, *found[3:])][:_RIVALS]
    lead = best.score - float(np.mean(others or [0.0]))
    return np.array([best.score, lead, np.log(max(1, best.windows)), sameness(vectors)])


def sameness(vectors: Vectors) -> float:
    """(Q, D) vectors of a clip → the mean similarity of those that share no moment, or of its first
    half and its second where it is short."""
    says = vectors[vectors.any(axis=1)]
    apart = min(_APART, len(says) // 2)
    similar = says @ says.T
    return float(similar[np.triu_indices(len(says), apart)].mean())


def _nothing(reason: Reason, clip_s: float) -> Verdict:
    """Nobody can say: of two answers, yes and no, either may be right."""
    return Verdict("no_match", 0.5, reason, None, (), clip_s)


# Fitted by `making.calibration` on 400 simulated recordings of 60 pieces of music that are in no
# training (those of `benchmarks/sound.py`), each with its track and without; what an artifact too
# small for a fit of its own uses.
DEFAULT = Calibration(
    features=FEATURES,
    weights=(12.0, 29.7, 0.729, -3.74),
    bias=-12.4,
    present=(0.632, 0.0196),
    match_at=0.81,
)
