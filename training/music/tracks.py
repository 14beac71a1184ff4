"""The demo's tracks: each belongs to an album of the covers' catalogue, and sounds like its genre.

    catalogue ─planned→ titles, seeds ─compose→ songs ─render→ samples ─encode→ files
                                                                └──────→ metadata.csv

`python -m training tracks --out DIR`. A seed gives the same music wherever NumPy and SciPy are the
same.
"""

from __future__ import annotations

import argparse
import csv
import re
import sqlite3
import unicodedata
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from engine.sound.audio import encode, resample
from training.music.genres import compose
from training.music.mix import render
from training.music.score import Song
from training.music.waves import RATE, Samples
from training.names import name_track

CATALOGUE = Path(__file__).parents[2] / "artifacts" / "starter" / "catalogue.sqlite"
SEED = 9
KBIT = 28
# Opus in MP4 plays in Chrome, Firefox and Safari 17; Opus in Ogg needs Safari 18.4, in WebM 17.4.
CONTAINER, SUFFIX = "mp4", ".m4a"
LICENCE = "CC0-1.0"
SOURCE = "composed and synthesised by training/music of this repository"
FIRST = {"soundtrack": 770}  # the album that the README shows
FOUR = ("classical", "electronic", "latin", "soundtrack")  # albums of these; three of the others
# Who can play a style of the genre, as its artists are called.
SUITED: dict[str, tuple[str, ...]] = {"classical": ("Quartet", ", Piano", "Chamber", ", Piano")}
COLUMNS = ("track_id", "file", "title", "artist", "album", "album_id", "year", "genre", "bpm",
           "key", "licence", "source", "url", "audio_shared")  # fmt: skip


@dataclass(frozen=True)
class Planned:
    """A track before there is a note of it. `style` 0–3 within the genre."""

    track_id: int
    album_id: int
    album: str
    artist: str
    year: int
    genre: str
    style: int

    def rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([SEED, self.album_id, purpose])

    def song(self) -> Song:
        return compose(self.genre, self.style, self.rng(0))


def planned(catalogue: Path = CATALOGUE) -> list[Planned]:
    """Three or four albums a genre, by album."""
    with sqlite3.connect(f"file:{catalogue}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT genre, album_id, title, artist, year FROM albums JOIN genres USING (genre_id) "
            "ORDER BY album_id"
        ).fetchall()
    chosen = []
    for genre in sorted({row[0] for row in rows}):
        left = [row[1:] for row in rows if row[0] == genre]
        for style in range(4 if genre in FOUR else 3):
            wanted, artist = FIRST.get(genre, -1), SUITED.get(genre, ("",) * 4)[style]
            found = next((row for row in left if row[0] == wanted), None) or next(
                row for row in left if artist in row[2]
            )
            left = [row for row in left if row[2] != found[2]]
            chosen.append((*found, genre, style))
    return [Planned(i, *row) for i, row in enumerate(sorted(chosen))]


def file_name(plan: Planned, title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return f"{plan.track_id:02d}-{re.sub('[^a-z0-9]+', '-', plain).strip('-')}{SUFFIX}"


def row_of(plan: Planned, song: Song, title: str) -> dict[str, str | int]:
    return {
        "track_id": plan.track_id, "file": file_name(plan, title), "title": title,
        "artist": plan.artist, "album": plan.album, "album_id": plan.album_id, "year": plan.year,
        "genre": plan.genre, "bpm": round(song.tempo), "key": song.key.name, "licence": LICENCE,
        "source": SOURCE, "url": "", "audio_shared": "true",
    }  # fmt: skip


def encoded(samples: Samples, row: dict[str, str | int]) -> bytes:
    """(N,) at `RATE` → an MP4 of Opus that says what it is, its index before its sound.

    The index has four bytes for each of 50 packets a second, and its place is kept free at the
    front, so that a browser plays before it has all of the file.
    """
    tags = {
        "title": row["title"], "artist": row["artist"], "album": row["album"], "date": row["year"],
        "genre": row["genre"], "copyright": row["licence"], "comment": row["source"],
    }  # fmt: skip
    whole = resample(samples, RATE, 48_000)
    return encode(whole, 48_000, CONTAINER, "libopus", kbit=KBIT,
                  tags={name: str(value) for name, value in tags.items()},
                  options={"moov_size": str(2500 + 201 * len(samples) // RATE)})  # fmt: skip


def _make(out: Path, plan: Planned, row: dict[str, str | int]) -> int:
    """Writes the file, gives back its bytes."""
    written = encoded(render(plan.song()), row)
    (out / str(row["file"])).write_bytes(written)
    return len(written)


def make(out: Path, *, workers: int = 1, only: str | None = None) -> int:
    """Audio and metadata.csv in `out`; bytes of audio."""
    out.mkdir(parents=True, exist_ok=True)
    plans, rows, titles = planned(), [], set[str]()
    for plan in plans:
        song = plan.song()
        title = name_track(plan.genre, song.key.name, plan.rng(1), titles | {plan.album})
        titles.add(title)
        rows.append(row_of(plan, song, title))
    with (out / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    wanted = [(p, r) for p, r in zip(plans, rows, strict=True) if only in (None, p.genre)]
    with ProcessPoolExecutor(workers) as pool:
        jobs = pool.map(partial(_make, out), *zip(*wanted, strict=True))
        return sum(tqdm(jobs, total=len(wanted), unit="track"))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m training tracks", description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="a folder for audio and metadata.csv"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--genre", help="the audio of this genre alone")
    given = parser.parse_args(arguments)
    size = make(given.out, workers=given.workers, only=given.genre)
    print(f"{given.out}: {size / 1e6:.1f} MB of audio")
