"""An encoder's folder → the names of its files, its preprocessing, its identity."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from engine.base.errors import BuildError
from engine.base.files import file_sha256
from engine.covers.image import Preprocessing

CONFIG, WEIGHTS, TOKENIZER, PREPROCESSOR = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "preprocessor_config.json",
)


def read_preprocessing(folder: Path) -> Preprocessing:
    """The `Preprocessing` of an encoder folder; `BuildError` if it is not resize-then-crop."""
    text = (folder / PREPROCESSOR).read_text(encoding="utf-8")
    try:
        return Preprocessing.from_transformers(json.loads(text))
    except (KeyError, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise BuildError(
            f"{PREPROCESSOR} asks for preprocessing we do not do ({error}). CLIP's own is "
            "supported: a bicubic resize of the shortest edge to the side of a centre crop."
        ) from error


def digest_of_encoder(weights: str, tokenizer: str, preprocessing: Preprocessing) -> str:
    """Identity of an encoder: sha256 over the digests of its weights and tokenizer and its
    preprocessing. Exported runtimes and library versions noted in `config.json` take no part."""
    parts = {
        "weights": weights,
        "tokenizer": tokenizer,
        "preprocessing": [preprocessing.size, *preprocessing.mean, *preprocessing.std],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def digest_of_folder(folder: Path) -> str:
    """`digest_of_encoder` of an encoder folder on disk."""
    return digest_of_encoder(
        file_sha256(folder / WEIGHTS), file_sha256(folder / TOKENIZER), read_preprocessing(folder)
    )
