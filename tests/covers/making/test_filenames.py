"""`engine/covers/making/filenames.py`: artist, title and year from the names that people give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.covers.making.filenames import NOTHING, Told, told_by_name


@pytest.mark.parametrize(
    ("name", "artist", "title", "year"),
    [
        ("Vera Holt - Blind August.jpg", "Vera Holt", "Blind August", None),
        ("Vera Holt – Blind August.png", "Vera Holt", "Blind August", None),
        ("Vera Holt — Blind August.webp", "Vera Holt", "Blind August", None),
        ("Vera Holt—Blind August.webp", "Vera Holt", "Blind August", None),
        ("Vera_Holt_-_Blind_August.jpg", "Vera Holt", "Blind August", None),
        ("01 - Vera Holt - Blind August.jpg", "Vera Holt", "Blind August", None),
        ("01. Vera Holt - Blind August.jpg", "Vera Holt", "Blind August", None),
        ("7) Vera Holt - Blind August.jpg", "Vera Holt", "Blind August", None),
        ("07 Vera Holt - Blind August.jpg", "Vera Holt", "Blind August", None),
        ("Vera Holt - Blind August (1999).jpg", "Vera Holt", "Blind August", 1999),
        ("Vera Holt - Blind August [1999].JPEG", "Vera Holt", "Blind August", 1999),
        ("Vera Holt - (1999) Blind August.jpg", "Vera Holt", "Blind August", 1999),
        ("Vera Holt - 1999 - Blind August.jpg", "Vera Holt", "Blind August", 1999),
        ("1999 - Vera Holt - Blind August.jpg", "Vera Holt", "Blind August", 1999),
        ("Vera Holt - Blind August - 1999.jpg", "Vera Holt", "Blind August", 1999),
        (
            "Vera Holt - Blind August (Deluxe) (2011).jpg",
            "Vera Holt",
            "Blind August (Deluxe)",
            2011,
        ),
        (
            "Vera Holt - Blind August (2011 Remaster).jpg",
            "Vera Holt",
            "Blind August (2011 Remaster)",
            None,
        ),
        ("Vera Holt - Blind August (1).jpg", "Vera Holt", "Blind August", None),
        ("Vera Holt - Blind August - front.jpg", "Vera Holt", "Blind August", None),
        ("Vera Holt - Blind - August.jpg", "Vera Holt", "Blind - August", None),
        ("jazz/Vera Holt - Blind August.jpg", "Vera Holt", "Blind August", None),
        # Hyphens, numbers and years that belong to a name.
        ("Jay-B - Well-Known.jpg", "Jay-B", "Well-Known", None),
        ("10cc - Sheet Music.jpg", "10cc", "Sheet Music", None),
        ("50 Horses - Gold.jpg", "50 Horses", "Gold", None),
        ("311 - Music.jpg", "311", "Music", None),
        ("Ida Moss - 1989.jpg", "Ida Moss", "1989", None),
        ("Ida Moss - 1989 (2014).jpg", "Ida Moss", "1989", 2014),
        ("Ida Moss - 1999 - 1982.jpg", "Ida Moss", "1999", 1982),
        ("The Lamps – 1967–1970.jpg", "The Lamps", "1967–1970", None),
        ("Bjo\u0308rk - Debut.jpg", "Björk", "Debut", None),
        ("椎名林檎 - 無罪.jpg", "椎名林檎", "無罪", None),
        ("AC-DC.Live - Vol. 2.jpg", "AC-DC.Live", "Vol. 2", None),
        # One part.
        ("Blind August.jpg", None, "Blind August", None),
        ("blind_august.jpg", None, "blind august", None),
        ("01. Blind August.jpg", None, "Blind August", None),
        ("Cover Me.jpg", None, "Cover Me", None),
        ("Front Parlour Ballads.jpg", None, "Front Parlour Ballads", None),
        # Folders.
        ("Vera Holt/Blind August/cover.jpg", "Vera Holt", "Blind August", None),
        ("Vera Holt/Blind August/Folder.jpg", "Vera Holt", "Blind August", None),
        ("Vera Holt/Blind August (1999)/front.jpg", "Vera Holt", "Blind August", 1999),
        ("Vera Holt/1999 - Blind August/front.jpg", "Vera Holt", "Blind August", 1999),
        ("Vera Holt/[1999] Blind August/CD 1/front.jpg", "Vera Holt", "Blind August", 1999),
        ("Vera Holt/Blind August/Artwork/album cover.jpg", "Vera Holt", "Blind August", None),
        ("Vera_Holt/Blind_August/AlbumArt_{0A1B2C}_Large.jpg", "Vera Holt", "Blind August", None),
        ("music/Vera Holt - Blind August/cover.jpg", "Vera Holt", "Blind August", None),
        ("Blind August/cover.jpg", None, "Blind August", None),
        ("Vera Holt/Blind August/IMG_2041.jpg", "Vera Holt", "Blind August", None),
    ],
)
def test_what_a_name_tells(name: str, artist: str, title: str, year: int) -> None:
    assert told_by_name(name) == Told(artist, title, year)


@pytest.mark.parametrize(
    "name",
    [
        "cover.jpg",
        "cover-07.png",
        "covers/front.jpg",
        "IMG_20240131_120501.jpg",
        "DSC01234.JPG",
        "0042.jpg",
        "12-34.jpg",
        "9ef8130226720f6c.webp",
        "123e4567-e89b-12d3-a456-426614174000.png",
        "folder.jpg",
        "images/00/12.jpg",
        ".jpg",
    ],
)
def test_a_name_that_tells_nothing_is_left_alone(name: str) -> None:
    assert told_by_name(name) == NOTHING


@given(st.text(max_size=40))
def test_any_name_is_understood_or_left_alone(name: str) -> None:
    told = told_by_name(name)
    assert told.artist is None or (told.artist.strip() and told.title)
    assert told.title is None or told.title.strip()
