"""Pixels, texts → embeddings: the `Encoder` protocol, its tokenizer, and CLIP on torch.

Everything before this module can fail because of one caller; everything from here on is shared by
a batch. Only `unit_rows` normalises embeddings, in this project.

torch and transformers are imported where they are used: the process that answers HTTP on a CPU
never needs them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import BuildError, EncoderUnavailable, Internal, SettingsError
from engine.base.settings import gpu_present
from engine.covers.image import Pixels, Preprocessing

if TYPE_CHECKING:
    import torch

Embeddings = NDArray[np.float32]
Runtime = Literal["torch-cpu", "torch-cuda", "openvino-cpu"]
Precision = Literal["fp32", "bf16", "int8"]

CONTEXT_LENGTH = 77
CONFIG, WEIGHTS, TOKENIZER, PREPROCESSOR = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "preprocessor_config.json",
)


class Encoder(Protocol):
    """Two towers into one space. Implementations are thread-compatible: one call at a time."""

    name: str
    dimension: int
    preprocessing: Preprocessing
    runtime: Runtime
    precision: Precision

    def embed_images(self, pixels: Pixels) -> Embeddings:
        """(N, S, S, 3) uint8 RGB → (N, D) float32, unit rows (±1e-5). N = 0 gives (0, D)."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """N texts, each truncated at the context length → (N, D) float32, unit rows (±1e-5)."""
        ...


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


class Tokenizer:
    """Texts → token ids, by the `tokenizer.json` of the encoder (no transformers needed).

    CLIP's text tower is causal and is read at the first end-of-text token, so what pads a row
    behind that token cannot change its embedding: no attention mask is needed.
    """

    def __init__(self, path: Path, context_length: int = CONTEXT_LENGTH) -> None:
        from tokenizers import Tokenizer as Backend

        self._backend = Backend.from_file(str(path))
        self._backend.no_padding()
        # Counts the two special tokens in, and keeps the end-of-text token of a cut text.
        self._backend.enable_truncation(max_length=context_length)
        self.context_length = context_length

    def __call__(self, texts: Sequence[str], lengths: Sequence[int] = ()) -> NDArray[np.int64]:
        """N texts → (N, L) int64; L is the longest of these texts, at most 77. Where `lengths`
        (ascending) are given, it is the first of them that fits, or else the context length."""
        rows = [encoding.ids for encoding in self._backend.encode_batch(list(texts))]
        longest = max((len(row) for row in rows), default=1)
        if lengths:
            longest = next((length for length in lengths if length >= longest), CONTEXT_LENGTH)
        width = min(longest, self.context_length)
        ids = np.zeros((len(rows), width), dtype=np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            ids[i, len(row) :] = row[-1]  # the end-of-text token, as CLIP pads
        return ids

    def count(self, texts: Sequence[str]) -> int:
        """Tokens the encoder reads of these texts, special ones counted in."""
        return sum(len(encoding.ids) for encoding in self._backend.encode_batch(list(texts)))


class TorchEncoder:
    """CLIP through transformers on torch: for GPUs, and the reference for other runtimes."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        device: Literal["cpu", "cuda"] = "cpu",
        precision: Literal["auto", "fp32", "bf16"] = "auto",
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
        self.tokenizer = Tokenizer(folder / TOKENIZER, context_length(folder))
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
    chosen: Literal["auto", "fp32", "bf16"] = (
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


def processor_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 natively (AVX-512 BF16, AMX, or Arm's bf16)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", " bf16 "))


def _torch_precision(device: str) -> Precision:
    return "bf16" if device == "cuda" or processor_has_bf16() else "fp32"


def read_preprocessing(folder: Path) -> Preprocessing:
    """The `Preprocessing` of an encoder folder; `BuildError` if it is not resize-then-crop."""
    config = json.loads((folder / PREPROCESSOR).read_text(encoding="utf-8"))
    try:
        return Preprocessing.from_transformers(config)
    except (KeyError, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise BuildError(
            f"{PREPROCESSOR} asks for preprocessing we do not do ({error}). CLIP's own is "
            "supported: a bicubic resize of the shortest edge to the side of a centre crop."
        ) from error


def context_length(folder: Path) -> int:
    """Tokens a text may have, the two special ones counted in: 77 unless the encoder has fewer."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    longest = config.get("text_config", {}).get("max_position_embeddings", CONTEXT_LENGTH)
    return min(CONTEXT_LENGTH, int(longest))


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_encoder(encoder: str) -> Path:
    """Folder or hub id → folder on this disk. `EncoderUnavailable` names the way out."""
    if (Path(encoder) / CONFIG).is_file():
        return Path(encoder)
    if Path(encoder).exists():
        raise EncoderUnavailable(
            f"{encoder} holds no {CONFIG}, so it is not an encoder. Give a folder written by "
            "transformers' save_pretrained (config.json, model.safetensors, tokenizer.json, "
            "preprocessor_config.json) or a hub id such as openai/clip-vit-base-patch32."
        )
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.txt", "model.safetensors", "pytorch_model.bin"]
    try:
        folder = Path(snapshot_download(encoder, allow_patterns=wanted))
        if not (folder / CONFIG).is_file():
            raise FileNotFoundError(CONFIG)
    except Exception as error:
        # The hub client raises its own, httpx' and the system's errors: all need the same advice.
        raise EncoderUnavailable(
            f"The encoder {encoder} is not in the local cache and the hub cannot be reached "
            f"({type(error).__name__}). On a machine that reaches it, run "
            f"`hf download {encoder}` and copy the folder here, then pass --encoder FOLDER; "
            "the starter's own encoder is at artifacts/starter/encoder."
        ) from error
    return folder


def copy_encoder(source: Path, destination: Path) -> None:
    """Write an encoder folder of our four files, converted where the source is older than they.

    Raises `BuildError` if the folder is no CLIP.
    """
    destination.mkdir(parents=True, exist_ok=True)
    try:
        model_type = json.loads((source / CONFIG).read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise BuildError(f"{source / CONFIG} cannot be read ({error}).") from error
    if model_type != "clip":
        raise BuildError(f"{source} is a {model_type!r} model; CLIP (model_type 'clip') is needed.")
    for name in (CONFIG, WEIGHTS, TOKENIZER, PREPROCESSOR):
        if (source / name).is_file():
            shutil.copyfile(source / name, destination / name)
    try:
        if not (destination / WEIGHTS).is_file():
            from transformers import CLIPModel
            from transformers.utils import logging as transformers_logging

            transformers_logging.disable_progress_bar()
            CLIPModel.from_pretrained(source, local_files_only=True).save_pretrained(
                destination, max_shard_size="100GB"
            )
        if not (destination / TOKENIZER).is_file():
            from transformers import AutoTokenizer

            for name in ("vocab.json", "merges.txt"):
                # Without them transformers makes a tokenizer that knows no word, and says nothing.
                if not (source / name).is_file():
                    raise FileNotFoundError(name)
            tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True, local_files_only=True)
            tokenizer.backend_tokenizer.save(str(destination / TOKENIZER))
    except Exception as error:
        # transformers has its own word for every file that may be missing or damaged.
        raise BuildError(
            f"{source} cannot be converted ({type(error).__name__}: {str(error)[:300]}). Give a "
            f"folder with {WEIGHTS} and {TOKENIZER}."
        ) from error
    if not (destination / PREPROCESSOR).is_file():
        raise BuildError(f"{source} holds no {PREPROCESSOR}; copy it from the original encoder.")
