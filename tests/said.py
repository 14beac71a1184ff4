"""What is raised in a file: as tables of languages have it, and as callers are told it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from conftest import PROJECT

from engine.base import errors
from engine.base.errors import ShazamError

NAMED = {
    name
    for name, thing in vars(errors).items()
    if isinstance(thing, type) and issubclass(thing, ShazamError)
} | {"Unsupported"}
CODES = {getattr(errors, name).code for name in NAMED - {"Unsupported"}}
# What a value is called where it is words and no number, as somebody may be told it.
WORDS = {"name": "The file", "name[0].lower()": "the file", "name[1:]": ""}


def template(node: ast.expr) -> str:
    """A string's constant parts, with `{}` for each run of values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values]
        return re.sub(r"(\{\})+", "{}", "".join(parts))
    return f"<{ast.unparse(node)}>"


def example(node: ast.expr, known: Mapping[str, str]) -> str | None:
    """A string with a value in each place: what `known` has, numbers where they are written as
    such, `…` else. None where it is made elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    return "".join(
        str(p.value) if isinstance(p, ast.Constant) else _value(p, known) for p in node.values
    )


def _value(part: ast.expr, known: Mapping[str, str]) -> str:
    assert isinstance(part, ast.FormattedValue)
    said = ast.unparse(part.value)
    if said in known:
        return known[said]
    spec = template(part.format_spec) if part.format_spec else ""
    return format(1234.5, spec) if spec else "…"


def constants(path: Path) -> dict[str, str]:
    """A file's own texts and numbers, by name."""
    return {
        node.targets[0].id: str(node.value.value)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }


def raised(path: Path) -> Iterator[str]:
    yield from map(template, sentences(path))


def told(path: Path, known: Mapping[str, str]) -> Iterator[str]:
    """Each sentence of a file as a caller would be told it."""
    values = {**WORDS, **known, **constants(path)}
    examples = (example(node, values) for node in sentences(path))
    yield from (one for one in examples if one is not None)


def sentences(path: Path) -> Iterator[ast.expr]:
    """What errors of ours are made with, those of a file's own classes too; and what goes beside a
    code: `Refusal("link_failed", …)`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in _classes() and node.args and name != "SettingsError":
                yield node.args[0]
            elif len(node.args) == 2 and _is_code(node.args[0]):
                yield node.args[1]
            yield from (word.value for word in node.keywords if word.arg == "starting")


def _is_code(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "code" and isinstance(node.value, ast.Name) and node.value.id in NAMED
    return isinstance(node, ast.Constant) and node.value in CODES


_found: set[str] = set()


def _classes() -> set[str]:
    """The names of all our errors, wherever their classes are."""
    if not _found:
        _found.update(NAMED)
        bases = {
            node.name: {getattr(base, "id", "") for base in node.bases}
            for path in (PROJECT / "engine").rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ClassDef)
        }
        while more := {name for name, of in bases.items() if of & _found} - _found:
            _found.update(more)
    return _found
