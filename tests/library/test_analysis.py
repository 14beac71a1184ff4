"""Loudness against EBU Tech 3341, tempi of clicks, keys of chords, and what has none of them."""

from __future__ import annotations

import dataclasses
import json
import math
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest

from engine.base.errors import AudioTooShort, InvalidRequest, UnreadableAudio
from engine.library.analysis import Analysis, analyse
from engine.library.analysis.blocks import RATE, WIDE_RATE, Framer, mono, seconds
from engine.library.analysis.key import NAMES, Pitches, key
from engine.library.analysis.loudness import Meter
from engine.library.analysis.measures import Brightness, danceability, energy, strokes_per_s
from engine.library.analysis.tempo import FPS, Onsets, Tempo, tempo
from engine.sound.audio import encode

Samples = np.ndarray
RNG_SEED = 3


def sine(hz: float, seconds: float, dbfs: float, rate: int = WIDE_RATE) -> Samples:
    """(N,) float32 of that peak."""
    at = np.arange(round(seconds * rate)) / rate
    return (10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def noise(seconds: float, level: float = 0.1, rate: int = RATE) -> Samples:
    drawn = np.random.default_rng(RNG_SEED).normal(0, level, round(seconds * rate))
    return drawn.astype(np.float32)


def clicks(bpm: float, seconds: float, *, accents: int = 4, rate: int = RATE) -> Samples:
    """Bursts of 30 ms on every beat, a softer one between, the first of a bar louder."""
    made, burst = np.zeros(round(seconds * rate), np.float32), noise(0.03, 0.3, rate)
    burst *= np.linspace(1, 0, len(burst), dtype=np.float32)
    half = 30 / bpm
    for number in range(int(seconds / half)):
        start = round(number * half * rate)
        level = 1.0 if number % (2 * accents) == 0 else 0.6 if number % 2 == 0 else 0.2
        room = made[start : start + len(burst)]
        room += level * burst[: len(room)]
    return made


def chord(root: int, minor: bool, seconds: float = 0.75) -> Samples:
    """A triad and its bass, of five partials each, at 16 kHz."""
    at = np.arange(round(seconds * RATE)) / RATE
    made = np.zeros(len(at))
    for pitch in (root - 12, root, root + (3 if minor else 4), root + 7):
        hz = 440 * 2 ** ((pitch - 69) / 12)
        for partial in range(1, 6):
            made += np.sin(2 * np.pi * hz * partial * at) / partial**1.5
    return (0.05 * made * np.minimum(1, 20 * (seconds - at))).astype(np.float32)


def cadence(tonic: int, minor: bool, cents: float = 0) -> Samples:
    """I IV V I or i iv V i, as every textbook has it."""
    middle = 60 + tonic + cents / 100
    parts = [(0, minor), (5, minor), (7, False), (0, minor)]
    return np.concatenate([chord(middle + up, kind) for up, kind in parts])


def measured(wide: Samples) -> Meter:
    meter = Meter()
    for start in range(0, len(wide), WIDE_RATE):
        meter.add(wide[start : start + WIDE_RATE])
    meter.end()
    return meter


def strokes_of(samples: Samples) -> np.ndarray:
    onsets = Onsets()
    onsets.add(samples)
    return onsets.end()


def key_of(samples: Samples) -> str | None:
    pitches = Pitches()
    pitches.add(samples)
    return key(pitches.end()).name


def written(path: Path, samples: Samples, rate: int = WIDE_RATE, codec: str = "pcm_s24le") -> Path:
    path.write_bytes(encode(samples, rate, "wav", codec))
    return path


def both(samples: Samples) -> Samples:
    return np.stack([samples, samples], 1)


# Loudness: signals of EBU Tech 3341 (2016), table 1; each must read within 0.1 LU.


@pytest.mark.parametrize(("dbfs", "lufs"), [(-23.0, -23.0), (-33.0, -33.0)])
def test_a_stereo_sine_reads_as_tech_3341_says(dbfs: float, lufs: float) -> None:
    assert measured(both(sine(1_000, 20, dbfs))).lufs == pytest.approx(lufs, abs=0.1)


@pytest.mark.parametrize(
    "levels",
    [
        pytest.param([(-36, 10), (-23, 60), (-36, 10)], id="case 3, the relative gate"),
        pytest.param([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], id="case 4, both"),
        pytest.param([(-26, 20), (-20, 20.1), (-26, 20)], id="case 5, no gate"),
    ],
)
def test_quiet_parts_are_gated_as_tech_3341_says(levels: list[tuple[float, float]]) -> None:
    # At a fifth of their lengths, which gates and means do not know of.
    parts = [sine(1_000, seconds / 5, dbfs) for dbfs, seconds in levels]
    # Blocks that straddle two levels weigh more in less time.
    assert measured(both(np.concatenate(parts))).lufs == pytest.approx(-23.0, abs=0.3)


def test_one_channel_is_3_lu_less_than_the_same_in_both() -> None:
    one = sine(1_000, 4, -20)
    alone, twice = measured(one[:, None]).lufs, measured(both(one)).lufs
    assert alone is not None
    assert twice is not None
    assert twice - alone == pytest.approx(3.01, abs=0.02)


def test_the_peak_is_the_largest_sample_of_any_channel() -> None:
    wide = both(sine(100, 1, -20))
    wide[777, 1] = -0.5
    assert measured(wide).peak_dbfs == pytest.approx(20 * math.log10(0.5), abs=1e-4)


@pytest.mark.parametrize("count", [1, 480, 12_000, 19_199])
def test_what_is_shorter_than_a_block_has_a_loudness(count: int) -> None:
    meter = measured(both(sine(1_000, 1, -3) + 0.1)[:count])
    assert meter.lufs is not None
    assert -70 < meter.lufs < 0


@pytest.mark.parametrize("dbfs", [-math.inf, -95.0, -75.0])
def test_what_stays_below_the_gate_has_no_loudness(dbfs: float) -> None:
    assert measured(both(sine(1_000, 2, dbfs))).lufs is None


def test_a_meter_that_heard_nothing_says_so() -> None:
    meter = Meter()
    meter.end()
    assert meter.lufs is None
    assert meter.peak_dbfs is None


# Tempo


@pytest.mark.parametrize("bpm", [62.0, 75.0, 90.0, 107.5, 120.0, 133.3, 150.0, 174.0])
def test_clicks_have_their_tempo_counting_halves_and_doubles(bpm: float) -> None:
    found = tempo(strokes_of(clicks(bpm, 16))).bpm
    assert found is not None
    octaves = round(math.log2(found / bpm))
    assert octaves in (-1, 0, 1)
    assert found / bpm / 2**octaves == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("bpm", [90.0, 107.5, 120.0, 133.3])
def test_of_halves_and_doubles_the_usual_is_said(bpm: float) -> None:
    assert tempo(strokes_of(clicks(bpm, 16))).bpm == pytest.approx(bpm, rel=0.005)


def test_of_two_tempi_the_longer_is_said() -> None:
    samples = np.concatenate([clicks(90, 12), clicks(127, 36)])
    assert tempo(strokes_of(samples)).bpm == pytest.approx(127, rel=0.01)


def test_volume_changes_no_tempo() -> None:
    loud = clicks(110, 12)
    assert tempo(strokes_of(loud / 30)).bpm == pytest.approx(110, rel=0.005)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(10 * RATE, np.float32), id="silence"),
        pytest.param(sine(440, 20, -10, RATE), id="a steady tone"),
        pytest.param(clicks(120, 3.5), id="shorter than 4 s"),
        pytest.param(np.zeros(0, np.float32), id="nothing"),
    ],
)
def test_what_has_no_beat_has_no_tempo(samples: Samples) -> None:
    assert tempo(strokes_of(samples)).bpm is None


