"""`engine/covers/making/runtimes.py`: which runtime is kept, and what is said of the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.base.progress import Progress
from engine.covers.making import runtimes
from engine.covers.manifest import RuntimeEntry

REFUSAL = "Golden text 3 has cosine 0.978: this is not the encoder the index was built with."


class Told(Progress):
    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, line: str) -> None:
        self.remarks.append(line)


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The precision kept, and the remarks, where int8 finds `overlap` and may be refused."""

    def call(requested: str, overlap: float, refusal: str | None) -> tuple[str, list[str]]:
        def compare(_encoder: Any, _folder: Path, precision: str, *_: Any) -> RuntimeEntry:
            found = overlap if precision == "int8" else 1.0
            return RuntimeEntry.model_construct(precision=precision, overlap_at_10=found)

        monkeypatch.setattr(runtimes, "export", lambda *_, **__: None)
        monkeypatch.setattr(runtimes, "_compare", compare)
        monkeypatch.setattr(runtimes, "_refusal", lambda *_: refusal)
        told = Told()
        entry = runtimes.give_cpu_runtime(
            None,  # type: ignore[arg-type]
            tmp_path,
            None,  # type: ignore[arg-type]
            np.zeros((2, 8, 8, 3), np.uint8),
            golden=None,  # type: ignore[arg-type]
            requested=requested,  # type: ignore[arg-type]
            progress=told,
        )
        return entry.precision, told.remarks

    return call


def test_int8_that_agrees_is_kept_without_a_word(choose: Any) -> None:
    assert choose("auto", 1.0, None) == ("int8", [])


@pytest.mark.parametrize("refusal", [None, REFUSAL])
def test_float_in_its_place_is_told_in_a_calm_sentence(choose: Any, refusal: str | None) -> None:
    precision, remarks = choose("auto", 0.8833, refusal)
    assert precision == "bf16"
    assert remarks == [
        "int8 finds 0.8833 of the albums that float32 finds: this encoder is served in float "
        "instead, and all is well"
    ]


def test_int8_that_was_asked_for_is_kept_or_its_refusal_told(choose: Any) -> None:
    precision, (remark,) = choose("int8", 0.8833, None)
    assert (precision, "kept, as --precision int8 asks" in remark) == ("int8", True)
    precision, (remark,) = choose("int8", 0.8833, REFUSAL)
    assert precision == "bf16"
    assert remark.endswith(f"; it is not kept, although --precision int8 asks for it: {REFUSAL}")
