"""Where in a recording an encoder listens: a few windows, spread over all of it.

Networks of music hear some seconds at once. Of a long track not every window is needed: what is
left out costs the neighbours little and a build most of its time (benchmarks/README.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def window_starts(length: int, window: int, most: int) -> NDArray[np.int64]:
    """First item of each window of `window` items in `length`; (N,) int64, 1 ≤ N ≤ `most`.

    As many as cover all of it, up to `most`, the first at the beginning and the last at the end.
    Of less than a window there is one; whoever listens repeats what there is.
    """
    if length <= window:
        return np.zeros(1, np.int64)
    count = min(most, -(-length // window))
    return np.linspace(0, length - window, count).round().astype(np.int64)
