"""`engine/covers/search.py`: the pipeline, from bytes or words to albums."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import COVERS, PROJECT
from encoders import ColourEncoder
from PIL import Image

from engine.base.errors import AlbumNotFound, InvalidRequest, SettingsError, UnreadableImage
from engine.covers.artifact import Artifact
from engine.covers.catalogue import Album, Catalogue, write_catalogue
from engine.covers.encoder.on_torch import TorchEncoder
from engine.covers.question import Wanted
from engine.covers.search import NEGATIVE_WEIGHT, CoverSearch, Selections, combine
from engine.vectors.embeddings import unit_rows
from engine.vectors.making import build_index


@pytest.fixture(scope="module")
def search(tiny_artifact: Path) -> CoverSearch:
    return CoverSearch.open(tiny_artifact, runtime="torch-cpu")


@pytest.fixture
def colours(tmp_path: Path, search: CoverSearch) -> CoverSearch:
    """A search whose answers can be seen: six one-coloured covers, embedded as their colour."""
    shown = {3: "red", 1: "green", 2: "blue", 5: "white", 9: "red", 4: "blue"}
    encoder = ColourEncoder()
    ids = np.array(list(shown), np.int64)
    index = build_index(encoder.embed_texts(list(shown.values())), ids)
    albums = [
        Album(i, i % 2, title=colour, genre="odd" if i % 2 else "even")
        for i, colour in shown.items()
    ]
    write_catalogue(tmp_path / "albums", albums)
    return dataclasses.replace(
        search, index=index, catalogue=Catalogue(tmp_path / "albums"), encoder=encoder
    )


def found(hits: list) -> list[int]:
    return [hit.album.album_id for hit in hits]


def test_red_finds_red_and_equals_come_by_id(colours: CoverSearch) -> None:
    hits = colours.by_text("red cover", Wanted(k=3))
    assert found(hits)[:2] == [3, 9]
    assert [hit.album.title for hit in hits[:2]] == ["red", "red"]
    assert hits[0].similarity == pytest.approx(1)
    assert hits[2].similarity < 0.9


def test_more_than_there_are_gives_all(colours: CoverSearch) -> None:
    assert sorted(found(colours.by_text("red", Wanted(k=100)))) == [1, 2, 3, 4, 5, 9]


def test_a_genre_filters(colours: CoverSearch) -> None:
    assert found(colours.by_text("blue", Wanted(k=9, genre_id=0))) == [2, 4]
    assert set(found(colours.by_text("blue", Wanted(k=9, genre_id=1)))) == {1, 3, 5, 9}
    assert colours.by_text("blue", Wanted(genre_id=77)) == []
    assert colours.by_text("blue", Wanted(genre_id=2**70)) == []


def test_the_genres_asked_for_last_are_kept_for_this_catalogue_alone(
    colours: CoverSearch, search: CoverSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.covers.search.REMEMBERED_GENRES", 2)
    selections = Selections(colours.catalogue)
    odd, even = selections.of_genre(1), selections.of_genre(0)
    assert selections.of_genre(1) is odd
    assert selections.of_genre(77).count == 0
    assert selections.of_genre(1) is odd
    assert selections.of_genre(0) is not even
    colours.by_text("blue", Wanted(genre_id=0))
    other = dataclasses.replace(colours, catalogue=search.catalogue)
    assert other._selections is not colours._selections


def test_genres_may_be_asked_for_by_many_threads_at_once(
    colours: CoverSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.covers.search.REMEMBERED_GENRES", 1)
    selections = Selections(colours.catalogue)
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda n: selections.of_genre(n % 3).count, range(600)))
    assert counts == [2, 4, 0] * 200


def test_a_least_score_filters(colours: CoverSearch) -> None:
    assert found(colours.by_text("blue", Wanted(k=9, min_score=0.99))) == [2, 4]
    assert colours.by_text("blue", Wanted(min_score=1.01)) == []
    assert len(colours.by_text("blue", Wanted(k=9, min_score=-1))) == 6


def test_similar_leaves_the_album_itself_out(colours: CoverSearch) -> None:
    assert found(colours.similar(9, Wanted(k=1))) == [3]
    assert found(colours.similar(3, Wanted(k=1))) == [9]
    assert len(colours.similar(3, Wanted(k=100))) == 5
    assert found(colours.similar(2, Wanted(genre_id=0))) == [4]


@pytest.mark.parametrize("album_id", [7, -1, 2**63, 10**30])
def test_an_album_that_is_not_there_is_named(album_id: int, colours: CoverSearch) -> None:
    for ask in (colours.album, colours.similar, colours.album_vector):
        with pytest.raises(AlbumNotFound, match=str(album_id)):
            ask(album_id)


def test_a_picture_finds_its_cover(search: CoverSearch, covers: Path) -> None:
    hits = search.by_image((covers / "cover-07.png").read_bytes())
    assert (len(hits), found(hits)[0]) == (5, 7)
    with pytest.raises(UnreadableImage):
        search.by_image((covers / "broken.jpg").read_bytes())


def test_pixels_are_those_of_the_artifacts_preprocessing(search: CoverSearch, covers: Path) -> None:
    pixels = search.pixels((covers / "cover-07.png").read_bytes())
    assert (pixels.shape, pixels.dtype) == ((32, 32, 3), np.uint8)


def test_an_albums_vector_is_its_covers(search: CoverSearch, covers: Path) -> None:
    pixels = search.pixels((covers / "cover-07.png").read_bytes())
    assert search.encoder is not None
    embedded = search.encoder.embed_images(pixels[None])[0]
    assert search.album_vector(7) @ embedded == pytest.approx(1, abs=1e-3)


def test_many_queries_at_once_answer_as_each_alone(search: CoverSearch) -> None:
    rows = unit_rows(np.random.default_rng(0).normal(size=(40, 32)))
    together = search.nearest(rows, 5)
    for row, neighbours in zip(rows, together, strict=True):
        alone = search.nearest(row[None], 5)[0]
        assert [n.id for n in alone] == [n.id for n in neighbours]
        assert np.allclose(
            [n.similarity for n in alone], [n.similarity for n in neighbours], atol=1e-5
        )


def test_the_runtime_asked_for_is_loaded(tiny_artifact: Path) -> None:
    exported = CoverSearch.open(tiny_artifact, runtime="openvino-cpu", threads=1)
    plain = CoverSearch.open(tiny_artifact, runtime="torch-cpu", precision="fp32")
    assert exported.encoder is not None
    assert plain.encoder is not None
    assert (exported.encoder.runtime, plain.encoder.runtime) == ("openvino-cpu", "torch-cpu")
    texts = ["a red album cover", "jazz", ""]
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    for one, other in (
        (exported.encoder.embed_texts(texts), plain.encoder.embed_texts(texts)),
        (exported.encoder.embed_images(pixels), plain.encoder.embed_images(pixels)),
    ):
        assert np.sum(one * other, axis=1).min() > 0.999


def test_a_runtime_the_artifact_lacks_is_named(
    tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.covers.opening import load_encoder

    monkeypatch.setattr("engine.covers.opening.cuda_available", lambda: False, raising=False)
    monkeypatch.setattr("engine.covers.encoder.on_torch.cuda_available", lambda: False)
    artifact = Artifact.open(tiny_artifact)
    entry = artifact.manifest.encoder.model_copy(update={"runtimes": {}})
    bare = Artifact(artifact.path, artifact.manifest.model_copy(update={"encoder": entry}))
    with pytest.raises(SettingsError, match="SHAZAM_RUNTIME='openvino-cpu'"):
        load_encoder(bare, runtime="openvino-cpu")
    with pytest.raises(SettingsError, match="SHAZAM_RUNTIME='torch-cuda'"):
        load_encoder(bare, runtime="torch-cuda")
    assert isinstance(load_encoder(bare), TorchEncoder)


def test_without_an_encoder_the_rest_answers(tiny_artifact: Path) -> None:
    search = CoverSearch.open(tiny_artifact, with_encoder=False)
    assert search.encoder is None
    assert len(search.similar(3, Wanted(k=100))) == COVERS - 1


# --- combining ----------------------------------------------------------------------------------

X, Y, Z = np.eye(3, dtype=np.float32)


def test_a_single_part_is_itself() -> None:
    assert combine(X, None, None).tolist() == X.tolist()
    assert combine(None, Y, None).tolist() == Y.tolist()
    assert combine(None, None, Z).tolist() == (-Z).tolist()


@pytest.mark.parametrize(("weight", "closer"), [(0.0, 1), (0.2, 1), (0.8, 0), (1.0, 0)])
def test_the_weight_leans_to_picture_or_words(weight: float, closer: int) -> None:
    vector = combine(X, Y, None, weight)
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert vector.dtype == np.float32
    assert int(np.argmax(vector)) == closer
    if weight in (0.0, 1.0):
        assert vector.tolist() == (X if weight else Y).tolist()


def test_negative_words_push_away_and_count_less() -> None:
    vector = combine(X, None, Y)
    assert vector[1] / vector[0] == pytest.approx(-NEGATIVE_WEIGHT)
    assert combine(X, None, X).tolist() == X.tolist()  # weaker, so the query itself is left


def test_parts_that_cancel_out_are_an_invalid_request() -> None:
    with pytest.raises(InvalidRequest, match="cancel each other out"):
        combine(X, -X, None)
    with pytest.raises(InvalidRequest, match="Send a picture"):
        combine(None, None, None)


def test_a_large_photo_is_decoded_small_and_found_the_same(
    search: CoverSearch, covers: Path, tmp_path: Path
) -> None:
    Image.open(covers / "cover-11.png").resize((2000, 2000)).save(tmp_path / "big.jpg", quality=95)
    assert found(search.by_image((tmp_path / "big.jpg").read_bytes()))[0] == 11


def test_openvino_reports_to_nobody_whoever_imports_it_first() -> None:
    code = (
        "import sys; from engine.covers.opening import import_openvino_ahead as ahead; ahead(); "
        "assert 'openvino' in sys.modules; assert sys.modules['openvino_telemetry'] is None"
    )
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)
