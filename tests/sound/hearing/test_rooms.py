"""`hearing/rooms.py`: shoebox rooms → impulse responses."""

from __future__ import annotations

import numpy as np
import pytest

from engine.sound.hearing import rooms

RATE = 8_000


def decay_s(response: rooms.Samples) -> float:
    """Of 60 dB, by Schroeder's backward sum between −5 and −25 dB."""
    left = np.cumsum(np.square(response[::-1]))[::-1]
    db = 10 * np.log10(left / left[0] + 1e-12)
    return 3 * float(np.argmax(db < -25) - np.argmax(db < -5)) / RATE


@pytest.mark.parametrize("asked_s", [0.3, 0.6, 0.9])
def test_it_decays_in_the_time_that_was_asked(asked_s: float) -> None:
    rng = np.random.default_rng(1)
    decays = (asked_s, asked_s, asked_s)
    room = rooms.Room((6.0, 5.0, 3.0), (1.2, 1.1, 1.3), (4.4, 3.7, 1.6), decays)
    found = decay_s(rooms.response(room, RATE, rng))
    # Eyring's formula is of sound that goes everywhere alike; in a shoebox what goes along its
    # longest side meets few walls and stays, the longer the more they absorb.
    assert 0.8 * asked_s < found < 1.6 * asked_s


def test_the_direct_sound_comes_first_and_energy_is_one() -> None:
    rng = np.random.default_rng(2)
    room = rooms.Room((6.0, 5.0, 3.0), (2.0, 2.0, 1.5), (2.6, 2.0, 1.5), (0.3, 0.3, 0.3))
    response = rooms.response(room, RATE, rng)
    assert np.abs(response).argmax() <= 1
    assert np.square(response).sum() == pytest.approx(1, abs=1e-4)


def test_the_first_reflection_is_the_floors() -> None:
    """1 m apart, 1 m above the floor: by it, √5 m; the other walls are farther."""
    room = rooms.Room((9.0, 9.0, 4.0), (4.0, 4.5, 1.0), (5.0, 4.5, 1.0), (0.5, 0.5, 0.5))
    times, _ = rooms._images(room, np.random.default_rng(3))
    first, second = np.sort(times)[:2]
    assert first == pytest.approx(1 / 343)
    assert second == pytest.approx(np.sqrt(5) / 343, abs=0.03 / 343)


def test_trebles_die_before_basses() -> None:
    rng = np.random.default_rng(4)
    room = rooms.Room((6.0, 5.0, 3.0), (1.2, 1.1, 1.3), (4.4, 3.7, 1.6), (0.9, 0.6, 0.2))
    spectrum = np.abs(np.fft.rfft(rooms.response(room, RATE, rng)[int(0.25 * RATE) :]))
    hz = np.linspace(0, RATE / 2, len(spectrum))
    assert spectrum[hz < 400].mean() > 10 * spectrum[hz > 2_500].mean()


def test_the_same_seed_is_the_same_room() -> None:
    for one, two in zip(
        rooms.two(np.random.default_rng(5), RATE),
        rooms.two(np.random.default_rng(5), RATE),
        strict=True,
    ):
        assert np.array_equal(one, two)
        assert np.isfinite(one).all()
