"""Keypoints: those of a mirror image, of a cover among others, of artifacts built before."""

from __future__ import annotations

import cv2
import numpy as np

from engine.covers.identify.keypoints import KeypointIndex, agreeing, of_cover, of_photo
from engine.covers.photos.photo import Distortion, simulate_photo


def printed(number: int) -> np.ndarray:
    """(256, 180, 3) uint8: discs and boxes, taller than wide."""
    rng = np.random.default_rng([29, number])
    image = np.full((256, 180, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(40):
        x, y = (int(one) for one in rng.integers(0, (180, 256)))
        size = int(rng.integers(5, 30))
        colour = rng.integers(0, 256, 3).tolist()
        cv2.rectangle(image, (x, y), (x + size, y + size // 2 + 4), colour, -1)
        cv2.circle(image, (y % 180, x), size // 3 + 2, colour[::-1], -1)
    return image


def test_keypoints_of_a_mirror_image_are_those_looked_for_in_it() -> None:
    picture = cv2.resize(printed(0), (360, 512))
    reckoned = of_photo(picture).mirrored(360)
    looked = of_photo(np.ascontiguousarray(picture[:, ::-1]))
    apart = np.abs(reckoned.places[:, None, :2] - looked.places[None, :, :2]).max(2)
    turned = np.abs((reckoned.places[:, None, 3] - looked.places[None, :, 3] + 180) % 360 - 180)
    unlike = reckoned.descriptors.astype(np.float32)[:, None] - looked.descriptors[None]
    same = (apart < 1.5) & (turned < 5) & (np.linalg.norm(unlike, axis=2) < 120)
    assert same.any(1).mean() > 0.8
    as_it_was = of_photo(picture).descriptors.astype(np.float32)
    unlike = np.linalg.norm(as_it_was[:, None] - looked.descriptors[None], axis=2)
    as_it_was_same = (apart < 1.5) & (turned < 5) & (unlike < 120)
    assert as_it_was_same.any(1).mean() < 0.3, "another order of a descriptor is another one"


def test_keypoints_vote_for_the_cover_and_where_it_lies() -> None:
    index = KeypointIndex.of([of_cover(printed(number)) for number in range(12)])
    assert index is not None
    assert index.is_of(12)
    assert not index.is_of(11), "a keypoint of a twelfth cover"
    for number in (2, 9):
        how = Distortion(share=(0.4, 0.4), turn_deg=180, tilt_deg=(10, 10))
        photo = simulate_photo(printed(number), np.random.default_rng(number), how)
        first = next(index.voted(of_photo(photo.image), 3))
        assert first.row == number
        side = float(np.sqrt(cv2.contourArea(photo.quad)))
        assert np.abs(first.quad - photo.quad).max() < 0.15 * side


def test_nothing_votes_where_there_is_nothing_to_see() -> None:
    index = KeypointIndex.of([of_cover(printed(0))])
    assert index is not None
    grey = np.full((360, 480, 3), 128, np.uint8)
    assert len(of_photo(grey).places) == 0
    assert list(index.voted(of_photo(grey), 3)) == []
    assert KeypointIndex.of([of_cover(grey)]) is None


def test_keypoints_agree_with_the_cover_that_lies_there_alone() -> None:
    how = Distortion(share=(0.4, 0.4), turn_deg=180, tilt_deg=(10, 10))
    photo = simulate_photo(printed(2), np.random.default_rng(2), how)
    keypoints = of_photo(photo.image)
    at = agreeing(keypoints, of_cover(printed(2), 300), photo.quad)
    assert len(at) > 30
    assert at.min() >= 0
    assert at.max() <= 256
    assert len(agreeing(keypoints, of_cover(printed(3), 300), photo.quad)) < 5
    elsewhere = np.roll(photo.quad, 1, axis=0)
    assert len(agreeing(keypoints, of_cover(printed(2), 300), elsewhere)) < 5
    nothing = of_photo(np.full((360, 480, 3), 128, np.uint8))
    assert len(agreeing(nothing, of_cover(printed(2)), photo.quad)) == 0
