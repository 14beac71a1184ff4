"""`hearing/codec.py`: encoded, decoded again, in step."""

from __future__ import annotations

import numpy as np
import pytest

from engine.sound.hearing import codec, noise

RATE = 16_000


def bursts() -> noise.Samples:
    """Three seconds of noise that comes and goes, band-limited as any codec passes it."""
    rng = np.random.default_rng(7)
    samples = noise.coloured(rng, 3 * RATE, RATE, 1.0)
    t = np.arange(len(samples)) / RATE
    return (0.1 * samples * (np.sin(2 * np.pi * 1.7 * t**1.3) > 0.2)).astype(np.float32)


def envelope(samples: noise.Samples) -> noise.Samples:
    return np.asarray(np.sqrt(np.square(samples).reshape(-1, 80).mean(1)))


def test_opus_aac_mp3_and_amr_are_there() -> None:
    assert set(codec.available()) == set(codec.CODECS)


@pytest.mark.parametrize("name", codec.CODECS)
def test_it_comes_back_in_step_and_alike(name: str) -> None:
    sent = bursts()
    back = codec.coded(sent, RATE, name)
    assert back.shape == sent.shape
    assert back.dtype == np.float32
    assert not np.array_equal(back, sent)
    ours, theirs = envelope(sent), envelope(back)
    likeness = [
        float(np.corrcoef(ours[20:-20], np.roll(theirs, late)[20:-20])[0, 1])
        for late in range(-8, 9)
    ]
    assert abs(int(np.argmax(likeness)) - 8) <= 1  # of 5 ms
    assert max(likeness) > 0.9


def test_fewer_bits_leave_less() -> None:
    sent = bursts()
    left = [
        float(np.corrcoef(sent, codec.coded(sent, RATE, name))[0, 1])
        for name in ("aac-64k", "opus-12k")
    ]
    assert left[0] > left[1]
