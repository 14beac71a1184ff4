"""`engine/sound/catalogue.py`: tracks by id, by page, by words; what is drawn and heard of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.sound.catalogue import (
    MOST_ORIGINS,
    SoundCatalogue,
    Track,
    as_bytes,
    folded,
    write_catalogue,
    write_waveforms,
)

TRACKS = (
    Track(2, 180.5, title="Blind August", artist="Ida Marlow", album="Lanterns", genre="Jazz"),
    Track(3, 60.0, title="August", artist="Sigur Þór", album="Élégie", album_id=7, genre="Música"),
    Track(10, 61.0, title="Marlow", artist="The Lanterns", album_id=7, genre="Jazz", year=1999),
    Track(11, 1.0),
)


@pytest.fixture
def catalogue(tmp_path: Path) -> SoundCatalogue:
    tags = [np.array([0.0, 1.0]), np.array([0.5, 0.0]), np.array([0.25, 0.5]), None]
    rows = zip(TRACKS, [None if t is None else t.astype(np.float32) for t in tags], strict=True)
    assert write_catalogue(tmp_path / "c.sqlite", rows) == (4, 2)
    peaks = np.array([[-1, 1], [-0.5, 0.25]], np.float32)
    assert write_waveforms(tmp_path / "w.sqlite", [(3, as_bytes(peaks))]) == 1
    return SoundCatalogue(tmp_path / "c.sqlite", tmp_path / "w.sqlite")


def test_tracks_come_back_as_they_were_written(catalogue: SoundCatalogue) -> None:
    assert len(catalogue) == 4
    assert tuple(catalogue) == TRACKS
    assert catalogue.track(10) == TRACKS[2]
    assert catalogue.get([11, 5, 2]) == {2: TRACKS[0], 11: TRACKS[3]}
    assert catalogue.track(10**30) is None
    assert catalogue.ids().tolist() == [2, 3, 10, 11]


def test_every_field_survives(tmp_path: Path) -> None:
    whole = Track(
        *(0, 12.25, "T", "A", "B", 4, 1980, "G", 92.5, "D minor", "CC0", "made", "https://x/y"),
        *("audio/0.opus", False, "f.wav", "ab" * 32, {"mood": ["sad", 3], "n": 1.5}),
    )
    write_catalogue(tmp_path / "c.sqlite", [(whole, None)])
    assert list(SoundCatalogue(tmp_path / "c.sqlite")) == [whole]


@pytest.mark.parametrize(
    ("asked", "total", "ids"),
    [
        ({}, 4, [2, 3, 10, 11]),
        ({"offset": 1, "limit": 2}, 4, [3, 10]),
        ({"offset": 10**30}, 4, []),
        ({"genre": "jazz"}, 2, [2, 10]),
        ({"genre": " MUSICA "}, 1, [3]),
        ({"genre": "polka"}, 0, []),
        ({"album_id": 7}, 2, [3, 10]),
        ({"album_id": 7, "genre": "Jazz"}, 1, [10]),
        ({"album_id": 10**30}, 0, []),
        ({"q": "marlow"}, 2, [10, 2]),  # a title before an artist
        ({"q": "lanterns"}, 2, [10, 2]),  # an artist before an album
        ({"q": "ELEGIE"}, 1, [3]),
        ({"q": "marlwo", "genre": "jazz", "limit": 1}, 2, [10]),
        ({"q": "august", "album_id": 7}, 1, [3]),
        ({"q": ""}, 0, []),
    ],
)
def test_pages(asked: dict[str, object], total: int, ids: list[int], catalogue: SoundCatalogue):
    page = catalogue.page(**asked)  # type: ignore[arg-type]
    assert (page.total, [track.track_id for track in page.tracks]) == (total, ids)


def test_pages_of_what_may_be_heard(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    some = ("audio/1.opus", None, "audio/3.opus", None)
    rows = [
        Track(i, 1.0, "Tune", audio=audio, audio_shared=i != 3, url="https://a.example/x")
        for i, audio in enumerate(some, 1)
    ]
    rows.append(Track(9, 1.0, "Tune"))
    write_catalogue(path, [(track, None) for track in rows])
    heard = [track.track_id for track in rows if track.is_heard]
    assert heard == [1, 2, 4]
    for q in (None, "tune"):
        page = SoundCatalogue(path).page(q=q, heard=True, limit=2)
        assert (page.total, [track.track_id for track in page.tracks]) == (3, [1, 2])


def test_where_audio_is_that_is_not_here(tmp_path: Path) -> None:
    def origins(*urls: str | None, **more: Any) -> tuple[str, ...]:
        path = tmp_path / f"{len([*tmp_path.iterdir()])}.sqlite"
        write_catalogue(path, [(Track(i, 1.0, url=u, **more), None) for i, u in enumerate(urls)])
        return SoundCatalogue(path).origins()

    named = ("https://A.example/x/y.mp3", "https://a.example", None)
    assert origins(*named) == ("https://a.example",)
    assert origins("http://a.b/c", "ftp://c.example/x", "x") == ("http://a.b",)
    assert origins(named[0], audio="audio/0.opus") == ()
    assert origins(named[0], audio_shared=False) == ()
    assert origins(*(f"https://h{i}.example/{i}" for i in range(MOST_ORIGINS))) != ("https:",)
    assert origins(*(f"https://h{i}.example/{i}" for i in range(MOST_ORIGINS + 1))) == ("https:",)


def test_genres_are_counted_and_found_by_any_spelling(catalogue: SoundCatalogue) -> None:
    assert [(g.genre, g.tracks) for g in catalogue.genres()] == [("Jazz", 2), ("Música", 1)]
    assert catalogue.genre("musica") == "Música"
    assert catalogue.ids_of_genre("JAZZ").tolist() == [2, 10]
    assert catalogue.ids_of_genre("polka").tolist() == []
    assert folded("ÅNGSTRÖM ") == "angstrom"


def test_tags_and_their_mean_are_kept(catalogue: SoundCatalogue) -> None:
    tags = catalogue.tags(10)
    assert tags is not None
    assert tags.tolist() == [0.25, 0.5]
    assert catalogue.tags(11) is None
    usual = catalogue.usual_tags()
    assert usual is not None
    assert usual.tolist() == [0.25, 0.5]
    assert catalogue.tag_counts() == {2}


def test_a_waveform_is_off_by_less_than_a_half_percent(catalogue: SoundCatalogue) -> None:
    peaks = catalogue.peaks(3)
    assert peaks is not None
    assert peaks == pytest.approx(np.array([[-1, 1], [-0.5, 0.25]]), abs=0.004)
    assert catalogue.peaks(2) is None
