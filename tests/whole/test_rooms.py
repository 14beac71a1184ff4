"""The rooms of `engine/`: which may import which, what each tells of itself, what is public."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PROJECT

import engine
from engine.base.version import VERSION

ROOMS = sorted(path.parent for path in (PROJECT / "engine").rglob("__init__.py"))


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    """The contracts of `tree`'s pyproject.toml against the `engine` that lies beside it."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """`engine/` and pyproject.toml, to be broken."""
    shutil.copytree(
        PROJECT / "engine",
        tmp_path / "engine",
        ignore=lambda _folder, names: [n for n in names if "." in n and not n.endswith(".py")],
    )
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_import_goes_down() -> None:
    ran = lint_imports(PROJECT)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        pytest.param(
            "vectors/index.py",
            "def planted():\n    from engine.covers.catalogue import Catalogue\n",
            "engine.vectors.index -> engine.covers.catalogue",
            id="upwards and lazily",
        ),
        pytest.param(
            "base/files.py",
            "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    from engine.serving.work.lanes import Lane\n",
            "engine.base.files -> engine.serving.work.lanes",
            id="upwards for a type alone",
        ),
        pytest.param(
            "vectors/rows.py",
            "from engine.artifact import folder\n",
            "engine.vectors.rows -> engine.artifact.folder",
            id="between neighbours",
        ),
        pytest.param(
            "covers/service/routes.py",
            "def planted():\n    from engine.covers.making.build import build\n",
            "engine.covers.service.routes -> engine.covers.making.build",
            id="the service makes",
        ),
        pytest.param(
            "covers/opening.py",
            "def planted():\n    from engine.vectors.making import build_index\n",
            "engine.covers.opening -> engine.vectors.making",
            id="what answers trains, through another",
        ),
        pytest.param(
            "vectors/neighbours.py",
            "from engine.vectors import index\n",
            "No cycles are allowed in engine.vectors",
            id="a circle among siblings",
        ),
        pytest.param(
            "attic/__init__.py",
            "",
            "engine.attic",
            id="a room without a place",
        ),
    ],
)
def test_a_breach_is_refused(copied: Path, module: str, line: str, said: str) -> None:
    path = copied / "engine" / module
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write("\n\n" + line)
    ran = lint_imports(copied)
    assert ran.returncode == 1
    assert said in re.sub(r"\s+", " ", ran.stdout)


def docstring_of(room: Path) -> str:
    source = (room / "__init__.py").read_text()
    return source.split('"""')[1] if source.startswith('"""') else ""


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(PROJECT).as_posix())
def test_a_room_names_every_module_in_it(room: Path) -> None:
    told = docstring_of(room)
    assert told
    held = {path.stem for path in room.glob("*.py")} - {"__init__"}
    held |= {path.parent.name for path in room.glob("*/__init__.py")}
    assert [name for name in sorted(held) if not re.search(rf"\b{name}\b", told)] == []


# What a function that can take longer than two seconds gives back.
MADE = r"\b(Built|References|Observed|RuntimeEntry|Index|Published|Report|Trial)\b"


def makers() -> Iterator[tuple[str, inspect.Signature]]:
    modules = ["engine.vectors.making", "engine.vectors.publishing"]
    for room in ("making", "trials"):
        files = sorted((PROJECT / "engine" / "covers" / room).glob("[!_]*.py"))
        modules += [f"engine.covers.{room}.{file.stem}" for file in files]
    for module in modules:
        for name, function in inspect.getmembers(importlib.import_module(module)):
            if inspect.isfunction(function) and function.__module__ == module and name[0] != "_":
                signature = inspect.signature(function)
                if re.search(MADE, str(signature.return_annotation)):
                    yield f"{module}.{name}", signature


def test_what_takes_long_takes_progress_and_in_one_shape() -> None:
    shapes = {name: made.parameters.get("progress") for name, made in makers()}
    assert len(shapes) >= 12
    for name, progress in shapes.items():
        assert progress is not None, f"{name} tells nobody how far it is"
        assert progress.annotation in ("Progress", "Progress | None"), name


def test_tests_lie_in_the_room_they_try() -> None:
    tests = PROJECT / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    asked = {folder for folder in folders if folder.parts[:1] != ("whole",)}
    assert len(asked) > 10
    assert [str(f) for f in sorted(asked) if not (PROJECT / "engine" / f).is_dir()] == []


def test_the_public_names_are_what_all_says_and_each_resolves() -> None:
    assert set(dir(engine)) == {*engine.__all__, "__version__"}
    for name in engine.__all__:
        assert getattr(engine, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'engine' has no attribute 'Absent'"):
        _ = engine.Absent


def test_a_type_checker_is_told_of_the_same_public_names() -> None:
    source = (PROJECT / "engine" / "__init__.py").read_text()
    told = re.findall(r"^    from (engine\.\S+) import (\w+) as \2$", source, re.MULTILINE)
    assert {name: home for home, name in told} == engine.HOMES


def test_the_package_is_light_to_import() -> None:
    script = "import sys, engine; print(*(n for n in sys.modules if n.startswith('engine.')))"
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["engine.base", "engine.base.version"]


def test_one_version_is_told_everywhere() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert engine.__version__ == VERSION == project["version"]
