"""A cover's name below its folder → artist, title and year, as people name files.

    Artist - Title (1999).jpg      01. Artist - Title.png       Artist_-_Title.webp
    Artist - 1999 - Title.jpg      Artist/Title/cover.jpg       Artist/1999 - Title/CD 1/front.jpg
    Artist - Title/folder.jpg      Title.jpg

A name that tells nothing (cover-07, IMG_1234, a digest) gives nothing. A guess: what a table says
of a cover is taken before it. Tags of audio files beside a cover are not read: the library for them
is under the GPL.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_YEAR = r"(?:18[89]|19\d|20\d)\d"
_WHOLE_YEAR = re.compile(_YEAR)
_BRACKETED_YEAR = re.compile(rf"\s*[(\[]\s*({_YEAR})\s*[)\]]\s*")
# A hyphen belongs to a word unless there is space about it; the longer dashes do not, but for those
# of a span (1967–1970).
_SPACED_DASH = re.compile(r"\s+[-‐‑‒–—―−]\s+")
_LONG_DASH = re.compile(r"(?<!\d)\s*[–—―]\s*|\s*[–—―]\s*(?!\d)")
_TRACK = re.compile(r"#?(\d{1,2}[.)]|0\d)\s+(?=[^\s–—―−-])|#?\d{1,2}[.)](?=[^\W\d])")
_NUMBER = re.compile(r"\d{1,2}")
_COPY = re.compile(r"\s*\(\d{1,2}\)$")
_PLACES = r"(?:front|back|inside|inlay|booklet|sleeve|label|cd|lp|disc|disk|vinyl)"
# Words for a picture, for a folder of pictures, or for a part of an album: no title of one.
_GENERIC = re.compile(
    rf"""(?:the\s)?(?:
        (?:album|cd|lp|record|vinyl)?[\s_-]?(?:cover|art|artwork|folder|front|thumb|thumbnail)s?
      | albumart(?:small|large)?(?:[\s_{{-].*)? | cover[\s_-]?art | album | albums
      | {_PLACES}s? | scans? | images? | imgs? | pict?(?:ture)?s? | photos? | untitled
      | download | dsc[fn]? | dcim | pxl | mvimg | screenshots? | poster | default | thumbs
    )
    (?:[\s_-]*(?:{_PLACES}|large|small|cover|\(\d+\)))*[\d\s_x-]*""",
    re.VERBOSE | re.IGNORECASE,
)
# A number, a digest, a UUID.
_CODE = re.compile(
    r"[\d\s_.-]+|(?=.*\d)[0-9a-f]{8,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I
)


@dataclass(frozen=True)
class Told:
    """What a name tells; None where it does not."""

    artist: str | None = None
    title: str | None = None
    year: int | None = None


NOTHING = Told()


def told_by_name(name: str) -> Told:
    """`name` is a cover's path below the folder of covers, with `/` between folders."""
    *folders, file = name.split("/")
    stem = _spaced(re.sub(r"\.[A-Za-z0-9]{2,5}$", "", file))
    if not _tells_nothing(stem):
        return _parsed(stem)
    named = [part for part in map(_spaced, folders) if not _tells_nothing(part)]
    if not named:
        return NOTHING
    album = _parsed(named[-1])
    if album.artist is None and album.title is not None and len(named) > 1:
        return Told(named[-2], album.title, album.year)
    return album


def _spaced(name: str) -> str:
    """Composed letters, and spaces where underscores stand for them."""
    name = unicodedata.normalize("NFC", name)
    if " " not in name.strip():
        name = name.replace("_", " ")
    return " ".join(name.split())


def _tells_nothing(name: str) -> bool:
    return not name or bool(_GENERIC.fullmatch(name) or _CODE.fullmatch(name))


def _parsed(name: str) -> Told:
    """A file's or a folder's name, without its ending."""
    name = _COPY.sub("", name)
    year = None
    if found := _BRACKETED_YEAR.search(name):
        year = int(found[1])
        name = _BRACKETED_YEAR.sub(" ", name, count=1).strip()
    name = _TRACK.sub("", name, count=1) if _TRACK.match(name) else name
    parts = [part.strip() for part in _SPACED_DASH.split(name) if part.strip(" -")]
    if len(parts) == 1:
        parts = [part for part in _LONG_DASH.split(name, maxsplit=1) if part]
    if len(parts) > 1 and _GENERIC.fullmatch(parts[-1]):
        parts.pop()
    if len(parts) > 2 and _NUMBER.fullmatch(parts[0]):
        parts = parts[1:]
    if year is None:
        year, parts = _year_among(parts)
    if not parts:
        return NOTHING
    if len(parts) == 1:
        return Told(None, None if _tells_nothing(parts[0]) else parts[0], year)
    return Told(parts[0], " - ".join(parts[1:]), year)


def _year_among(parts: list[str]) -> tuple[int | None, list[str]]:
    """A part that is a year, where enough others are left for artist and title: albums are named
    after years, too."""
    years = [i for i, part in enumerate(parts) if _WHOLE_YEAR.fullmatch(part)]
    if years == [0] and len(parts) == 2:  # a folder's "1999 - Title"
        return int(parts[0]), parts[1:]
    if not years or len(parts) < 3:
        return None, parts
    at = years[-1]
    return int(parts[at]), [*parts[:at], *parts[at + 1 :]]
