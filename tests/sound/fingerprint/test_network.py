"""`fingerprint/network.py`: samples → vectors that say which recording it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.base.errors import EncoderMismatch
from engine.sound.fingerprint import network, spectrum
from engine.sound.fingerprint.network import Fingerprinter
from engine.sound.tensors import read_tensors

RATE = 16_000


@pytest.fixture(scope="module")
def fingerprinter() -> Fingerprinter:
    return Fingerprinter.built_in(threads=1)


def melody(seed: int, seconds: float) -> spectrum.Samples:
    """Notes of a sixth of a second with three overtones."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    notes = 220 * 2 ** (rng.integers(0, 24, int(seconds * 6) + 1) / 12)
    phase = 2 * np.pi * np.cumsum(notes[(t * 6).astype(int)]) / RATE
    loud = np.exp(-4 * ((t * 6) % 1))
    return (0.2 * loud * sum(np.sin(k * phase) / k for k in (1, 2, 3))).astype(np.float32)


def test_rows_are_of_unit_length_and_every_half_second(fingerprinter: Fingerprinter) -> None:
    rows = fingerprinter.embed(melody(1, 10))
    assert rows.shape == (int((10 - fingerprinter.window_s) / 0.5) + 1, fingerprinter.dimension)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_row_is_of_its_own_window_alone(fingerprinter: Fingerprinter) -> None:
    samples = melody(1, 10)
    rows = fingerprinter.embed(samples)
    # Two samples before and after, as the filter that halves the rate reaches over the edges.
    start, end = 7 * RATE // 2, 7 * RATE // 2 + round(fingerprinter.window_s * RATE)
    alone = fingerprinter.embed(samples[start - RATE // 2 : end + RATE // 2])
    assert np.allclose(alone[1], rows[7], atol=1e-4)


def test_finer_rows_have_the_coarser_among_them(fingerprinter: Fingerprinter) -> None:
    samples = melody(2, 6)
    fine = fingerprinter.embed(samples, 0.125)
    assert np.array_equal(fine[::4], fingerprinter.embed(samples))
    assert np.array_equal(fine[::2], fingerprinter.embed(samples, 0.25))


@pytest.mark.parametrize("step", [0.0, 0.1, 0.3, -0.5])
def test_other_steps_are_refused(fingerprinter: Fingerprinter, step: float) -> None:
    with pytest.raises(ValueError, match="multiple"):
        fingerprinter.embed(melody(1, 3), step)


def test_less_than_a_window_has_no_row(fingerprinter: Fingerprinter) -> None:
    least = round(network.WINDOW_S * RATE)
    assert fingerprinter.embed(melody(1, 3)[:least]).shape == (1, 64)
    assert fingerprinter.embed(melody(1, 3)[: least - 2]).shape == (0, 64)
    assert fingerprinter.embed(np.zeros(0, np.float32)).shape == (0, 64)


def test_silence_has_finite_rows(fingerprinter: Fingerprinter) -> None:
    assert np.isfinite(fingerprinter.embed(np.zeros(3 * RATE, np.float32))).all()


def test_louder_is_the_same(fingerprinter: Fingerprinter) -> None:
    samples = melody(3, 5)
    cosine = (fingerprinter.embed(samples) * fingerprinter.embed(samples * 0.1)).sum(1)
    assert cosine.min() > 0.98


def test_under_noise_it_is_nearer_to_itself_than_to_any_other(
    fingerprinter: Fingerprinter,
) -> None:
    kept = [fingerprinter.embed(melody(seed, 8)) for seed in range(8)]
    rng = np.random.default_rng(0)
    for seed in range(8):
        samples = melody(seed, 8)
        noise = rng.standard_normal(len(samples)).astype(np.float32) * samples.std() / 2
        asked = fingerprinter.embed(samples + noise)
        scores = [float((asked * rows).sum(1).mean()) for rows in kept]
        assert int(np.argmax(scores)) == seed


def test_openvino_computes_what_torch_does(fingerprinter: Fingerprinter) -> None:
    torch = pytest.importorskip("torch")
    weights = read_tensors(network.BUILT_IN / network.WEIGHTS, network.SHAPES, kind="F16")
    tensors = {name: torch.from_numpy(values) for name, values in weights.items()}
    samples = melody(4, 6)
    frames = torch.from_numpy(spectrum.frames(spectrum.halve(samples))).T[None]
    around = torch.nn.functional.avg_pool1d(frames, 25, 1)
    level = around.mean(1, keepdim=True) + 0.01
    middle = frames[:, :, 12:-12]
    x = torch.stack([middle / level - 1, middle / (around + 0.1 * level) - 1], 1)
    for at, (_, strides, edge) in enumerate(network.LAYERS):
        weight, bias = tensors[f"layer{at}.weight"], tensors[f"layer{at}.bias"]
        x = torch.relu(torch.nn.functional.conv2d(x, weight, bias, strides, (edge, 0)))
    x = torch.nn.functional.conv1d(x[:, :, 0], tensors["head.weight"], tensors["head.bias"])
    expected = torch.nn.functional.normalize(x, dim=1)[0].T.numpy()
    found = fingerprinter.embed(samples, network.FINEST_STEP_S)
    assert np.abs(found - expected).max() < 1e-4


def test_it_is_saved_byte_for_byte(fingerprinter: Fingerprinter, tmp_path: Path) -> None:
    fingerprinter.save(tmp_path / "fingerprint")
    again = Fingerprinter.open(tmp_path / "fingerprint", threads=1)
    assert again.digest == fingerprinter.digest
    assert np.array_equal(again.embed(melody(5, 3)), fingerprinter.embed(melody(5, 3)))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderMismatch, match=r"network\.safetensors"):
        Fingerprinter.open(tmp_path)
    (tmp_path / network.WEIGHTS).write_bytes(b"\x00" * 100)
    with pytest.raises(EncoderMismatch, match=r"network\.safetensors"):
        Fingerprinter.open(tmp_path)
