"""The steps as a worker calls them, without models: what can be is done, the rest is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from singing import RATE, backing, melody, sing

from engine.base.errors import NotReady
from engine.sound.audio import encode
from engine.voice.ear.melody import Melody
from engine.voice.ear.tasks import TASKS, align, listen, score


def quiet(_: float) -> None: ...


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("takes")
    notes, made = melody(2, 12), {"folder": folder}
    for name, samples in (
        ("voice", sing(notes, 9.0, seed=1).samples),
        ("music", backing(notes, 9.0)),
    ):
        path = folder / f"{name}.wav"
        path.write_bytes(encode(samples, RATE, "wav", "pcm_s16le"))
        made[name] = str(path)
    return made


def test_without_models_a_voice_is_heard_by_chroma_and_strokes_alone(
    takes: dict[str, Any], tmp_path: Path
) -> None:
    out = str(tmp_path / "melody.npz")
    told = listen(takes["voice"], takes["music"], out, models=str(tmp_path), report=quiet)
    assert told == {"duration_s": 8.992, "voiced_s": 0.0, "curve": None, "pitch": False}
    again = listen(takes["voice"], takes["music"], out, models=str(tmp_path), report=quiet)
    assert again == told
    heard = Melody.load(Path(out))
    assert heard.beat.any()
    assert np.linalg.norm(heard.chroma, axis=1).max() == pytest.approx(1, abs=1e-4)

    path = str(tmp_path / "alignment.npz")
    found = align(out, out, path, report=quiet)
    assert (found["latency_s"], found["octave"], found["transposition"]) == (0, 0, 0)
    result = score(out, out, path, words=None, lyrics=None, report=quiet)
    assert result["not_measured"] == ["pitch", "lyrics"]
    assert result["rhythm"]["weight"] == 1.0
    assert result["score"] >= 99
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize("step", ["separate", "words"])
def test_a_step_whose_model_is_not_there_says_what_to_run(
    takes: dict[str, Any], tmp_path: Path, step: str
) -> None:
    files = [str(tmp_path / name) for name in ("v.flac", "i.flac")]
    outputs: tuple[Any, ...] = tuple(files) if step == "separate" else (None,)
    with pytest.raises(NotReady, match="Run: "):
        TASKS[step](takes["voice"], *outputs, models=str(tmp_path), report=quiet)
    assert [*tmp_path.iterdir()] == []
