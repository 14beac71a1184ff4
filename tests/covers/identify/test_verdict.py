"""What lies over a cover is no other cover: the network over the maps of a comparison."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.covers.identify import layout, network, verdict
from engine.covers.identify.proof import Proof, Reference, Windows, own_map, prove
from engine.covers.identify.views import halvings

QUAD = np.array([[60, 30], [300, 40], [290, 280], [50, 270]], np.float32)


def series(title: str, thing: int) -> np.ndarray:
    """(256, 256, 3) uint8: one ground, its own title and thing."""
    rays = np.full((256, 256, 3), (70, 110, 60), np.uint8)
    for angle in range(0, 360, 30):
        ends = [(128 + 300 * np.cos(np.radians(a)), 128 + 300 * np.sin(np.radians(a)))
                for a in (angle, angle + 15)]  # fmt: skip
        cv2.fillPoly(rays, [np.array([(128, 128), *ends], np.int32)], (90, 150, 80))
    cv2.circle(rays, (128, 128), 60, (225, 200, 120), -1, cv2.LINE_AA)
    cv2.ellipse(rays, (128, 128), (40, 18), 45 * thing, 0, 360, (190, 40, 50), -1, cv2.LINE_AA)
    for line, word in enumerate(title.split()):
        at = (14, 44 if line == 0 else 240)
        cv2.putText(rays, word, at, cv2.FONT_HERSHEY_DUPLEX, 1.5, (250, 240, 220), 3, cv2.LINE_AA)
    return rays


def photo(cover: np.ndarray, *, hand: bool) -> np.ndarray:
    corners = np.array([[0, 0], [256, 0], [256, 256], [0, 256]], np.float32)
    warp = cv2.getPerspectiveTransform(corners, QUAD)
    frame = np.full((320, 360, 3), 120, np.uint8)
    cv2.warpPerspective(cover, warp, (360, 320), frame, borderMode=cv2.BORDER_TRANSPARENT)
    if hand:
        cv2.ellipse(frame, (255, 180), (62, 80), 20, 0, 360, (205, 150, 115), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(frame, (0, 0), 0.8)


def compared(picture: np.ndarray, cover: np.ndarray) -> Proof:
    """With what is the cover's own beside another of the series."""
    window = layout.SIDE // 8 + 1
    one, other = (Windows(layout.shrunk(c), window) for c in (cover, series("EVENING FERRIES", 2)))
    proof = prove(halvings(picture), QUAD, Reference(cover, own_map(one, [other])))
    assert proof is not None
    return proof


def test_a_hand_over_a_cover_counts_for_less_than_another_title() -> None:
    shown = series("MOONLIT RIVERS", 0)
    own = compared(photo(shown, hand=True), shown)
    other = compared(photo(shown, hand=False), series("GARDEN VOICES", 1))
    # The hand hides more than the letters differ in: shares of windows have it the wrong way round.
    assert own.seen < other.seen + 0.2
    assert own.verdict > other.verdict + 2


def test_a_cover_in_full_view_is_itself() -> None:
    shown = series("MOONLIT RIVERS", 0)
    assert compared(photo(shown, hand=False), shown).verdict > 3


def test_numpy_says_what_torch_says() -> None:
    torch = pytest.importorskip("torch")
    from training.verdict import Network

    weights = {name: torch.tensor(value) for name, value in network.read(verdict.WEIGHTS).items()}
    trained = Network(weights["mean"].flatten(), weights["deviation"].flatten())
    trained.load_state_dict(weights)
    rng = np.random.default_rng(0)
    mean, deviation = (network.read(verdict.WEIGHTS)[name] for name in ("mean", "deviation"))
    maps = (mean + deviation * rng.normal(0, 1, (9, 12, 16, 16))).astype(np.float32)
    with torch.no_grad():
        expected = np.clip(trained(torch.tensor(maps)).numpy(), -12, 12)
    assert np.allclose([verdict.verdict(one) for one in maps], expected, atol=1e-3)
