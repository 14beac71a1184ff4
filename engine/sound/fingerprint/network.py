"""Mel frames → one unit vector for every second and a half, an eighth of a second apart at will.

748,800 weights, trained by `python -m training.sound` so that a stretch of a recording, played in a
room, disturbed and sent by a phone, is nearer to the same stretch as recorded than to any other.
No layer pads in time: a vector depends on its 95 frames alone, so that tracks and clips may be
cut anywhere and cost a layer once per frame, however many vectors want it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.base.inference import import_openvino
from engine.sound.fingerprint import spectrum
from engine.sound.network import Network
from engine.sound.tensors import read_tensors
from engine.vectors.embeddings import Embeddings, unit_rows

WEIGHTS = "network.safetensors"
BUILT_IN = Path(__file__).parent

DIMENSION = 64
LEVEL_FRAMES = 25  # 0.39 s that a frame's level is measured over
WINDOW_FRAMES = 95  # that a vector is of
STRIDE = 8  # frames between vectors
WINDOW_S = ((WINDOW_FRAMES - 1) * spectrum.HOP + spectrum.LENGTH) / spectrum.RATE
FINEST_STEP_S = STRIDE * spectrum.HOP / spectrum.RATE  # an eighth of a second
STEP_S = 0.5  # of what is indexed

# One shape reaches OpenVINO, which prepares kernels for each: ten seconds are two of these.
VECTORS = 36
CHUNK_FRAMES = WINDOW_FRAMES + (VECTORS - 1) * STRIDE

# Kernel (bands, frames), strides, bands added at both edges.
LAYERS = (
    ((3, 3), (2, 2), 1),
    ((3, 3), (2, 2), 1),
    ((3, 3), (2, 2), 1),
    ((3, 3), (2, 1), 1),
    ((4, 3), (1, 1), 0),
)
WIDTHS = (24, 48, 96, 160, 256)
HEAD_FRAMES = 4


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for at, (kernel, _, _) in enumerate(LAYERS):
        ins = (2, *WIDTHS)[at]
        shapes |= {
            f"layer{at}.weight": (WIDTHS[at], ins, *kernel),
            f"layer{at}.bias": WIDTHS[at : at + 1],
        }
    head = (DIMENSION, WIDTHS[-1], HEAD_FRAMES)
    return shapes | {"head.weight": head, "head.bias": (DIMENSION,)}


SHAPES = _shapes()


class Fingerprinter:
    """Samples → vectors that say which recording it is. Safe for several threads."""

    dimension = DIMENSION
    window_s = WINDOW_S

    def __init__(self, weights: Path, *, threads: int | None = None) -> None:
        """Raises `EncoderMismatch` for a file that holds other weights, or none."""
        tensors = read_tensors(weights, SHAPES, kind="F16")
        self.digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        self._weights = weights
        self._network = Network(model(tensors), threads=threads)

    @classmethod
    def open(cls, folder: Path, *, threads: int | None = None) -> Fingerprinter:
        """That of an artifact's `fingerprint/`."""
        return cls(folder / WEIGHTS, threads=threads)

    @classmethod
    def built_in(cls, *, threads: int | None = None) -> Fingerprinter:
        """That beside the code, which `build` puts into artifacts."""
        return cls(BUILT_IN / WEIGHTS, threads=threads)

    def save(self, folder: Path) -> None:
        """Its file, byte for byte, into `folder`, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._weights, folder / WEIGHTS)

    def embed(self, samples: spectrum.Samples, step_s: float = STEP_S) -> Embeddings:
        """(N,) float32 at 16 kHz in −1…1 → (F, 64) float32, unit rows.

        Row i is of the samples from i · `step_s` to i · `step_s` + `window_s`; F is 0 where N is
        shorter than that. `step_s` is a multiple of an eighth of a second.
        """
        every = round(step_s / FINEST_STEP_S)
        if every < 1 or abs(every * FINEST_STEP_S - step_s) > 1e-9:
            raise ValueError(f"step_s is a multiple of {FINEST_STEP_S}, not {step_s}")
        frames = spectrum.frames(spectrum.halve(samples))
        count = (len(frames) - WINDOW_FRAMES) // STRIDE + 1
        if count < 1:
            return np.zeros((0, DIMENSION), np.float32)
        rows = self._network.run(_chunks(frames, count))[0]
        return unit_rows(rows.reshape(-1, DIMENSION)[:count:every])


def _chunks(frames: spectrum.Frames, vectors: int) -> NDArray[np.float32]:
    """(T, 64) → (C, 375, 64), each with the frames of 36 vectors; the last filled with zeros."""
    chunks = -(-vectors // VECTORS)
    whole = (chunks * VECTORS - 1) * STRIDE + WINDOW_FRAMES
    padded = np.pad(frames[:whole], ((0, max(0, whole - len(frames))), (0, 0)))
    starts = range(0, chunks * VECTORS * STRIDE, VECTORS * STRIDE)
    return np.stack([padded[start : start + CHUNK_FRAMES] for start in starts])


def model(weights: Mapping[str, NDArray[np.float32]]) -> Any:
    """Weights → a model of OpenVINO: (1, 375, 64) frames → (1, 36, 64), not yet of unit length."""
    openvino = import_openvino()
    from openvino import opset13 as ops

    given = ops.parameter([1, CHUNK_FRAMES, spectrum.BANDS], np.float32, name="frames")
    x = _levelled(ops, given)
    for at, (_, strides, edge) in enumerate(LAYERS):
        weight, bias = weights[f"layer{at}.weight"], weights[f"layer{at}.bias"]
        pads = ([edge, 0], [edge, 0])
        x = ops.convolution(x, weight, list(strides), *pads, [1, 1])
        x = ops.relu(ops.add(x, bias.reshape(1, -1, 1, 1)))
    x = ops.squeeze(x, np.int64(2))
    x = ops.convolution(x, weights["head.weight"], [1], [0], [0], [1])
    x = ops.add(x, weights["head.bias"].reshape(1, -1, 1))
    rows = ops.transpose(x, np.array([0, 2, 1]))
    rows.output(0).set_names({"rows"})
    return openvino.Model([ops.result(rows)], [given], "fingerprint")


def _levelled(ops: Any, frames: Any) -> Any:
    """(1, T, 64) → (1, 2, 64, T − 24): each band over the level of all, and over its own.

    The first is what is heard whatever its volume, the second whatever the room and the
    microphone do to a band for good.
    """
    bands = ops.transpose(frames, np.array([0, 2, 1]))
    none = ([0], [0])
    around = ops.avg_pool(bands, [1], *none, [LEVEL_FRAMES], True)
    level = ops.add(ops.reduce_mean(around, np.int64(1), True), np.float32(0.01))
    edge = LEVEL_FRAMES // 2
    middle = ops.slice(bands, np.array([edge]), np.array([-edge]), np.array([1]), np.array([2]))
    floor = ops.add(around, ops.multiply(level, np.float32(0.1)))
    both = [ops.subtract(ops.divide(middle, of), np.float32(1)) for of in (level, floor)]
    return ops.concat([ops.unsqueeze(part, np.int64(1)) for part in both], 1)
