"""An encoder as files of an artifact: what it is, its weights, its licence.

    encoder.json       kind, name, licence, how many windows of a recording are heard
    model.safetensors  musicnn's weights; the graph is code (`musicnn.network`)
    openvino/          towers of other encoders, exported when the artifact was made
    tokenizer.json     where words have vectors, too
    LICENCE.txt        the licence of the weights, word for word

What is here identifies the encoder: two artifacts are comparable if these files are the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from engine.base.errors import EncoderMismatch, ShazamError
from engine.base.strict import Sha256, Strict
from engine.sound.encoder.encoder import Kind, SoundEncoder

ABOUT, WEIGHTS, LICENCE = "encoder.json", "model.safetensors", "LICENCE.txt"
_MOST_BYTES = 1 << 16  # of encoder.json


class About(Strict):
    """`encoder.json`."""

    format: Literal[1] = 1
    kind: Kind
    name: Annotated[str, Field(min_length=1, max_length=200)]
    licence: Annotated[str, Field(min_length=1, max_length=200)]
    # Of the weights that the towers were exported from; None where the weights are here.
    exported_from: Sha256 | None = None
    # The id of the token that means nothing, where words have vectors.
    pad: Annotated[int, Field(ge=0, le=1 << 24, strict=True)] | None = None
    windows: Annotated[int, Field(ge=1, le=200, strict=True)]

    def write(self, folder: Path) -> None:
        text = self.model_dump_json(indent=2) + "\n"
        (folder / ABOUT).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> About:
        """Raises `EncoderMismatch` where the folder does not say what encoder it is."""
        path = folder / ABOUT
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ValueError("it is too long")
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise EncoderMismatch(
                f"{ABOUT} does not say what encoder this is ({_reason(error)}). "
                "Rebuild the artifact."
            ) from error


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
    return "it is not there" if isinstance(error, OSError) else str(error)


def open_encoder(
    folder: Path, *, threads: int | None = None, cache: Path | None = None
) -> SoundEncoder:
    """The encoder of an artifact's `encoder/`, ready to embed. `cache` is a folder for prepared
    kernels. Raises `EncoderMismatch` for files that are not what they should be."""
    about = About.read(folder)
    try:
        return _open(about, folder, threads, cache)
    except ShazamError:
        raise
    except Exception as error:
        # Files that are what a manifest says and no encoder: every library has its own word.
        raise EncoderMismatch(
            f"The encoder cannot be loaded ({type(error).__name__}: {str(error)[:300]}). "
            "Rebuild the artifact."
        ) from error


def _open(about: About, folder: Path, threads: int | None, cache: Path | None) -> SoundEncoder:
    # Each is imported where it is wanted: what serves one need not load the others.
    if about.kind == "musicnn":
        from engine.sound.encoder.musicnn import MusicnnEncoder

        # Its 792,079 weights compile faster than their kernels would be found in a cache.
        return MusicnnEncoder(folder / WEIGHTS, about.name, windows=about.windows, threads=threads)
    if about.kind == "clap":
        from engine.sound.encoder.clap import ClapEncoder

        return ClapEncoder(
            folder,
            about.name,
            windows=about.windows,
            pad=about.pad or 0,
            threads=threads,
            cache=cache,
        )
    from engine.sound.encoder.mert import MertEncoder

    return MertEncoder(folder, about.name, windows=about.windows, threads=threads, cache=cache)
