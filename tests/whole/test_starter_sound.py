"""`artifacts/starter-sound`: the embedded music, as a newcomer gets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import PROJECT, STARTER

from engine.covers.artifact import Artifact
from engine.sound.audio import RATE, decode
from engine.sound.fingerprint.network import Fingerprinter
from engine.sound.identify import Calibration
from engine.sound.search import SoundSearch

DEMO = PROJECT / "artifacts" / "starter-sound"


@pytest.fixture(scope="module")
def search() -> SoundSearch:
    return SoundSearch.open(DEMO, threads=1)


def test_it_is_small_enough_to_be_embedded() -> None:
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) <= 24e6


def test_every_track_belongs_to_an_album_of_the_covers_and_is_free(search: SoundSearch) -> None:
    tracks = list(search.catalogue)
    albums = Artifact.open(STARTER).open_catalogue()
    known = albums.albums([track.album_id for track in tracks if track.album_id is not None])
    assert len(tracks) >= 60
    assert len(search.catalogue.genres()) == 20
    for track in tracks:
        assert track.album_id is not None
        album = known[track.album_id]
        assert (track.album, track.artist) == (album.title, album.artist)
        assert (track.year, track.genre) == (album.year, album.genre)
        assert track.licence == "CC0-1.0"
        assert isinstance(search.audio(track.track_id), Path)
    assert len({track.title for track in tracks}) == len(tracks)


def test_a_track_that_plays_is_found_from_its_second_on(search: SoundSearch) -> None:
    for track_id in search.catalogue.ids()[::16].tolist():
        path = search.audio(track_id)
        assert isinstance(path, Path)
        samples = decode(path, first_s=32)
        best = search.identify(samples[20 * RATE : 28 * RATE]).best
        assert best is not None
        assert (best.track_id, best.offset_s) == (track_id, pytest.approx(20, abs=0.1))


def test_its_confidence_is_fitted_to_it(search: SoundSearch) -> None:
    told = Calibration.model_validate_json((DEMO / "calibration.json").read_bytes())
    assert search.identifier.calibration == told
    assert told.clips > 0


def test_its_card_tells_licences_and_how_it_is_made() -> None:
    card = (DEMO / "README.md").read_text()
    for words in ("CC0-1.0", "ISC", "python -m training tracks", "python -m engine build"):
        assert words in card


def test_its_network_is_the_one_beside_the_code(search: SoundSearch) -> None:
    assert search.identifier.fingerprinter.digest == Fingerprinter.built_in(threads=1).digest
