"""What the service of covers reads from its environment: the shared variables and its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from engine.base.settings import SHARED, Settings, Variable, choice, integer, number
from engine.vectors.where import OWN_INDEX, index_place

# What a template of `links` may hold: a field of the album, percent-encoded by whoever fills it in.
PLACEHOLDERS = ("artist", "title", "year")
_LINK = re.compile(r"(?P<name>[^=]{1,40})=(?P<template>https?://\S+)")


def outward_links(text: str) -> tuple[tuple[str, str], ...]:
    """`Name=https://…{artist}…{title}`, comma-separated → (name, template), each name once.

    A comma inside of an address stays: a new link begins where a name and `=http` follow one.
    """
    links: dict[str, str] = {}
    for part in re.split(r",(?=[^,=]*=https?://)|,\s*$", text):
        if not part.strip():
            continue
        read = _LINK.fullmatch(part.strip())
        if read is None:
            raise ValueError(f"{part.strip()[:80]!r} is not NAME=https://…")
        name, template = read["name"].strip(), read["template"]
        held = re.findall(r"\{([^{}]*)\}", template)
        unknown = [one for one in held if one not in PLACEHOLDERS]
        if unknown or re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", template)):
            known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            raise ValueError(f"holds braces that are none of {known}: {template[:80]!r}")
        # Whose site it is must not depend on an album's title.
        if "{" in template.split("/", 3)[2]:
            raise ValueError(f"{template[:80]!r} has a placeholder in its host")
        if not name or name in links:
            raise ValueError(f"names {name!r} twice" if name else "holds a link without a name")
        links[name] = template
    return tuple(links.items())


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
    "prior": Variable(
        number(0, 1),
        "0.5",
        "The share of photos that show an album of the catalogue, 0–1, as far as you know: the "
        "confidence of identify follows it; no more strangers are matched for a high one",
    ),
    "links": Variable(
        outward_links,
        "Discogs=https://www.discogs.com/search/?q={artist}+{title}",
        "Where visitors may look for an album elsewhere: `Name=https://…{artist}…{title}` (also "
        "`{year}`), comma-separated",
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
    prior: float = 0.5
    links: tuple[tuple[str, str], ...] = ()  # name, template of an address

    def separate_encoder(self) -> bool:
        """Whether the encoder runs in a process of its own."""
        return self.encoder_process == "service" or (
            self.encoder_process == "auto" and self.on_gpu()
        )

    def several_processes(self) -> bool:
        return super().several_processes() or self.separate_encoder()


assert {field.name for field in fields(CoverSettings)} == set(VARIABLES)
