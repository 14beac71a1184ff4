from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fingerprints import STEP_S, Tune
from numpy.typing import NDArray

from engine.base.errors import ArtifactError
from engine.sound.fingerprint.index import FingerprintIndex
from engine.sound.fingerprint.sounding import RATE, levels, sounding_vectors
from engine.sound.identify import DEFAULT, FEATURES, FILE, Calibration, Identifier, sameness, weigh

TUNES = {10 + n: Tune(n, 45) for n in range(8)}


class Heard:
    """A network that knows what it hears: the clip that was told before."""

    dimension, window_s = 64, 1.0

    def __init__(self) -> None:
        self.tune, self.offset_s, self.noise = TUNES[10], 0.0, 0.0

    def embed(self, samples: NDArray[np.float32], step_s: float = STEP_S) -> NDArray[np.float32]:
        clip_s = len(samples) / RATE
        return self.tune.clip(self.offset_s, clip_s, step_s=step_s, noise=self.noise)


@pytest.fixture
def ear() -> Heard:
    return Heard()


@pytest.fixture
def identifier(ear: Heard) -> Identifier:
    index = FingerprintIndex(64, STEP_S)
    for track_id, tune in TUNES.items():
        index.add(track_id, tune.rows())
    return Identifier(ear, index, DEFAULT)


def sound(seconds: float, dbfs: float = -20.0) -> NDArray[np.float32]:
    noise = np.random.default_rng(0).normal(size=round(seconds * RATE))
    return (noise * 10 ** (dbfs / 20)).astype(np.float32)


def test_a_clip_is_a_match_from_a_second_on(identifier: Identifier, ear: Heard) -> None:
    ear.tune, ear.offset_s, ear.noise = TUNES[13], 12.34, 1.0
    verdict = identifier.identify(sound(6))
    assert (verdict.decision, verdict.reason, verdict.clip_s) == ("match", None, 6.0)
    assert verdict.best is not None
    assert verdict.best.track_id == 13
    assert verdict.best.offset_s == pytest.approx(12.34, abs=0.1)
    assert verdict.confidence > 0.9
    assert verdict.candidates[0] == verdict.best


def test_a_stranger_is_none(identifier: Identifier, ear: Heard) -> None:
    ear.tune = Tune(99, 45)
    verdict = identifier.identify(sound(10))
    assert (verdict.decision, verdict.reason, verdict.best) == ("no_match", "no_agreement", None)
    assert verdict.confidence > 0.6
    assert verdict.candidates


def test_the_same_recording_twice_does_not_speak_against_itself(
    identifier: Identifier, ear: Heard
) -> None:
    copy = TUNES[13].at(np.arange(0.2, 44, STEP_S))
    identifier.index.add(90, copy)
    ear.tune, ear.offset_s, ear.noise = TUNES[13], 12.34, 1.0
    verdict = identifier.identify(sound(6))
    assert verdict.decision == "match"
    assert {near.track_id for near in verdict.candidates[:2]} == {13, 90}
    [of_copy] = [near for near in verdict.candidates if near.track_id == 90]
    assert of_copy.offset_s == pytest.approx(12.14, abs=0.1)
    evidence = weigh(identifier.index, verdict.candidates, ear.embed(sound(6), 0.125))
    assert dict(zip(FEATURES, evidence, strict=True))["lead"] > 0.5


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        pytest.param(sound(2.5), "too_short", id="two and a half seconds"),
        pytest.param(sound(0), "too_short", id="nothing"),
        pytest.param(np.zeros(10 * RATE, np.float32), "too_quiet", id="digital silence"),
        pytest.param(sound(10, -80), "too_quiet", id="a closed microphone"),
        pytest.param(
            np.concatenate([sound(1.5), np.zeros(8 * RATE, np.float32)]),
            "too_short",
            id="little sounds",
        ),
    ],
)
def test_what_cannot_be_told_says_why(
    identifier: Identifier, samples: NDArray[np.float32], reason: str
) -> None:
    verdict = identifier.identify(samples)
    assert (verdict.decision, verdict.reason) == ("no_match", reason)
    assert verdict.candidates == ()
    assert verdict.confidence == 0.5


