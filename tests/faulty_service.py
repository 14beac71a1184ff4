"""The service, with an encoder and a decoder that fail as a file says. For tests alone.

The first word of the file `FAULT` names is what happens at the next calls: `raise`, `memory`,
`wrong`, `hang`, `die` and `slow`, which lasts as long as it is there, in the encoder,
`decode-memory` and `decode-die` in the decoder.
An empty or missing file is no fault; `once` behind a fault empties the file at its first call.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# BentoML knows this module by its own name; `service` must find the project beside it.
sys.path.insert(0, str(Path(__file__).parents[1]))

import engine.covers.search as search
from engine.covers.encoder.encoder import Encoder
from engine.vectors.embeddings import Embeddings


def fault(*here: str) -> str:
    """What is switched on, if it is one of `here`."""
    path = Path(os.environ["FAULT"])
    name, _, once = path.read_text().partition(" ") if path.exists() else ("", "", "")
    if name not in here:
        return ""
    if once:
        path.write_text("")
    return name


class FaultyEncoder:
    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def embed_images(self, pixels: Any) -> Embeddings:
        return self._unless_faulty(self._encoder.embed_images, pixels)

    def embed_texts(self, texts: Any) -> Embeddings:
        return self._unless_faulty(self._encoder.embed_texts, texts)

    def _unless_faulty(self, embed: Callable[[Any], Embeddings], items: Any) -> Embeddings:
        match fault("raise", "memory", "wrong", "hang", "die", "slow"):
            case "raise":
                raise RuntimeError("secret words of a library")
            case "memory":
                raise MemoryError
            case "wrong":
                return embed(items)[:-1]
            case "hang":
                threading.Event().wait()
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "slow":
                while fault("slow"):
                    time.sleep(0.02)
        return embed(items)


def load_encoder(*values: Any, **options: Any) -> Encoder:
    return FaultyEncoder(_load_encoder(*values, **options))  # type: ignore[return-value]


def decode(*values: Any, **options: Any) -> Any:
    match fault("decode-memory", "decode-die"):
        case "decode-memory":
            from unittest.mock import patch

            with patch("PIL.ImageFile.ImageFile.load", side_effect=MemoryError):
                return _decode(*values, **options)
        case "decode-die":
            os.kill(os.getpid(), signal.SIGKILL)
    return _decode(*values, **options)


_load_encoder, search.load_encoder = search.load_encoder, load_encoder
_decode, search.decode = search.decode, decode

from service import EncoderService, ShazamVisual  # noqa: E402, F401
