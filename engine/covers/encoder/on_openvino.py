"""CLIP on OpenVINO: the CPU runtime.

Both towers are exported when the artifact is made (`making.export`), next to the encoder they come
from. Serving them imports neither torch nor transformers: OpenVINO maps the weights (0.3 s to
import and load where torch and transformers take 3), and its int8 kernels are four to seven times
faster than torch fp32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.base.inference import compile_network, import_openvino, locale_kept
from engine.base.machine import processor_has_bf16, release_mapped, usable_cores
from engine.covers.encoder.encoder import Precision, Runtime
from engine.covers.encoder.folder import read_preprocessing
from engine.covers.encoder.tokens import open_tokenizer
from engine.covers.image import Pixels
from engine.vectors.embeddings import Embeddings, unit_rows

FOLDER = "openvino"
VISION, TEXT, TOKENS = "vision.xml", "text.xml", "tokens.npy"

# OpenVINO prepares kernels for every shape it has not seen (40 ms and 5 MB each, never given back),
# so only a few shapes reach it: batches are cut into these, and texts are padded to one of these
# lengths. What stands behind the end-of-text token changes nothing.
BATCHES = (8, 4, 1)
LENGTHS = (8, 16, 32)

# Streams compute side by side; of ViT-B/32 each holds 45 MB beside the weights they share.
MOST_STREAMS = 4


class OpenVINOEncoder:
    """The two exported towers of an encoder folder."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        precision: Precision,
        threads: int | None = None,
        cache: Path | None = None,
    ) -> None:
        """`cache` is a folder for prepared kernels: the next start on this machine takes 0.3 s
        instead of 1.3 for ViT-B/32 as int8. OpenVINO checks itself what of it still fits."""
        openvino = import_openvino()

        self.name = name
        self.runtime: Runtime = "openvino-cpu"
        self.precision: Precision = (
            "fp32" if precision == "bf16" and not processor_has_bf16() else precision
        )
        self.preprocessing = read_preprocessing(folder)
        self.tokenizer = open_tokenizer(folder)
        core = openvino.Core()
        threads = threads or usable_cores()
        streams = min(threads, MOST_STREAMS)
        options: dict[str, Any] = {
            # Streams of one thread where cores are few: threads that share a picture wait for each
            # other at every operation, and for whatever else runs on one of their cores. A picture
            # of many takes an eighth less processor time, one alone takes half as long again.
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
            # Bound to a core, a stream waits for whatever else computes there beside an idle one:
            # identify's proof, a decoder. Pictures a second are the same either way.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "f32" if precision == "fp32" else "bf16",
        }

        def compiled(tower: str) -> Any:
            return compile_network(core, folder / FOLDER / tower, options, cache)

        towers = (VISION, TEXT)
        # Side by side, as one alone keeps one core busy.
        with locale_kept(), ThreadPoolExecutor(2) as pool:
            models = list(pool.map(compiled, towers))
        self._vision, self._text = (
            _Tower(openvino.AsyncInferQueue(model, streams), (folder / FOLDER / tower), streams)
            for tower, model in zip(towers, models, strict=True)
        )
        self.dimension = int(models[0].outputs[0].partial_shape[1].get_length())
        # An artifact from before the table left the graph has ids as the graph's one input.
        ids_go_in = len(models[1].inputs) == 1
        self._tokens = None if ids_go_in else np.load(folder / FOLDER / TOKENS, mmap_mode="r")

    def embed_images(self, pixels: Pixels) -> Embeddings:
        return self._in_batches(self._vision, [np.ascontiguousarray(pixels)])

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        ids = self.tokenizer(texts, LENGTHS)
        inputs = (ids,) if self._tokens is None else token_embeddings(ids, self._tokens)
        return self._in_batches(self._text, inputs)

    def _in_batches(self, tower: _Tower, inputs: Sequence[NDArray[Any]]) -> Embeddings:
        rows = np.zeros((len(inputs[0]), self.dimension), np.float32)
        for part in parts(len(rows), tower.streams):
            tower.start([values[part] for values in inputs], rows[part])
        tower.requests.wait_all()
        return unit_rows(rows)


class _Tower:
    """One compiled network and its streams, each of which computes once before two do at once."""

    def __init__(self, requests: Any, network: Path, streams: int) -> None:
        requests.set_callback(_keep)
        self.requests, self.streams = requests, streams
        self._weights = network.with_suffix(".bin")
        self._fresh = streams

    def start(self, inputs: Sequence[NDArray[Any]], rows: Embeddings) -> None:
        """Begin to compute (N, D) `rows` of a batch."""
        self.requests.start_async(dict(enumerate(inputs)), rows, share_inputs=True)
        if self._fresh:
            # Never two first inferences at once: with another thread importing, one start in 40
            # waited for itself for ever. Each repacks weights; what was mapped of them is not read
            # again.
            self.requests.wait_all()
            release_mapped(self._weights)
            self._fresh -= 1


def _keep(request: Any, rows: Embeddings) -> None:
    rows[:] = request.get_output_tensor(0).data


def parts(count: int, streams: int) -> Iterator[slice]:
    """`count` items, cut into the few sizes that reach the runtime, so that all streams end at
    about the same time."""
    start = 0
    while rest := count - start:
        size = next(size for size in BATCHES if size <= -(-rest // streams))
        for _ in range(min(streams, rest // size)):
            yield slice(start, start + size)
            start += size


def token_embeddings(
    ids: NDArray[np.int64], table: NDArray[np.floating[Any]]
) -> tuple[NDArray[Any], ...]:
    """(N, L) token ids, each row padded with its end-of-text token, and the (V, W) table of
    embeddings → (N, L, W) float32, and (N,) int64: where each text ends.

    The table stays outside the exported graph and is mapped: only the rows of words that are used
    cost memory (ViT-B/32: 101 MB less, and as much less in the folder of prepared kernels).
    """
    ends = (ids == ids[:, -1:]).argmax(axis=1)
    return table[ids].astype(np.float32), ends