def test_noise_is_less_regular_than_any_beat() -> None:
    assert tempo(strokes_of(noise(30))).regularity < 0.1
    assert tempo(strokes_of(clicks(120, 30))).regularity > 0.5


# Key


@pytest.mark.parametrize("minor", [False, True], ids=["major", "minor"])
@pytest.mark.parametrize("tonic", range(12), ids=NAMES)
def test_a_cadence_is_in_its_key(tonic: int, minor: bool) -> None:
    assert key_of(cadence(tonic, minor)) == f"{NAMES[tonic]} {'minor' if minor else 'major'}"


@pytest.mark.parametrize("cents", [-45, -30, 30, 45])
def test_a_recording_has_a_tuning_of_its_own(cents: float) -> None:
    assert key_of(cadence(2, False, cents)) == "D major"


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(5 * RATE, np.float32), id="silence"),
        pytest.param(noise(10), id="noise"),
        pytest.param(np.zeros(0, np.float32), id="nothing"),
    ],
)
def test_what_has_no_pitch_has_no_key(samples: Samples) -> None:
    assert key_of(samples) is None


def test_a_key_that_is_told_apart_is_surer_than_a_lone_fifth() -> None:
    def confidence(samples: Samples) -> float:
        pitches = Pitches()
        pitches.add(samples)
        return key(pitches.end()).confidence

    fifth = sine(220, 3, -20, RATE) + sine(330, 3, -20, RATE)
    assert confidence(cadence(0, False)) > confidence(fifth)


