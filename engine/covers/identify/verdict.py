"""Where a photo differs from a cover, cell by cell → whether it shows that very cover.

    maps of a comparison ─3 × 3 convolutions→ 8 × 8 places ─mean, most, four attentions→ one number

A hand replaces what it hides, ground and all; another cover of the series has other letters on the
same ground. Quantiles over cells tell the two apart badly, a look at a cell's neighbours well. The
network sees no pixels, so what it learned on the covers that `training/verdict.py` photographs
holds for others; how much its word counts is left to the calibration of each artifact.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from engine.covers.identify import network
from engine.covers.identify.network import Floats

# A comparison's, made by `engine.covers.identify.proof`.
MAPS = (
    "correlation",
    "is_there",
    "should_be",
    "left",
    "burnt",
    "chroma",
    "brightness",
    "own",
    "printed",
    "plain_correlation",
    "noise",
    "level",
)
_MOST = 12.0
WEIGHTS = Path(__file__).with_name("verdict.npz")


def verdict(maps: Floats) -> float:
    """(12, 16, 16) float32 of `MAPS` → log-odds, −12 to 12, that a photo shows this very cover."""
    net = network.read(WEIGHTS)
    x = ((maps - net["mean"]) / net["deviation"]).transpose(1, 2, 0)
    x = network.convolved(x, net, "a")
    x = network.convolved(x, net, "b")
    x = network.convolved(x, net, "c", every=2)
    x = x + network.convolved(x, net, "d")
    places = x.reshape(-1, x.shape[-1])
    attention = network.linear(places, net, "attention")
    attention = np.exp(attention - attention.max(0))
    attended = (attention / attention.sum(0)).T @ places
    pooled = np.concatenate([places.mean(0), places.max(0), attended.ravel()])
    hidden = np.maximum(network.linear(pooled, net, "hidden"), 0)
    [odds] = network.linear(hidden, net, "odds").tolist()
    return float(np.clip(odds, -_MOST, _MOST))


@cache
def version() -> str:
    """Eight digits of the weights' digest: what is fitted on one network holds for no other."""
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:8]
