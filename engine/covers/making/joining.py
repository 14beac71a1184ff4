"""Names of covers × names in a table's rows → which row is whose, each at most once.

First the name as it stands, then ever looser: slashes, `./`, composed letters; capitals; without
the folders that all of one side have in common; by the end of the path; without the ending. A name
that could be of several covers is joined to none of them, and a looser step never decides between
covers that a stricter one could not tell apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.covers.formats.known import ENDINGS

Parts = tuple[str, ...]

LEAST_SHARE = 0.1
_ROOTED = re.compile(r"\s*([A-Za-z]:[\\/]|[\\/]|[A-Za-z][A-Za-z0-9+.-]+://)")


@dataclass(frozen=True)
class Named:
    """A row's name for a cover, and where it stands, for complaints."""

    name: str
    where: str


@dataclass(frozen=True)
class Joined:
    """By position: which row is a cover's; of the other rows, why they are nobody's."""

    row_of: Mapping[int, int]
    absent: Sequence[int]
    unclear: Mapping[int, Sequence[int]]  # the covers that it could be of, a few of them
    second: Mapping[int, int]  # the cover that has a row already
    loose: Sequence[int]  # rows whose name is not written as the cover's is


def join(covers: Sequence[str], rows: Sequence[Named]) -> Joined:
    """Names of covers, below their folder, and of rows, each in any order and of any spelling."""
    work = _Joining(covers, [row.name for row in rows])
    exact = {name: i for i, name in enumerate(covers)}
    work.take({i: [exact[name]] for i, name in enumerate(work.names) if name in exact})
    strict = len(work.row_of)
    folds: list[Callable[[str], str]] = [str, str.casefold]
    if any("%" in row.name for row in rows):
        folds.append(_unquoted)
    for whole_row, whole_cover in ((True, True), (True, False), (False, False)):
        for fold in folds:
            work.step(fold, whole_row, whole_cover)
    loose = sorted(list(work.row_of.values())[strict:])
    left = [i for i in range(len(rows)) if i not in work.joined]
    return Joined(
        work.row_of,
        [i for i in left if i not in work.unclear and i not in work.second],
        work.unclear,
        work.second,
        loose,
    )


class _Joining:
    """Rows and covers that are not joined yet, and what stood in the way."""

    def __init__(self, covers: Sequence[str], names: Sequence[str]) -> None:
        self.names = names
        self.row_of: dict[int, int] = {}
        self.joined: set[int] = set()
        self.unclear: dict[int, list[int]] = {}
        self.second: dict[int, int] = {}
        self._covers = [_parts(name) for name in covers]
        self._rows = [_parts(name) for name in names]
        self._rooted = [bool(_ROOTED.match(name)) for name in names]

    def take(self, found: Mapping[int, Sequence[int]]) -> None:
        """Join what is clear among rows with the covers that each could be of."""
        claims: defaultdict[int, list[int]] = defaultdict(list)
        for row, covers in found.items():
            if len(covers) > 1:
                self.unclear.setdefault(row, list(covers[:3]))
            elif covers and covers[0] in self.row_of:
                self.second.setdefault(row, covers[0])
            elif covers:
                claims[covers[0]].append(row)
        for cover, rows in claims.items():
            if len(rows) == 1:
                self.row_of[cover] = rows[0]
                self.joined.add(rows[0])
            else:
                for row in rows:
                    self.unclear.setdefault(row, [cover])

    def step(self, fold: Callable[[str], str], whole_row: bool, whole_cover: bool) -> None:
        """Join what is left by full path, by a common root, by the end of the path."""
        if not self._left():
            return
        places = _Places([_folded(p, fold, _any_ending, whole_cover) for p in self._covers])
        rows = [_folded(p, fold, _picture_ending, whole_row) for p in self._rows]
        self.take({i: places.full.get(rows[i], []) for i in self._left()})
        # Where some rows name covers as they lie in the folder, a folder before others means them.
        below = any(row in places.full for row in rows)
        free = {i for i in self._left() if self._rooted[i] or not below}
        self.take(_by_root(rows, free, places, below))
        bases = Counter(row[-1:] for row in rows)
        self.take(
            {
                i: places.by_end(rows[i], i in free and bases[rows[i][-1:]] == 1)
                for i in self._left()
            }
        )

    def _left(self) -> list[int]:
        """Rows that nothing is known of: neither joined nor found to be a riddle."""
        known = (self.joined, self.unclear, self.second)
        return [i for i in range(len(self._rows)) if not any(i in kind for kind in known)]


