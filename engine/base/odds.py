"""Evidence → probabilities, and whether those mean what they say.

Of all answers given with 0.9, nine in ten are to be right: what is fitted on examples is measured
on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

BINS = 10


def sigmoid(x: Any) -> Any:
    """Log-odds → 0–1, of a number or of many; beyond ±40 it stays what it is there."""
    return 1 / (1 + np.exp(-np.clip(x, -40, 40)))


def rescaled(probability: float, by: tuple[float, float]) -> float:
    """A probability → another, (slope, bias) over its log-odds; what is beyond 0.0001 of 0 and 1
    counts as that."""
    slope, bias = by
    clipped = min(max(probability, 1e-4), 1 - 1e-4)
    return float(sigmoid(slope * np.log(clipped / (1 - clipped)) + bias))


def fit_logistic(
    x: Numbers, y: Numbers, counts: Numbers | None = None, ridge: float = 0.5
) -> tuple[Numbers, float]:
    """(N, F), N labels 0–1 and how often each row counts → weights (F,) and bias: maximum
    likelihood with an L2 penalty on standardised features, by Newton's method."""
    mean, scale = x.mean(0), x.std(0) + 1e-6
    z = np.concatenate([(x - mean) / scale, np.ones((len(x), 1))], axis=1)
    penalty = np.full(z.shape[1], ridge)
    penalty[-1] = 1e-6
    w = np.zeros(z.shape[1])
    count = np.ones(len(x)) if counts is None else counts
    for _ in range(50):
        p = sigmoid(z @ w)
        gradient = z.T @ (count * (p - y)) + penalty * w
        hessian = (z * (count * p * (1 - p) + 1e-9)[:, None]).T @ z + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        w -= step
        if np.abs(step).max() < 1e-6:
            break
    weights = w[:-1] / scale
    return weights, float(w[-1] - weights @ mean)


def expected_calibration_error(
    confidences: Sequence[float], right: Sequence[bool], bins: int = BINS
) -> float:
    """Mean distance of what was claimed and what was right, over equal bins of confidence weighted
    by how many answers fall into each (Naeini et al., AAAI 2015)."""
    total = max(1, len(confidences))
    return sum(
        count / total * abs(claimed - was)
        for claimed, was, count in reliability(confidences, right, bins)
    )


def reliability(
    confidences: Sequence[float], right: Sequence[bool], bins: int = BINS
) -> list[tuple[float, float, int]]:
    """(mean confidence, share right, answers) of each filled bin of confidence."""
    claimed, was = np.array(confidences, np.float64), np.array(right, np.float64)
    place = np.minimum((claimed * bins).astype(np.int64), bins - 1)
    return [
        (float(claimed[place == n].mean()), float(was[place == n].mean()), int(count))
        for n, count in enumerate(np.bincount(place, minlength=bins))
        if count
    ]
