"""What a long command says while it runs."""

from __future__ import annotations


class Progress:
    """Progress and remarks of a long job; the command line draws them, tests and servers do not."""

    def step(self, done: int, total: int, what: str) -> None:
        """`done` of `total` files, rows, B…; a total of 0 is one that nobody can tell."""

    def remark(self, line: str) -> None: ...
