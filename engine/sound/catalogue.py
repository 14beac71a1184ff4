"""Neighbours → tracks: what is known of each, its tags, its waveform and where its audio is.

Two SQLite files, opened read-only and immutable: `catalogue.sqlite` holds the tracks,
`waveforms.sqlite` what is drawn of them. Nothing is held in memory but what a question asks for.
"""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from engine.base.database import Database, bounded
from engine.base.errors import ArtifactError
from engine.base.names import Named, Names
from engine.vectors.embeddings import Ids

_TRACKS = """
CREATE TABLE tracks (
    track_id     INTEGER PRIMARY KEY,
    title        TEXT,
    artist       TEXT,
    album        TEXT,
    album_id     INTEGER,
    year         INTEGER,
    genre        TEXT,
    duration_s   REAL NOT NULL,
    bpm          REAL,
    key          TEXT,
    licence      TEXT,
    source       TEXT,
    url          TEXT,
    audio        TEXT,
    audio_shared INTEGER NOT NULL,
    file         TEXT,
    digest       TEXT,
    extra        TEXT,
    tags         BLOB
);
CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE usual (tags BLOB NOT NULL);
"""
_WAVEFORMS = "CREATE TABLE waveforms (track_id INTEGER PRIMARY KEY, peaks BLOB NOT NULL);"

# Who types one word of a title wants that track, before all others of its artist or album.
NAMED = Named("tracks", "track_id", {"title": 3.0, "artist": 2.0, "album": 1.0})

# One row of another shape would make an answer of ours wrong, at some later time: SQLite keeps
# anything in any column.
_TYPES = {
    **dict.fromkeys(("title", "artist", "album", "genre", "key", "licence"), ("text", "null")),
    **dict.fromkeys(("source", "url", "audio", "file", "digest", "extra"), ("text", "null")),
    **dict.fromkeys(("album_id", "year"), ("integer", "null")),
    "duration_s": ("real", "integer"),
    "bpm": ("real", "integer", "null"),
    "audio_shared": ("integer",),
    "tags": ("blob", "null"),
}
LONGEST_S = 1e7
# As `Track.is_heard`.
_HEARD = "audio_shared AND coalesce(audio, url) IS NOT NULL"
# More than so many places of audio are not told one by one.
MOST_ORIGINS = 32
_PEAK = np.float32(127)  # what a sample of 1 is drawn as, in a signed byte


@dataclass(frozen=True, slots=True)
class Track:
    """One row of the catalogue; what is not known is None.

    `audio` is a file of the artifact, `url` where the audio is elsewhere; `audio_shared` whether
    its licence lets us hand it out. `source` is where the track comes from, `file` the name it had
    when the artifact was built and `digest` the sha256 of its bytes; `extra` holds the metadata
    columns that have no name here.
    """

    track_id: int
    duration_s: float
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
    audio: str | None = None
    audio_shared: bool = True
    file: str | None = None
    digest: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_heard(self) -> bool:
        """Whether there is audio of it that may be handed out."""
        return self.audio_shared and (self.audio or self.url) is not None


class Which(TypedDict, total=False):
    """Which tracks are asked for, as `SoundCatalogue.page` says; all by default."""

    genre: str | None
    album_id: int | None
    q: str | None
    heard: bool


