"""CLIP on OpenVINO: the CPU runtime, and how an artifact gets it.

Both towers are exported when the artifact is made, next to the encoder they come from. Serving them
imports neither torch nor transformers: OpenVINO maps the weights (0.3 s to import and load where
torch and transformers take 3), and its int8 kernels are four to seven times faster than torch fp32.
"""

from __future__ import annotations

import contextlib
import io
import locale
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.base.machine import release_mapped
from engine.base.settings import usable_cores
from engine.covers.encoder.on_torch import (
    TOKENIZER,
    Embeddings,
    Precision,
    Runtime,
    Tokenizer,
    TorchEncoder,
    context_length,
    processor_has_bf16,
    read_preprocessing,
    unit_rows,
)
from engine.covers.image import Pixels

if TYPE_CHECKING:
    from collections.abc import Callable

# OpenVINO and NNCF report usage to their makers unless told not to; their own stubs take over where
# the reporting package cannot be imported. A service, or a build, reports to nobody.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
os.environ.setdefault("NNCF_CI", "1")

# Two towers of four artifacts or settings.
KEPT_KERNELS = 8

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
        import openvino

        self.name = name
        self.runtime: Runtime = "openvino-cpu"
        self.precision: Precision = (
            "fp32" if precision == "bf16" and not processor_has_bf16() else precision
        )
        self.preprocessing = read_preprocessing(folder)
        self.tokenizer = Tokenizer(folder / TOKENIZER, context_length(folder))
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
        if cache is not None:
            # Without the weights, which are mapped from the artifact anyway.
            options |= {"CACHE_DIR": str(cache), "CACHE_MODE": "OPTIMIZE_SIZE"}

        def compiled(tower: str) -> Any:
            try:
                return core.compile_model(folder / FOLDER / tower, "CPU", options)
            except RuntimeError:
                if cache is None:
                    raise
                # A cache that cannot be read or written costs a second, not the start.
                plain = {key: value for key, value in options.items() if key[:6] != "CACHE_"}
                return core.compile_model(folder / FOLDER / tower, "CPU", plain)

        def warmed(tower: str, model: Any) -> Any:
            requests = openvino.AsyncInferQueue(model, streams)
            # The first inference repacks the weights; what was mapped of them is not read again.
            shortest = [1, min(LENGTHS[0], self.tokenizer.context_length)]
            zeros = {}
            for port in model.inputs:
                sides = enumerate(port.partial_shape)
                shape = [shortest[i] if side.is_dynamic else side.get_length() for i, side in sides]
                zeros[port] = np.zeros(shape, port.element_type.to_dtype())
            for _ in range(streams):
                requests.start_async(zeros)
                requests.wait_all()
            release_mapped((folder / FOLDER / tower).with_suffix(".bin"))
            requests.set_callback(_keep)
            return requests

        towers = (VISION, TEXT)
        # Compiled side by side, as that keeps one core busy; but never two first inferences at
        # once: with another thread importing, one start in 40 waited for itself for ever.
        with _locale_kept(), ThreadPoolExecutor(2) as pool:
            models = list(pool.map(compiled, towers))
        self._vision, self._text = map(warmed, towers, models)
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

    def _in_batches(self, requests: Any, inputs: Sequence[NDArray[Any]]) -> Embeddings:
        rows = np.zeros((len(inputs[0]), self.dimension), np.float32)
        for part in parts(len(rows), len(requests)):
            batch = {i: values[part] for i, values in enumerate(inputs)}
            requests.start_async(batch, rows[part], share_inputs=True)
        requests.wait_all()
        return unit_rows(rows)


@contextlib.contextmanager
def _locale_kept() -> Iterator[None]:
    """OpenVINO reads a model in the C locale and then sets back what it found. Of two at once the
    second finds C, and whoever opens a text file from then on reads ASCII: one start in five."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


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


def kernel_cache() -> Path | None:
    """The user's folder for prepared kernels, or None where there can be none.

    An image that was started once while it was built finds its kernels there also when its file
    system is read-only. Only the newest are kept: each new artifact adds its own.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base) / "shazam-visual" / "openvino"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        blobs = sorted(folder.glob("*.blob"), key=lambda path: path.stat().st_mtime)
        for old in blobs[:-KEPT_KERNELS]:
            old.unlink()
    except OSError:
        return folder if folder.is_dir() else None
    return folder


@dataclass(frozen=True)
class Calibration:
    """What int8 is calibrated on: (N, S, S, 3) uint8 pictures and some texts."""

    pixels: Pixels
    texts: Sequence[str]


