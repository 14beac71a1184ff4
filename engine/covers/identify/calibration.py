"""Evidence → a probability that means what it says: of all answers given with 0.9, nine in ten
are right.

A logistic regression over the evidence, then one over its own output (Platt 1999) on photos where
the best candidate was chosen by it. `build` fits both on simulated photos of the artifact's own
covers, of which a fifth is left out while they are looked at: those are the strangers.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import ArtifactError
from engine.covers.identify.verdict import version

if TYPE_CHECKING:
    from engine.covers.catalogue import Catalogue
    from engine.covers.identify.proving import Candidate
    from engine.covers.identify.references import References
    from engine.covers.identify.sight import Sight

# Of `Candidate`, `Proof` and `Explained`, which say what they are.
LAYOUT = ("likeness", "margin")
PROOF = ("own_correlation", "sharply", "colour", "agreeing", "differing", "verdict")
EXPLAINED = ("added", "agreement")
# Of 24, taken away one by one, these are what a fit on other photos was not better without.
FEATURES = (*LAYOUT, *PROOF, *EXPLAINED)
# Of `Sight.evidence`: a calibration fitted with the artifact's own encoder has a weight for it.
SIGHT = ("alike",)
# Photos of covers that a calibration rests on, where the catalogue is large enough; and twice as
# many of strangers: of 300, with one false match in 200 allowed, the worst would decide alone.
PHOTOS = 300
# Fewer covers than this are too few to fit on.
FEWEST_COVERS = 100
# What is photographed: everything at once mostly, and single things that can go wrong.
# Hidden ones weigh much: what a thumb covers must not be taken for what another cover shows.
_PRESETS = ("mixed", "mixed", "mixed", "mixed", "hidden", "hidden", "rotation", "small", "crop")
_FALSE_MATCHES = 0.005
_PARTS = 5

Rows = NDArray[np.float64]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibration:
    """`weights` and `bias` over `FEATURES`, or over `FEATURES` and `SIGHT` where the encoder's word
    counts; below `match_at` no match is claimed, from `sure_at` on no further proof is sought.
    `present` (slope, bias) over the log-odds of the best candidate
    gives the probability that the album is in the catalogue although none is claimed."""

    weights: tuple[float, ...]
    bias: float
    present: tuple[float, float]
    match_at: float = 0.9
    sure_at: float = 0.95
    photos: int = 0

    def probability(self, features: NDArray[np.float64]) -> float:
        """(10,) or (11,) → the probability, 0–1, that the photo shows this very album."""
        known = features[: len(self.weights)]
        return float(_sigmoid(np.dot(self.weights, known) + self.bias))

    def of_candidate(self, candidate: Candidate) -> float:
        """The probability that a photo shows this very album, by all that is known of it.

        Of a cover too plain to align, layout, colours and encoder alone speak. Those weights are
        set by hand, since few catalogues have enough such covers to fit on, and give 0.95 at most.
        In a coloured light nobody knows which plain cover it is.
        """
        proof = candidate.proof
        if proof.inliers:
            return self.probability(candidate.features)
        chance = 0.95 * _sigmoid(25 * (candidate.margin - 0.15))
        chance *= _sigmoid(40 * (0.12 - proof.colour - proof.tint / 2))
        if candidate.ahead is not None:
            chance *= _sigmoid(10 * (candidate.ahead - 0.2))
        return float(chance)

    def absent(self, probability: float) -> float:
        """The probability that the catalogue lacks the album, given its best candidate's."""
        slope, bias = self.present
        clipped = min(max(probability, 1e-4), 1 - 1e-4)
        return float(1 - _sigmoid(slope * np.log(clipped / (1 - clipped)) + bias))

    @property
    def features(self) -> tuple[str, ...]:
        return (*FEATURES, *SIGHT)[: len(self.weights)]

    def write(self, path: Path) -> None:
        path.write_text(
            json.dumps({"features": self.features, "network": version(), **asdict(self)}, indent=2)
            + "\n",
            encoding="utf-8",
        )

    @classmethod
    def of(cls, folder: Path) -> Calibration:
        """The calibration of an artifact's folder, or the one fitted on the demo catalogue.

        Also that one where the artifact's is over the features, or of the network, of another
        version of this engine.
        Raises `ArtifactError` where it is there and cannot be read.
        """
        path = folder / "identify" / "calibration.json"
        if not path.is_file():
            return DEFAULT
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            features, network = read.pop("features"), read.pop("network", None)
            known = features in (list(FEATURES), [*FEATURES, *SIGHT])
            if not known or network != version():
                logger.warning(
                    "identify/calibration.json is another version's; a built-in one is used. "
                    "Build the artifact again for one of its own covers."
                )
                return DEFAULT
            if len(read["weights"]) != len(features):
                raise ValueError("it has not a weight for each feature")
            pairs = {name: tuple(read[name]) for name in ("weights", "present")}
            made = cls(**{**read, **pairs})
            if not np.isfinite([*made.weights, made.bias, *made.present]).all():
                raise ValueError("a weight is not finite")
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise ArtifactError(
                f"identify/calibration.json cannot be read ({error}). Build the artifact again."
            ) from error
        return made