@dataclass(frozen=True, slots=True)
class Genre:
    genre: str
    tracks: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some tracks of `total`."""

    total: int
    tracks: list[Track]


class SoundCatalogue:
    """Read-only view of the two files; safe for concurrent use (one connection a thread)."""

    def __init__(self, tracks: Path, waveforms: Path | None = None) -> None:
        self._tracks = Database(tracks)
        self._waveforms = Database(waveforms) if waveforms else None
        self._origins: tuple[str, ...] | None = None
        self.names = Names(tracks, NAMED)
        try:
            self._count = int(dict(self._tracks.rows("SELECT name, value FROM facts"))["tracks"])
            self._refuse_other_types(tracks.name)
            next(iter(self), None)
            self._genres = _spellings(self.genres())
            if self._waveforms:
                odd = "SELECT track_id FROM waveforms WHERE length(peaks) % 2 OR length(peaks) = 0"
                if next(self._waveforms.rows(odd), None) is not None:
                    raise ValueError("a waveform without its two numbers for each part")
        except (sqlite3.Error, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ArtifactError(f"{tracks.name} is not a catalogue ({error}).") from error

    def _refuse_other_types(self, name: str) -> None:
        wrong = [
            f"typeof({column}) NOT IN ({', '.join(map(repr, types))})"
            for column, types in _TYPES.items()
        ]
        wrong.append(f"NOT (duration_s >= 0 AND duration_s < {LONGEST_S})")
        wrong.append("NOT (coalesce(bpm, 1) > 0 AND coalesce(bpm, 1) < 10000)")
        wrong.append(
            "coalesce(length(tags), 0) % 2 OR (extra IS NOT NULL AND NOT json_valid(extra))"
        )
        sql = f"SELECT track_id FROM tracks WHERE ({') OR ('.join(wrong)}) LIMIT 1"
        for (track_id,) in self._tracks.rows(sql):
            raise ArtifactError(
                f"{name} is not a catalogue: track {track_id} holds what is none of a track's "
                "columns. Rebuild the artifact."
            )

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Track]:
        return (_track(row) for row in self._tracks.rows(f"{_SELECT} ORDER BY track_id"))

    def track(self, track_id: int) -> Track | None:
        return self.get([track_id]).get(track_id)

    def get(self, track_ids: Sequence[int]) -> dict[int, Track]:
        """The tracks with these ids; unknown ids are left out. At most some thousand at a time."""
        found = {}
        for start in range(0, len(track_ids), 500):  # SQLite's variable limit was 999 for long
            part = [bounded(int(track_id)) for track_id in track_ids[start : start + 500]]
            marks = ",".join("?" * len(part))
            for row in self._tracks.rows(f"{_SELECT} WHERE track_id IN ({marks})", part):
                found[row[0]] = _track(row)
        return found

    def page(
        self,
        offset: int = 0,
        limit: int = 20,
        *,
        genre: str | None = None,
        album_id: int | None = None,
        q: str | None = None,
        heard: bool = False,
        without: Collection[int] = (),
    ) -> Page:
        """`limit` tracks from `offset` on: in order of id, or where words are given, those whose
        title, artist or album have them, best first; of one genre or one album of covers where
        it is given, where `heard` with audio that may be handed out, none of the ids `without`."""
        among: dict[str, int | str] = {}
        if genre is not None:
            among["genre"] = self.genre(genre) or ""
        if album_id is not None:
            among["album_id"] = bounded(album_id)
        if q is not None:
            total, ids = self.names.search(
                q,
                offset=offset,
                limit=limit,
                among=among,
                without=without,
                where=_HEARD if heard else "",
            )
            found = self.get(ids)
            return Page(total, [found[track_id] for track_id in ids])
        tests, values = [f"{column} = ?" for column in among], [*among.values()]
        if heard:
            tests.append(_HEARD)
        if without:
            tests.append("track_id NOT IN (SELECT value FROM json_each(?))")
            values.append(json.dumps([*without]))
        where = f"WHERE {' AND '.join(tests)}" if tests else ""
        total = next(self._tracks.rows(f"SELECT count(*) FROM tracks {where}", values))[0]
        # The inner statement skips rows by index alone.
        sql = (
            f"{_SELECT} WHERE track_id IN (SELECT track_id FROM tracks {where} ORDER BY track_id "
            "LIMIT ? OFFSET ?) ORDER BY track_id"
        )
        # Beyond SQLite's 64 bits an offset is past the end of any catalogue.
        values += [min(limit, 2**62), min(offset, 2**62)]
        return Page(int(total), [_track(row) for row in self._tracks.rows(sql, values)])

    def genres(self) -> list[Genre]:
        """The genres that tracks have, in order of name."""
        sql = (
            "SELECT genre, count(*) FROM tracks WHERE genre IS NOT NULL GROUP BY genre "
            "ORDER BY genre"
        )
        return [Genre(*row) for row in self._tracks.rows(sql)]

    def genre(self, name: str) -> str | None:
        """A genre as the catalogue spells it; capitals and accents make no difference."""
        return self._genres.get(folded(name))

    def ids(self) -> Ids:
        """(N,) int64, every track id, ascending."""
        return self._numbers("SELECT track_id FROM tracks ORDER BY track_id")

    def ids_of_genre(self, name: str) -> Ids:
        """(N,) int64, ascending; empty for a genre that nobody has."""
        sql = "SELECT track_id FROM tracks WHERE genre = ? ORDER BY track_id"
        return self._numbers(sql, [self.genre(name)])

    def _numbers(self, sql: str, values: Sequence[Any] = ()) -> Ids:
        return np.array([row[0] for row in self._tracks.rows(sql, values)], np.int64)

    def audio_files(self) -> Iterator[tuple[int, str]]:
        """Track id and file of every track whose audio the artifact says it holds."""
        sql = "SELECT track_id, audio FROM tracks WHERE audio IS NOT NULL ORDER BY track_id"
        return self._tracks.rows(sql)

    def origins(self) -> tuple[str, ...]:
        """Where audio is that the artifact does not hold, as "https://host:port"; "https:" where
        these are more than `MOST_ORIGINS`. Read once."""
        if self._origins is None:
            sql = (
                # Behind "https://", eight letters, the host ends at a slash.
                "SELECT DISTINCT lower(substr(url, 1, 7 + instr(substr(url || '/', 9), '/'))) "
                "FROM tracks WHERE audio IS NULL AND audio_shared AND url LIKE 'http%://%' LIMIT ?"
            )
            found = tuple(sorted(row[0] for row in self._tracks.rows(sql, [MOST_ORIGINS + 1])))
            self._origins = found if len(found) <= MOST_ORIGINS else ("https:",)
        return self._origins

    def tags(self, track_id: int) -> NDArray[np.float32] | None:
        """(T,) float32: how much the encoder heard of each of its tags, where it knows any."""
        sql = "SELECT tags FROM tracks WHERE track_id = ? AND tags IS NOT NULL"
        for (blob,) in self._tracks.rows(sql, [bounded(track_id)]):
            return _tags_in(blob)
        return None

    def tag_counts(self) -> set[int]:
        """How many tags its tracks have, where they have any: one number, in good order."""
        sql = (
            "SELECT DISTINCT length(tags) / 2 FROM tracks WHERE tags IS NOT NULL "
            "UNION SELECT length(tags) / 2 FROM usual"
        )
        return {int(count) for (count,) in self._tracks.rows(sql)}

    def usual_tags(self) -> NDArray[np.float32] | None:
        """(T,) float32: the mean of the tags over all tracks, where they have any."""
        for (blob,) in self._tracks.rows("SELECT tags FROM usual"):
            return _tags_in(blob)
        return None

    def peaks(self, track_id: int) -> NDArray[np.float32] | None:
        """(P, 2) float32 in −1…1, least and greatest of each part; None where nothing is drawn."""
        if self._waveforms is None:
            return None
        sql = "SELECT peaks FROM waveforms WHERE track_id = ?"
        for (blob,) in self._waveforms.rows(sql, [bounded(track_id)]):
            return peaks_in(np.frombuffer(blob, np.int8).reshape(-1, 2))
        return None

    def close(self) -> None:
        self._tracks.close()
        self.names.close()
        if self._waveforms:
            self._waveforms.close()


def folded(text: str) -> str:
    """A name without its accents, its capitals and blanks around it.

    >>> folded(" Música ")
    'musica'
    """
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).strip()


def _spellings(genres: Iterable[Genre]) -> dict[str, str]:
    known: dict[str, str] = {}
    for genre in genres:
        known.setdefault(folded(genre.genre), genre.genre)
    return known


def write_catalogue(
    path: Path, tracks: Iterable[tuple[Track, NDArray[np.float32] | None]]
) -> tuple[int, int]:
    """Write `catalogue.sqlite` of tracks, each with its (T,) tags where there are any; returns how
    many tracks and genres. Rows may come as a stream."""
    with sqlite3.connect(path) as db:
        db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TRACKS)
        marks = ",".join("?" * (len(COLUMNS) + 1))
        total, tagged = np.zeros(0), 0

        def rows() -> Iterator[tuple[Any, ...]]:
            nonlocal total, tagged
            for track, tags in tracks:
                if tags is not None:
                    total, tagged = (total if tagged else 0) + tags.astype(np.float64), tagged + 1
                yield _row(track, tags)

        db.executemany(f"INSERT INTO tracks VALUES ({marks})", rows())
        if tagged:
            db.execute("INSERT INTO usual VALUES (?)", (_blob(total / tagged),))
        db.execute("CREATE INDEX tracks_by_genre ON tracks (genre, track_id)")
        db.execute("CREATE INDEX tracks_by_album ON tracks (album_id, track_id)")
        (count,) = db.execute("SELECT count(*) FROM tracks").fetchone()
        (genres,) = db.execute("SELECT count(DISTINCT genre) FROM tracks").fetchone()
        db.execute("INSERT INTO facts VALUES ('tracks', ?)", (count,))
    db.close()
    return int(count), int(genres)


def write_waveforms(path: Path, waveforms: Iterable[tuple[int, bytes]]) -> int:
    """Write `waveforms.sqlite` of peaks `as_bytes` by track id; returns how many."""
    with sqlite3.connect(path) as db:
        db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _WAVEFORMS)
        db.executemany("INSERT INTO waveforms VALUES (?,?)", waveforms)
        (count,) = db.execute("SELECT count(*) FROM waveforms").fetchone()
    db.close()
    return int(count)


def kept_peaks(peaks: NDArray[np.float32]) -> NDArray[np.int8]:
    """(P, 2) in −1…1 → (P, 2) int8, as they are kept."""
    numbers: NDArray[np.int8] = np.clip(np.rint(peaks * _PEAK), -_PEAK, _PEAK).astype(np.int8)
    return numbers


def peaks_in(kept: NDArray[np.int8]) -> NDArray[np.float32]:
    """What `kept_peaks` kept, off by 0.004 at most."""
    return kept.astype(np.float32) / _PEAK


def as_bytes(peaks: NDArray[np.float32]) -> bytes:
    """(P, 2) in −1…1 → 2·P signed bytes."""
    return kept_peaks(peaks).tobytes()


COLUMNS = (
    *("track_id", "title", "artist", "album", "album_id", "year", "genre", "duration_s", "bpm"),
    *("key", "licence", "source", "url", "audio", "audio_shared", "file", "digest", "extra"),
)
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM tracks"


def _tags_in(blob: bytes) -> NDArray[np.float32]:
    return np.nan_to_num(np.frombuffer(blob, "<f2").astype(np.float32))


def _blob(tags: NDArray[Any]) -> bytes:
    """Tags in 0…1 as they are kept: a tag is off by 0.0003 at most."""
    return tags.astype("<f2").tobytes()


def _row(track: Track, tags: NDArray[np.float32] | None) -> tuple[Any, ...]:
    values = [getattr(track, name) for name in COLUMNS[:-1]]
    extra = json.dumps(dict(track.extra), sort_keys=True) if track.extra else None
    return (*values, extra, None if tags is None else _blob(tags))


def _track(row: Sequence[Any]) -> Track:
    told = dict(zip(COLUMNS, row, strict=True))
    told["audio_shared"] = bool(told["audio_shared"])
    extra = json.loads(told["extra"]) if told["extra"] else {}
    told["extra"] = extra if isinstance(extra, dict) else {}
    return Track(**told)
