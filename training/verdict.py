"""Photos of covers → the network that `identify.verdict` asks, `identify/verdict.npz`.

    pool ─photograph→ ─prove against the cover, and others→ maps of each comparison ─train→ network

    python -m training.verdict

Every photo is compared with its own cover, with the three others of 8,000 whose layout is most like
what it shows (covers of the same genre and ground, which is what a stranger is mistaken for), and
with two at wrong outlines of it. The covers are the training's own, and so are backgrounds,
stickers and hands.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from engine.covers.identify import layout
from engine.covers.identify.outlines import Quads, find_outlines
from engine.covers.identify.proof import Reference, Windows, own_map, prove
from engine.covers.identify.proving import likeliest
from engine.covers.identify.references import References
from engine.covers.identify.verdict import MAPS, WEIGHTS
from engine.covers.identify.views import rectify
from engine.covers.making.references import make_references
from engine.vectors.embeddings import Ids
from training.data import pool_of_covers
from training.layout import Covers, photographed

PHOTOS, REFERENCES, RIVALS, WRONG_PLACES = 30_000, 8_000, 3, 2
EPOCHS, BATCH, WIDTH = 10, 64, 48
Compared = tuple[NDArray[np.float16], bool, int]


class _Pool:
    """What references ask of a catalogue, `engine.covers.identify.references.Covers`."""

    has_thumbnails = True

    def __init__(self, covers: Covers) -> None:
        self._covers = covers

    def ids(self) -> Ids:
        return np.arange(len(self._covers), dtype=np.int64)

    def thumbnail(self, album_id: int) -> bytes | None:
        cover = np.asarray(self._covers[album_id])
        return cv2.imencode(".png", cover[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def comparisons(photos: int) -> tuple[NDArray[np.float16], NDArray[np.bool_], NDArray[np.int64]]:
    """(N, 12, 16, 16) maps, whether each is of the right cover, and the photo it is of."""
    covers = pool_of_covers()[:REFERENCES]
    pool_of_references = _Pool(covers)
    references = make_references(pool_of_references, pool_of_references.ids())
    assert references is not None
    made: list[Compared] = []
    # Forked, so that the references are made once.
    ways = multiprocessing.get_context("fork")
    _forked.append(references)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=ways) as pool:
        parts = [range(start, min(start + 100, photos)) for start in range(0, photos, 100)]
        for part in tqdm(pool.map(_of_photos, parts), total=len(parts), disable=None):
            made += part
    maps, right, of = zip(*made, strict=True)
    return np.stack(maps), np.array(right), np.array(of)


_forked: list[References] = []


def _of_photos(numbers: range) -> list[Compared]:
    cv2.setNumThreads(1)
    covers, [references] = pool_of_covers(), _forked
    return [one for number in numbers for one in _compared(number, covers, references)]


def _compared(number: int, covers: Covers, references: References) -> Iterator[Compared]:
    rng = np.random.default_rng([4321, number])
    own = int(rng.integers(len(references)))
    levels, quad = photographed(np.asarray(covers[own]), rng)
    same = {own, *references.twins(own)}
    for row, place in _tries(levels, quad, own, same, references):
        rival = Reference(np.asarray(covers[row]), _own_map(row, own, covers, references))
        proof = prove(levels, place, rival)
        if proof is not None and proof.inliers:
            yield proof.maps.astype(np.float16), row == own, number


def _tries(
    levels: list[Covers], quad: Quads, own: int, same: set[int], references: References
) -> Iterator[tuple[int, Quads]]:
    yield own, quad
    seen = layout.features(rectify(levels, quad, layout.SIDE)[None])
    [near] = references.nearest(references.basis.codes(seen), RIVALS + 4)
    rivals = [one.row for one in near if one.row not in same][:RIVALS]
    yield from ((row, quad) for row in rivals)
    outlines = find_outlines(levels[0])[:2]
    if not len(outlines):
        return
    views = np.stack([rectify(levels, other, layout.SIDE) for other in outlines])
    turned = layout.features_turned(views).reshape(4 * len(views), -1)
    nearest = references.nearest(references.basis.codes(turned), 1)
    hits = [(one.similarity, one.row, number) for number, [one] in enumerate(nearest)]
    wrong = [hit for hit in hits if hit[1] not in {*same, *rivals}]
    for _, row, place in likeliest(wrong, outlines, WRONG_PLACES):
        yield row, place


def _own_map(row: int, shown: int, covers: Covers, references: References) -> NDArray[np.float32]:
    """What is a cover's own, as a catalogue has it that lacks the cover shown: a stranger's."""
    [near] = references.nearest(references.code(row)[None], 11)
    siblings = [one.row for one in near if one.row not in (row, shown)][:8]
    mine, *others = (
        Windows(layout.shrunk(np.asarray(covers[one])), layout.SIDE // 8 + 1)
        for one in (row, *siblings)
    )
    return own_map(mine, others)


class Network(nn.Module):
    """As `engine.covers.identify.verdict.verdict` reads it."""

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


def train(maps: NDArray[np.float16], right: NDArray[np.bool_], epochs: int = EPOCHS) -> Network:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    some = maps[::16].astype(np.float32)
    mean, deviation = some.mean((0, 2, 3)), some.std((0, 2, 3))
    network = Network(torch.tensor(mean), torch.tensor(deviation))
    y = torch.tensor(right, dtype=torch.float32)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    batches = len(maps) // BATCH
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, epochs * batches, pct_start=0.15)
    for _ in tqdm(range(epochs), desc="epochs", disable=None):
        for rows in np.array_split(rng.permutation(len(maps)), batches):
            shown = turned(torch.tensor(maps[rows]).float(), int(rng.integers(8)))
            loss = functional.binary_cross_entropy_with_logits(network(shown), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Train the network of engine/covers/identify/verdict.npz."
    )
    parser.add_argument("--photos", type=int, default=PHOTOS)
    photos = parser.parse_args().photos
    maps, right, of = comparisons(photos)
    held = of % 16 == 0
    network = train(maps[~held], right[~held])
    with torch.no_grad():
        odds = network(torch.tensor(maps[held]).float()).numpy()
    loss = float(np.logaddexp(0, np.where(right[held], -odds, odds)).mean())
    bar = np.quantile(odds[~right[held]], 0.995)
    above = np.mean(odds[right[held]] > bar)
    print(f"{len(maps):,} comparisons, {held.sum():,} of them held out: log-loss {loss:.4f}")
    print(f"{above:.3f} of the right ones lie above 99.5 % of the others")
    made = {name: value.numpy() for name, value in network.state_dict().items()}
    np.savez(WEIGHTS, **{name: value.astype(np.float16) for name, value in made.items()})


if __name__ == "__main__":
    main()