def test_a_faint_stranger_may_be_a_faint_friend(identifier: Identifier, ear: Heard) -> None:
    ear.tune = Tune(99, 45)
    assert identifier.identify(sound(10, -60)).reason == "too_quiet"
    ear.tune = TUNES[12]
    assert identifier.identify(sound(10, -60)).decision == "match"


def test_a_recorder_may_give_a_frame_less_than_three_seconds(identifier: Identifier) -> None:
    assert identifier.identify(sound(2.95)).decision == "match"


def test_a_minute_is_looked_at(identifier: Identifier, ear: Heard) -> None:
    ear.tune = Tune(5, 120)
    assert identifier.identify(sound(90)).clip_s == 60


def test_silent_windows_say_nothing(ear: Heard) -> None:
    samples = np.concatenate([sound(3), np.zeros(3 * RATE, np.float32), sound(3, -75)])
    vectors, loudness = sounding_vectors(ear, samples, 0.5)
    says = vectors.any(axis=1)
    assert says.tolist() == [True] * 6 + [False] * (len(says) - 6)
    assert loudness[0] == pytest.approx(-20, abs=0.3)
    assert loudness[-1] == pytest.approx(-75, abs=0.3)
    assert levels(np.zeros(RATE, np.float32), 0.5, 1.0, 1).tolist() == [-120]


def test_a_calibration_comes_back_as_it_was_written(tmp_path: Path) -> None:
    made = DEFAULT.model_copy(update={"network": "abc", "clips": 7, "match_at": 0.7})
    made.write(tmp_path / FILE)
    assert Calibration.of(tmp_path, "abc") == made
    assert Calibration.of(tmp_path) == made


def test_of_another_network_or_other_features_the_built_in_one_is_used(tmp_path: Path) -> None:
    assert Calibration.of(tmp_path) == DEFAULT
    DEFAULT.model_copy(update={"network": "abc", "match_at": 0.7}).write(tmp_path / FILE)
    assert Calibration.of(tmp_path, "other") == DEFAULT
    told = DEFAULT.model_dump(mode="json")
    (tmp_path / FILE).write_text(json.dumps({**told, "features": list(FEATURES)[::-1]}))
    assert Calibration.of(tmp_path) == DEFAULT


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"weights": [1.0]}, id="too few weights"),
        pytest.param({"bias": "much"}, id="a word"),
        pytest.param({"more": 1}, id="an unknown field"),
        pytest.param({"match_at": 2}, id="more than certain"),
        pytest.param({"present": [1.0, None]}, id="no number"),
    ],
)
def test_a_calibration_that_cannot_be_read_is_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    told = {**DEFAULT.model_dump(mode="json"), **change}
    (tmp_path / FILE).write_text(json.dumps(told))
    with pytest.raises(ArtifactError, match=r"calibration\.json cannot be read"):
        Calibration.of(tmp_path)


def test_an_infinite_weight_is_refused(tmp_path: Path) -> None:
    told = DEFAULT.model_dump_json().replace("29.7", "1e999")
    (tmp_path / FILE).write_text(told)
    with pytest.raises(ArtifactError):
        Calibration.of(tmp_path)


def test_evidence_has_a_number_for_each_feature(identifier: Identifier) -> None:
    clip = TUNES[14].clip(3, 5)
    found = identifier.index.search(clip, 0.125)
    evidence = dict(zip(FEATURES, weigh(identifier.index, found, clip), strict=True))
    assert evidence["score"] == found[0].score
    others = [other.score for other in found[1:6]]
    assert evidence["lead"] == pytest.approx(found[0].score - np.mean(others))
    assert evidence["windows"] == pytest.approx(np.log(found[0].windows))
    alone = dict(zip(FEATURES, weigh(identifier.index, found[:1], clip), strict=True))
    assert alone["lead"] == found[0].score


def test_a_long_sound_is_the_same_all_along_and_silence_does_not_count() -> None:
    tone = np.tile(TUNES[10].rows()[:1], (40, 1))
    assert sameness(tone) == pytest.approx(1, abs=1e-5)
    clip = TUNES[10].clip(0, 10)
    assert sameness(clip) < 0.3
    assert sameness(np.concatenate([tone, np.zeros((40, 64), np.float32)])) > 0.99
    assert sameness(tone[:2]) == pytest.approx(1, abs=1e-5)
