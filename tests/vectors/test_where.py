"""`engine/vectors/where.py`: which index answers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.base.errors import SettingsError
from engine.vectors.where import OWN_INDEX, check_installed, index_place


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (" artifact ", OWN_INDEX),
        ("lancedb:s3://bucket/covers", "lancedb:s3://bucket/covers"),
        ("lancedb:/a/folder\n", "lancedb:/a/folder"),
    ],
)
def test_a_place_is_the_artifact_or_an_engine_and_where(text: str, where: str) -> None:
    assert index_place(text) == where


@pytest.mark.parametrize("text", ["", "s3://bucket", "lancedb:", "lancedb: a b", "Artifact"])
def test_anything_else_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is neither 'artifact' nor 'lancedb:' and a folder or"):
        index_place(text)


def test_an_engine_that_is_not_here_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_installed(OWN_INDEX)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    check_installed(OWN_INDEX)
    with pytest.raises(SettingsError, match=r"SHAZAM_INDEX='lancedb:x' needs .*lancedb\.in"):
        check_installed("lancedb:x")


def test_naming_a_place_or_a_recall_loads_no_numbers() -> None:
    code = (
        "import sys; import engine.vectors.where, engine.vectors.tuning; "
        "print(sorted({'numpy', 'faiss'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
