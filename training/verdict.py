"""Photos of covers → the network that `engine.verdict` asks, `engine/verdict.npz`.

    pool ─photograph→ ─prove against the cover, and the two most alike→ maps ─train→ network

    python -m training.verdict

Every photo is compared with its own cover and with the two others of 4,000 whose layout is most
like what it shows: covers of the same genre and ground, which is what a stranger is mistaken for.
The covers are the training's own, and so are backgrounds, stickers and hands.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from engine import layout
from engine.candidates import working_copy
from engine.catalogue import Catalogue
from engine.proof import Reference, Windows, own_map, prove
from engine.references import References, make_references
from engine.simulate import PRESETS, Distortion, simulate_photo
from engine.verdict import MAPS, WEIGHTS
from training.data import pool_of_covers

PHOTOS, REFERENCES, RIVALS = 4_500, 4_000, 2
EPOCHS, BATCH, WIDTH = 20, 64, 16
Covers = NDArray[np.uint8]  # (N, 192, 192, 3)
_HIDDEN = Distortion(share=(0.25, 0.6), turn_deg=180, occlusion=(0.1, 0.35))
_MIXED = replace(PRESETS["mixed"], occlusion=(0.05, 0.35))
_HOW = (*[PRESETS["mixed"]] * 3, *[_MIXED] * 3, *[_HIDDEN] * 3, PRESETS["mild"])
_MISPLACED = 0.015  # deviation of a corner before the proof finds it, as a share of the side


class _Pool(Catalogue):
    def __init__(self, covers: Covers) -> None:
        self._covers = covers

    def thumbnail(self, album_id: int) -> bytes | None:
        cover = np.asarray(self._covers[album_id])
        return cv2.imencode(".png", cover[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def comparisons(photos: int) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
    """(N, 12, 16, 16) maps, whether each is of the right cover, and the photo it is of."""
    covers = pool_of_covers()[:REFERENCES]
    references = make_references(_Pool(covers), np.arange(REFERENCES, dtype=np.int64))
    assert references is not None
    maps, right, of = [], [], []
    for number in tqdm(range(photos), desc="photos", disable=None):
        for row, shown in _compared(number, covers, references):
            maps.append(shown)
            right.append(row == number % REFERENCES)
            of.append(number)
    return np.array(maps, np.float32), np.array(right), np.array(of)


def _compared(
    number: int, covers: Covers, references: References
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    rng = np.random.default_rng([99, number])
    own = number % REFERENCES
    made = simulate_photo(
        np.asarray(covers[own]), rng, _HOW[int(rng.integers(len(_HOW)))], size=480
    )
    photo, scale = working_copy(made.image)
    quad = (made.quad / scale).astype(np.float32)
    side = np.sqrt(abs(cv2.contourArea(quad)))
    quad = quad + rng.normal(0, _MISPLACED * side, (4, 2)).astype(np.float32)
    levels = layout.halvings(photo)
    seen = layout.features(layout.rectify(levels, quad, layout.SIDE)[None])
    twins = references.twins(own)
    [near] = references.nearest(references.basis.codes(seen), RIVALS + 4)
    rivals = [one.row for one in near if one.row != own and one.row not in twins]
    for row in (own, *rivals[:RIVALS]):
        rival = Reference(np.asarray(covers[row]), _own_map(row, own, covers, references))
        proof = prove(levels, quad, rival)
        if proof is not None and proof.inliers:
            yield row, proof.maps


def _own_map(row: int, shown: int, covers: Covers, references: References) -> NDArray[np.float32]:
    """What is a cover's own, as a catalogue has it that lacks the cover shown: a stranger's."""
    [near] = references.nearest(references.codes[row : row + 1], 11)
    siblings = [one.row for one in near if one.row not in (row, shown)][:8]
    mine, *others = (
        Windows(layout.shrunk(np.asarray(covers[one])), layout.SIDE // 8 + 1)
        for one in (row, *siblings)
    )
    return own_map(mine, others)


class Network(nn.Module):
    """As `engine.verdict.verdict` reads it."""

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean[:, None, None])
        self.register_buffer("deviation", deviation[:, None, None])
        self.a = nn.Conv2d(len(MAPS), WIDTH, 3, padding=1)
        self.b = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.c = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, stride=2)
        self.d = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.attention = nn.Linear(WIDTH, 4)
        self.hidden = nn.Linear(6 * WIDTH, WIDTH)
        self.odds = nn.Linear(WIDTH, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        x = (maps - self.mean) / self.deviation
        for layer in (self.a, self.b, self.c):
            x = functional.relu(layer(x))
        x = x + functional.relu(self.d(x))
        places = x.flatten(2).transpose(1, 2)
        attended = self.attention(places).softmax(1).transpose(1, 2) @ places
        pooled = torch.cat([places.mean(1), places.amax(1), attended.flatten(1)], 1)
        return self.odds(functional.relu(self.hidden(pooled)))[:, 0]


def turned(maps: torch.Tensor, way: int) -> torch.Tensor:
    """One of the eight ways to turn and mirror a square."""
    maps = maps.flip(-1) if way & 1 else maps
    maps = maps.flip(-2) if way & 2 else maps
    return maps.transpose(-1, -2) if way & 4 else maps


def train(maps: NDArray[np.float32], right: NDArray[np.bool_], epochs: int = EPOCHS) -> Network:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    mean, deviation = maps.mean((0, 2, 3)), maps.std((0, 2, 3))
    network = Network(torch.tensor(mean), torch.tensor(deviation))
    x, y = torch.tensor(maps), torch.tensor(right, dtype=torch.float32)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    batches = len(x) // BATCH
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, epochs * batches, pct_start=0.15)
    for _ in tqdm(range(epochs), desc="epochs", disable=None):
        for rows in np.array_split(rng.permutation(len(x)), batches):
            shown = turned(x[rows], int(rng.integers(8)))
            loss = functional.binary_cross_entropy_with_logits(network(shown), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the network of engine/verdict.npz.")
    parser.add_argument("--photos", type=int, default=PHOTOS)
    photos = parser.parse_args().photos
    maps, right, of = comparisons(photos)
    held = of % 8 == 0
    trial = train(maps[~held], right[~held])
    with torch.no_grad():
        odds = trial(torch.tensor(maps[held])).numpy()
    loss = float(np.logaddexp(0, np.where(right[held], -odds, odds)).mean())
    bar = np.quantile(odds[~right[held]], 0.995)
    above = np.mean(odds[right[held]] > bar)
    print(f"{len(maps):,} comparisons, {held.sum():,} of them held out: log-loss {loss:.4f}")
    print(f"{above:.3f} of the right ones lie above 99.5 % of the others")
    made = {name: value.numpy() for name, value in train(maps, right).state_dict().items()}
    np.savez(WEIGHTS, **{name: value.astype(np.float16) for name, value in made.items()})


if __name__ == "__main__":
    main()
