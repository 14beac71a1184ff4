"""Layout codes: what a turn does to features, and what a hand does to a code."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.covers.identify import layout
from engine.covers.identify.layout import Basis
from engine.covers.identify.views import summed


def covers(count: int) -> np.ndarray:
    """(count, 64, 64, 3): a ground in one of two colours, three blobs and a bar of title."""
    rng = np.random.default_rng(4)
    made = []
    for number in range(count):
        picture = np.full((64, 64, 3), (40, 90, 60) if number % 2 else (190, 180, 150), np.uint8)
        for _ in range(3):
            at = rng.integers(8, 56, 2).tolist()
            colour = rng.integers(0, 255, 3).tolist()
            cv2.circle(picture, at, int(rng.integers(5, 14)), colour, -1, cv2.LINE_AA)
        left, right = sorted(rng.integers(4, 60, 2).tolist())
        cv2.rectangle(picture, (left, 4), (right, 9), (250, 250, 240), -1)
        made.append(picture)
    return np.stack(made)


def test_a_turned_view_has_its_features_elsewhere() -> None:
    views = covers(3)
    upright, turned = layout.features(views), layout.features_turned(views)
    for quarters, places in enumerate(layout.turns()):
        assert np.allclose(upright[:, places], turned[:, quarters], atol=1e-6)
        really = layout.features(np.rot90(views, quarters, (1, 2)).copy())
        assert np.abs(really - turned[:, quarters]).max() < 0.05


def test_a_quarter_of_the_cells_turns_into_all() -> None:
    places = np.concatenate([turn[layout.quarter()] for turn in layout.turns()])
    assert sorted(places.tolist()) == list(range(1296))


def test_a_hand_over_a_third_leaves_a_cover_nearest_to_itself() -> None:
    known = covers(120)
    features = layout.features(known)
    basis = Basis.fit(features)
    hidden = known[:60].copy()
    for number, picture in enumerate(hidden):
        corner = ((0, 0), (63, 0), (63, 63), (0, 63))[number % 4]
        cv2.ellipse(picture, corner, (46, 36), 0, 0, 360, (205, 150, 115), -1, cv2.LINE_AA)
    nearest = (basis.codes(layout.features(hidden)) @ basis.codes(features).T).argmax(1)
    by_features = (layout.features(hidden) @ features.T).argmax(1)
    right = np.mean(nearest == np.arange(60))
    assert right >= 0.9
    assert right > np.mean(by_features == np.arange(60))


@pytest.mark.parametrize("count", [2, 255])
def test_axes_of_few_covers_are_those_of_many(count: int) -> None:
    """Fewer covers than axes take a shorter way, to the same likeness of any two of them."""
    features = layout.features(covers(count))
    codes = Basis.fit(features).codes(features)
    assert np.allclose(np.linalg.norm(codes, axis=1), 1, atol=1e-4)
    whiten = layout._whitening()
    assert np.allclose(whiten @ layout._noise() @ whiten.T, np.eye(1296), atol=1e-6)
    rows = (features - features.mean(0)).astype(np.float64) @ whiten.T / np.sqrt(count)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    right = rows @ vectors[:, -256:] * (1 + np.maximum(values[-256:], 0)) ** -0.25
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    assert np.allclose(codes @ codes.T, right @ right.T, atol=1e-4)
    axes = Basis.fit(features).axes
    assert np.linalg.matrix_rank(axes) == 256


def test_channels_are_summed_to_the_bit_as_if_one_by_one() -> None:
    """A calibration weighs what rests on these sums: a faster way must not be another one."""
    rng = np.random.default_rng(9)
    for shape in ((3, 60, 60, 3), (1, 64, 64, 3), (128, 128, 3), (7, 5, 3)):
        values = rng.normal(0, 100, shape).astype(np.float32)
        assert np.array_equal(summed(values), values[..., 0] + values[..., 1] + values[..., 2])
        inner = values[:, 2:-2, 1:-1] if values.ndim == 4 else values[1:-1, 2:-1]
        assert np.array_equal(summed(inner), inner[..., 0] + inner[..., 1] + inner[..., 2])
