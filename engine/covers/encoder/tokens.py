"""Texts → token ids, by the `tokenizer.json` of an encoder's folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.covers.encoder.folder import CONFIG, TOKENIZER

CONTEXT_LENGTH = 77  # tokens, at most: CLIP's


class Tokenizer:
    """Needs no transformers, only `tokenizers`.

    CLIP's text tower is causal and is read at the first end-of-text token, so what pads a row
    behind that token cannot change its embedding: no attention mask is needed.
    """

    def __init__(self, path: Path, context_length: int = CONTEXT_LENGTH) -> None:
        from tokenizers import Tokenizer as Backend

        self._backend = Backend.from_file(str(path))
        self._backend.no_padding()
        # A caller's "<|endoftext|>" is ordinary text: as a token it would end the query there.
        self._backend.encode_special_tokens = True
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


def context_length(folder: Path) -> int:
    """Tokens a text may have, the two special ones counted in: 77 unless the encoder has fewer."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    longest = config.get("text_config", {}).get("max_position_embeddings", CONTEXT_LENGTH)
    return min(CONTEXT_LENGTH, int(longest))


def open_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of an encoder's folder, with its context length: 3 ms for the starter's, 75 for
    a vocabulary of 49,000."""
    return Tokenizer(folder / TOKENIZER, context_length(folder))
