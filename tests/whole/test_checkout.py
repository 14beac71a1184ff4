"""What Git makes of the files on the way to somebody's disk."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import PROJECT


def test_a_checkout_by_git_for_windows_is_the_same_bytes(tmp_path: Path) -> None:
    git = shutil.which("git")
    if git is None or not (PROJECT / ".git").exists():
        pytest.skip("this is no Git checkout")
    run = [git, "-c", "core.autocrlf=true", "-c", "safe.directory=*"]
    listed = subprocess.run([*run, "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True)
    names = [name for name in listed.stdout.decode().split("\0") if name and is_small(name)]
    subprocess.run(
        [*run, "checkout-index", f"--prefix={tmp_path}/", "--", *names], cwd=PROJECT, check=True
    )
    assert len(names) > 200
    for name in names:
        assert b"\r\n" not in (tmp_path / name).read_bytes() or not is_text(name), name
        if name.startswith("artifacts/starter"):
            assert (tmp_path / name).read_bytes() == (PROJECT / name).read_bytes(), name


def is_small(name: str) -> bool:
    path = PROJECT / name
    return path.is_file() and path.stat().st_size < 2_000_000


def is_text(name: str) -> bool:
    return Path(name).suffix in {
        ".py",
        ".sh",
        ".json",
        ".js",
        ".css",
        ".html",
        ".md",
        ".yaml",
        ".xml",
    }
