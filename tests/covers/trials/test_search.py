"""`engine/covers/trials/search.py`: quality and speed of one artifact, measured on itself."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.covers.search import CoverSearch
from engine.covers.trials import search as module
from engine.covers.trials.search import evaluate
from engine.vectors.index import Index
from engine.vectors.neighbours import Neighbour


@pytest.fixture(scope="module")
def search(tiny_artifact: Path) -> CoverSearch:
    return CoverSearch.open(tiny_artifact, runtime="torch-cpu")


@pytest.fixture
def two_distortions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DISTORTIONS", ("clean", "small"))


@pytest.mark.usefixtures("two_distortions")
def test_an_artifact_is_measured_on_its_own_covers(search: CoverSearch) -> None:
    steps: list[tuple[int, int]] = []

    class Told(Progress):
        def step(self, done: int, total: int, what: str) -> None:
            steps.append((done, total))

    report = evaluate(search, sample=8, progress=Told())
    assert steps == [(1, 2), (2, 2)]
    assert list(report.recall) == ["clean", "small"]
    for row in report.recall.values():
        assert row.queries == 8
        assert 0 <= row.at_1 <= row.at_5 <= row.at_50 <= 1
    # Thirty albums: whatever the encoder, each is among fifty. Clean thumbnails find themselves.
    assert report.recall["small"].at_50 == 1
    assert report.recall["clean"].at_1 >= 0.75
    assert report.agreement_at_10 == 1.0  # a flat index is exact
    assert set(report.latency_ms) >= {"decode", "encode_image", "encode_text", "index"}
    assert all(0 < value < 10_000 for value in report.latency_ms.values())
    assert (report.albums, report.artifact) == (30, search.artifact.id)
    json.dumps(report.as_dict(), allow_nan=False)


@pytest.mark.usefixtures("two_distortions")
def test_an_exported_runtime_is_compared_with_torch(tiny_artifact: Path) -> None:
    exported = CoverSearch.open(tiny_artifact, runtime="openvino-cpu")
    share = evaluate(exported, sample=8).same_top_1_as_fp32
    assert share is not None
    assert share * 16 == round(share * 16)  # of 2 × 8 queries
    assert share >= 0.75
    encoder = exported.encoder
    assert encoder is not None

    class Turned:
        """The exported encoder with every picture upside down in its space."""

        def __getattr__(self, name: str) -> Any:
            return getattr(encoder, name)

        def embed_images(self, pixels: Any) -> Any:
            return -encoder.embed_images(pixels)

    turned = dataclasses.replace(exported, encoder=Turned())
    assert evaluate(turned, sample=8).same_top_1_as_fp32 == 0
    plain = CoverSearch.open(tiny_artifact, runtime="torch-cpu", precision="fp32")
    assert evaluate(plain, sample=2).same_top_1_as_fp32 is None


@pytest.mark.usefixtures("two_distortions")
def test_the_same_seed_measures_the_same(search: CoverSearch) -> None:
    one, two = (evaluate(search, sample=6, seed=3) for _ in range(2))
    assert one.recall == two.recall
    assert one.threshold == two.threshold


def test_a_users_own_photos_are_measured(search: CoverSearch, covers: Path, tmp_path: Path) -> None:
    queries = tmp_path / "queries"
    queries.mkdir()
    shutil.copyfile(covers / "cover-03.png", queries / "cover-03.png")  # named after the cover
    shutil.copyfile(covers / "cover-07.png", queries / "7.png")  # named after the album
    shutil.copyfile(covers / "cover-08.png", queries / "9.png")  # a wrong album: not found first
    shutil.copyfile(covers / "cover-08.png", queries / "stranger.png")
    (queries / "5.jpg").write_bytes(b"damaged")
    (queries / "99.png").write_bytes(b"no such album")
    (queries / "²³.png").write_bytes(b"digits, in a way")
    report = evaluate(search, queries=queries)
    assert list(report.recall) == ["queries"]
    assert report.recall["queries"].queries == 3
    assert report.recall["queries"].at_1 == pytest.approx(2 / 3)
    assert report.recall["queries"].at_50 == 1


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_no_pictures_to_measure_with_is_named(
    name: str, search: CoverSearch, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BuildError, match="holds no picture named after"):
        evaluate(search, queries=tmp_path / name)


def test_an_import_without_covers_says_what_to_give(search: CoverSearch) -> None:
    from engine.covers.catalogue import Catalogue

    bare = Catalogue(search.artifact.path / "catalogue.sqlite")
    with pytest.raises(BuildError, match="--queries DIR"):
        evaluate(dataclasses.replace(search, catalogue=bare), sample=2)


@pytest.mark.usefixtures("two_distortions")
def test_an_index_that_misses_is_seen_in_the_agreement(search: CoverSearch) -> None:
    class Misses(Index):
        def search(self, queries: Any, k: int, among: Any = None) -> list[list[Neighbour]]:
            rows = super().search(queries, 2 * k, among)
            return [row[::2][:k] for row in rows]  # every second neighbour is lost

    poor = dataclasses.replace(search, index=Misses(search.index._index, "flat"))
    report = evaluate(poor, sample=6)
    assert 0.4 <= report.agreement_at_10 <= 0.7


@pytest.mark.usefixtures("two_distortions")
def test_covers_that_are_there_three_times_cost_no_agreement(search: CoverSearch) -> None:
    from engine.vectors.making import build_index

    class Other(Index):
        """Equals in the other order: at the tenth place another of three stands than elsewhere."""

        def search(self, queries: Any, k: int, among: Any = None) -> list[list[Neighbour]]:
            found = super().search(queries, 30, among)
            return [
                sorted(row, key=lambda n: (-round(n.similarity, 5), -n.id))[:k] for row in found
            ]

    rows = search.index.vectors(np.arange(30))[np.arange(30) // 3]
    same = build_index(rows, np.arange(30))
    for index in (same, Other(same._index, "flat")):
        report = evaluate(dataclasses.replace(search, index=index), sample=4)
        assert report.agreement_at_10 == 1.0


@pytest.mark.usefixtures("two_distortions")
def test_draws_count_as_agreement(search: CoverSearch) -> None:
    rows = np.repeat(search.album_vector(0)[None], 30, axis=0)
    from engine.vectors.making import build_index

    class Last(Index):
        def search(self, queries: Any, k: int, among: Any = None) -> list[list[Neighbour]]:
            return [row[-k:] for row in super().search(queries, 30, among)]

    same = build_index(rows, np.arange(30))
    report = evaluate(dataclasses.replace(search, index=Last(same._index, "flat")), sample=4)
    assert report.agreement_at_10 == 1.0
