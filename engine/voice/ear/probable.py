"""A sound that Whisper has encoded → how probable each of some words is, after those before it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.base.needs import need

_LEAST = 1e-12
_FRAMES_ENCODED = 2  # of 10 ms, as one


class Probable:
    """`model` is faster-whisper's, `language` as "en"."""

    def __init__(self, model: Any, language: str) -> None:
        self._storage = need("ctranslate2", "voice.in", by="Words").StorageView
        tokenizer = need("faster_whisper.tokenizer", "voice.in", by="Words").Tokenizer
        self._model = model.model
        self._tokens = tokenizer(model.hf_tokenizer, True, task="transcribe", language=language)

    def of(self, encoded: npt.NDArray[np.float32], words: Sequence[str]) -> npt.NDArray[np.float64]:
        """(T, D) float32 → (N,) float64, the logarithm of each word's probability."""
        each = [self._tokens.encode(f" {word}") for word in words]
        [told] = self._model.align(
            self._storage.from_array(np.ascontiguousarray(encoded[None])),
            self._tokens.sot_sequence,
            [[token for word in each for token in word]],
            _FRAMES_ENCODED * len(encoded),
        )
        logs = np.log(np.maximum(told.text_token_probs, _LEAST))
        edges = pairwise([0, *accumulate(map(len, each))])
        return np.array([logs[first:end].sum() for first, end in edges])