class _Places:
    """Covers by full path and by every end of it."""

    def __init__(self, covers: Sequence[Parts]) -> None:
        self.full: defaultdict[Parts, list[int]] = defaultdict(list)
        self.ends: defaultdict[Parts, list[int]] = defaultdict(list)
        for i, parts in enumerate(covers):
            self.full[parts].append(i)
            for start in range(1, len(parts)):
                end = self.ends[parts[start:]]
                if len(end) < 3:
                    end.append(i)
        self.root = _common_root(covers)

    def by_end(self, row: Parts, alone: bool) -> list[int]:
        """Covers whose path ends as the row's does, the longer agreement first. Of a row with
        folders, the file name on its own counts where it is `alone` among rows and covers."""
        inner = [*self.full.get(row, []), *self.ends.get(row, [])]
        if inner:
            return inner
        for start in range(1, len(row)):
            end = row[start:]
            if end in self.full:
                found = self.full[end]
                if len(end) > 1:
                    return found
                found = [*found, *self.ends.get(end, [])]
                return found if alone and len(found) == 1 else []
        return []


def _by_root(
    rows: Sequence[Parts], free: Iterable[int], places: _Places, below: bool
) -> dict[int, list[int]]:
    """Rows that name covers below one folder (`C:\\covers\\…`), or leave out one that all covers
    lie in: the folder that explains most of them, and two at least."""
    free = sorted(free)
    votes: Counter[Parts] = Counter()
    for parts in (rows[i] for i in free):
        votes.update(parts[:n] for n in range(1, len(parts)) if parts[n:] in places.full)
    root = max(votes, key=lambda root: (votes[root], -len(root)), default=())
    found = {
        i: places.full[rows[i][len(root) :]]
        for i in free
        if root and rows[i][: len(root)] == root and rows[i][len(root) :] in places.full
    }
    lacking = {
        i: places.full[places.root + rows[i]]
        for i in free
        if places.root and not below and places.root + rows[i] in places.full
    }
    best = max(found, lacking, key=len)
    return best if len(best) > 1 else {}


def _common_root(covers: Sequence[Parts]) -> Parts:
    if not covers:
        return ()
    least, most = min(covers)[:-1], max(covers)[:-1]
    shared = 0
    for one, other in zip(least, most, strict=False):
        if one != other:
            break
        shared += 1
    return least[:shared]


def _parts(name: str) -> Parts:
    """A name on any system, or a URL, as what stands between its slashes."""
    name = name.strip()
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", name):
        url = urlsplit(name)
        name = f"{url.netloc}/{unquote(url.path)}"
    parts: list[str] = []
    for part in unicodedata.normalize("NFC", name).replace("\\", "/").split("/"):
        part = part.strip()
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return tuple(parts)


def _unquoted(part: str) -> str:
    return unicodedata.normalize("NFC", unquote(part)).casefold()


def _folded(
    parts: Parts, fold: Callable[[str], str], ending: Callable[[str], str], whole: bool
) -> Parts:
    folded = parts if fold is str else tuple(map(fold, parts))
    if whole or not folded:
        return folded
    name = folded[-1]
    return (*folded[:-1], name[: len(name) - len(ending(name))])


def _picture_ending(name: str) -> str:
    ending = name[max(name.rfind("."), 0) :]
    return ending if ending.casefold() in ENDINGS and ending != name else ""


def _any_ending(name: str) -> str:
    at = name.rfind(".")
    ending = name[at:] if at > 0 else ""
    return ending if 2 <= len(ending) <= 6 and ending[1:].isalnum() else ""


def tell(joined: Joined, rows: Sequence[Named], covers: Sequence[str], progress: Progress) -> None:
    """Say which rows are nobody's, and why, each kind with its first."""
    if joined.absent:
        progress.remark(
            f"{len(joined.absent)} metadata rows name a file that is not among the covers"
        )
    if joined.unclear:
        row, could = next(iter(joined.unclear.items()))
        progress.remark(
            f"{len(joined.unclear)} metadata rows could be of several covers, or several rows of "
            f"one, and are joined to none; the first is {rows[row].where}, {rows[row].name!r}, and "
            f"{' or '.join(covers[i] for i in could)}"
        )
    if joined.second:
        row, cover = next(iter(joined.second.items()))
        progress.remark(
            f"{len(joined.second)} metadata rows name a cover that another row names better; the "
            f"first is {rows[row].where}, {rows[row].name!r}, and {covers[cover]}"
        )
    if joined.loose:
        by_row = {row: cover for cover, row in joined.row_of.items()}
        row = joined.loose[0]
        progress.remark(
            f"{len(joined.loose)} metadata rows are joined although their file names are written "
            f"in another way; the first is {rows[row].where}, {rows[row].name!r} for "
            f"{covers[by_row[row]]}"
        )


def refuse_strangers(
    table: str, joined: int, named: Sequence[str], others: Sequence[str], what: str
) -> None:
    """`BuildError` where hardly a row joins, and most of the others would be without: before hours
    of work that would have to be done again."""
    if joined >= LEAST_SHARE * len(named) or joined >= len(others) / 2:
        return
    raise BuildError(
        f"{table}: {joined} of its {len(named):,} rows name {what}, so nothing was done. "
        f"The rows begin {_three(named)}; there are {_three(others)}. Write the names in the "
        "table as they are there, or leave the table out."
    )


def _three(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return f"{shown}, …" if len(names) > 3 else shown
