"""`making/metadata.py`, `making/sharing.py`: what tables, tags and names say of tracks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.sound.audio import Tags
from engine.sound.catalogue import Track
from engine.sound.making.metadata import Planned, by_name
from engine.sound.making.sharing import may_be_shared

SILENT = Tags(None, None, None, None, None, None, None, None, None)
FILES = ["a/one.flac", "a/two.mp3", "three.wav"]


class Told(Progress):
    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, line: str) -> None:
        self.remarks.append(line)


def planned(
    tmp_path: Path, table: str | None, *, tags: Tags = SILENT, told: Told | None = None, **more: Any
) -> list[Track]:
    path = None
    if table is not None:
        path = tmp_path / ("m.jsonl" if table.startswith("{") else "m.csv")
        path.write_text(table)
    made = Planned(FILES, path, told or Told(), **more)
    made.tell_missing(FILES, told or Told())
    return made.tracks([(name, f"digest of {name}", tags, 10.0) for name in FILES])


def test_a_table_goes_before_tags_and_these_before_names(tmp_path: Path) -> None:
    tags = replace(SILENT, title="Tagged", artist="Tagger", genre="folk", year=1980, bpm=90.0)
    table = "file,title,year,key\ntwo.mp3,Told,1999,D minor\n"
    one, two, three = planned(tmp_path, table, tags=tags)
    assert (two.title, two.artist, two.year, two.key) == ("Told", "Tagger", 1999, "D minor")
    assert (one.title, one.year, one.genre, one.bpm) == ("Tagged", 1980, "folk", 90.0)
    assert [track.track_id for track in (one, two, three)] == [0, 1, 2]
    assert [t.title for t in planned(tmp_path, None)] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("name", "artist", "title"),
    [
        ("03 - Blind August.flac", None, "Blind August"),
        ("03 Blind August.flac", None, "Blind August"),
        ("3. Blind August.flac", None, "Blind August"),
        ("Ida Marlow - Blind August.mp3", "Ida Marlow", "Blind August"),
        ("01 - Ida Marlow - Blind August.mp3", "Ida Marlow", "Blind August"),
        ("Ida_Marlow_-_Blind_August.mp3", "Ida Marlow", "Blind August"),
        ("1-02 Blind August.mp3", None, "Blind August"),
        ("99 Problems.mp3", None, "99 Problems"),
        ("1999.mp3", None, "1999"),
        ("01.mp3", None, "01"),
    ],
)
def test_names_tell_what_people_write_in_them(name: str, artist: str, title: str) -> None:
    assert by_name(f"Folder/{name}") == (artist, title)


def test_every_column_is_understood(tmp_path: Path) -> None:
    row = {
        "file": "one.flac",
        "track_id": 7,
        "title": "T",
        "artist": "A",
        "album": "B",
        "album_id": "12",
        "year": "1999-05-01",
        "genre": "G",
        "bpm": "92.5",
        "key": "C",
        "license": "CC BY 4.0",
        "source": "S",
        "url": "https://x.example/1.mp3",
        "mood": "sad",
        "audio_shared": True,
        "vector": [0.5] * 64,
    }
    told = Told()
    [one] = [t for t in planned(tmp_path, json.dumps(row), told=told) if t.track_id == 7]
    assert (one.album_id, one.year, one.bpm, one.licence) == (12, 1999, 92.5, "CC BY 4.0")
    assert (one.url, one.source, one.extra) == ("https://x.example/1.mp3", "S", {"mood": "sad"})
    assert any("'vector' holds embeddings" in line for line in told.remarks)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("title\nx\n", "one named 'file'"),
        ("file,track_id\none.flac,1\ntwo.mp3,1\n", r"m\.csv, row 3: track_id 1 is used twice"),
        ("file,track_id\none.flac,-1\n", "track_id -1 is negative"),
        ("file,track_id\none.flac,4\n", "track_id 4 is taken"),
        ("file,track_id\none.flac,many\n", "'many' is not a whole number"),
        ("file,bpm\none.flac,fast\n", "bpm 'fast' is not a number from 10 to 1000"),
        ("file,bpm\none.flac,inf\n", "bpm 'inf'"),
        ("file,url\none.flac,ftp://x/1\n", "is not an address of http"),
        ("file,url\none.flac,javascript:alert(1)\n", "is not an address of http"),
        ("file,url\none.flac,http://[x\n", "is not an address of http"),
        ("file,audio_shared\none.flac,perhaps\n", "neither true nor false"),
        ("file,title\none.flac,a\none.flac,b\n", "one.flac has a row already"),
        ("file,title\n,a\n", "the column 'file' is empty"),
        ("file,title\nx.flac,a\ny.flac,b\n", "0 of its 2 rows name a file among the tracks"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(table: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=words):
        planned(tmp_path, table, taken=[4])


def test_ids_go_to_nobody_twice(tmp_path: Path) -> None:
    table = "file,track_id\nthree.wav,6\n"
    found = planned(tmp_path, table, first_id=5, taken=[4, 5])
    assert [track.track_id for track in found] == [7, 8, 6]


def test_genres_that_look_the_same_are_one(tmp_path: Path) -> None:
    table = "file,genre\none.flac,Música\ntwo.mp3,musica\nthree.wav,MUSICA \n"
    assert {track.genre for track in planned(tmp_path, table)} == {"Música"}
    kept = planned(tmp_path, table, genres=["musica"])
    assert {track.genre for track in kept} == {"musica"}


def test_what_has_no_row_is_told(tmp_path: Path) -> None:
    told = Told()
    planned(tmp_path, "file,title\none.flac,a\nnowhere.wav,b\n", told=told)
    assert any("2 tracks have no metadata row, the first is a/two.mp3" in r for r in told.remarks)
    assert any("name a file that is not among the tracks" in line for line in told.remarks)


@pytest.mark.parametrize(
    "licence",
    [
        *("CC0", "CC0-1.0", "CC-BY 3.0", "cc by-nc-nd 4.0", "Creative Commons Attribution"),
        *("Public Domain", "PDM 1.0", "GPL-2+", "GPLv3", "MIT", "Free Art License 1.3", "CC_BY"),
        *("https://creativecommons.org/licenses/by-sa/4.0/", "http://artlibre.org/", "ISC"),
    ],
)
def test_free_licences_let_audio_be_handed_out(licence: str) -> None:
    assert may_be_shared(licence)


@pytest.mark.parametrize(
    "licence", ["All rights reserved", "© 1999 Label", "proprietary", "Pond5", "ask", "no permit"]
)
def test_other_words_keep_it_back(licence: str, tmp_path: Path) -> None:
    assert not may_be_shared(licence)
    table = f"file,licence,audio_shared\none.flac,{licence},yes\ntwo.mp3,{licence},\n"
    one, two, three = planned(tmp_path, table)
    assert (one.audio_shared, two.audio_shared, three.audio_shared) == (True, False, True)
