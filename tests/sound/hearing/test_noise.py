"""`hearing/noise.py`: voices, streets, coloured noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engine.sound.hearing import noise

RATE = 8_000
Made = Callable[[np.random.Generator], noise.Samples]
KINDS: dict[str, Made] = {
    "pink": lambda rng: noise.coloured(rng, 2 * RATE, RATE, 1.0),
    "babble": lambda rng: noise.babble(rng, 2 * RATE, RATE),
    "street": lambda rng: noise.street(rng, 2 * RATE, RATE),
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_are_of_mean_square_one_and_of_their_seed(kind: str) -> None:
    made = KINDS[kind]
    samples = made(np.random.default_rng(1))
    assert samples.shape == (2 * RATE,)
    assert samples.dtype == np.float32
    assert np.square(samples).mean() == pytest.approx(1, abs=1e-3)
    assert np.array_equal(samples, made(np.random.default_rng(1)))
    assert not np.array_equal(samples, made(np.random.default_rng(2)))


@pytest.mark.parametrize(("slope", "ratio"), [(0.0, 1.0), (1.0, 4.0), (2.0, 16.0)])
def test_the_slope_is_the_spectrums(slope: float, ratio: float) -> None:
    rng = np.random.default_rng(3)
    power = np.abs(np.fft.rfft(noise.coloured(rng, 8 * RATE, RATE, slope))) ** 2
    hz = np.linspace(0, RATE / 2, len(power))
    low = power[(hz > 450) & (hz < 550)].mean()
    high = power[(hz > 1_800) & (hz < 2_200)].mean()
    assert low / high == pytest.approx(ratio, rel=0.2)


def test_a_voice_comes_in_syllables_and_below_its_third_formant() -> None:
    samples = noise.speech(np.random.default_rng(4), 4 * RATE, RATE)
    loudness = np.sqrt(np.square(samples.reshape(-1, RATE // 50)).mean(1))
    assert loudness.std() > 0.4 * loudness.mean()
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.linspace(0, RATE / 2, len(power))
    assert power[hz < 3_300].sum() > 0.9 * power.sum()


def test_given_recordings_are_what_is_said() -> None:
    """Of one tone, babble is that tone."""
    tone = np.sin(2 * np.pi * 700 * np.arange(10 * RATE) / RATE).astype(np.float32)
    said = noise.babble(np.random.default_rng(5), 2 * RATE, RATE, tone)
    assert np.abs(np.fft.rfft(said)).argmax() == 700 * 2


def test_silence_stays_silent() -> None:
    assert not noise.normal(np.zeros(8, np.float32)).any()


@pytest.mark.parametrize("samples", [1, 7, 1_000, 8_191, 100_003])
def test_fast_lengths_are_no_shorter_and_little_longer(samples: int) -> None:
    assert samples <= noise.fast_length(samples) <= 1.34 * samples + 1
