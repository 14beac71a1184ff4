"""`--encoder …` → an encoder's folder in an artifact."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.base.errors import BuildError, EncoderUnavailable
from engine.base.files import file_sha256
from engine.base.needs import need
from engine.sound.encoder import clap, folder, mert, musicnn
from engine.sound.making.export import CONFIG, PREPROCESSOR, export_clap, export_mert
from engine.sound.network import FOLDER

MUSICNN = "musicnn"
KINDS = f"{MUSICNN}, clap:FOLDER_OR_HUB_ID or mert:FOLDER_OR_HUB_ID"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def save_encoder(wanted: str, target: Path) -> None:
    """Write the encoder that `wanted` names into `target` (an artifact's `encoder/`).

    `musicnn` is in this package and needs nothing else; a hub id may name a revision behind an @.
    Raises `BuildError`, or `EncoderUnavailable` for one that is neither here nor to be had.
    """
    kind, _, place = wanted.partition(":")
    if wanted != MUSICNN and (kind not in ("clap", "mert") or not place):
        raise BuildError(f"--encoder {wanted!r} is not known. Give {KINDS}.")
    target.mkdir(parents=True, exist_ok=True)
    if wanted == MUSICNN:
        _save_musicnn(target)
    elif kind == "clap":
        _save_clap(find_folder(place, kind), place, target)
    else:
        _save_mert(find_folder(place, kind), place, target)


def _save_musicnn(target: Path) -> None:
    shutil.copyfile(musicnn.WEIGHTS, target / folder.WEIGHTS)
    shutil.copyfile(musicnn.LICENCE_TEXT, target / folder.LICENCE)
    folder.About(
        kind="musicnn", name=musicnn.NAME, licence=musicnn.LICENCE, windows=musicnn.WINDOWS
    ).write(target)


def _save_clap(source: Path, place: str, target: Path) -> None:
    if not (source / clap.TOKENIZER).is_file():
        raise BuildError(f"{source} holds no {clap.TOKENIZER}; copy it from the original encoder.")
    pad = export_clap(source, target / FOLDER)
    shutil.copyfile(source / clap.TOKENIZER, target / clap.TOKENIZER)
    folder.About(
        kind="clap",
        name=_name(place),
        licence="Apache-2.0 for LAION's checkpoints; read the card of any other",
        windows=clap.WINDOWS,
        exported_from=_weights_sha256(source),
        pad=pad,
    ).write(target)


def _save_mert(source: Path, place: str, target: Path) -> None:
    export_mert(source, target / FOLDER)
    folder.About(
        kind="mert",
        name=_name(place),
        licence="CC BY-NC 4.0 for MERT-v1: not for commercial use",
        windows=mert.WINDOWS,
        exported_from=_weights_sha256(source),
    ).write(target)


def _name(place: str) -> str:
    return Path(place).name if Path(place).exists() else place


def _weights_sha256(source: Path) -> str:
    return file_sha256(next(source / name for name in _WEIGHTS if (source / name).is_file()))


def find_folder(place: str, kind: str) -> Path:
    """Folder or hub id (`owner/name@revision`) → a folder on this disk, fetched where it is not."""
    if (Path(place) / CONFIG).is_file():
        return Path(place)
    if Path(place).exists():
        raise EncoderUnavailable(
            f"{place} holds no {CONFIG}, so it is not an encoder. Give a folder written by "
            f"transformers' save_pretrained ({CONFIG}, {PREPROCESSOR}, {_WEIGHTS[0]})."
        )
    hub = need("huggingface_hub", "build.in", by=f"--encoder {kind}:{place}")
    name, _, revision = place.partition("@")
    # No *.py: code of a checkpoint is not run, so it is not fetched either.
    wanted = ["*.json", "*.txt", *_WEIGHTS]
    try:
        found = Path(hub.snapshot_download(name, revision=revision or None, allow_patterns=wanted))
        if not (found / CONFIG).is_file():
            raise FileNotFoundError(CONFIG)
    except Exception as error:
        # The hub client raises its own, httpx' and the system's errors: all need the same advice.
        raise EncoderUnavailable(
            f"The encoder {place} is not in the local cache and the hub cannot be reached "
            f"({type(error).__name__}). On a machine that reaches it, run `hf download {name}` and "
            f"copy the folder here, then pass --encoder {kind}:FOLDER; --encoder {MUSICNN} needs "
            "nothing."
        ) from error
    return found
