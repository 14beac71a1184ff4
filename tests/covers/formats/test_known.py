"""`engine/covers/formats/known.py`: the formats that are promised."""

from __future__ import annotations

import base64
import re

import pytest
from conftest import PROJECT
from encoded import ENCODED

from engine.base.errors import InvalidRequest
from engine.covers.formats.known import ENDINGS, FORMATS, PROMISED, format_of
from engine.covers.service.forms import PICTURE, is_picture

NAMES = [one.name for one in FORMATS]


def test_every_promised_format_is_tried() -> None:
    found = {format_of(data) for data in ENCODED.values()}
    assert found == set(FORMATS)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_begins_like_one_format_alone_and_64_bytes_tell(name: str) -> None:
    head = ENCODED[name][:64]
    assert [one.name for one in FORMATS if one.begins(head)] == [name]


def test_the_sentence_names_them_and_the_endings_are_each_ones_own() -> None:
    assert PROMISED == "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF"
    assert sum(len(one.endings) for one in FORMATS) == len(ENDINGS) == 16
    assert all(re.fullmatch(r"\.[a-z]+", ending) for ending in ENDINGS)


def test_every_promised_format_is_told_of() -> None:
    table = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"\n| {name} |" not in table] == []
    assert PROMISED in (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ENCODED)
def test_an_upload_is_known_by_its_bytes_whatever_its_format(name: str) -> None:
    assert PICTURE.recognised(ENCODED[name])
    with pytest.raises(InvalidRequest, match="base64 without its head"):
        is_picture(base64.b64encode(ENCODED[name]).decode(), None, 0)
