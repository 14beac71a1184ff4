"""Work that is made item by item → the same, each while the one before is still being used."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The items, none of them None, in their order; a thread makes the next one meanwhile.

    Worth it where items are made without Python's lock: by decoders, numpy, networks. One more of
    them is held at a time. What fails there is raised here in its turn.
    """
    with closing(items), ThreadPoolExecutor(1, "ahead") as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
