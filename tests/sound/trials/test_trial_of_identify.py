from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from fingerprints import STEP_S
from tunes import tune

from engine.base.errors import BuildError
from engine.sound.fingerprint.index import FingerprintIndex
from engine.sound.fingerprint.network import Fingerprinter
from engine.sound.fingerprint.sounding import sounding_vectors
from engine.sound.identify import DEFAULT, Identifier
from engine.sound.making.calibration import Surroundings
from engine.sound.trials import identify
from engine.sound.trials.identify import NOISES, Trial, plot, run_trial, table

TRACKS = {n: tune(n, 14) for n in range(1, 5)}


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    ear = Fingerprinter.built_in(threads=1)
    index = FingerprintIndex(ear.dimension, STEP_S)
    for track_id, samples in TRACKS.items():
        index.add(track_id, sounding_vectors(ear, samples, STEP_S)[0])
    return Identifier(ear, index, DEFAULT)


@pytest.fixture(scope="module")
def trial(identifier: Identifier) -> Trial:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identify, "Surroundings", partial(Surroundings, count=1))
        patch.setattr(identify, "LENGTHS_S", (3.0, 10.0))
        return run_trial(identifier, {n: lambda n=n: TRACKS[n] for n in TRACKS}, sample=3)


def test_every_noise_and_length_is_tried(trial: Trial) -> None:
    assert list(trial.outcomes) == [f"{s:g} s, {noise}" for s in (3, 10) for noise in NOISES]
    assert all(one.clips == 3 for one in trial.outcomes.values())
    assert len(trial.answers) == 2 * 3 * 2 * len(NOISES)
    assert (trial.tracks, trial.minutes) == (4, pytest.approx(4 * 13 / 60, abs=0.1))


def test_clean_clips_are_found_and_placed_and_strangers_are_not(trial: Trial) -> None:
    clean = trial.outcomes["10 s, clean"]
    assert (clean.matched, clean.first, clean.wrong, clean.placed) == (1.0, 1.0, 0.0, 1.0)
    assert clean.false < 1
    assert 0 < clean.ms < 5000


def test_it_is_told_as_text_json_and_a_picture(trial: Trial, tmp_path: Path) -> None:
    said: list[str] = []
    table(trial, said.append)
    assert len(said) == 3 + len(trial.outcomes)
    assert said[0] == "4 tracks, 1 minutes"
    told = json.loads(json.dumps(trial.as_dict()))
    assert told["conditions"]["10 s, 0 dB"]["clips"] == 3
    assert sum(count for _, _, count in told["reliability"]) == len(trial.answers)
    assert plot(trial, tmp_path / "a" / "trial.png").stat().st_size > 5_000


def test_without_audio_there_is_nothing_to_record(identifier: Identifier) -> None:
    with pytest.raises(BuildError, match="holds no audio"):
        run_trial(identifier, {})
