"""How the fingerprint's network was made: what it hears, what it is told, what it must not know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from engine.sound.fingerprint import spectrum  # noqa: E402
from engine.sound.fingerprint.network import Fingerprinter  # noqa: E402
from engine.sound.tensors import write_tensors  # noqa: E402
from training.sound import packages, train  # noqa: E402
from training.sound.export import folded  # noqa: E402
from training.sound.model import Network  # noqa: E402
from training.sound.music import Music, Track  # noqa: E402
from training.sound.pairs import Batch, Pairs, Recipe  # noqa: E402

RATE = spectrum.RATE
SMALL = Recipe(pairs=6, siblings=2, coded_share=0.2, rooms=3)


def tunes() -> Music:
    """Three of fifteen seconds, a second's pause before each."""
    rng = np.random.default_rng(1)
    t = np.arange(15 * RATE) / RATE
    parts, tracks = [], []
    for name in "abc":
        notes = 220 * 2 ** (rng.integers(0, 24, 91) / 12)
        phase = 2 * np.pi * np.cumsum(notes[(t * 6).astype(int)]) / RATE
        tune = np.concatenate([np.zeros(RATE), 8_000 * np.sin(phase)]).astype(np.int16)
        tracks.append(Track("tunes", name, sum(map(len, parts)), len(tune)))
        parts.append(tune)
    return Music(np.concatenate(parts), tracks)


def pairs(recipe: Recipe, seed: int = 3) -> Pairs:
    speech = np.random.default_rng(2).standard_normal(10 * RATE).astype(np.float32)
    return Pairs(tunes(), speech, recipe, seed)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return pairs(SMALL).batch()


def test_nothing_held_out_is_trained_or_validated_on() -> None:
    used = {*packages.TRAINED_ON, *packages.VALIDATED_ON, *packages.SPEECH}
    assert not used & set(packages.HELD_OUT)
    assert not set(packages.TRAINED_ON) & set(packages.VALIDATED_ON)


def test_the_same_seed_makes_the_same_batch(batch: Batch) -> None:
    again = pairs(SMALL).batch()
    assert np.array_equal(batch.heard, again.heard)
    assert not np.array_equal(batch.heard, pairs(SMALL, seed=4).batch().heard)


def test_a_pair_is_the_same_stretch_twice() -> None:
    """Without room, noise and codec, what is heard is likest to its own recording."""
    plain = replace(SMALL, quiet_share=1.0, dry_share=1.0, speed_share=0.0, coded_share=0.0)
    made = pairs(plain).batch()
    heard, recorded = (
        x.astype(np.float32).reshape(len(x), -1) for x in (made.heard, made.recorded)
    )
    alike = np.corrcoef(heard, recorded)[: len(heard), len(heard) :]
    assert np.array_equal(alike.argmax(1), np.arange(len(heard)))


def test_siblings_are_other_places_of_tracks_that_are_there(batch: Batch) -> None:
    assert set(batch.tracks[4:]) <= set(batch.tracks[:4])
    places = list(zip(batch.tracks, batch.seconds, strict=True))
    for at, (track, second) in enumerate(places):
        others = [s for t, s in places[:at] if t == track]
        assert all(abs(second - other) > 4 for other in others)


def test_the_loss_is_nothing_when_all_are_found_and_much_when_all_are_mixed_up() -> None:
    rows, tracks = torch.eye(8, 64), torch.arange(8)
    plan, memory = train.Plan(), train.Memory(16)
    good, found = train.loss(rows, rows, tracks, memory, plan)
    bad, lost = train.loss(rows, rows.roll(1, 0), tracks, memory, plan)
    assert float(good) < 1e-3
    assert float(found) == 1
    assert float(bad) > 10
    assert float(lost) == 0


def test_windows_remembered_of_the_same_track_are_no_false_answers() -> None:
    rows, tracks = torch.eye(4, 64), torch.arange(4)
    memory = train.Memory(16)
    memory.add(rows, tracks)
    same, _ = train.loss(rows, rows, tracks, memory, train.Plan())
    memory.tracks += 10
    others, _ = train.loss(rows, rows, tracks, memory, train.Plan())
    assert float(same) < 1e-3
    assert float(others) > 0.5


def test_memory_keeps_the_newest() -> None:
    memory = train.Memory(3)
    for track in range(5):
        memory.add(torch.full((1, 64), float(track)), torch.tensor([track]))
    assert memory.tracks.tolist() == [4, 3, 2]


@pytest.mark.parametrize("shape", [(24, 18), (18, 24), (32, 300)])
def test_an_update_turns_but_does_not_stretch(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    update = train.orthogonal(torch.randn(shape))
    assert update.shape == shape
    values = torch.linalg.svdvals(update)
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.3


def test_it_learns_and_goes_on_where_it_was(batch: Batch, tmp_path: Path) -> None:
    plan = train.Plan(warm=1)
    trainer = train.Trainer(plan)
    losses = [trainer.learn(batch)[0] for _ in range(4)]
    assert losses[-1] < 0.8 * losses[0]
    trainer.save(tmp_path / "state.pt")
    again = train.Trainer(plan)
    again.resume(tmp_path / "state.pt")
    # What is remembered is not on disk: it is full again after a few batches.
    again.memory, trainer.memory = train.Memory(64), train.Memory(64)
    assert again.learn(batch)[0] == pytest.approx(trainer.learn(batch)[0], rel=1e-4)


def test_replicas_meet_in_the_middle(tmp_path: Path) -> None:
    one, two = Network(), Network()
    expected = (one.head.weight + two.head.weight) / 2
    train.Others(tmp_path, 0, 2).meet(one)
    train.Others(tmp_path, 1, 2).meet(two)
    assert torch.allclose(two.head.weight, expected)


def test_what_is_exported_computes_what_was_trained(batch: Batch, tmp_path: Path) -> None:
    trainer = train.Trainer(train.Plan(warm=1))
    for _ in range(2):
        trainer.learn(batch)
    network = trainer.network.eval()
    write_tensors(tmp_path / "network.safetensors", folded(network), {}, kind="F16")
    samples = np.random.default_rng(1).standard_normal(8 * RATE).astype(np.float32)
    frames = spectrum.frames(spectrum.halve(samples))
    with torch.inference_mode():
        expected = network(torch.from_numpy(frames)[None])[0].numpy()
    found = Fingerprinter.open(tmp_path, threads=1).embed(samples, 0.125)
    assert np.abs(found - expected).max() < 0.01  # float16
