"""The embedded artifact keeps what the README and its card promise."""

from __future__ import annotations

import json

import httpx
import pytest
from conftest import PROJECT, STARTER, Server

from engine.covers.search import CoverSearch

PHOTOS = PROJECT / "tests" / "photos"


@pytest.fixture(scope="module")
def starter() -> CoverSearch:
    return CoverSearch.open(STARTER)


def test_it_is_small_enough_to_travel_with_the_code(starter: CoverSearch) -> None:
    files = starter.artifact.manifest.files
    assert files["encoder/model.safetensors"].size <= 25_000_000
    assert files["thumbnails.sqlite"].size <= 12_000_000


def test_its_catalogue_is_complete(starter: CoverSearch) -> None:
    albums = list(starter.catalogue)
    assert len(albums) >= 2_000
    assert len({album.genre for album in albums}) == 20
    for album in albums:
        assert album.title
        assert album.artist
        assert album.year
        assert 1950 <= album.year <= 2026
        assert starter.catalogue.thumbnail(album.album_id)


def test_photos_of_its_covers_find_their_albums(server: Server, starter: CoverSearch) -> None:
    """A dozen simulated phone photos, the cover filling half of the frame or more: 9 at least."""
    wanted = json.loads((PHOTOS / "photos.json").read_text())
    by_source = {album.source: album.album_id for album in starter.catalogue}
    first = []
    for name, photo in wanted.items():
        files = {"file": (PHOTOS / name).read_bytes()}
        answer = httpx.post(f"{server.url}/api/search-by-image", files=files, timeout=30)
        first.append(answer.json()["results"][0]["album_id"] == by_source[photo["cover"]])
    assert len(first) == 12
    assert sum(first) >= 9, dict(zip(wanted, first, strict=True))


def test_words_find_red_covers_with_guitars(server: Server, starter: CoverSearch) -> None:
    params = {"query": "a red album cover with a guitar"}
    answer = httpx.get(f"{server.url}/api/search-by-text", params=params, timeout=30)
    found = [starter.album(row["album_id"]) for row in answer.json()["results"]]
    both = [
        album.title
        for album in found
        if album.extra["colour"] == "red" and "guitar" in str(album.extra["objects"])
    ]
    assert len(found) == 5
    assert {album.extra["colour"] for album in found} == {"red"}
    assert len(both) >= 2, [(a.title, a.extra["colour"], a.extra["objects"]) for a in found]


def test_a_cover_sent_again_as_a_small_jpeg_finds_itself(starter: CoverSearch) -> None:
    import io

    from PIL import Image

    right = 0
    ids = range(0, 2_000, 40)
    for album_id in ids:
        image = Image.open(io.BytesIO(starter.catalogue.thumbnail(album_id) or b""))
        buffer = io.BytesIO()
        image.convert("RGB").resize((128, 128)).save(buffer, "JPEG", quality=40)
        right += starter.by_image(buffer.getvalue())[0].album.album_id == album_id
    assert right >= 0.98 * len(ids)
