"""`fingerprint/spectrum.py`: samples → mel frames."""

from __future__ import annotations

import numpy as np
import pytest

from engine.sound.fingerprint import spectrum


def tone(hz: float, seconds: float, rate: int) -> spectrum.Samples:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def test_a_tone_that_8_khz_can_hold_passes_where_it_was() -> None:
    inside = slice(100, -100)
    halved = spectrum.halve(tone(1_000, 0.5, 16_000))
    assert np.allclose(halved[inside], tone(1_000, 0.5, 8_000)[inside], atol=1e-3)


def test_a_tone_above_4_khz_does_not_come_back_as_another() -> None:
    halved = spectrum.halve(tone(4_800, 0.5, 16_000))
    assert np.abs(halved[100:-100]).max() < 1e-3


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (511, 0), (512, 1), (636, 1), (637, 2)])
def test_frames_are_of_whole_windows_alone(samples: int, frames: int) -> None:
    assert spectrum.frames(np.zeros(samples, np.float32)).shape == (frames, spectrum.BANDS)


def test_a_tone_is_loudest_in_the_band_of_its_pitch() -> None:
    mel = np.linspace(*2595 * np.log10(1 + np.array([150, 3_800]) / 700), spectrum.BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    for hz in (300, 1_000, 3_000):
        loudest = spectrum.frames(tone(hz, 0.2, 8_000)).mean(0).argmax()
        assert edges[loudest] < hz < edges[loudest + 2]


def test_a_frame_is_of_its_own_samples(rng: np.random.Generator) -> None:
    samples = rng.standard_normal(8_000).astype(np.float32)
    later = spectrum.frames(samples[5 * spectrum.HOP :])
    assert np.allclose(spectrum.frames(samples)[5:], later, rtol=1e-5)


def test_ten_thousand_frames_are_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = tone(440, 2, 8_000)
    whole = spectrum.frames(samples)
    monkeypatch.setattr(spectrum, "TOGETHER", 7)
    assert np.allclose(spectrum.frames(samples), whole, atol=1e-6)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)
