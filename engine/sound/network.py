"""A network on OpenVINO: inputs of one shape, one after the other on each core → its outputs.

float32 whatever the processor offers: with bfloat16, OpenVINO's own choice where there is such,
the same recording would have another vector on another machine. Every input is a batch of its
own: kernels are prepared for one shape only, and larger ones were no faster (20 windows of musicnn:
1.2 to 1.5 s of processor time by ones, fours, fives and tens, 70, 100 and 160 MB).
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.base.inference import compile_network, import_openvino, locale_kept
from engine.base.machine import usable_cores

MOST_STREAMS = 4
FOLDER = "openvino"  # of an encoder: what was exported


class Network:
    """A model of OpenVINO, or the file of one, compiled. Callers are let in one at a time."""

    def __init__(
        self, model: Any | Path, *, threads: int | None = None, cache: Path | None = None
    ) -> None:
        """`cache` is a folder for prepared kernels, or None."""
        openvino = import_openvino()
        threads = threads or usable_cores()
        streams = min(threads, MOST_STREAMS)
        options = {
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        with locale_kept():
            compiled = compile_network(openvino.Core(), model, options, cache)
        self._requests = openvino.AsyncInferQueue(compiled, streams)
        self._requests.set_callback(_keep)
        self._alone = threading.Lock()
        # Numbers in a row of the first output.
        self.dimension = int(compiled.outputs[0].partial_shape[-1].get_length())

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """(N, …) for each of the network's inputs, N ≥ 1 → (N, …) float32 for each output."""
        found: list[list[NDArray[np.float32]]] = [[] for _ in range(len(inputs[0]))]
        with self._alone:
            for at, kept in enumerate(found):
                batch = {number: rows[at : at + 1] for number, rows in enumerate(inputs)}
                self._requests.start_async(batch, kept)
            self._requests.wait_all()
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _keep(request: Any, kept: list[NDArray[np.float32]]) -> None:
    kept.extend(tensor.data.copy() for tensor in request.output_tensors)
