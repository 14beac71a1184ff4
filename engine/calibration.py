"""Evidence → a probability that means what it says: of all answers given with 0.9, nine in ten
are right.

A logistic regression over the evidence, then one over its own output (Platt 1999) on photos where
the best candidate was chosen by it. `build` fits both on simulated photos of the artifact's own
covers, every one photographed twice: once as itself, and once as a stranger, its own row left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ArtifactError

if TYPE_CHECKING:
    from engine.candidates import Candidate
    from engine.references import References

FEATURES = (
    "likeness",
    "margin",
    "inlier_share",
    "log_inliers",
    "seen",
    "correlation",
    "own_seen",
    "own_correlation",
    "own",
    "colour",
    "own_seen_and_much",
    "share_and_own_correlation",
    "contradicted",
)
# Photos of each kind that a calibration rests on, where the catalogue is large enough.
PHOTOS = 150
# Fewer covers than this are too few to fit on.
FEWEST_COVERS = 100
# What is photographed: everything at once mostly, and single things that can go wrong.
# Hidden ones weigh much: what a thumb covers must not be taken for what another cover shows.
_PRESETS = ("mixed", "mixed", "mixed", "hidden", "hidden", "mild", "rotation", "small", "crop")
_FALSE_MATCHES = 0.005

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """`weights` and `bias` over `FEATURES`; below `match_at` no match is claimed, from `sure_at`
    on no further proof is sought. `present` (slope, bias) over the log-odds of the best candidate
    gives the probability that the album is in the catalogue at all."""

    weights: tuple[float, ...]
    bias: float
    present: tuple[float, float]
    match_at: float = 0.9
    sure_at: float = 0.95
    unsure_at: float = 0.5
    photos: int = 0

    def probability(self, features: NDArray[np.float64]) -> float:
        """(13,) → the probability, 0–1, that the photo shows this very album."""
        return float(_sigmoid(np.dot(self.weights, features) + self.bias))

    def absent(self, probability: float) -> float:
        """The probability that the catalogue lacks the album, given its best candidate's."""
        slope, bias = self.present
        clipped = min(max(probability, 1e-4), 1 - 1e-4)
        return float(1 - _sigmoid(slope * np.log(clipped / (1 - clipped)) + bias))

    def write(self, path: Path) -> None:
        path.write_text(
            json.dumps({"features": FEATURES, **asdict(self)}, indent=2) + "\n", encoding="utf-8"
        )

    @classmethod
    def of(cls, folder: Path) -> Calibration:
        """The calibration of an artifact's folder, or the one fitted on the demo catalogue.

        Raises `ArtifactError` where it is there and cannot be read.
        """
        path = folder / "identify" / "calibration.json"
        if not path.is_file():
            return DEFAULT
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            if read.pop("features") != list(FEATURES) or len(read["weights"]) != len(FEATURES):
                raise ValueError("it is over other features")
            pairs = {name: tuple(read[name]) for name in ("weights", "present")}
            made = cls(**{**read, **pairs})
            if not np.isfinite([*made.weights, made.bias, *made.present]).all():
                raise ValueError("a weight is not finite")
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise ArtifactError(
                f"identify/calibration.json cannot be read ({error}). Build the artifact again."
            ) from error
        return made


# Fitted on the demo catalogue; what an artifact too small for a fit of its own uses.
DEFAULT = Calibration(
    weights=(-2.64, 5.74, -0.03, 0.34, -0.34, 4.51, 1.0, 2.81, 7.31, -1.35, 3.06, 3.73, 1.08),
    bias=-9.85,
    present=(0.76, 0.24),
    match_at=0.82,
)


@dataclass(frozen=True)
class Observed:
    """One simulated photo: what was proven of it, and which of that is right (−1: none)."""

    features: Rows
    rows: tuple[int, ...]
    right: int
    present: bool


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(x, -40, 40)))


def fit_logistic(x: Rows, y: NDArray[np.float64], ridge: float = 1.0) -> tuple[Rows, float]:
    """(N, F) and N labels 0–1 → weights (F,) and bias: maximum likelihood with an L2 penalty on
    standardised features, by Newton's method."""
    mean, scale = x.mean(0), x.std(0) + 1e-6
    z = np.concatenate([(x - mean) / scale, np.ones((len(x), 1))], axis=1)
    penalty = np.full(z.shape[1], ridge)
    penalty[-1] = 1e-6
    w = np.zeros(z.shape[1])
    for _ in range(50):
        p = _sigmoid(z @ w)
        gradient = z.T @ (p - y) + penalty * w
        hessian = (z * (p * (1 - p) + 1e-9)[:, None]).T @ z + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        w -= step
        if np.abs(step).max() < 1e-6:
            break
    weights = w[:-1] / scale
    return weights, float(w[-1] - weights @ mean)


