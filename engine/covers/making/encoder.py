"""Where an encoder comes from, and how it comes into an artifact."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from engine.base.errors import BuildError, EncoderUnavailable
from engine.covers.encoder.folder import CONFIG, PREPROCESSOR, TOKENIZER, WEIGHTS

PROCESSOR = "processor_config.json"


def find_encoder(encoder: str) -> Path:
    """Folder or hub id → folder on this disk. `EncoderUnavailable` names the way out."""
    if (Path(encoder) / CONFIG).is_file():
        return Path(encoder)
    if Path(encoder).exists():
        raise EncoderUnavailable(
            f"{encoder} holds no {CONFIG}, so it is not an encoder. Give a folder written by "
            "transformers' save_pretrained (config.json, model.safetensors, tokenizer.json, and "
            "processor_config.json or preprocessor_config.json) or a hub id such as "
            "openai/clip-vit-base-patch32."
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
    for name in (CONFIG, WEIGHTS, TOKENIZER):
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
    _copy_preprocessing(source, destination)


def _copy_preprocessing(source: Path, destination: Path) -> None:
    """`preprocessor_config.json`, as transformers finds it: since version 5 it is a part of
    `processor_config.json`, which goes before a file of its own."""
    nested: Any = None
    try:
        if (source / PROCESSOR).is_file():
            # One of before version 5 says nothing of pictures.
            whole = json.loads((source / PROCESSOR).read_text(encoding="utf-8"))
            nested = whole.get("image_processor")
    except (OSError, ValueError, AttributeError) as error:
        raise BuildError(f"{source / PROCESSOR} cannot be read ({error}).") from error
    if nested is not None:
        (destination / PREPROCESSOR).write_text(json.dumps(nested, indent=2), encoding="utf-8")
    elif (source / PREPROCESSOR).is_file():
        shutil.copyfile(source / PREPROCESSOR, destination / PREPROCESSOR)
    else:
        raise BuildError(
            f"{source} holds no {PREPROCESSOR}, nor a {PROCESSOR} with an 'image_processor'; copy "
            "it from the original encoder."
        )
