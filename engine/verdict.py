"""Where a photo differs from a cover, cell by cell → whether it shows that very cover.

    maps of a comparison ─3 × 3 convolutions→ 8 × 8 places ─mean, most, four attentions→ one number

A hand replaces what it hides, ground and all; another cover of the series has other letters on the
same ground. Quantiles over cells tell the two apart badly, a look at a cell's neighbours well. The
network sees no pixels, so what it learned on the covers that `training/verdict.py` photographs
holds for others; how much its word counts is left to the calibration of each artifact.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# A comparison's, made by `engine.proof`.
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
    net = _weights()
    x = ((maps - net["mean"]) / net["deviation"]).transpose(1, 2, 0)
    x = _convolved(x, net, "a")
    x = _convolved(x, net, "b")
    x = _convolved(x, net, "c", every=2)
    x = x + _convolved(x, net, "d")
    places = x.reshape(-1, x.shape[-1])
    attention = places @ net["attention.weight"].T + net["attention.bias"]
    attention = np.exp(attention - attention.max(0))
    attended = (attention / attention.sum(0)).T @ places
    pooled = np.concatenate([places.mean(0), places.max(0), attended.ravel()])
    hidden = np.maximum(net["hidden.weight"] @ pooled + net["hidden.bias"], 0)
    odds = float(net["odds.weight"][0] @ hidden + net["odds.bias"][0])
    return float(np.clip(odds, -_MOST, _MOST))


def _convolved(x: Floats, net: dict[str, Floats], name: str, every: int = 1) -> Floats:
    """(H, W, C) → (H / every, W / every, C'): zeros around it, and nothing below zero after."""
    weight, bias = net[f"{name}.weight"], net[f"{name}.bias"]
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    around = sliding_window_view(padded, (3, 3), axis=(0, 1))[::every, ::every]
    rows = around.reshape(*around.shape[:2], -1)
    # A row of cells at a time: over all of them BLAS would start threads (see `explained`).
    return np.asarray(np.maximum(np.matmul(rows, weight.reshape(len(weight), -1).T) + bias, 0))


@cache
def _weights() -> dict[str, Floats]:
    """As torch names them, (out, in, 3, 3) for a convolution; float16 in the file."""
    with np.load(WEIGHTS, allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in file.files}
