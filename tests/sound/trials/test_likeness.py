from __future__ import annotations

import numpy as np
import pytest

from engine.sound.trials.likeness import likeness


def test_what_lies_together_is_counted_beside_chance() -> None:
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(6, 32))
    albums = [n // 3 for n in range(18)]
    vectors = middles[albums] + 0.3 * rng.normal(size=(18, 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    found = likeness(vectors, albums, ["all"] * 18)
    assert found.same_album == 1.0
    assert found.album_chance == pytest.approx(2 / 17)
    assert (found.same_genre, found.genre_chance) == (1.0, 1.0)
    off = ~np.eye(18, dtype=bool)
    assert found.mean_cosine == pytest.approx(float((vectors @ vectors.T)[off].mean()), abs=1e-6)
    assert found.as_dict()["tracks"] == 18


def test_drawn_vectors_are_together_by_chance_alone() -> None:
    vectors = np.random.default_rng(1).normal(size=(300, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    found = likeness(vectors, [n % 30 for n in range(300)], [None] * 300)
    assert found.same_album == pytest.approx(found.album_chance, abs=0.05)
    assert abs(found.mean_cosine) < 0.01
    assert (found.same_genre, found.genre_chance) == (0.0, 0.0)


def test_a_track_without_an_album_and_an_album_of_one_do_not_count() -> None:
    vectors = np.eye(4, dtype=np.float32)
    vectors[1] = vectors[0]
    found = likeness(vectors, ["a", "a", "b", None], ["x", "x", "x", "x"])
    assert found.same_album == 1.0
    assert found.album_chance == pytest.approx(1 / 3)
