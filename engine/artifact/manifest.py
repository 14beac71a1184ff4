"""`manifest.json`: what every kind of artifact says of itself, how it is written and read.

    folder ─kind_of→ "cover", "sound" … ─a subclass of Manifest→ its fields, checked

A kind is a subclass in the kind's own room: it adds fields and answers the questions below.
artifacts/README.md is the specification.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from engine.artifact.folder import FileEntry, no_artifact
from engine.artifact.kinds import told_kind
from engine.base.errors import FormatTooNew, ManifestInvalid
from engine.base.places import MANIFEST
from engine.base.strict import Strict


class Manifest(Strict):
    """What a manifest of any kind says. A subclass narrows `format` and `kind` to a literal each,
    and adds the fields of its kind; what a manifest lists stays its end."""

    KIND: ClassVar[str]
    # The kind's, in the model store, in a packed artifact and in the names of temporary folders.
    NAME: ClassVar[str]
    # The newest `format_version` that this version reads, and the one it writes.
    VERSION: ClassVar[int]

    format: str
    kind: str
    format_version: Annotated[int, Field(ge=1)]
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    files: dict[str, FileEntry]
    # Of a serving copy: the files that the full artifact has and this one has not.
    left_out: dict[str, FileEntry] = Field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest of `folder`, its fields checked, its files not (see `Opened.read`).

        Raises `ArtifactNotFound`, `ManifestInvalid` or `FormatTooNew`.
        """
        text, told = _read(folder)
        version = told["format_version"]
        if isinstance(version, int) and version > cls.VERSION:
            raise FormatTooNew(
                f"This artifact has format {version}; this version reads up to {cls.VERSION}. "
                "Upgrade the service, or build the artifact with this version."
            )
        kind = told_kind(told)
        if kind != cls.KIND:
            raise ManifestInvalid(
                f"{folder.name} is an artifact of kind {kind[:40]!r}; one of kind {cls.KIND!r} is "
                "needed here."
            )
        try:
            return cls.model_validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ManifestInvalid(f"{MANIFEST}: {where or 'it'}: {first['msg']}.") from error

    def write(self, folder: Path) -> None:
        """The last file of all: a folder that has one is whole."""
        with (folder / MANIFEST).open("w", encoding="utf-8") as file:
            file.write(self.to_json())
            file.flush()
            os.fsync(file.fileno())

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        return self.model_dump_json(indent=2) + "\n"

    @model_serializer(mode="wrap")
    def _listing_last(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        told: dict[str, Any] = serialized(self)
        files, left_out = told.pop("files"), told.pop("left_out")
        # The text of an artifact does not depend on whether its writer knew of kinds or copies.
        if "kind" not in self.model_fields_set:
            del told["kind"]
        return {**told, "files": files, **({"left_out": left_out} if left_out else {})}

    @property
    def serving_copy(self) -> bool:
        """Whether files are left out that searching can do without."""
        return bool(self.left_out)

    # --- what a kind answers

    def required(self) -> frozenset[str]:
        """The files that must be listed and there; fewer in a serving copy."""
        raise NotImplementedError

    def unneeded(self, *, without_index: bool = False) -> frozenset[str]:
        """The files that a serving copy leaves out, `without_index` those that an engine replaces
        too. Raises `BuildError` where such a copy could not serve."""
        raise NotImplementedError

    def expected_id(self) -> str:
        """`id`, computed anew from what the artifact was made of."""
        raise NotImplementedError

    def check_left_out(self) -> None:
        """`ManifestInvalid` where `left_out` is not what this kind may leave out."""
        raise NotImplementedError

    def check_counts(self) -> None:
        """`CountMismatch` where fields that count do not fit `files`."""

    def labels(self) -> Mapping[str, str]:
        """What the model store shows beside the tag."""
        return {}

    def metadata(self) -> Mapping[str, str]:
        """What the model store keeps with the entry."""
        return {"artifact_id": self.id}


def kind_of(folder: Path) -> str:
    """`"cover"`, `"sound"` or whatever else the manifest of `folder` calls its kind; nothing more
    of it is checked. Raises `ArtifactNotFound` or `ManifestInvalid`."""
    return told_kind(_read(folder)[1])


def _read(folder: Path) -> tuple[bytes, dict[str, Any]]:
    """The text of a folder's manifest, and the JSON object with a `format_version` that it is."""
    file = folder / MANIFEST
    if not file.is_file():
        raise no_artifact(folder)
    try:
        text = file.read_bytes()
        told: dict[str, Any] = json.loads(text)
        told["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestInvalid(f"{MANIFEST} cannot be read ({error}).") from error
    return text, told
