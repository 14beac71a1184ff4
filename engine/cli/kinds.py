"""Of which kind an artifact is → what a command does with it.

A command knows the kind by the manifest; options of another kind are bad usage, told in one line.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.artifact.kinds import COVER, SOUND
from engine.base.errors import BuildError, WrongKind
from engine.cli.terminal import artifact_folder, refuse_usage

if TYPE_CHECKING:
    from engine.artifact.manifest import Manifest

# What a kind's artifacts hold, for sentences.
HOLD = {COVER: "covers", SOUND: "tracks"}


def artifact_of_kind(options: argparse.Namespace) -> tuple[Path, str]:
    """Where the artifact named by `options.artifact` lies, and its kind. Raises `WrongKind` for a
    kind that this version does not know."""
    from engine.artifact.manifest import kind_of

    folder = artifact_folder(options)
    kind = kind_of(folder)
    if kind not in HOLD:
        raise WrongKind(
            f"{folder.name} is an artifact of kind {kind[:40]!r}, which this version does not "
            f"know; it knows {', '.join(HOLD)}."
        )
    return folder, kind


def open_artifact(folder: Path, kind: str) -> Any:
    """The verified artifact, an `Opened` of its kind's manifest."""
    if kind == SOUND:
        from engine.sound.artifact import SoundArtifact

        return SoundArtifact.open(folder)
    from engine.covers.artifact import Artifact

    return Artifact.open(folder)


def manifest_of_kind(kind: str) -> type[Manifest]:
    """What reads the manifest of a kind."""
    if kind == SOUND:
        from engine.sound.manifest import SoundManifest

        return SoundManifest
    from engine.covers.manifest import CoverManifest

    return CoverManifest


def check_options(
    options: argparse.Namespace, kind: str, of_kind: Mapping[str, Sequence[str]], name: str
) -> None:
    """Bad usage for an option that only another kind takes; `name` is what is of this one."""
    for other, taken in of_kind.items():
        for option in sorted({*taken} - {*of_kind.get(kind, ())}):
            if getattr(options, option.lstrip("-").replace("-", "_")) not in (None, False):
                refuse_usage(
                    f"{option} is for {HOLD[other]}, and {name} holds {HOLD[kind]} (kind {kind!r})"
                )


def need_one(
    options: argparse.Namespace, kind: str, of_kind: Mapping[str, Sequence[str]], name: str
) -> None:
    """`check_options`, and bad usage where none of this kind's options is given."""
    check_options(options, kind, of_kind, name)
    taken = of_kind[kind]
    if all(getattr(options, option.lstrip("-").replace("-", "_")) is None for option in taken):
        refuse_usage(f"{name} holds {HOLD[kind]} (kind {kind!r}): give {' or '.join(taken)}")


def only(kind: str, wanted: str, command: str, name: str) -> None:
    """Raise `BuildError` where a command is for artifacts of another kind."""
    if kind != wanted:
        raise BuildError(
            f"{command} is for {HOLD[wanted]}, and {name} holds {HOLD[kind]} (kind {kind!r})."
        )
