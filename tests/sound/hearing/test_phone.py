"""`hearing/phone.py`: a recording as a phone hears it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.sound.hearing import noise, phone, rooms

RATE = 8_000
PLAIN = phone.Place(responses=None, snr_db=None, lowest_hz=1.0, highest_hz=1e6)


def tone(hz: float, seconds: float = 2.0) -> noise.Samples:
    t = np.arange(int(seconds * RATE)) / RATE
    return np.asarray(0.3 * np.sin(2 * np.pi * hz * t), np.float32)


def heard(place: phone.Place, samples: noise.Samples, seed: int = 1) -> noise.Samples:
    return place.heard(samples, RATE, np.random.default_rng(seed))


def level_db(samples: noise.Samples) -> float:
    return float(10 * np.log10(np.square(samples).mean()))


def test_nothing_simulated_is_the_recording_at_another_level() -> None:
    samples = noise.coloured(np.random.default_rng(0), RATE, RATE, 1.0)
    found = heard(replace(PLAIN, level_db=-30.0), samples)
    assert level_db(found) == pytest.approx(-30, abs=0.01)
    assert np.corrcoef(found, samples)[0, 1] > 0.999


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 10.0])
@pytest.mark.parametrize("kind", ["babble", "street", "pink", "babble+pink"])
def test_noise_is_as_loud_as_was_asked(kind: str, snr_db: float) -> None:
    samples = tone(1_234.5)
    found = heard(replace(PLAIN, snr_db=snr_db, noise=kind), samples)
    share = np.corrcoef(found, samples)[0, 1] ** 2
    assert 10 * np.log10(share / (1 - share)) == pytest.approx(snr_db, abs=1.0)


def test_what_loudspeaker_and_microphone_do_not_pass_is_gone() -> None:
    place = replace(PLAIN, lowest_hz=300.0, highest_hz=3_000.0, poles=3)
    found = np.abs(np.fft.rfft(heard(place, tone(100) + tone(1_000) + tone(3_900))))
    assert found[200] < found[2_000] / 20
    assert found[7_800] < found[2_000] / 4


def test_faster_is_higher_and_shorter() -> None:
    found = heard(replace(PLAIN, speed=1.02), tone(1_000))
    assert len(found) == pytest.approx(2 * RATE / 1.02, abs=4)
    peak = np.abs(np.fft.rfft(found)).argmax() * RATE / len(found)
    assert peak == pytest.approx(1_020, abs=1)


def test_a_room_and_a_codec_leave_it_where_it_was() -> None:
    samples = np.zeros(3 * RATE, np.float32)
    samples[RATE : RATE + RATE // 2] = tone(800, 0.5)
    responses = rooms.two(np.random.default_rng(2), RATE)
    place = replace(PLAIN, responses=responses, codec="opus-24k", lowest_hz=100.0)
    found = heard(place, samples)
    assert found.shape == samples.shape
    before, during = found[: RATE - RATE // 50], found[RATE : RATE + RATE // 2]
    assert level_db(before + 1e-9) < level_db(during) - 20


def test_too_loud_is_clipped_softly() -> None:
    spectrum = np.abs(np.fft.rfft(heard(replace(PLAIN, drive_db=12.0), tone(500))))
    assert spectrum[3_000] > 0.05 * spectrum[1_000]  # the third harmonic
    assert np.abs(heard(replace(PLAIN, level_db=0.0), tone(500))).max() <= 1


def test_invented_places_are_of_their_seed_and_finite() -> None:
    samples = tone(440) + tone(660)
    for seed in range(3):
        made = []
        for _ in range(2):
            rng = np.random.default_rng(seed)
            place = phone.invent(rng, responses=rooms.two(rng, RATE), snr_db=3.0, speed=0.99)
            made.append(place.heard(samples, RATE, rng))
        assert np.array_equal(*made)
        assert np.isfinite(made[0]).all()
        assert made[0].any()


def test_silence_stays_without_what_is_no_number() -> None:
    silence = np.zeros(RATE, np.float32)
    assert np.isfinite(heard(replace(PLAIN, snr_db=0.0, drive_db=3.0), silence)).all()
