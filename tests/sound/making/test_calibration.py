from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from fingerprints import STEP_S
from tunes import RATE, tune

from engine.base.odds import expected_calibration_error, sigmoid
from engine.sound.fingerprint.index import FingerprintIndex
from engine.sound.fingerprint.network import Fingerprinter
from engine.sound.fingerprint.sounding import sounding_vectors
from engine.sound.identify import DEFAULT, FEATURES
from engine.sound.making import calibration
from engine.sound.making.calibration import (
    FEWEST_TRACKS,
    Observed,
    Surroundings,
    calibrate,
    fit,
    look,
    observe,
)

TRACKS = {n: tune(n, 12) for n in range(1, 5)}


@pytest.fixture(scope="module")
def ear() -> Fingerprinter:
    return Fingerprinter.built_in(threads=1)


@pytest.fixture(scope="module")
def index(ear: Fingerprinter) -> FingerprintIndex:
    made = FingerprintIndex(ear.dimension, STEP_S)
    for track_id, samples in TRACKS.items():
        made.add(track_id, sounding_vectors(ear, samples, STEP_S)[0])
    return made


def drawn(count: int, seed: int = 0) -> list[Observed]:
    """Recordings whose evidence says with known odds whether it is right; every second a
    stranger's."""
    rng, made = np.random.default_rng(seed), []
    for number in range(count):
        stranger = bool(number % 2)
        score = rng.normal(0.2 if stranger else 0.45, 0.08)
        right = not stranger and rng.random() < sigmoid(30 * (score - 0.3))
        evidence = np.array([score, score / 2, 3.0, 0.4]) + rng.normal(size=4) * 0.01
        made.append(Observed(evidence, bool(right), stranger))
    return made


def test_a_fit_is_honest_and_lets_few_strangers_in() -> None:
    fitted = fit(drawn(1200), network="abc")
    assert (fitted.features, fitted.network) == (FEATURES, "abc")
    assert fitted.clips == 600
    others = drawn(4000, seed=1)
    claimed = [fitted.probability(one.evidence) for one in others if one.evidence is not None]
    assert expected_calibration_error(claimed, [one.right for one in others]) < 0.03
    accepted = [p >= fitted.match_at for p in claimed]
    strangers = [a for a, one in zip(accepted, others, strict=True) if one.stranger]
    known = [a for a, one in zip(accepted, others, strict=True) if not one.stranger]
    assert np.mean(strangers) <= 0.01
    assert np.mean(known) > 0.5
    refused = [
        (fitted.absent(p), one.stranger)
        for p, one, a in zip(claimed, others, accepted, strict=True)
        if not a
    ]
    assert expected_calibration_error(*map(list, zip(*refused, strict=True))) < 0.05


def test_of_too_few_recordings_or_of_one_kind_the_built_in_one_stays() -> None:
    assert fit(drawn(20)) == DEFAULT
    assert fit([one for one in drawn(400) if one.stranger]) == DEFAULT
    assert fit([Observed(None, False, True)] * 50) == DEFAULT


def test_of_too_few_tracks_the_built_in_one_stays(
    ear: Fingerprinter, index: FingerprintIndex
) -> None:
    assert len(TRACKS) < FEWEST_TRACKS
    given = {n: lambda n=n: TRACKS[n] for n in TRACKS}
    assert calibrate(ear, index, given) == DEFAULT


def test_each_recording_is_looked_for_with_its_track_and_without(
    ear: Fingerprinter, index: FingerprintIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []

    class Told:
        def step(self, done: int, total: int, what: str) -> None:
            told.append((done, total))

        def remark(self, line: str) -> None: ...

    given = {n: lambda n=n: TRACKS[n] for n in TRACKS}
    monkeypatch.setattr(calibration, "Surroundings", partial(Surroundings, count=1))
    found = observe(ear, index, given, clips=6, progress=Told())  # type: ignore[arg-type]
    assert [one.stranger for one in found] == [False, True] * 6
    assert not any(one.right for one in found if one.stranger)
    assert told == [(n, 6) for n in range(1, 7)]
    assert all(one.evidence is None or one.evidence.shape == (4,) for one in found)


def test_a_copy_of_a_track_is_no_stranger(ear: Fingerprinter, index: FingerprintIndex) -> None:
    copied = index.without([])
    copied.add(9, sounding_vectors(ear, TRACKS[2][round(0.1 * RATE) :], STEP_S)[0])
    known, stranger = look(ear, copied, TRACKS[2][4 * RATE : 10 * RATE], 2)
    assert known.right
    assert known.evidence is not None
    assert stranger.evidence is not None
    evidence = dict(zip(FEATURES, known.evidence, strict=True))
    assert evidence["lead"] > 0.2
    assert dict(zip(FEATURES, stranger.evidence, strict=True))["score"] < 0.7


def test_surroundings_of_a_seed_are_the_same_and_leave_music_in_place() -> None:
    once, again = Surroundings(1, 1), Surroundings(1, 1)
    heard = once.heard(TRACKS[1], np.random.default_rng(4), 10.0)
    assert np.array_equal(heard, again.heard(TRACKS[1], np.random.default_rng(4), 10.0))
    assert abs(len(heard) - len(TRACKS[1])) < 0.05 * RATE
    faster = once.heard(TRACKS[1], np.random.default_rng(4), None, speed=1.02)
    assert len(faster) == pytest.approx(len(TRACKS[1]) / 1.02, abs=0.05 * RATE)


def test_drawn_tunes_are_told_apart(ear: Fingerprinter, index: FingerprintIndex) -> None:
    for track_id, samples in TRACKS.items():
        found = index.search(sounding_vectors(ear, samples[2 * RATE : 8 * RATE], 0.125)[0], 0.125)
        assert found[0].track_id == track_id
        assert found[0].offset_s == pytest.approx(2, abs=0.1)
