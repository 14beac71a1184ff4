"""Simulated photos of the own covers → how evidence becomes a probability.

    covers ─split→ known, strangers ─simulate→ photos ─prove→ Observed ─fit→ Calibration

Kept in the artifact as `identify/calibration.json`. Looking at 900 photos takes minutes, fitting a
moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from engine.base.odds import Numbers, fit_logistic, sigmoid
from engine.base.progress import Progress
from engine.covers.identify.calibration import DEFAULT, Calibration
from engine.covers.identify.candidate import Candidate
from engine.covers.identify.places import Places
from engine.covers.identify.proving import Prover
from engine.covers.identify.references import Covers, References, cover_of
from engine.covers.identify.sight import Sight
from engine.covers.identify.views import working_copy
from engine.covers.making.references import split_references
from engine.covers.photos.photo import PRESETS, Distortion, simulate_photo

# Photos of covers that a calibration rests on, where the catalogue is large enough; and twice as
# many of strangers: of 300, with one false match in 200 allowed, the worst would decide alone.
PHOTOS = 300
# Fewer covers than this are too few to fit on.
FEWEST_COVERS = 100
# What is photographed: everything at once mostly, and single things that can go wrong.
# Hidden ones weigh much: what a thumb covers must not be taken for what another cover shows.
_PRESETS = ("mixed", "mixed", "mixed", "mixed", "hidden", "hidden", "rotation", "small", "crop")
_HIDDEN = Distortion(share=(0.25, 0.6), turn_deg=180, occlusion=(0.15, 0.35))
_FALSE_MATCHES = 0.005  # share of strangers
_PARTS = 5  # of the photos: each is scored by weights fitted on the others
_AT_ONCE = 2  # photos


@dataclass(frozen=True)
class Observed:
    """One simulated photo: what was proven of it, and which of that is right (−1: none)."""

    features: Numbers
    rows: tuple[int, ...]
    right: int

    @property
    def present(self) -> bool:
        return self.right >= 0


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
    probabilities = sigmoid(odds)
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


def _columns(observed: Sequence[Observed], share: float) -> tuple[Numbers, Numbers, Numbers]:
    """Every candidate of every photo: its features, 1 where it is right, else 0, and how often it
    counts: once, or `share` of that where it is of a stranger."""
    found = [photo for photo in observed if photo.rows]
    x = np.concatenate([photo.features for photo in found])
    y = np.concatenate([[float(row == photo.right) for row in photo.rows] for photo in found])
    counts = [np.full(len(photo.rows), 1.0 if photo.present else share) for photo in found]
    return x, y, np.concatenate(counts)


def observe(
    catalogue: Covers,
    photos: int = PHOTOS,
    seed: int = 0,
    *,
    progress: Progress | None = None,
    sight: Callable[[References, Executor], Sight] | None = None,
) -> list[Observed]:
    """Photograph a catalogue's covers before references that lack a fifth of them: `photos` of
    those they have, and twice as many of those they lack. `sight` makes an encoder look too, on
    threads that it is given."""
    progress = progress or Progress()
    split = split_references(catalogue, seed, progress)
    if split is None:
        return []
    references, left_out = split
    prover = Prover(references, DEFAULT, patient=True)
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
        how = _HIDDEN if preset == "hidden" else PRESETS[preset]
        photo, _ = working_copy(simulate_photo(cover, mine, how).image)
        same = frozenset(references.twins(row)) if row >= 0 else frozenset()
        return _observed(prover.candidates(Places(photo), eye), row, same)

    found = []
    with ThreadPoolExecutor(_AT_ONCE) as pool, ThreadPoolExecutor(_AT_ONCE) as looking:
        eye = sight(references, looking) if sight else None
        for number, seen in enumerate(pool.map(look, jobs), start=1):
            found.append(seen)
            if number % 20 == 0 or number == len(jobs):
                progress.step(number, len(jobs), "calibration photos")
    return found


def _observed(candidates: Sequence[Candidate], row: int, same: frozenset[int]) -> Observed:
    width = len(candidates[0].features) if candidates else 0
    features = np.array([c.features for c in candidates]).reshape(len(candidates), width)
    rows = tuple(row if c.row in same else c.row for c in candidates)
    return Observed(features, rows, row)