def fit(observed: Sequence[Observed]) -> Calibration:
    """What was observed of many photos → a calibration. DEFAULT where it is too little to fit."""
    present = np.array([photo.present for photo in observed])
    if len(observed) < 60 or min(present.sum(), (~present).sum()) < 20:
        return DEFAULT
    x = np.concatenate([photo.features for photo in observed])
    y = np.concatenate([[float(row == photo.right) for row in photo.rows] for photo in observed])
    if min(y.sum(), (1 - y).sum()) < 20:
        return DEFAULT
    weights, bias = fit_logistic(x, y, ridge=0.5)
    # The best of several is right less often than its score says: fit again on the best alone.
    best, right, seen = [], [], []
    for photo in observed:
        if len(photo.features):
            scores = photo.features @ weights + bias
            place = int(np.argmax(scores))
            best.append(scores[place])
            right.append(float(photo.rows[place] == photo.right))
        else:
            best.append(-10.0)
            right.append(0.0)
        seen.append(float(photo.present))
    scores, hits = np.clip(np.array(best), -10, 15), np.array(right)
    slope, offset = fit_logistic(scores[:, None], hits)
    weights, bias = weights * slope[0], bias * slope[0] + offset
    odds = scores * slope[0] + offset
    there, base = fit_logistic(odds[:, None], np.array(seen))
    strangers = np.sort(_sigmoid(odds[~present]))
    allowed = int(_FALSE_MATCHES * len(strangers))
    match_at = float(np.clip(strangers[-1 - allowed] + 0.01, 0.6, 0.97))
    return Calibration(
        weights=tuple(float(w) for w in weights),
        bias=float(bias),
        present=(float(there[0]), float(base)),
        match_at=match_at,
        photos=len(observed),
    )


def observe(
    references: References,
    photos: int = PHOTOS,
    seed: int = 0,
    step: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> list[Observed]:
    """Photograph some of the catalogue's covers, as themselves and as strangers."""
    from concurrent.futures import ThreadPoolExecutor

    from engine.candidates import Prover, working_copy
    from engine.simulate import PRESETS, Distortion, simulate_photo

    hidden = Distortion(share=(0.25, 0.6), turn_deg=180, occlusion=(0.15, 0.25))
    prover = Prover(references, DEFAULT)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(references))[:photos].tolist()
    jobs = [(row, present) for row in chosen for present in (True, False)]

    def look(job: tuple[int, bool]) -> Observed | None:
        row, present = job
        cover = references.cover(row)
        if cover is None:
            return None
        mine = np.random.default_rng([seed, row, present])
        preset = _PRESETS[int(mine.integers(len(_PRESETS)))]
        how = hidden if preset == "hidden" else PRESETS[preset]
        photo, _ = working_copy(simulate_photo(cover, mine, how).image)
        same = frozenset(references.twins(row))
        without = frozenset() if present else same | {row}
        return _observed(prover.candidates(photo, None, without), row, same, present)

    found = []
    with ThreadPoolExecutor(2) as pool:
        for number, seen in enumerate(pool.map(look, jobs), start=1):
            if seen is not None:
                found.append(seen)
            if number % 20 == 0 or number == len(jobs):
                step(number, len(jobs), "calibration photos")
    return found


def _observed(
    candidates: Sequence[Candidate], row: int, same: frozenset[int], present: bool
) -> Observed:
    features = np.array([c.features for c in candidates]).reshape(len(candidates), len(FEATURES))
    rows = tuple(row if c.row in same else c.row for c in candidates)
    return Observed(features, rows, row if present else -1, present)


def expected_calibration_error(
    confidences: Sequence[float], right: Sequence[bool], bins: int = 10
) -> float:
    """Mean distance of what was claimed and what was right, over equal bins of confidence weighted
    by how many answers fall into each (Naeini et al., AAAI 2015)."""
    claimed, was = np.array(confidences), np.array(right, np.float64)
    if not len(claimed):
        return 0.0
    place = np.minimum((claimed * bins).astype(np.int64), bins - 1)
    error = 0.0
    for number in range(bins):
        inside = place == number
        if inside.any():
            error += float(inside.mean() * abs(claimed[inside].mean() - was[inside].mean()))
    return error
