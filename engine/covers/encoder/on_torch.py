"""CLIP on torch: what runs on a GPU, what other runtimes are exported from and measured against.

torch and transformers are imported where they are used: the process that answers HTTP on a CPU
never needs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from engine.base.errors import SettingsError
from engine.base.machine import gpu_present, processor_has_bf16
from engine.covers.encoder.encoder import Precision, Runtime
from engine.covers.encoder.folder import WEIGHTS, read_preprocessing
from engine.covers.encoder.tokens import open_tokenizer
from engine.covers.image import Pixels
from engine.vectors.embeddings import Embeddings, unit_rows

if TYPE_CHECKING:
    import torch

TorchPrecision = Literal["auto", "fp32", "bf16"]


class TorchEncoder:
    """The two towers of an encoder folder, through transformers."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        device: Literal["cpu", "cuda"] = "cpu",
        precision: TorchPrecision = "auto",
        threads: int | None = None,
    ) -> None:
        import torch
        from transformers import CLIPModel
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        if threads and device == "cpu":
            torch.set_num_threads(threads)
        self.name = name
        self.runtime: Runtime = "torch-cuda" if device == "cuda" else "torch-cpu"
        self.precision: Precision = _torch_precision(device) if precision == "auto" else precision
        self.preprocessing = read_preprocessing(folder)
        self.tokenizer = open_tokenizer(folder)
        self._torch = torch
        self._device = torch.device(device)
        self._dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        model = CLIPModel.from_pretrained(folder, dtype=self._dtype, local_files_only=True)
        self.model = model.to(self._device).eval().requires_grad_(False)
        # The two projections stay in float32: rounding the finished embedding to bf16 would move
        # cosines by some 1e-3, more than everything inside the towers does.
        self.model.visual_projection.float()
        self.model.text_projection.float()
        self.dimension = int(model.config.projection_dim)
        mean, std = self.preprocessing.mean, self.preprocessing.std
        self.mean = torch.tensor(mean, device=self._device).view(1, 3, 1, 1) * 255
        self.std = torch.tensor(std, device=self._device).view(1, 3, 1, 1) * 255

    def embed_images(self, pixels: Pixels) -> Embeddings:
        if not len(pixels):
            return np.zeros((0, self.dimension), np.float32)
        torch = self._torch
        with torch.inference_mode():
            # torch refuses read-only arrays loudly; a batch out of shared memory is read-only.
            raw = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(self._device)
            values = (raw.permute(0, 3, 1, 2).float() - self.mean) / self.std
            pooled = self.model.vision_model(pixel_values=values.to(self._dtype)).pooler_output
            return self._finish(self.model.visual_projection(pooled.float()))

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        if not len(texts):
            return np.zeros((0, self.dimension), np.float32)
        torch = self._torch
        with torch.inference_mode():
            ids = torch.from_numpy(self.tokenizer(texts)).to(self._device)
            pooled = self.model.text_model(input_ids=ids).pooler_output
            return self._finish(self.model.text_projection(pooled.float()))

    def _finish(self, rows: torch.Tensor) -> Embeddings:
        return unit_rows(rows.float().cpu().numpy())


def open_torch_encoder(
    folder: Path,
    name: str,
    *,
    runtime: str = "torch-cpu",
    precision: str = "fp32",
    threads: int | None = None,
) -> TorchEncoder:
    """CLIP on torch. `precision` other than `fp32` and `bf16` means the processor's fastest.

    Raises `SettingsError` where a GPU is asked for and there is none, and for a serving copy.
    """
    if not (folder / WEIGHTS).is_file():
        raise SettingsError(
            f"torch needs the encoder's weights ({WEIGHTS}), and this artifact is a serving copy "
            "without them. Use the full artifact, or serve with SHAZAM_RUNTIME=openvino-cpu"
        )
    if runtime == "torch-cuda" and not cuda_available():
        raise SettingsError(
            "SHAZAM_RUNTIME='torch-cuda' but torch sees no GPU here. Example: SHAZAM_RUNTIME=auto"
        )
    chosen: TorchPrecision = (
        "fp32" if precision == "fp32" else "bf16" if precision == "bf16" else "auto"
    )
    device: Literal["cpu", "cuda"] = "cuda" if runtime == "torch-cuda" else "cpu"
    return TorchEncoder(folder, name, device=device, precision=chosen, threads=threads)


def cuda_available() -> bool:
    """Whether a CUDA GPU can be used; where there is no device file, torch is not even imported."""
    if not gpu_present():
        return False
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def _torch_precision(device: str) -> Precision:
    return "bf16" if device == "cuda" or processor_has_bf16() else "fp32"
