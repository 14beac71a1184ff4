"""musicnn: three seconds of music → 384 numbers and 50 tags.

Pons and Serra's network (2019), 792,079 weights trained on the Million Song Dataset and published
under the ISC licence. `WEIGHTS` beside this file are those of the package musicnn 0.1.0, converted
by `python -m training.musicnn`. What comes out of them here and out of the package's own graph, run
by TensorFlow 2.21, differs by 3e-7 in the tags and by 1.5e-4 in layers whose numbers reach 64;
`tests/sound/encoder/test_musicnn.py` holds the reference.

What is kept of music are the mean and the largest value of its three middle layers over time: they
put tracks of one album beside each other a little more often than the layer before the tags, which
is usual (benchmarks/README.md).

Names of weights, and their order of axes, are the checkpoint's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.base.inference import import_openvino
from engine.sound.encoder.encoder import Embedded, Kind, Samples
from engine.sound.encoder.mel import MelBands
from engine.sound.encoder.windows import window_starts
from engine.sound.network import Network
from engine.sound.tensors import read_tensors

WEIGHTS = Path(__file__).with_name("musicnn.safetensors")
NAME = "musicnn-msd-0.1.0"
LICENCE, LICENCE_TEXT = "ISC", WEIGHTS.with_name("musicnn.LICENCE.txt")
DIMENSION = 384
WINDOWS = 10  # of 3 s, heard of a recording (benchmarks/README.md)
LEVEL = 0.1  # root mean square, to which a recording is brought: a quiet copy is the same music
_MOST_GAIN = 100.0  # or the noise of a silent recording were music
TAGS = (
    *("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s"),
    *("alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists"),
    *("classic rock", "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s"),
    *("chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic"),
    *("experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country"),
    *("easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock"),
    *("60s", "rnb", "indie pop", "sad", "House", "happy"),
)

BANDS = MelBands(rate=16_000, window=512, hop=256, bands=96, lowest_hz=0.0, highest_hz=8_000.0)
FRAMES = 187  # what it was trained on: 3 s
_SPAN = (FRAMES - 1) * BANDS.hop + BANDS.window  # samples that so many frames touch
_VARIANCE_FLOOR = 1e-3  # of TensorFlow's batch normalisation

# The kernels of the first layer, (frames, bands) each: timbre of three and five octaves, rhythm.
_TIMBRE, _RHYTHM = ("conv2d", "conv2d_1"), ("conv2d_2", "conv2d_3", "conv2d_4")


def _shapes() -> dict[str, tuple[int, ...]]:
    """The shape of every weight: kernels are (frames, bands or channels, 1, channels)."""
    kernels = {
        _TIMBRE[0]: (7, 38, 1, 204),
        _TIMBRE[1]: (7, 67, 1, 204),
        **{name: (128 >> at, 1, 1, 51) for at, name in enumerate(_RHYTHM)},
        "conv2d_5": (7, 561, 1, 64),
        "conv2d_6": (7, 64, 1, 64),
        "conv2d_7": (7, 64, 1, 64),
        "dense": (1506, 200),
        "dense_1": (200, len(TAGS)),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in kernels.items():
        shapes |= {f"{name}/kernel": shape, f"{name}/bias": shape[-1:]}
    channels = (1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)
    for at, count in enumerate(channels):
        layer = f"batch_normalization_{at}" if at else "batch_normalization"
        for part in ("beta", "gamma", "moving_mean", "moving_variance"):
            shapes[f"{layer}/{part}"] = (count,)
    return shapes


SHAPES = _shapes()


def levelled(samples: Samples) -> Samples:
    """(N,) float32 → the same, as loud on the whole as every recording (root mean square 0.1)."""
    loudness = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0
    return samples * np.float32(LEVEL / max(loudness, LEVEL / _MOST_GAIN))


def patches(samples: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """(N,) float32 at 16 kHz in −1…1 → (P, 187, 96) float32, not negative; 1 ≤ P ≤ `most`.

    log10(1 + 10,000 · power), frames centred, zeros beyond both ends. Less than 3 s are repeated,
    as in its training.
    """
    if len(samples) < _SPAN:
        samples = np.resize(samples, _SPAN) if len(samples) else np.zeros(_SPAN, np.float32)
    half = BANDS.window // 2
    padded = np.pad(samples, half)
    starts = window_starts(1 + len(samples) // BANDS.hop, FRAMES, most)
    frames = np.lib.stride_tricks.sliding_window_view(padded, BANDS.window)[:: BANDS.hop]
    power = np.stack([BANDS.power(frames[start : start + FRAMES]) for start in starts])
    return np.log10(1 + 10_000 * power)


def network(weights: Mapping[str, NDArray[np.floating[Any]]]) -> Any:
    """The checkpoint's tensors → a model of OpenVINO: (P, 187, 96) float32 →
    layers (P, 384) float32, tags (P, 50) float32 in 0…1, the layer before the tags (P, 200)."""
    openvino = import_openvino()
    from openvino import opset13 as ops

    layers = _Layers(ops, weights)
    given = ops.parameter([-1, FRAMES, BANDS.bands], np.float32, name="patches")
    seen = layers.normalised(ops.unsqueeze(given, np.int64(1)), "batch_normalization")
    heard = [layers.loudest_band(seen, name, at + 1) for at, name in enumerate(_TIMBRE + _RHYTHM)]
    front = ops.concat(heard, 1)  # (P, 561, 187, 1)
    first = layers.over_time(front, "conv2d_5", 6)
    second = ops.add(layers.over_time(first, "conv2d_6", 7), first)
    third = ops.add(layers.over_time(second, "conv2d_7", 8), second)
    every = ops.concat([front, first, second, third], 1)  # (P, 753, 187, 1)
    most = ops.reduce_max(every, np.array([2, 3]), False)
    mean = ops.reduce_mean(every, np.array([2, 3]), False)
    # Largest and mean value of each channel in turns: max₀, mean₀, max₁, mean₁, …
    pairs = ops.concat([ops.unsqueeze(part, np.int64(2)) for part in (most, mean)], 2)
    pooled = ops.reshape(pairs, np.array([-1, 1506]), False)
    # The 64 · 3 channels behind the first 561, each a mean and a largest value.
    kept = ops.slice(pooled, [2 * 561], [1506], [1], [1])
    dense = ops.relu(layers.dense(layers.normalised(pooled, "batch_normalization_9"), "dense"))
    last = layers.normalised(dense, "batch_normalization_10")
    tags = ops.sigmoid(layers.dense(last, "dense_1"))
    results = [ops.result(values) for values in (kept, tags, last)]
    return openvino.Model(results, [given], "musicnn")


class _Layers:
    """The layers that musicnn is made of, by the names of their weights. Channels come second,
    then frames, then bands: (P, C, F, B)."""

    def __init__(self, ops: Any, weights: Mapping[str, NDArray[np.floating[Any]]]) -> None:
        self._ops, self._weights = ops, weights

    def _weight(self, name: str) -> NDArray[np.float32]:
        return self._weights[name].astype(np.float32)

    def normalised(self, values: Any, name: str) -> Any:
        """Batch normalisation as it was after training: one factor and one summand a channel."""
        mean, variance, gamma, beta = (
            self._weight(f"{name}/{part}")
            for part in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        factor = gamma / np.sqrt(variance + _VARIANCE_FLOOR)
        rank = len(values.get_output_partial_shape(0))
        shape = [1, -1] + [1] * (rank - 2)
        scaled = self._ops.multiply(values, factor.reshape(shape))
        return self._ops.add(scaled, (beta - mean * factor).reshape(shape))

    def convolved(self, values: Any, name: str, kernel: NDArray[np.float32], pads: Any) -> Any:
        """Convolution, summand, and what is below zero cut off."""
        before, after = pads
        found = self._ops.convolution(
            values, np.ascontiguousarray(kernel), [1, 1], [before, 0], [after, 0], [1, 1]
        )
        bias = self._weight(f"{name}/bias").reshape(1, -1, 1, 1)
        return self._ops.relu(self._ops.add(found, bias))

    def loudest_band(self, values: Any, name: str, number: int) -> Any:
        """(P, 1, 187, 96) → (P, C, 187, 1): a pattern, wherever in the spectrum it lies."""
        kernel = self._weight(f"{name}/kernel").transpose(3, 2, 0, 1)
        length = kernel.shape[2]
        pads = ((length - 1) // 2, length // 2)
        found = self.convolved(values, name, kernel, pads)
        found = self.normalised(found, f"batch_normalization_{number}")
        return self._ops.reduce_max(found, np.array([3]), True)

    def over_time(self, values: Any, name: str, number: int) -> Any:
        """(P, C, 187, 1) → (P, 64, 187, 1): patterns of seven frames."""
        kernel = self._weight(f"{name}/kernel").transpose(3, 1, 0, 2)
        found = self.convolved(values, name, kernel, (3, 3))
        return self.normalised(found, f"batch_normalization_{number}")

    def dense(self, values: Any, name: str) -> Any:
        found = self._ops.matmul(values, self._weight(f"{name}/kernel"), False, False)
        return self._ops.add(found, self._weight(f"{name}/bias").reshape(1, -1))


class MusicnnEncoder:
    """musicnn on OpenVINO: the mean over windows of what its layers hold, and of its tags."""

    kind: Kind = "musicnn"
    dimension = DIMENSION
    tags: tuple[str, ...] = TAGS

    def __init__(
        self,
        weights: Path = WEIGHTS,
        name: str = NAME,
        *,
        windows: int = WINDOWS,
        threads: int | None = None,
    ) -> None:
        """`windows` of 3 s at most are heard of a recording."""
        self.name = name
        self._windows = windows
        tensors = read_tensors(weights, SHAPES)
        self._network = Network(network(tensors), threads=threads)

    def embed(self, samples: Samples) -> Embedded:
        vectors, tags, _ = self.hear(samples, self._windows)
        return Embedded(vectors.mean(axis=0), tags.mean(axis=0))

    def hear(self, samples: Samples, windows: int) -> list[NDArray[np.float32]]:
        """At most so many windows, each for itself → (P, 384) float32, tags (P, 50) float32 in 0…1,
        and the layer before the tags (P, 200) float32."""
        return self._network.run(patches(levelled(samples), windows))
