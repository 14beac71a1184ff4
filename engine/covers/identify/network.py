"""What the small networks of identify are made of: weights in a file, convolutions in numpy.

They take a few milliseconds and have some 100,000 weights: a runtime for them would cost more to
load than they ever take.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Weights = dict[str, Floats]


@cache
def read(path: Path) -> Weights:
    """Read once. As torch names and lays them out; float16 in the file, float32 here."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


def convolved(x: Floats, weights: Weights, name: str, every: int = 1) -> Floats:
    """(H, W, C) → (H / every, W / every, C'), 3 × 3: zeros around it, nothing below zero after."""
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    around = sliding_window_view(padded, (3, 3), axis=(0, 1))[::every, ::every]
    rows = around.reshape(*around.shape[:2], -1)
    # A row of cells at a time: over all of them BLAS would start threads (see `explained`).
    return np.asarray(np.maximum(np.matmul(rows, weight.reshape(len(weight), -1).T) + bias, 0))


def linear(x: Floats, weights: Weights, name: str) -> Floats:
    """(…, C) → (…, C')."""
    weight = weights[f"{name}.weight"]
    return np.asarray(x @ weight.reshape(len(weight), -1).T + weights[f"{name}.bias"])
