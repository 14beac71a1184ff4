"""JSON that somebody else wrote → fields of exactly the types it promised."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    """A frozen model that refuses a field it does not know: a reader that ignored one might serve
    what it does not understand."""

    model_config = ConfigDict(extra="forbid", frozen=True)