def export(
    encoder: TorchEncoder,
    folder: Path,
    *,
    int8: Calibration | None = None,
    half: bool = True,
    remark: Callable[[str], None] = lambda _: None,
) -> None:
    """Write both towers of a float32 `encoder` into `folder`/openvino, as int8 where `int8` says.

    Other weights are stored as float16 unless `half` is false, and computed in bf16 or fp32.
    """
    import openvino
    import torch

    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    size = encoder.preprocessing.size
    vision, text = _towers(encoder)
    table = encoder.model.text_model.embeddings.token_embedding.weight.numpy()
    if half:
        table = table.astype(np.float16)
    with torch.no_grad(), warnings.catch_warnings():
        # The tracer warns of every branch on a shape; agreement with torch is measured afterwards.
        warnings.simplefilter("ignore")
        seen = openvino.convert_model(
            vision,
            example_input=torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8),
            input=[openvino.PartialShape([-1, size, size, 3])],
        )
        read = openvino.convert_model(
            text,
            example_input=(torch.zeros((2, 16, table.shape[1])), torch.tensor([5, 15])),
            input=[openvino.PartialShape([-1, -1, table.shape[1]]), openvino.PartialShape([-1])],
        )
    if int8 is not None:
        remark(f"calibrating int8 on {len(int8.pixels)} pictures")
        seen = _quantised(seen, [picture[None] for picture in int8.pixels])
        ids = [encoder.tokenizer([line], LENGTHS) for line in int8.texts]
        read = _quantised(read, [token_embeddings(line, table) for line in ids])
    openvino.save_model(seen, target / VISION, compress_to_fp16=half)
    openvino.save_model(read, target / TEXT, compress_to_fp16=half)
    np.save(target / TOKENS, table)


def _quantised(model: Any, samples: Sequence[Any]) -> Any:
    """Post-training quantisation with NNCF's settings for transformers (SmoothQuant included)."""
    import nncf

    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars, terminal or not
        return nncf.quantize(
            model,
            nncf.Dataset(list(samples)),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(samples),
        )


def _towers(encoder: TorchEncoder) -> tuple[Any, Any]:
    import torch

    model = encoder.model
    mean, std = encoder.mean, encoder.std

    class Vision(torch.nn.Module):  # type: ignore[misc]
        """(N, S, S, 3) uint8 → (N, D): the tower of transformers' CLIPVisionModel, scaling and
        normalisation included, in a form that takes a tenth less time (ViT-B/32 as int8).

        Patches are embedded by a product of matrices: int8 kernels take three times as long for
        the convolution that says the same. And the class token alone leaves the tower, so of the
        last layer nothing else is computed but the keys and values it looks at.
        """

        def __init__(self) -> None:
            super().__init__()
            tower = model.vision_model
            convolution = tower.embeddings.patch_embedding
            self.patch = int(convolution.kernel_size[0])
            self.grid = encoder.preprocessing.size // self.patch
            self.register_buffer("weight", convolution.weight.permute(0, 2, 3, 1).flatten(1))
            self.register_buffer("mean", mean.view(3).repeat(self.patch**2))
            self.register_buffer("std", std.view(3).repeat(self.patch**2))
            self.register_buffer("class_token", tower.embeddings.class_embedding)
            self.register_buffer("positions", tower.embeddings.position_embedding.weight)
            self.norm_before, self.norm_after = tower.pre_layrnorm, tower.post_layernorm
            *layers, self.last = tower.encoder.layers
            self.layers = torch.nn.ModuleList(layers)
            self.projection = model.visual_projection

        def forward(self, pixels: torch.Tensor) -> Any:
            side, grid = self.patch, self.grid
            cut = pixels[:, : grid * side, : grid * side].reshape(-1, grid, side, grid, side, 3)
            rows = cut.permute(0, 1, 3, 2, 4, 5).reshape(-1, grid * grid, side * side * 3).float()
            patches = torch.nn.functional.linear((rows - self.mean) / self.std, self.weight)
            class_token = self.class_token.expand(pixels.shape[0], 1, -1)
            values = torch.cat([class_token, patches], dim=1) + self.positions
            values = self.norm_before(values)
            for layer in self.layers:
                values = layer(values, None)
            return self.projection(self.norm_after(self.last_class_token(values)))

        def last_class_token(self, values: torch.Tensor) -> Any:
            """(N, L, W) → (N, W): what the last layer makes of the first token of each row."""
            layer, attention = self.last, self.last.self_attn
            seen = layer.layer_norm1(values)

            def heads(rows: torch.Tensor) -> torch.Tensor:
                return rows.unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)

            found = torch.nn.functional.scaled_dot_product_attention(
                heads(attention.q_proj(seen[:, :1])),
                heads(attention.k_proj(seen)),
                heads(attention.v_proj(seen)),
            )
            token = values[:, :1] + attention.out_proj(found.transpose(1, 2).flatten(2))
            return (token + layer.mlp(layer.layer_norm2(token)))[:, 0]

    class Text(torch.nn.Module):  # type: ignore[misc]
        """`token_embeddings` of N texts → (N, D): the tower of transformers' CLIPTextModel without
        its table."""

        def __init__(self) -> None:
            super().__init__()
            tower = model.text_model
            self.positions = tower.embeddings.position_embedding
            self.encoder, self.norm = tower.encoder, tower.final_layer_norm
            self.projection = model.text_projection

        def forward(self, tokens: torch.Tensor, ends: torch.Tensor) -> Any:
            length = tokens.shape[1]
            values = tokens + self.positions.weight[:length]
            unseen = torch.full((length, length), float("-inf")).triu(1)[None, None]
            values = self.encoder(inputs_embeds=values, attention_mask=unseen).last_hidden_state
            read = self.norm(values)[torch.arange(tokens.shape[0]), ends]
            return self.projection(read)

    return Vision().eval(), Text().eval()