# Measures


def test_energy_is_the_mean_of_three_and_stays_within_0_and_1() -> None:
    assert energy(6, 8, 4_000) == pytest.approx(1)
    assert energy(24, 0, 250) == pytest.approx(0)
    assert energy(15, 4, 1_000) == pytest.approx(0.5)
    assert energy(-10, 100, 1e5) == 1
    assert energy(90, 0, 0) == 0


def test_danceability_is_regularity_by_pace() -> None:
    assert danceability(Tempo(120, 0.6)) == pytest.approx(1)
    assert danceability(Tempo(120, 0.15)) == pytest.approx(0.5)
    assert danceability(Tempo(60, 0.6)) == pytest.approx(math.exp(-0.25 / 0.6**2))
    assert danceability(Tempo(None, 0.6)) == 0


def test_strokes_are_counted() -> None:
    assert strokes_per_s(strokes_of(clicks(120, 10, accents=1))) == pytest.approx(2, abs=0.2)
    assert strokes_per_s(np.zeros(0, np.float32)) == 0


def test_the_middle_of_two_tones_spectrum_lies_between_them() -> None:
    bright = Brightness()
    assert bright.hz == 0
    bright.add(sine(500, 1, -20, RATE) + sine(1_500, 1, -20, RATE))
    assert bright.hz == pytest.approx(1_000, abs=30)


# Blocks


def test_frames_are_the_same_however_samples_come() -> None:
    samples, at_once, by_parts = noise(1), Framer(512, 160), Framer(512, 160)
    whole = np.concatenate([at_once.add(samples), at_once.end()])
    parts = [by_parts.add(samples[start : start + 777]) for start in range(0, len(samples), 777)]
    assert np.array_equal(whole, np.concatenate([*parts, by_parts.end()]))
    assert len(whole) == len(samples) // 160 + 1


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_no_second_of_a_file_is_lost(tmp_path: Path, rate: int) -> None:
    path = written(tmp_path / "a.wav", both(sine(440, 2.4, -20, rate)), rate)
    wide, one = np.concatenate(list(seconds(path))), np.concatenate(list(mono(path)))
    assert wide.shape == (pytest.approx(2.4 * WIDE_RATE, abs=2), 2)
    assert one.shape == (pytest.approx(2.4 * RATE, abs=2),)


def test_channels_that_cancel_each_other_are_heard(tmp_path: Path) -> None:
    one = np.repeat(cadence(9, True), 3)  # 16 → 48 kHz, roughly
    found = analyse(written(tmp_path / "a.wav", np.stack([one, -one], 1)))
    assert found.key == "A minor"
    assert found.loudness_lufs is not None


