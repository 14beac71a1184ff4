"""Numbers of any length → rows of unit length: what every index here holds, under ids."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import Internal

# (N, D), each row of unit length.
Embeddings = NDArray[np.float32]
# (N,), none negative: FAISS says −1 where it found nothing.
Ids = NDArray[np.int64]

# Rows at once, wherever all of them are passed over: 134 MB of 512 numbers.
BLOCK = 65_536


def unit_rows(rows: NDArray[Any]) -> Embeddings:
    """(N, D) of any float dtype → (N, D) float32, each row divided by its L2 norm.

    Raises `Internal` for a row that is zero, infinite or NaN: such a row would be "found" for
    every query, or for none.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.all(np.isfinite(norms)) or np.any(norms == 0):
        raise Internal("The encoder returned an embedding with no direction (zero or not finite).")
    unit: Embeddings = rows / norms
    return unit
