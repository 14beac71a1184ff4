"""Pages of files that a warm process need not hold."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from engine.base.machine import release_mapped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def held_kb(path: Path) -> int:
    """Kilobytes of a file that this process has in memory through its mappings."""
    held, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0]:
            inside = words[-1] == str(path)
        elif inside and words[0] == "Rss:":
            held += int(words[1])
    return held


def test_a_mapped_file_is_let_go_of_and_reads_the_same_again(tmp_path: Path) -> None:
    path, other = tmp_path / "weights.npy", tmp_path / "other.npy"
    values = np.arange(1 << 20, dtype=np.int64)
    for file in (path, other):
        np.save(file, values)
    mapped, kept = np.load(path, mmap_mode="r"), np.load(other, mmap_mode="r")
    assert mapped.sum() == kept.sum()
    assert min(held_kb(path), held_kb(other)) > 8_000
    release_mapped(path)
    assert held_kb(path) == 0
    assert held_kb(other) > 8_000
    assert np.array_equal(mapped, values)


def test_what_may_have_been_written_to_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "weights.npy"
    np.save(path, np.zeros(1 << 16))
    mine = np.load(path, mmap_mode="c")
    mine[:] = 1
    release_mapped(path)
    assert mine.min() == 1
