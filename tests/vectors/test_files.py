"""`engine/vectors/files.py`: which index files FAISS may map."""

from __future__ import annotations

import resource
import struct
from pathlib import Path

import faiss
import numpy as np
import pytest

from engine.base.errors import ArtifactError, BuildError
from engine.vectors.embeddings import unit_rows
from engine.vectors.files import sizes_fit
from engine.vectors.foreign import read_foreign
from engine.vectors.index import Index
from engine.vectors.making import build_index

COUNT, WIDTH = 300, 16
ROWS = unit_rows(np.random.default_rng(0).normal(size=(COUNT, WIDTH)))


@pytest.fixture(autouse=True)
def _mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are opened as large ones are."""
    monkeypatch.setattr("engine.vectors.index.MAPPED_FROM_BYTES", 0)


@pytest.fixture(params=["flat", "hnsw"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "index.faiss"
    build_index(ROWS, np.arange(COUNT), request.param).write(path)
    return path, request.param


def test_what_we_write_is_mapped(
    written: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, kind = written
    asked: list[int] = []
    read_index = faiss.read_index
    monkeypatch.setattr(faiss, "read_index", lambda *v: asked.append(v[1]) or read_index(*v))
    found = Index.read(path, kind).search(ROWS[:1], 3)
    assert found[0][0].id == 0
    assert asked[0] & faiss.IO_FLAG_MMAP_IFC


@pytest.mark.parametrize("value", [0, 1, COUNT * WIDTH + 1, 1 << 32, (1 << 62) + 5, (1 << 64) - 1])
def test_a_forged_size_is_refused_and_ends_no_process(
    written: tuple[Path, str], value: int
) -> None:
    path, kind = written
    whole = path.read_bytes()
    # The first vector behind both headers, the rows, the ids.
    places = {74, whole.index(b"IxFI") + 37, len(whole) - 8 * COUNT - 8}
    for at in places:
        path.write_bytes(whole[:at] + struct.pack("<Q", value) + whole[at + 8 :])
        assert not sizes_fit(path)
        with pytest.raises(ArtifactError):
            Index.read(path, kind)


def test_an_invented_size_asks_for_no_more_memory_than_the_file_has(tmp_path: Path) -> None:
    """FAISS alone took all that was asked for, 16 GB, and then found the file too short."""
    path = tmp_path / "index.faiss"
    faiss.write_index(faiss.index_factory(WIDTH, "Flat"), str(path))
    whole = bytearray(path.read_bytes())
    rows = (1 << 28) // WIDTH  # 1 GB
    whole[8:16], whole[37:45] = struct.pack("<q", rows), struct.pack("<Q", rows * WIDTH)
    path.write_bytes(whole)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (read_foreign, lambda path: Index.read(path, "flat")):
        with pytest.raises((ArtifactError, BuildError)):
            read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_cut_or_longer_file_is_not_mapped(written: tuple[Path, str]) -> None:
    path, kind = written
    whole = path.read_bytes()
    for length in (0, 3, 40, 80, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert not sizes_fit(path)
        with pytest.raises(ArtifactError):
            Index.read(path, kind)
    path.write_bytes(whole + b"\0")
    assert not sizes_fit(path)


@pytest.mark.parametrize("recipe", ["Flat", "IVF4,Flat", "IDMap2,SQ8", "IDMap2,PQ4x4"])
def test_layouts_that_are_not_ours_are_not_mapped(recipe: str, tmp_path: Path) -> None:
    index = faiss.index_factory(WIDTH, recipe, faiss.METRIC_INNER_PRODUCT)
    index.train(ROWS)
    faiss.write_index(index, str(tmp_path / "index"))
    assert not sizes_fit(tmp_path / "index")
