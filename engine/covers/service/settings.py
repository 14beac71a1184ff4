"""What the service of covers reads from its environment: the shared variables and its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from engine.base.settings import SHARED, Settings, Variable, choice, integer
from engine.vectors.where import OWN_INDEX, index_place

VARIABLES: dict[str, Variable] = {
    "artifact": Variable(
        str.strip,
        "artifacts/starter",
        "What to serve: a folder, a model-store tag (`shazam-visual:latest`), or an `https://`, "
        "`s3://`, `gs://` or `hf://` URL of a packed artifact with `#sha256=…`",
    ),
    "index": Variable(
        index_place,
        "lancedb:s3://bucket/covers",
        "Where the index is: `artifact`, its own file, or `lancedb:` and a folder or a URL "
        "(`s3://`, `gs://`, `az://`) to which `publish --index` has written it",
    ),
    "encoder_process": Variable(
        choice("auto", "inline", "service"),
        "auto",
        "Where the encoder lives: `inline` in the worker that answers HTTP, `service` as a BentoML "
        "service of its own that all workers share; `auto` is `service` on a GPU, else `inline`",
    ),
    "max_image_pixels": Variable(
        integer(10_000, 1_000_000_000), "50000000", "Largest picture, in pixels (width × height)"
    ),
    **SHARED,
}


@dataclass(frozen=True)
class CoverSettings(Settings):
    """All settings of one process that answers for covers."""

    variables: ClassVar[Mapping[str, Variable]] = VARIABLES

    artifact: str = "artifacts/starter"
    index: str = OWN_INDEX
    encoder_process: str = "auto"
    max_image_pixels: int = 50_000_000

    def separate_encoder(self) -> bool:
        """Whether the encoder runs in a process of its own."""
        return self.encoder_process == "service" or (
            self.encoder_process == "auto" and self.on_gpu()
        )

    def several_processes(self) -> bool:
        return super().several_processes() or self.separate_encoder()


assert {field.name for field in fields(CoverSettings)} == set(VARIABLES)
