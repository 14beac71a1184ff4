"""What a manifest says of an index, of whatever kind of artifact ↔ the index."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from engine.base.errors import CountMismatch
from engine.base.strict import Sha256, Strict
from engine.vectors.index import Index
from engine.vectors.rows import Rows
from engine.vectors.tuning import Point, Tuning


class PointEntry(Strict):
    nprobe: Annotated[int, Field(gt=0)]
    reach: Annotated[int, Field(ge=0)]
    recall: Annotated[float, Field(ge=0, le=1)]
    ms: Annotated[float, Field(ge=0)]


class TuningEntry(Strict):
    """How an inverted file was tuned; see `engine.vectors.tuning.Tuning`."""

    codes: str
    lists: Annotated[int, Field(gt=0)]
    target: Annotated[float, Field(gt=0, le=1)]
    queries: Annotated[int, Field(ge=0)]
    nprobe: Annotated[int, Field(gt=0)]
    reach: Annotated[int, Field(ge=0)]
    curve: tuple[PointEntry, ...] = ()

    def tuning(self) -> Tuning:
        told = self.model_dump(exclude={"curve"})
        return Tuning(**told, curve=tuple(Point(**point.model_dump()) for point in self.curve))


class IndexEntry(Strict):
    kind: str
    metric: Literal["inner_product"]
    dimension: Annotated[int, Field(gt=0)]
    rows: Annotated[int, Field(ge=0)]
    encoder_digest: Sha256
    tuning: TuningEntry | None = None

    @classmethod
    def of(cls, index: Index, encoder_digest: str) -> IndexEntry:
        """`encoder_digest` is the identity of the encoder that made the rows."""
        return cls(
            kind=index.kind,
            metric="inner_product",
            dimension=index.dimension,
            rows=len(index),
            encoder_digest=encoder_digest,
            tuning=TuningEntry.model_validate(asdict(index.tuning)) if index.tuning else None,
        )

    @model_serializer(mode="wrap")
    def _as_before_tuning(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        told: dict[str, Any] = serialized(self)
        # An index without one has the entry it had before there were any.
        return {name: value for name, value in told.items() if name != "tuning" or value}

    @property
    def target(self) -> float | None:
        """The recall@10 that the index was tuned to, None where it was not."""
        return self.tuning.target if self.tuning else None

    def open(self, file: Path, rows: Path, *, mapped: bool = True) -> Index:
        """The index in `file`, the full rows of a compact one in the folder `rows`. Not `mapped`,
        it may be changed.

        `CountMismatch` if it is not as large or as wide as this entry says.
        """
        tuning = self.tuning.tuning() if self.tuning else None
        beside = Rows(rows, self.dimension) if tuning is not None and tuning.reach else None
        index = Index.read(file, self.kind, rows=beside, tuning=tuning, mapped=mapped)
        if (len(index), index.dimension) != (self.rows, self.dimension):
            raise CountMismatch(
                f"{file.name} holds {len(index):,} rows of {index.dimension} dimensions, the "
                f"manifest says {self.rows:,} of {self.dimension}. Rebuild the artifact."
            )
        return index
