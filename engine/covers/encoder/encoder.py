"""What an encoder is, whatever computes it: pixels and texts → embeddings in one space.

Everything before it can fail because of one caller; everything from here on is shared by a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from engine.covers.encoder.tokens import Tokenizer
from engine.covers.image import Pixels, Preprocessing
from engine.vectors.embeddings import Embeddings

Runtime = Literal["torch-cpu", "torch-cuda", "openvino-cpu"]
Precision = Literal["fp32", "bf16", "int8"]
# auto: whatever agrees with fp32 and is fastest.
WantedPrecision = Literal["auto", Precision]


class Encoder(Protocol):
    """Two towers into one space. Implementations are thread-compatible: one call at a time."""

    name: str
    dimension: int
    preprocessing: Preprocessing
    tokenizer: Tokenizer
    runtime: Runtime
    precision: Precision

    def embed_images(self, pixels: Pixels) -> Embeddings:
        """(N, S, S, 3) uint8 RGB → (N, D) float32, unit rows (±1e-5). N = 0 gives (0, D)."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """N texts, each truncated at the context length → (N, D) float32, unit rows (±1e-5)."""
        ...
