"""How an inverted file is tuned, and to what. Imports nothing: the command line names these."""

from __future__ import annotations

from dataclasses import dataclass

# Above this many rows `--index auto` stops comparing a query with every one of them: exact search
# took 2.4 ms at 20,000 rows of 512 numbers and 8.4 at 50,000, an inverted file 2.0 at 100,000.
EXACT_UP_TO = 50_000
# The recall@10 an index is tuned to, where nobody asks for another.
RECALL = 0.98


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of an inverted file and what it gave on held-out queries: recall@10, and the
    median milliseconds of a query alone on one thread."""

    nprobe: int
    reach: int
    recall: float
    ms: float


@dataclass(frozen=True)
class Tuning:
    """How an inverted file was made and tuned.

    `codes` is what its lists hold (`Flat`, `SQ8`, `PQ64`…), `target` the recall@10 asked for,
    `queries` how many held-out rows it was tuned on. A search visits `nprobe` of the `lists`, and
    the best `reach` of what it meets, for ten answers, are compared again by their rows (0: the
    lists hold the rows themselves). `curve` is every setting tried that was worth its time.
    """

    codes: str
    lists: int
    target: float
    queries: int
    nprobe: int
    reach: int
    curve: tuple[Point, ...] = ()
