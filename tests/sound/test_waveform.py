"""`engine/sound/waveform.py`: peaks, fewer of them, and their drawings."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from engine.sound.waveform import LEAST, MOST, peaks, reduce, to_png, to_svg


def loud_in_the_middle(count: int) -> np.ndarray:
    samples = np.zeros(count, np.float32)
    samples[count // 3 : 2 * count // 3] = np.tile([0.5, -0.25], count)[: count // 3]
    return samples


@pytest.mark.parametrize("count", [1, 15, 16, 17, 1_000, 16_001])
@pytest.mark.parametrize("points", [LEAST, 100, MOST])
def test_peaks_are_the_ends_of_each_part(count: int, points: int) -> None:
    samples = np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)
    found = peaks(samples, points)
    assert found.shape == (points, 2)
    assert found.dtype == np.float32
    for n in range(points):
        begin, end = n * count // points, (n + 1) * count // points
        part = samples[begin : max(end, begin + 1)]
        assert (found[n, 0], found[n, 1]) == (part.min(), part.max())


def test_one_loud_sample_is_seen_in_any_number_of_points() -> None:
    samples = np.zeros(100_003, np.float32)
    samples[77_777] = -0.9
    kept = peaks(samples, MOST)
    for points in (LEAST, 99, 1_000, MOST):
        fewer = reduce(kept, points)
        assert fewer.shape == (points, 2)
        assert fewer[:, 0].min() == np.float32(-0.9)
        assert abs(int(fewer[:, 0].argmin()) - 77_777 * points // 100_003) <= 1
    assert reduce(kept[:20], 100).shape == (100, 2)


def test_an_svg_has_a_title_an_aspect_and_colours() -> None:
    drawn = peaks(loud_in_the_middle(9_000), 90)
    svg = to_svg(drawn, 'A "B" & <C>', width=300, height=60, foreground="#ff0000")
    root = ElementTree.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    assert root.attrib["viewBox"] == "0 0 300 60"
    assert (root.attrib["role"], root.findtext(f"{space}title")) == ("img", 'A "B" & <C>')
    assert root.find(f"{space}rect") is None
    polygon = root.find(f"{space}polygon")
    assert polygon is not None
    assert polygon.attrib["fill"] == "#ff0000"
    corners = [tuple(map(float, one.split(","))) for one in polygon.attrib["points"].split()]
    assert len(corners) == 180
    assert all(0 <= x <= 300 and 0 <= y <= 60 for x, y in corners)
    assert min(y for _, y in corners) == pytest.approx(15, abs=1)  # 0.5 of the upper half
    assert max(y for _, y in corners) == pytest.approx(38, abs=1)  # 0.25 of the lower
    rect = ElementTree.fromstring(to_svg(drawn, "x", background="#000000")).find(f"{space}rect")
    assert rect is not None


def test_a_png_shows_what_the_svg_shows() -> None:
    drawn = peaks(loud_in_the_middle(9_000), 90)
    clear = Image.open(io.BytesIO(to_png(drawn, width=300, height=60, foreground="#ff0000")))
    assert (clear.size, clear.mode) == ((300, 60), "RGBA")
    assert clear.getpixel((150, 25)) == (255, 0, 0, 255)
    assert clear.getpixel((150, 5))[3] == 0  # type: ignore[index]
    assert clear.getpixel((150, 45))[3] == 0  # type: ignore[index]
    assert clear.getpixel((20, 20))[3] == 0  # type: ignore[index]
    silent = [clear.getpixel((20, y))[3] for y in range(60)]  # type: ignore[index]
    assert sum(value > 0 for value in silent) in (1, 2)
    solid = Image.open(io.BytesIO(to_png(drawn, background="#0000ff")))
    assert solid.getpixel((1, 1)) == (0, 0, 255, 255)


@pytest.mark.parametrize("colour", ["red", "#fff", '"/><script>', "#12345g"])
def test_a_colour_that_is_none_is_refused(colour: str) -> None:
    drawn = np.zeros((16, 2), np.float32)
    with pytest.raises(ValueError, match="not a colour"):
        to_svg(drawn, "x", foreground=colour)
    with pytest.raises(ValueError, match="not a colour"):
        to_png(drawn, background=colour)