# The whole


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds in F minor at 120 beats a minute."""
    chords = np.tile(cadence(5, True), 4)
    samples = np.repeat(chords + 0.5 * clicks(120, len(chords) / RATE), 3).astype(np.float32)
    return written(tmp_path_factory.mktemp("music") / "music.wav", both(samples))


def test_a_file_is_analysed_and_told_how_far(music: Path) -> None:
    told: list[float] = []
    found = analyse(music, told.append)
    assert found.bpm == pytest.approx(120, rel=0.01)
    assert found.key == "F minor"
    assert not found.silent
    assert found.duration_s == pytest.approx(12, abs=0.01)
    assert told == sorted(told)
    assert told[:3] == [0.5, 1, 1.5]
    assert told[-1] == pytest.approx(found.duration_s, abs=0.01)


def test_the_same_file_gives_the_same_numbers(music: Path) -> None:
    assert analyse(music) == analyse(music)


def test_volume_changes_loudness_alone(music: Path, tmp_path: Path) -> None:
    quieter = np.concatenate(list(seconds(music))) / 8
    loud, quiet = analyse(music), analyse(written(tmp_path / "quiet.wav", quieter))
    assert loud.loudness_lufs is not None
    assert quiet.loudness_lufs is not None
    assert loud.loudness_lufs - quiet.loudness_lufs == pytest.approx(18.06, abs=0.05)
    assert quiet.energy == pytest.approx(loud.energy, abs=0.01)
    assert quiet.danceability == pytest.approx(loud.danceability, abs=0.01)
    assert (quiet.key, quiet.bpm) == (loud.key, pytest.approx(loud.bpm))


def is_plain(found: Analysis) -> bool:
    """Whether it can be written as JSON, every number finite, every share within 0…1."""
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    shares = (found.bpm_confidence, found.key_confidence, found.energy, found.danceability)
    return all(type(one) is float and 0 <= one <= 1 for one in shares)


@pytest.mark.parametrize(
    ("samples", "silent"),
    [
        pytest.param(np.array([0.5], np.float32), False, id="1 sample"),
        pytest.param(np.zeros(1, np.float32), True, id="1 sample of silence"),
        pytest.param(np.zeros(30 * WIDE_RATE, np.float32), True, id="silence"),
        pytest.param(noise(5, 1e-5, WIDE_RATE), True, id="the noise of a quiet recorder"),
        pytest.param(np.full(2 * WIDE_RATE, 0.7, np.float32), False, id="an offset and no sound"),
        pytest.param(noise(0.3, 0.1, WIDE_RATE), False, id="0.3 s"),
        pytest.param(np.sign(sine(50, 6, 0)), False, id="a square wave of full scale"),
    ],
)
def test_anything_gives_plain_numbers(tmp_path: Path, samples: Samples, silent: bool) -> None:
    found = analyse(written(tmp_path / "a.wav", samples))
    assert is_plain(found)
    assert found.silent is silent
    assert (found.loudness_lufs is None) is silent
    if silent:
        assert (found.bpm, found.key, found.energy) == (None, None, 0)


def test_what_is_no_number_in_a_file_of_floats_is_taken_for_silence(tmp_path: Path) -> None:
    samples = sine(440, 2, -10)
    samples[::7], samples[1::7], samples[2::7] = np.nan, np.inf, -np.inf
    assert is_plain(analyse(written(tmp_path / "a.wav", samples, codec="pcm_f32le")))


def test_six_channels_are_mixed_to_two(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((6, 2, WIDE_RATE, 0, "NONE", ""))
        six = np.repeat(np.rint(32767 * sine(440, 1, -20))[:, None], 6, 1)
        file.writeframes(six.astype("<i2").tobytes())
    assert is_plain(analyse(path))


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"")
    with pytest.raises(InvalidRequest):
        analyse(path)
    path.write_bytes(b"a text")
    with pytest.raises(UnreadableAudio):
        analyse(path)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, WIDE_RATE, 0, "NONE", ""))
    with pytest.raises(AudioTooShort):
        analyse(path)


def test_memory_grows_by_no_more_than_300_kb_a_minute() -> None:
    onsets, pitches, meter = Onsets(), Pitches(), Meter()
    second, wide = noise(1), both(noise(1, 0.1, WIDE_RATE))

    def hear(seconds: int) -> int:
        for _ in range(seconds):
            for ear in (onsets, pitches):
                ear.add(second)
            meter.add(wide)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = hear(5)
        grown = hear(20) - before
    finally:
        tracemalloc.stop()
    assert 3 * grown < 320_000
    assert len(onsets.end()) == 25 * FPS + 1
