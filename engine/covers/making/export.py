"""An encoder on torch → the two graphs that OpenVINO runs, as float or int8.

`encoder.on_openvino` reads them; `making.runtimes` decides which are kept.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.base.inference import import_converter, import_openvino
from engine.base.progress import Progress
from engine.covers.encoder.on_openvino import (
    FOLDER,
    LENGTHS,
    TEXT,
    TOKENS,
    VISION,
    token_embeddings,
)
from engine.covers.encoder.on_torch import TorchEncoder
from engine.covers.image import Pixels


@dataclass(frozen=True)
class Samples:
    """What int8 is calibrated on: (N, S, S, 3) uint8 pictures and some texts."""

    pixels: Pixels
    texts: Sequence[str]


def export(
    encoder: TorchEncoder,
    folder: Path,
    *,
    int8: Samples | None = None,
    half: bool = True,
    progress: Progress | None = None,
) -> None:
    """Write both towers of a float32 `encoder` into `folder`/openvino, as int8 where `int8` says.

    Other weights are stored as float16 unless `half` is false, and computed in bf16 or fp32.
    """
    openvino, convert_model = import_openvino(), import_converter()
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
        seen = convert_model(
            vision,
            example_input=torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8),
            input=[openvino.PartialShape([-1, size, size, 3])],
        )
        read = convert_model(
            text,
            example_input=(torch.zeros((2, 16, table.shape[1])), torch.tensor([5, 15])),
            input=[openvino.PartialShape([-1, -1, table.shape[1]]), openvino.PartialShape([-1])],
        )
    if int8 is not None:
        (progress or Progress()).remark(f"calibrating int8 on {len(int8.pixels)} pictures")
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
