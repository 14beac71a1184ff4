"""A recording and its two stems: both together are the recording, whatever the network says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from engine.sound.audio import encode
from engine.sound.network import Network
from engine.voice.ear import unet
from engine.voice.ear.separation import LEVEL, separate
from engine.voice.ear.sounds import RATE, stereo
from engine.voice.ear.unet import BINS, FRAMES, SHAPES, STEMS

Array = NDArray[np.float32]


class Shares:
    """A network that is asked as Spleeter's is, and answers by a function of what it hears."""

    def __init__(self, share: Callable[[Array], Array]) -> None:
        self.share, self.heard = share, []

    def run(self, magnitudes: Array) -> list[Array]:
        assert magnitudes.shape[1:] == (2, FRAMES, BINS)
        self.heard.append(magnitudes)
        return [self.share(magnitudes).astype(np.float32)]


def tones(length_s: float) -> Array:
    """Left 500 Hz, right 2 kHz, and both 13 kHz, which the network does not hear."""
    time = np.arange(round(length_s * RATE)) / RATE
    sides = [np.sin(2 * np.pi * hz * time) for hz in (500, 2_000, 13_000)]
    both = np.stack([sides[0] + sides[2], sides[1] + sides[2]], 1)
    return (0.2 * both).astype(np.float32)


@pytest.fixture
def recording(tmp_path: Path) -> Callable[[Array], Path]:
    def write(samples: Array) -> Path:
        path = tmp_path / "take.wav"
        path.write_bytes(encode(samples, RATE, "wav", "pcm_f32le"))
        return path

    return write


def split(path: Path, network: Shares, at_once: int = 1) -> tuple[Array, Array, float]:
    voice, rest = path.with_name("v.flac"), path.with_name("i.flac")
    told = separate(path, voice, rest, network, at_once=at_once)  # type: ignore[arg-type]
    stems = [np.concatenate([*stereo(one)]) for one in (voice, rest)]
    return stems[0], stems[1], told.kept_db


@pytest.mark.parametrize(("length_s", "at_once"), [(0.01, 1), (3.0, 2), (13.3, 1)])
def test_both_stems_together_are_the_recording(
    recording: Callable[[Array], Path], length_s: float, at_once: int
) -> None:
    samples = tones(length_s)
    voice, rest, kept_db = split(recording(samples), Shares(lambda heard: 0 * heard + 0.5), at_once)
    assert voice.shape == rest.shape == samples.shape
    np.testing.assert_allclose(voice + rest, samples, atol=1e-4)
    if length_s > 1:  # of both tones that are heard, a half each; of four
        assert kept_db == pytest.approx(10 * np.log10(0.5 / 4), abs=0.1)


def test_what_the_network_calls_voice_goes_to_the_voice(
    recording: Callable[[Array], Path],
) -> None:
    samples = tones(2.0)
    low = np.arange(BINS) < 100  # below 1,077 Hz
    voice, rest, _ = split(recording(samples), Shares(lambda heard: 0 * heard + low))
    middle = slice(RATE // 2, -RATE // 2)
    assert np.std(voice[middle, 1]) < 1e-3
    assert np.std(voice[middle, 0]) == pytest.approx(0.2 / np.sqrt(2), rel=0.01)
    assert np.std(rest[middle, 1]) == pytest.approx(0.2, rel=0.01)


def test_a_quiet_recording_is_heard_as_loud_as_any(recording: Callable[[Array], Path]) -> None:
    heard = []
    for gain in (1.0, 0.01):
        network = Shares(lambda heard: 0 * heard)
        split(recording(gain * tones(2.0)), network)
        heard.append(network.heard[0])
    np.testing.assert_allclose(heard[0], heard[1], rtol=1e-3, atol=0.1)
    assert pytest.approx(np.sqrt((tones(2.0) ** 2).mean()) * LEVEL / 0.2, rel=0.01) == LEVEL


def test_a_failure_leaves_no_file(recording: Callable[[Array], Path]) -> None:
    path = recording(tones(1.0))

    def fail(_: Array) -> Array:
        raise RuntimeError("the network")

    with pytest.raises(RuntimeError, match="the network"):
        split(path, Shares(fail))
    assert [one.name for one in path.parent.iterdir()] == ["take.wav"]


def test_silence_is_separated_into_silences(recording: Callable[[Array], Path]) -> None:
    voice, rest, kept_db = split(recording(np.zeros((RATE, 2), np.float32)), Shares(lambda h: h))
    assert not voice.any()
    assert not rest.any()
    assert kept_db == -120


def test_the_network_is_what_pytorch_makes_of_the_same_weights() -> None:
    random = np.random.default_rng(0)
    weights = {stem: _weights(random) for stem in STEMS}
    given = np.abs(random.normal(size=(1, 2, 64, 128))).astype(np.float32)
    [share] = Network(unet.network(weights, 64, 128), threads=1).run(given)
    voice, rest = (_by_torch(weights[stem], given) ** 2 for stem in STEMS)
    np.testing.assert_allclose(share, (voice + 5e-11) / (voice + rest + 1e-10), atol=1e-4)
    assert share.std() > 0.1


def _weights(random: np.random.Generator) -> dict[str, Array]:
    made = {}
    for name, shape in SHAPES.items():
        fan = int(np.prod(shape[1:])) or 1
        values = random.normal(size=shape) * (3 / np.sqrt(fan) if len(shape) == 4 else 0.2)
        if name.endswith("running_var"):
            values = 1 + np.abs(values)
        made[name] = values.astype(np.float32)
    return made


def _by_torch(weights: dict[str, Array], given: Array) -> Array:
    held = {name: torch.from_numpy(value) for name, value in weights.items()}

    def normal(x: torch.Tensor, name: str) -> torch.Tensor:
        parts = [held[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight")]
        return F.batch_norm(x, *parts, held[f"{name}.bias"], eps=1e-3)

    seen, passed = torch.from_numpy(given), []
    for at in range(1, 7):
        padded = F.pad(seen, (1, 2, 1, 2))
        name = f"down{at}_conv.1"
        raw = F.conv2d(padded, held[f"{name}.weight"], held[f"{name}.bias"], stride=2)
        passed.append(raw)
        seen = F.leaky_relu(normal(raw, f"down{at}_act.0"), 0.2)
    seen = passed.pop()
    for at in range(1, 7):
        parts = held[f"up{at}.0.weight"], held[f"up{at}.0.bias"]
        raw = F.conv_transpose2d(seen, *parts, stride=2)[:, :, 1:-2, 1:-2]
        seen = normal(F.relu(raw), f"up{at}.3")
        if passed:
            seen = torch.cat([passed.pop(), seen], 1)
    last = F.conv2d(seen, held["up7.0.weight"], held["up7.0.bias"], padding=3, dilation=2)
    return (torch.sigmoid(last) * torch.from_numpy(given)).numpy()
