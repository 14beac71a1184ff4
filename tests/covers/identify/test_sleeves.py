"""The network that finds a sleeve where lines do not."""

from __future__ import annotations

import cv2
import numpy as np

from engine.covers.identify.outlines import shift
from engine.covers.identify.sleeves import find_sleeves, first_corner, middle, moved
from engine.covers.photos.photo import Distortion, simulate_photo


def quads(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    angles = rng.uniform(-np.pi, np.pi, count)
    turns = np.array([[np.cos(angles), np.sin(angles)], [-np.sin(angles), np.cos(angles)]])
    turned = np.einsum("kc,cdn->nkd", square, turns)
    return turned + rng.normal(0, 0.05, turned.shape)


def test_a_middle_is_where_both_diagonals_are() -> None:
    made = quads(50)
    at = middle(made)
    for one, other in ((0, 2), (1, 3)):
        along, there = made[:, other] - made[:, one], at - made[:, one]
        assert np.abs(along[:, 0] * there[:, 1] - along[:, 1] * there[:, 0]).max() < 1e-9


def test_a_sleeve_is_the_same_from_whichever_corner_it_is_told() -> None:
    made = quads(50)
    first, turn = first_corner(made)
    assert np.abs(turn).max() <= 0.5
    again, same = first_corner(np.roll(made, -1, axis=1))
    assert np.allclose(turn, same)
    assert ((again + 1) % 4 == first).all()


def drawn(number: int) -> np.ndarray:
    """(256, 256, 3): a ground, two shapes and a line of bars."""
    rng = np.random.default_rng(number)
    picture = np.full((256, 256, 3), rng.integers(20, 235, 3), np.uint8)
    for _ in range(2):
        at, colour = rng.integers(60, 196, 2).tolist(), rng.integers(0, 255, 3).tolist()
        cv2.circle(picture, at, int(rng.integers(30, 70)), colour, -1, cv2.LINE_AA)
    for x in range(30, 220, 16):
        cv2.rectangle(picture, (x, 215), (x + 9, 235), rng.integers(0, 255, 3).tolist(), -1)
    return picture


def test_sleeves_are_found_under_hands_on_grounds_that_nothing_was_trained_on() -> None:
    how = Distortion(share=(0.2, 0.6), turn_deg=180, occlusion=(0.2, 0.3), defocus=(0, 0.01))
    off = []
    for number in range(30):
        rng = np.random.default_rng([5, number])
        made = simulate_photo(drawn(number), rng, how, size=240, held_out=True)
        found = shift(find_sleeves(made.image), made.quad).min()
        off.append(found / np.sqrt(cv2.contourArea(made.quad)))
    assert np.median(off) < 0.12
    assert np.mean(np.array(off) < 0.2) >= 0.8


def test_an_outline_a_tenth_off_has_one_beside_it_that_is_nearer() -> None:
    truth = np.array([[10, 12], [208, 6], [214, 204], [2, 210]], np.float32)
    middles, side = truth.mean(0), 200
    right, up = np.array([18, 0]), np.array([0, -18])
    for quad in (truth + right, truth + up, middles + (truth - middles) * 1.17):
        beside = moved(quad[None].astype(np.float32))
        assert beside.shape == (9, 4, 2)
        assert shift(beside, truth).min() < 0.05 * side < 0.085 * side < shift(quad[None], truth)


def test_a_picture_of_any_size_is_looked_at() -> None:
    for shape in ((32, 32), (33, 900), (1200, 40)):
        photo = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
        found = find_sleeves(photo)
        assert found.shape[1:] == (4, 2)
        assert np.isfinite(found).all()
