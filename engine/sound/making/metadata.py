"""A table, and what files say of themselves → what is known of each track.

What the table says goes before a file's own tags, and these before its name. Rows and files are
joined by file name and never by position; all of the table is checked before a file is decoded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.sound.audio import Tags
from engine.sound.catalogue import Track, folded
from engine.sound.making.sharing import may_be_shared, told
from engine.tables.joining import Named, join, refuse_strangers, tell
from engine.tables.table import Row, read_table
from engine.tables.values import is_bulk, is_missing_number, plain, text, whole_number, year

FILE_COLUMNS = ("file", "filename", "file_name", "path", "track", "audio")
_LICENCE = ("licence", "license")
TRACK_COLUMNS = (
    *("track_id", "title", "artist", "album", "album_id", "year", "genre", "bpm", "key"),
    *(*_LICENCE, "source", "url", "audio_shared"),
)
# What a row may leave out of a file's name.
ENDINGS = frozenset(
    (
        *(".aac", ".ac3", ".aif", ".aiff", ".amr", ".asf", ".au", ".avi", ".caf", ".flac"),
        *(".flv", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpeg"),
        *(".mpg", ".oga", ".ogg", ".opus", ".ts", ".w64", ".wav", ".webm", ".wma", ".wv"),
    )
)
_LEAST_BPM, _MOST_BPM = 10, 1000
_NUMBER = re.compile(r"^\s*(?:\d{1,3}[.)]?\s*-\s+|\d{1,3}[.)]\s+|0\d\s+|\d-\d\d\s+)")


@dataclass(frozen=True)
class About:
    """What a row says of a track, understood; None where it says nothing."""

    where: str
    track_id: int | None = None
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_id: int | None = None
    year: int | None = None
    genre: str | None = None
    bpm: float | None = None
    key: str | None = None
    licence: str | None = None
    source: str | None = None
    url: str | None = None
    audio_shared: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class Planned:
    """What is known of files before they are heard: their rows, checked and joined."""

    def __init__(
        self,
        names: Sequence[str],
        metadata: Path | None,
        progress: Progress,
        *,
        first_id: int = 0,
        taken: Collection[int] = (),
        genres: Collection[str] = (),
    ) -> None:
        """`names` are the files' below their folder. Of an artifact that is added to: the ids that
        are `taken`, and its `genres` as it spells them.

        Raises `BuildError` that names file and row.
        """
        self._about: dict[str, About] = {}
        self._has_table = metadata is not None
        self._next, self._taken = first_id, frozenset(taken)
        self._genres = {folded(genre): genre for genre in genres}
        if metadata is not None:
            self._join(names, metadata, progress)
            self._check_ids(metadata.name)

    def _join(self, names: Sequence[str], path: Path, progress: Progress) -> None:
        table = read_table(path, progress, known=(*FILE_COLUMNS, *TRACK_COLUMNS))
        key = table.first_of(FILE_COLUMNS)
        if key is None:
            raise BuildError(
                f"{path.name} has the columns {', '.join(table.columns)}; one named 'file' must "
                "give each track's file name, since rows are joined by name and never by position."
            )
        named = [Named(_file_name(row, key), row.where) for row in table.rows]
        _refuse_second_rows(named)
        joined = join(names, named, ENDINGS)
        likely = [name for name in names if PurePosixPath(name).suffix.casefold() in ENDINGS]
        refuse_strangers(
            path.name,
            len(joined.row_of),
            [row.name for row in named],
            likely or names,
            "a file among the tracks",
        )
        tell(joined, named, names, progress, what="track")
        left_out = _bulk(table.columns, table.rows)
        for name in sorted(left_out):
            progress.remark(f"{path.name}: the column {name!r} holds embeddings and is left out")
        for at, row in joined.row_of.items():
            self._about[names[at]] = _understood(table.rows[row], {key, *left_out})

    def _check_ids(self, table: str) -> None:
        seen: dict[int, str] = {}
        for about in self._about.values():
            if about.track_id is None:
                continue
            if about.track_id < 0:
                raise BuildError(f"{about.where}: track_id {about.track_id} is negative.")
            if about.track_id in seen:
                raise BuildError(
                    f"{about.where}: track_id {about.track_id} is used twice, in "
                    f"{seen[about.track_id]} too."
                )
            if about.track_id in self._taken:
                raise BuildError(
                    f"{about.where}: track_id {about.track_id} is taken in the artifact already."
                )
            seen[about.track_id] = about.where

    def tell_missing(self, names: Sequence[str], progress: Progress) -> None:
        """Say which of the files that could be heard have no row."""
        missing = [name for name in names if name not in self._about]
        if self._has_table and missing:
            progress.remark(
                f"{len(missing)} tracks have no metadata row, the first is {missing[0]}"
            )

    def tracks(self, heard: Sequence[tuple[str, str, Tags, float]]) -> list[Track]:
        """(name, digest of its bytes, tags, seconds) of each file that could be heard → tracks, in
        that order. Where the table gives no id, the next one that it gives to nobody else."""
        given = self._taken | {about.track_id for about in self._about.values()}
        tracks = []
        for name, digest, tags, duration_s in heard:
            about = self._about.get(name, About(name))
            track_id = about.track_id
            while track_id is None:
                track_id = None if self._next in given else self._next
                self._next += 1
            tracks.append(self._track(track_id, name, digest, about, tags, duration_s))
        return tracks

    def _track(
        self, track_id: int, name: str, digest: str, about: About, tags: Tags, duration_s: float
    ) -> Track:
        artist, title = by_name(name)
        licence = about.licence or tags.licence
        shared = may_be_shared(licence) if about.audio_shared is None else about.audio_shared
        genre = about.genre or tags.genre
        if genre is not None:  # genres that look the same are one
            genre = self._genres.setdefault(folded(genre), genre)
        # What a file's name says is a guess: of both or of neither.
        known = about.title or tags.title
        return Track(
            track_id,
            duration_s,
            title=known or title,
            artist=about.artist or tags.artist or (None if known else artist),
            album=about.album or tags.album,
            album_id=about.album_id,
            year=about.year or tags.year,
            genre=genre,
            bpm=about.bpm or tags.bpm,
            key=about.key or tags.key,
            licence=licence,
            source=about.source,
            url=about.url,
            audio_shared=shared,
            file=name.encode(errors="replace").decode(),  # one that is not UTF-8 fits no catalogue
            digest=digest,
            extra=about.extra,
        )


def by_name(name: str) -> tuple[str | None, str | None]:
    """A file's name → artist and title, as people name files.

    >>> by_name("Ida Marlow/03 - Blind August.flac"), by_name("The Lanterns - A Parade.mp3")
    ((None, 'Blind August'), ('The Lanterns', 'A Parade'))
    """
    stem = PurePosixPath(name).stem.replace("_", " ")
    stem = _NUMBER.sub("", stem).strip() or stem.strip()
    artist, dash, title = (part.strip() for part in stem.partition(" - "))
    found = (artist, title) if dash and artist and title else (None, stem)
    return found[0], text(found[1])


def _file_name(row: Row, key: str) -> str:
    value = row.values.get(key)
    if isinstance(value, Mapping):  # Hugging Face's audio column: {"bytes", "path"}
        value = value.get("path")
    name = text(value)
    if name is None or not name.strip():
        raise BuildError(f"{row.where}: the column {key!r} is empty.")
    return name


def _refuse_second_rows(named: Sequence[Named]) -> None:
    seen = set[str]()
    for row in named:
        if row.name in seen:
            raise BuildError(f"{row.where}: {row.name} has a row already.")
        seen.add(row.name)


def _bulk(columns: Sequence[str], rows: Sequence[Row]) -> set[str]:
    """Columns of embeddings or of whole files."""
    first = {
        name: next((row.values[name] for row in rows if row.values.get(name) is not None), None)
        for name in columns
    }
    return {name for name, value in first.items() if is_bulk([value])} - set(FILE_COLUMNS)


def _understood(row: Row, left_out: Collection[str]) -> About:
    values, where = row.values, row.where
    extra = {
        name: value
        for name, given in values.items()
        if name not in (*TRACK_COLUMNS, *left_out) and (value := plain(given)) not in (None, "")
    }
    return About(
        where,
        track_id=_whole(values, "track_id", where),
        title=text(values.get("title")),
        artist=text(values.get("artist")),
        album=text(values.get("album")),
        album_id=_whole(values, "album_id", where),
        year=year(values.get("year")),
        genre=text(values.get("genre")),
        bpm=_bpm(values.get("bpm"), where),
        key=text(values.get("key")),
        licence=next((said for name in _LICENCE if (said := text(values.get(name)))), None),
        source=text(values.get("source")),
        url=_url(values.get("url"), where),
        audio_shared=told(values.get("audio_shared"), where),
        extra=extra,
    )


def _whole(values: Mapping[str, Any], column: str, where: str) -> int | None:
    value = values.get(column)
    return None if is_missing_number(value) else whole_number(value, f"{where}: {column}")


def _bpm(value: Any, where: str) -> float | None:
    if is_missing_number(value):
        return None
    try:
        bpm = float(str(plain(value)))
    except ValueError:
        bpm = math.nan
    if not _LEAST_BPM <= bpm <= _MOST_BPM:
        raise BuildError(
            f"{where}: bpm {plain(value)!r} is not a number from {_LEAST_BPM} to {_MOST_BPM}."
        )
    return bpm


def _url(value: Any, where: str) -> str | None:
    url = text(value)
    if url is None or not url.strip():
        return None
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # brackets that are no IPv6 address
        good = False
    if not good:
        raise BuildError(f"{where}: url {url[:200]!r} is not an address of http:// or https://.")
    return url.strip()