# Fitted by `fit` on 900 photos that `observe` took of the demo catalogue, without the encoder; what
# an artifact too small for a fit of its own uses.
DEFAULT = Calibration(
    weights=(0.418, 4.19, 1.21, 0.69, -3.54, -0.105, -12.2, 0.46, 1.62, 0.335),
    bias=-1.2,
    present=(0.434, -1.76),
    match_at=0.6,
    sure_at=0.95,
)


@dataclass(frozen=True)
class Observed:
    """One simulated photo: what was proven of it, and which of that is right (−1: none)."""

    features: Rows
    rows: tuple[int, ...]
    right: int

    @property
    def present(self) -> bool:
        return self.right >= 0


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(x, -40, 40)))


def fit_logistic(
    x: Rows, y: Rows, counts: Rows | None = None, ridge: float = 0.5
) -> tuple[Rows, float]:
    """(N, F), N labels 0–1 and how often each row counts → weights (F,) and bias: maximum
    likelihood with an L2 penalty on standardised features, by Newton's method."""
    mean, scale = x.mean(0), x.std(0) + 1e-6
    z = np.concatenate([(x - mean) / scale, np.ones((len(x), 1))], axis=1)
    penalty = np.full(z.shape[1], ridge)
    penalty[-1] = 1e-6
    w = np.zeros(z.shape[1])
    count = np.ones(len(x)) if counts is None else counts
    for _ in range(50):
        p = _sigmoid(z @ w)
        gradient = z.T @ (count * (p - y)) + penalty * w
        hessian = (z * (count * p * (1 - p) + 1e-9)[:, None]).T @ z + np.diag(penalty)
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
    # There are more strangers, so that the worst of them are known; a photo is no likelier one.
    share = float(present.sum() / (~present).sum())
    x, y, counts = _columns(observed, share)
    if min(y.sum(), (1 - y).sum()) < 10:
        return DEFAULT
    weights, bias = fit_logistic(x, y, counts)
    found = np.array([len(photo.rows) > 0 for photo in observed])
    # The best of several is right less often than its score says, and a fit flatters the photos it
    # was made from: fit again on the best alone, scored by weights that have not seen it.
    scores, hits = np.full(len(observed), -10.0), np.zeros(len(observed))
    part = np.random.default_rng(0).integers(0, _PARTS, len(observed))
    for number in range(_PARTS):
        others = [photo for photo, at in zip(observed, part, strict=True) if at != number]
        unseen, offset = fit_logistic(*_columns(others, share))
        for at in np.flatnonzero((part == number) & found).tolist():
            every = observed[at].features @ unseen + offset
            scores[at] = np.clip(every.max(), -10, 15)
            hits[at] = observed[at].rows[int(every.argmax())] == observed[at].right
    counts = np.where(present, 1.0, share)
    slope, offset = fit_logistic(scores[:, None], hits, counts)
    weights, bias = weights * slope[0], bias * slope[0] + offset
    odds = scores * slope[0] + offset
    probabilities = _sigmoid(odds)
    strangers = np.sort(probabilities[~present])
    # Of new strangers, (k + 1) / (N + 1) are expected to come before the k-th best of N.
    allowed = max(0, int(_FALSE_MATCHES * (len(strangers) + 1)) - 1)
    match_at = float(np.clip(strangers[-1 - allowed] + 0.01, 0.6, 0.99))
    # Where no match is claimed: how often the album is there all the same.
    unclaimed = probabilities < match_at
    there, base = fit_logistic(
        odds[unclaimed, None], present[unclaimed].astype(np.float64), counts[unclaimed]
    )
    return Calibration(
        weights=tuple(float(w) for w in weights),
        bias=float(bias),
        present=(float(there[0]), float(base)),
        match_at=match_at,
        sure_at=max(0.95, match_at),
        photos=len(observed),
    )


