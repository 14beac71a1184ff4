"""Names of files × names in a table's rows → which row is whose, each at most once.

First the name as it stands, then ever looser: slashes, `./`, composed letters; capitals; without
the folders that all of one side have in common; by the end of the path; without the ending. A name
that could be of several files is joined to none of them, and a looser step never decides between
files that a stricter one could not tell apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from engine.base.errors import BuildError
from engine.base.progress import Progress

Parts = tuple[str, ...]

LEAST_SHARE = 0.1
_ROOTED = re.compile(r"\s*([A-Za-z]:[\\/]|[\\/]|[A-Za-z][A-Za-z0-9+.-]+://)")


@dataclass(frozen=True)
class Named:
    """A row's name for a file, and where it stands, for complaints."""

    name: str
    where: str


@dataclass(frozen=True)
class Joined:
    """By position: which row is a file's; of the other rows, why they are nobody's."""

    row_of: Mapping[int, int]
    absent: Sequence[int]
    unclear: Mapping[int, Sequence[int]]  # the files that it could be of, a few of them
    second: Mapping[int, int]  # the file that has a row already
    loose: Sequence[int]  # rows whose name is not written as the file's is


def join(files: Sequence[str], rows: Sequence[Named], endings: Container[str]) -> Joined:
    """Names of files, below their folder, and of rows, each in any order and of any spelling.
    `endings` (`.jpg`) are those that the files' kinds have, which a row may leave out."""
    work = _Joining(files, [row.name for row in rows], endings)
    exact = {name: i for i, name in enumerate(files)}
    work.take({i: [exact[name]] for i, name in enumerate(work.names) if name in exact})
    strict = len(work.row_of)
    folds: list[Callable[[str], str]] = [str, str.casefold]
    if any("%" in row.name for row in rows):
        folds.append(_unquoted)
    for whole_row, whole_file in ((True, True), (True, False), (False, False)):
        for fold in folds:
            work.step(fold, whole_row, whole_file)
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
    """Rows and files that are not joined yet, and what stood in the way."""

    def __init__(self, files: Sequence[str], names: Sequence[str], endings: Container[str]) -> None:
        self.names = names
        self.row_of: dict[int, int] = {}
        self.joined: set[int] = set()
        self.unclear: dict[int, list[int]] = {}
        self.second: dict[int, int] = {}
        self._files, self._endings = [_parts(name) for name in files], endings
        self._rows = [_parts(name) for name in names]
        self._rooted = [bool(_ROOTED.match(name)) for name in names]

    def take(self, found: Mapping[int, Sequence[int]]) -> None:
        """Join what is clear among rows with the files that each could be of."""
        claims: defaultdict[int, list[int]] = defaultdict(list)
        for row, files in found.items():
            if len(files) > 1:
                self.unclear.setdefault(row, list(files[:3]))
            elif files and files[0] in self.row_of:
                self.second.setdefault(row, files[0])
            elif files:
                claims[files[0]].append(row)
        for file, rows in claims.items():
            if len(rows) == 1:
                self.row_of[file] = rows[0]
                self.joined.add(rows[0])
            else:
                for row in rows:
                    self.unclear.setdefault(row, [file])

    def step(self, fold: Callable[[str], str], whole_row: bool, whole_file: bool) -> None:
        """Join what is left by full path, by a common root, by the end of the path."""
        if not self._left():
            return
        places = _Places([_folded(p, fold, _any_ending, whole_file) for p in self._files])
        rows = [_folded(p, fold, self._known_ending, whole_row) for p in self._rows]
        self.take({i: places.full.get(rows[i], []) for i in self._left()})
        # Where some rows name files as they lie in the folder, a folder before others means them.
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

    def _known_ending(self, name: str) -> str:
        ending = name[max(name.rfind("."), 0) :]
        return ending if ending.casefold() in self._endings and ending != name else ""

    def _left(self) -> list[int]:
        """Rows that nothing is known of: neither joined nor found to be a riddle."""
        known = (self.joined, self.unclear, self.second)
        return [i for i in range(len(self._rows)) if not any(i in kind for kind in known)]


class _Places:
    """Files by full path and by every end of it."""

    def __init__(self, files: Sequence[Parts]) -> None:
        self.full: defaultdict[Parts, list[int]] = defaultdict(list)
        self.ends: defaultdict[Parts, list[int]] = defaultdict(list)
        for i, parts in enumerate(files):
            self.full[parts].append(i)
            for start in range(1, len(parts)):
                end = self.ends[parts[start:]]
                if len(end) < 3:
                    end.append(i)
        self.root = _common_root(files)

    def by_end(self, row: Parts, alone: bool) -> list[int]:
        """Files whose path ends as the row's does, the longer agreement first. Of a row with
        folders, the file name on its own counts where it is `alone` among rows and files."""
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
    """Rows that name files below one folder (`C:\\covers\\…`), or leave out one that all files
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


def _common_root(files: Sequence[Parts]) -> Parts:
    if not files:
        return ()
    least, most = min(files)[:-1], max(files)[:-1]
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


def _any_ending(name: str) -> str:
    at = name.rfind(".")
    ending = name[at:] if at > 0 else ""
    return ending if 2 <= len(ending) <= 6 and ending[1:].isalnum() else ""


def tell(
    joined: Joined, rows: Sequence[Named], files: Sequence[str], progress: Progress, *, what: str
) -> None:
    """Say which rows are nobody's, and why, each kind with its first; `what` is each file of."""
    if joined.absent:
        progress.remark(
            f"{len(joined.absent)} metadata rows name a file that is not among the {what}s"
        )
    if joined.unclear:
        row, could = next(iter(joined.unclear.items()))
        progress.remark(
            f"{len(joined.unclear)} metadata rows could be of several {what}s, or several rows of "
            f"one, and are joined to none; the first is {rows[row].where}, {rows[row].name!r}, and "
            f"{' or '.join(files[i] for i in could)}"
        )
    if joined.second:
        row, file = next(iter(joined.second.items()))
        progress.remark(
            f"{len(joined.second)} metadata rows name a {what} that another row names better; the "
            f"first is {rows[row].where}, {rows[row].name!r}, and {files[file]}"
        )
    if joined.loose:
        by_row = {row: file for file, row in joined.row_of.items()}
        row = joined.loose[0]
        progress.remark(
            f"{len(joined.loose)} metadata rows are joined although their file names are written "
            f"in another way; the first is {rows[row].where}, {rows[row].name!r} for "
            f"{files[by_row[row]]}"
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
