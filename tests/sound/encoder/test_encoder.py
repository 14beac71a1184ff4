"""`encoder/encoder.py`: raw vectors of a catalogue → rows that can be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.base.errors import EncoderMismatch
from engine.sound.encoder.encoder import Standard


def raw_vectors(count: int, dimension: int = 40, seed: int = 0) -> np.ndarray:
    """As an encoder gives them: a large part that all music shares, and some of its own."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(5, 2, dimension)
    return (shared + rng.normal(0, rng.uniform(0.1, 3, dimension), (count, dimension))).astype(
        np.float32
    )


def cosines(rows: np.ndarray) -> np.ndarray:
    return (rows @ rows.T)[np.triu_indices(len(rows), 1)]


def test_what_all_music_shares_is_taken_away() -> None:
    raw = raw_vectors(200)
    alike = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    assert cosines(alike).mean() > 0.8
    rows = Standard.fit(raw).apply(raw)
    assert (rows.shape, rows.dtype) == (raw.shape, np.float32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert abs(cosines(rows).mean()) < 0.05


def test_every_dimension_counts_alike() -> None:
    raw = raw_vectors(400)
    raw[:, 0] *= 1_000
    assert np.std(Standard.fit(raw).apply(raw), axis=0) == pytest.approx(1 / np.sqrt(40), rel=0.2)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_tracks_have_directions_too(count: int) -> None:
    raw = raw_vectors(count)
    rows = Standard.fit(raw).apply(raw)
    assert np.isfinite(rows).all()
    # Of two, each is not the very contrary of the other.
    assert (cosines(rows) > -0.9).all()


def test_a_dimension_that_never_changes_breaks_nothing() -> None:
    raw = raw_vectors(30)
    raw[:, 3] = 7
    rows = Standard.fit(raw).apply(raw)
    assert np.isfinite(rows).all()
    assert np.isfinite(Standard.fit(np.ones((5, 4), np.float32)).deviation).all()


def test_words_order_sounds_as_before_they_were_standardised() -> None:
    raw, words = raw_vectors(60), raw_vectors(1, seed=5)[0] - 5
    standard = Standard.fit(raw)
    (toward,) = standard.toward(words)
    assert np.linalg.norm(toward) == pytest.approx(1, abs=1e-5)
    scores = ((raw - standard.mean) / standard.deviation) @ toward
    assert np.argsort(scores).tolist() == np.argsort(raw @ words).tolist()


def test_it_is_kept_in_a_file(tmp_path: Path) -> None:
    standard = Standard.fit(raw_vectors(9))
    standard.write(tmp_path / "standard.npz")
    again = Standard.read(tmp_path / "standard.npz", 40)
    assert np.array_equal(again.mean, standard.mean)
    assert np.array_equal(again.deviation, standard.deviation)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        pytest.param({"mean": np.zeros(4, np.float32)}, "KeyError", id="half of it"),
        pytest.param(
            {"mean": np.zeros(3, np.float32), "deviation": np.ones(4, np.float32)},
            r"\(3,\) float32",
            id="another length",
        ),
        pytest.param({"mean": np.zeros(4), "deviation": np.ones(4)}, "float64", id="other numbers"),
        pytest.param(
            {"mean": np.zeros(4, np.float32), "deviation": np.zeros(4, np.float32)},
            "nothing can be standardised",
            id="divides by nothing",
        ),
        pytest.param(
            {"mean": np.full(4, np.nan, np.float32), "deviation": np.ones(4, np.float32)},
            "nothing can be standardised",
            id="no numbers",
        ),
        pytest.param(
            {"mean": np.array([{}]), "deviation": np.ones(4, np.float32)}, "ValueError", id="pickle"
        ),
    ],
)
def test_a_foreign_file_is_refused_by_name(
    arrays: dict[str, np.ndarray], said: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "standard.npz", **arrays)
    with pytest.raises(EncoderMismatch, match=said) as refusal:
        Standard.read(tmp_path / "standard.npz", 4)
    assert "standard.npz" in refusal.value.message


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY"])
def test_a_damaged_file_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "standard.npz").write_bytes(content)
    with pytest.raises(EncoderMismatch, match=r"standard\.npz"):
        Standard.read(tmp_path / "standard.npz", 4)