def _columns(observed: Sequence[Observed], share: float) -> tuple[Rows, Rows, Rows]:
    """Every candidate of every photo: its features, 1 where it is right, else 0, and how often it
    counts: once, or `share` of that where it is of a stranger."""
    found = [photo for photo in observed if photo.rows]
    x = np.concatenate([photo.features for photo in found])
    y = np.concatenate([[float(row == photo.right) for row in photo.rows] for photo in found])
    counts = [np.full(len(photo.rows), 1.0 if photo.present else share) for photo in found]
    return x, y, np.concatenate(counts)


def observe(
    catalogue: Catalogue,
    photos: int = PHOTOS,
    seed: int = 0,
    step: Callable[[int, int, str], None] = lambda done, total, what: None,
    *,
    sight: Callable[[References], Sight] | None = None,
) -> list[Observed]:
    """Photograph a catalogue's covers before references that lack a fifth of them: `photos` of
    those they have, and twice as many of those they lack. `sight` makes an encoder look too."""
    from concurrent.futures import ThreadPoolExecutor

    from engine.covers.identify.proving import Prover, working_copy
    from engine.covers.identify.references import cover_of, split_references
    from engine.covers.photos.photo import PRESETS, Distortion, simulate_photo

    hidden = Distortion(share=(0.25, 0.6), turn_deg=180, occlusion=(0.15, 0.35))
    split = split_references(catalogue, seed, step)
    if split is None:
        return []
    references, left_out = split
    prover = Prover(references, DEFAULT)
    eye = sight(references) if sight else None
    rng = np.random.default_rng(seed)
    known = rng.permutation(len(references))[:photos].tolist()
    unknown = [left_out[i] for i in rng.permutation(len(left_out))]
    jobs = [(row, -1, k) for k, row in enumerate(known)]
    jobs += [(-1, unknown[k % len(unknown)], k) for k in range(2 * len(known)) if unknown]

    def look(job: tuple[int, int, int]) -> Observed:
        row, stranger, number = job
        cover = references.cover(row) if row >= 0 else cover_of(catalogue, stranger)
        assert cover is not None
        mine = np.random.default_rng([seed, number, row >= 0])
        preset = _PRESETS[number % len(_PRESETS)]
        how = hidden if preset == "hidden" else PRESETS[preset]
        photo, _ = working_copy(simulate_photo(cover, mine, how).image)
        same = frozenset(references.twins(row)) if row >= 0 else frozenset()
        return _observed(prover.candidates(photo, eye), row, same)

    found = []
    with ThreadPoolExecutor(2) as pool:
        for number, seen in enumerate(pool.map(look, jobs), start=1):
            found.append(seen)
            if number % 20 == 0 or number == len(jobs):
                step(number, len(jobs), "calibration photos")
    return found


def _observed(candidates: Sequence[Candidate], row: int, same: frozenset[int]) -> Observed:
    width = len(candidates[0].features) if candidates else 0
    features = np.array([c.features for c in candidates]).reshape(len(candidates), width)
    rows = tuple(row if c.row in same else c.row for c in candidates)
    return Observed(features, rows, row)


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
