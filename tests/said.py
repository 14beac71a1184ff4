"""What is raised in a file, as the tables of languages have it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from engine.base import errors
from engine.base.errors import ShazamError

NAMED = {
    name
    for name, thing in vars(errors).items()
    if isinstance(thing, type) and issubclass(thing, ShazamError)
} | {"Unsupported"}


def template(node: ast.expr) -> str:
    """A string's constant parts, with `{}` for each run of values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values]
        return re.sub(r"(\{\})+", "{}", "".join(parts))
    return f"<{ast.unparse(node)}>"


def raised(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in NAMED and node.args and name != "SettingsError":
                yield template(node.args[0])
            yield from (template(word.value) for word in node.keywords if word.arg == "starting")
