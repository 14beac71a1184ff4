"""`encoder/musicnn.py` and what it stands on. The reference is the package's own graph, computed by
TensorFlow 2.21 once, and librosa 0.11's front end (`pad_mode="constant"`): their values for the
music below are in musicnn_reference.npz."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from engine.sound.encoder.musicnn import BANDS, DIMENSION, TAGS, MusicnnEncoder, levelled, patches
from engine.sound.encoder.windows import window_starts

REFERENCE = Path(__file__).with_name("musicnn_reference.npz")


def music(seconds: float, rate: int = 16_000) -> np.ndarray:
    """Chords that change every half second and a drum every quarter: (N,) float32 in −1…1."""
    t = np.arange(int(seconds * rate)) / rate
    root = np.array([220.0, 174.61, 261.63, 196.0])[(t // 0.5).astype(int) % 4]
    tones = [
        np.sin(2 * np.pi * root * ratio * harmonic * t) / harmonic
        for ratio in (1, 1.26, 1.5)
        for harmonic in (1, 2, 3, 5)
    ]
    beat = np.exp(-30 * (t % 0.25)) * np.sin(1e5 * np.sin(3e3 * t))
    return (0.08 * np.sum(tones, axis=0) + 0.2 * beat).astype(np.float32)


@pytest.fixture(scope="module")
def encoder() -> MusicnnEncoder:
    return MusicnnEncoder(threads=1)


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE) as stored:
        return dict(stored)


def test_patches_are_librosas(reference: dict[str, np.ndarray]) -> None:
    found = patches(music(9.5), 20)
    assert (found.shape, found.dtype) == ((4, 187, 96), np.float32)
    assert np.abs(found[:, ::23] - reference["log_mel"]).max() < 1e-5


def test_layers_and_tags_are_those_of_the_packages_own_graph(
    encoder: MusicnnEncoder, reference: dict[str, np.ndarray]
) -> None:
    layers, tags, last = encoder._network.run(patches(music(9.5), 20))
    # The largest of them is 64; 1.5e-4 was the largest difference.
    wanted = reference["layers"]
    assert (np.abs(layers - wanted) / np.maximum(1, np.abs(wanted))).max() < 1e-4
    assert np.abs(tags - reference["tags"]).max() < 1e-5
    assert np.abs(last - reference["last"]).max() < 1e-4


def test_a_recording_is_the_mean_of_its_windows(encoder: MusicnnEncoder) -> None:
    found = encoder.embed(music(9.5))
    layers, tags, _ = encoder.hear(music(9.5), 4)
    assert np.allclose(found.vector, layers.mean(axis=0), atol=1e-5)
    assert found.tags is not None
    assert np.allclose(found.tags, tags.mean(axis=0), atol=1e-6)


def test_a_quiet_copy_is_the_same_music(encoder: MusicnnEncoder) -> None:
    loud, quiet = encoder.embed(music(4)), encoder.embed(music(4) / 30)
    assert np.abs(loud.vector - quiet.vector).max() < 1e-3
    assert np.sqrt(np.mean(levelled(music(4) / 30) ** 2)) == pytest.approx(0.1, rel=1e-4)


def test_what_is_almost_silent_stays_quiet() -> None:
    assert np.abs(levelled(np.full(99, 1e-5, np.float32))).max() == pytest.approx(1e-3)
    assert levelled(np.zeros(9, np.float32)).tolist() == [0.0] * 9
    assert len(levelled(np.zeros(0, np.float32))) == 0


def test_a_tag_for_every_number_and_all_in_range(encoder: MusicnnEncoder) -> None:
    found = encoder.embed(music(4))
    assert (found.vector.shape, found.vector.dtype) == ((DIMENSION,), np.float32)
    assert found.tags is not None
    assert (found.tags.shape, found.tags.dtype) == ((len(TAGS),), np.float32)
    assert len(set(TAGS)) == 50
    assert 0 <= found.tags.min() <= found.tags.max() <= 1


@pytest.mark.parametrize("length", [0, 1, 1_000, 47_999])
def test_less_than_a_window_is_repeated(length: int, encoder: MusicnnEncoder) -> None:
    short = music(3)[:length]
    assert np.isfinite(encoder.embed(short).vector).all()
    if length:
        assert np.array_equal(patches(short, 20), patches(np.resize(short, 48_128), 20))


def test_silence_has_a_vector(encoder: MusicnnEncoder) -> None:
    assert np.isfinite(encoder.embed(np.zeros(80_000, np.float32)).vector).all()


def test_of_a_long_recording_windows_all_over_it_are_heard() -> None:
    found = patches(np.repeat(np.float32([0.5, 0]), 20 * 16_000), 4)
    assert (found.max(axis=(1, 2)) > 0).tolist() == [True, True, False, False]


def test_callers_at_once_get_what_each_would_get_alone(encoder: MusicnnEncoder) -> None:
    songs = [music(3.5)[at * 777 :] for at in range(3)]
    alone = [encoder.embed(song).vector for song in songs]
    together: list[np.ndarray | None] = [None] * len(songs)

    def embed(at: int) -> None:
        together[at] = encoder.embed(songs[at]).vector

    threads = [threading.Thread(target=embed, args=(at,)) for at in range(len(songs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found, wanted in zip(together, alone, strict=True):
        assert found is not None
        assert np.array_equal(found, wanted)


# --- windows ------------------------------------------------------------------------------------


def test_windows_cover_what_they_can() -> None:
    assert window_starts(100, 100, 5).tolist() == [0]
    assert window_starts(7, 100, 5).tolist() == [0]
    assert window_starts(101, 100, 5).tolist() == [0, 1]
    assert window_starts(250, 100, 5).tolist() == [0, 75, 150]
    assert window_starts(10_000, 100, 3).tolist() == [0, 4_950, 9_900]
    assert window_starts(10_000, 100, 1).tolist() == [0]


# --- mel ----------------------------------------------------------------------------------------


def test_a_tone_is_loudest_in_the_band_around_it() -> None:
    time = np.arange(BANDS.window) / BANDS.rate
    for hz in (440, 1_000, 3_520, 7_000):
        power = BANDS.power(np.sin(2 * np.pi * hz * time).astype(np.float32)[None])
        # Slaney's mel of the frequency, of those that divide 0 … 8 kHz into 97 steps.
        mel = hz / (200 / 3) if hz < 1_000 else 15 + 27 * np.log(hz / 1_000) / np.log(6.4)
        assert int(power.argmax()) == pytest.approx(mel / (45.245640471924965 / 97) - 1, abs=1)


def test_no_band_hears_nothing_of_noise() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (50, BANDS.window)).astype(np.float32)
    power = BANDS.power(noise)
    assert (power.shape, power.dtype) == ((50, 96), np.float32)
    assert power.mean(axis=0).min() > 0
