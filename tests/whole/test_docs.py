"""What the README says is run, compared and linked."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import re
import shlex
import subprocess
import textwrap
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import PROJECT, Server
from fastapi.routing import APIRoute
from PIL import Image

from engine.base.settings import PREFIX, SHARED
from engine.covers.service.settings import VARIABLES, CoverSettings
from engine.library.settings import VARIABLES as LIBRARY
from engine.library.settings import LibrarySettings
from engine.sound.service.settings import VARIABLES as SOUND
from engine.sound.service.settings import SoundSettings
from engine.voice.settings import VARIABLES as VOICE
from engine.voice.settings import VoiceSettings

README = (PROJECT / "README.md").read_text()
# "$ command" and its output up to the block's end.
CONSOLE = re.findall(r"```console\n\$ (curl [^\n]*)\n(.*?)```", README, re.DOTALL)


def settings_table() -> str:
    """The README's table of settings, from the one list of them."""
    lines = ["| Variable | Default | Meaning |", "|---|---|---|"]
    tables = (
        (CoverSettings(), VARIABLES),
        (SoundSettings(), SOUND),
        (LibrarySettings(), LIBRARY),
        (VoiceSettings(), VOICE),
    )
    own = [
        (kind, name, table[name]) for kind, table in tables for name in table if name not in SHARED
    ]
    for settings, name, variable in [*own, *((CoverSettings(), *row) for row in SHARED.items())]:
        default = getattr(settings, name)
        shown = ", ".join(default) if isinstance(default, tuple) else f"{default}"
        meaning = variable.meaning.replace("|", "\\|")
        cell = f"`{shown}`" if shown else "none"
        lines.append(f"| `{PREFIX}{name.upper()}` | {cell} | {meaning} |")
    return "\n".join(lines)


def test_the_table_of_settings_is_the_settings() -> None:
    assert settings_table() in README


def test_the_readme_shows_at_least_three_calls() -> None:
    assert len(CONSOLE) >= 3


@pytest.mark.parametrize(("command", "printed"), CONSOLE)
def test_every_curl_line_prints_what_the_readme_prints(
    both: Server, command: str, printed: str
) -> None:
    words = shlex.split(command.replace("http://localhost:3000", both.url))
    run = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    same(json.loads(run.stdout), json.loads(printed))


def same(found: Any, told: Any) -> None:
    """Equal, but for scores: another processor rounds otherwise. `["…"]` is a list of anything."""
    if told == ["…"]:
        assert found
        assert isinstance(found, list)
    elif isinstance(told, dict):
        assert list(found) == list(told)
        for key, value in told.items():
            same(found[key], value)
    elif isinstance(told, list):
        assert len(found) == len(told)
        for one, other in zip(found, told, strict=True):
            same(one, other)
    elif isinstance(told, float):
        assert found == pytest.approx(told, abs=0.03)
    else:
        assert found == told


def test_the_readme_lists_every_documented_route(both: Server) -> None:
    listed([*httpx.get(f"{both.url}/openapi.json").json()["paths"]])


@pytest.mark.parametrize("room", ["library", "voice"])
def test_the_readme_lists_every_route_of_what_is_beside(room: str) -> None:
    calls = importlib.import_module(f"engine.{room}.service.calls").CALLS
    router = importlib.import_module(f"engine.{room}.service.routes").router
    paths = {
        route.path: None
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
    }
    listed([*paths])
    assert set(paths) == set(calls), "each has its snippets"


def listed(paths: list[str]) -> None:
    """The README's table has these."""
    [table] = re.findall(r"^\| Route \|.*?\n\n", README, re.DOTALL | re.MULTILINE)
    told = set(re.findall(r"`(?:GET |POST |DELETE )?(/[^`?]*)", table))
    assert len(paths) > 10
    for path in paths:
        short = re.sub(r"{\w+_id}", "{id}", path)
        # `/api/albums/{id}/similar`, `/cover`: of a second the end alone is told.
        assert told & {short, "/" + short.rpartition("/")[2]}, path


@pytest.mark.parametrize(
    "document", sorted(p.relative_to(PROJECT).as_posix() for p in PROJECT.glob("*.md"))
)
def test_every_link_to_a_file_leads_somewhere(document: str) -> None:
    text = (PROJECT / document).read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (PROJECT / document).parent.joinpath(target).exists(), target


def test_every_command_of_the_readme_exists() -> None:
    from engine.cli.main import main

    for name in sorted(
        set(re.findall(r"^\| `(\w+)[ `,]", README.split("## The command line")[1], re.M))
    ):
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0, name
    makefile = (PROJECT / "Makefile").read_text()
    for target in set(re.findall(r"`?make (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_every_file_that_contributors_are_sent_to_is_there() -> None:
    told = (PROJECT / "CONTRIBUTING.md").read_text()
    files = set(re.findall(r"`((?:engine|tests|deploy|artifacts|requirements)/[\w./-]+)`", told))
    assert len(files) > 20
    assert [path for path in sorted(files) if not (PROJECT / path).exists()] == []


def test_every_name_that_contributors_are_sent_to_is_in_the_file_beside_it() -> None:
    told = (PROJECT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`(\w+)` in `(engine/[\w/]+\.py)`", told)
    assert len(named) >= 5
    for name, path in named:
        assert re.search(rf"\b{name}\b", (PROJECT / path).read_text()), (name, path)


# Modules, by their names, that show how they are called.
EXAMPLES = sorted(
    ".".join(path.relative_to(PROJECT).with_suffix("").parts)
    for path in (PROJECT / "engine").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def test_the_ways_in_show_how_they_are_called() -> None:
    assert {"engine.covers.search", "engine.covers.identify.identifier"} <= set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_in_a_docstring_gives_what_it_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted
    assert not done.failed


def docstrings() -> Iterator[tuple[str, str]]:
    for path in [*(PROJECT / "engine").rglob("*.py"), PROJECT / "service.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                where = f"{path.name}:{getattr(node, 'name', '')}"
                yield where, inspect.cleandoc(ast.get_docstring(node) or "")


def test_no_docstring_shows_a_call_that_no_test_runs() -> None:
    for where, text in docstrings():
        for block in re.findall(r"(?:^|\n\n)((?: {4}.*(?:\n|$))+)", text):
            try:
                shown = ast.walk(ast.parse(textwrap.dedent(block)))
            except SyntaxError:
                continue  # a drawing or a table
            assert not any(isinstance(node, ast.Call) for node in shown), where


def test_every_test_in_the_table_of_what_was_tried_is_there() -> None:
    told = (PROJECT / "tests" / "README.md").read_text(encoding="utf-8")
    there = "\n".join(
        path.read_text(encoding="utf-8") for path in (PROJECT / "tests").rglob("test_*.py")
    )
    named = re.findall(r"`(test_\w+)`", told)
    assert len(named) > 40
    assert [name for name in named if f"def {name}(" not in there] == []


def test_the_readmes_first_picture_moves_and_is_small() -> None:
    (first, *_) = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    path = PROJECT / first
    assert path.stat().st_size <= 600_000
    with Image.open(path) as film:
        assert getattr(film, "n_frames", 1) >= 4
