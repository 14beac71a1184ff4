"""Photos of covers → the network that `engine.covers.identify.sleeves` asks where a sleeve lies.

    pool ─photograph at 128 px→ photo, corners ─train→ engine/covers/identify/sleeves.npz

    python -m training.sleeves

A network that learns where covers lie on six kinds of table learns the tables: half of the photos
are of a cover that lies on others, enlarged, mirrored or side by side, so that nothing around it
tells but its own edges, and that they close.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from engine.covers.identify.outlines import shift
from engine.covers.identify.sleeves import (
    BINS,
    CELLS,
    SIDE,
    WEIGHTS,
    find_sleeves,
    first_corner,
    middle,
)
from engine.covers.photos import photo
from engine.covers.photos.photo import PRESETS, Distortion, simulate_photo
from training.data import pool_of_covers
from training.layout import MIXED

PHOTOS, EPOCHS, BATCH = 120_000, 12, 128
_SHOT = 128  # pixels, the shorter side of a photo before it is made square
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

_HIDDEN = Distortion(share=(0.15, 0.8), turn_deg=180, occlusion=(0.1, 0.4), tilt_deg=(0, 30))
_CUT = replace(PRESETS["mixed"], visible=(0.6, 1.0))
_HOW = (*[PRESETS["mixed"]] * 3, *[MIXED] * 3, *[_HIDDEN] * 2, *[_CUT] * 2)


def _on_others(covers: Pixels, width: int, height: int, rng: np.random.Generator) -> Pixels:
    """A ground of covers: one of them enlarged, or several in a grid that nobody laid straight."""
    count = int(rng.choice([1, 1, 2, 3, 4]))
    picks = covers[np.sort(rng.integers(0, len(covers), count * count))]
    rows = [np.concatenate(list(picks[k * count : (k + 1) * count]), 1) for k in range(count)]
    ground = np.concatenate(rows)
    gap = int(rng.integers(0, 30))
    if gap > 5:
        tone = rng.uniform(0, 255, 3)
        for k in range(count + 1):
            at = k * 192
            ground[max(0, at - gap // 2) : at + gap // 2] = tone
            ground[:, max(0, at - gap // 2) : at + gap // 2] = tone
    side = len(ground)
    scale = max(width, height) / side * rng.uniform(1.1, 2.5)
    turn = rng.uniform(0, 360) if rng.random() < 0.5 else rng.choice([0, 90, 180, 270])
    warp = cv2.getRotationMatrix2D((side / 2, side / 2), float(turn), float(scale))
    warp[:, 2] += np.array([width, height]) / 2 - side / 2 + rng.uniform(-0.2, 0.2, 2) * width
    shown = cv2.warpAffine(
        ground, warp, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT
    )
    if rng.random() < 0.5:
        shown = cv2.GaussianBlur(shown, (0, 0), float(rng.uniform(0.5, 6)))
    return np.asarray(shown, np.uint8)


def shot(number: int, covers: Pixels) -> tuple[Pixels, Floats]:
    """A photo, (96, 96, 3), and the corners in it as shares of its width and height."""
    rng = np.random.default_rng([97, number])
    cover = np.asarray(covers[int(rng.integers(len(covers)))])
    drawn = photo.background
    if rng.random() < 0.5:

        def others(kind: str, width: int, height: int, rng: np.random.Generator) -> Pixels:
            return _on_others(covers, width, height, rng)

        photo.background = others
    try:
        made = simulate_photo(cover, rng, _HOW[int(rng.integers(len(_HOW)))], size=_SHOT)
    finally:
        photo.background = drawn
    height, width = made.image.shape[:2]
    small = cv2.resize(made.image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), made.quad / np.array([width, height], np.float32)


def _shots(numbers: range) -> tuple[Pixels, Floats]:
    cv2.setNumThreads(1)
    covers = pool_of_covers()
    made = [shot(number, covers) for number in numbers]
    return np.stack([photo for photo, _ in made]), np.stack([quad for _, quad in made])


def shots(photos: int) -> tuple[Pixels, Floats]:
    parts = [range(start, min(start + 500, photos)) for start in range(0, photos, 500)]
    ways = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=ways) as pool:
        made = list(tqdm(pool.map(_shots, parts), total=len(parts), desc="photos", disable=None))
    return np.concatenate([one for one, _ in made]), np.concatenate([quads for _, quads in made])


class Network(nn.Module):
    """As `identify.sleeves` reads it: 3 × 3 convolutions, each normalised and cut at zero."""

    def __init__(self) -> None:
        super().__init__()
        widths = {
            "a": (3, 12, 2), "b": (12, 24, 2), "c": (24, 48, 2), "d": (48, 48, 1),
            "e": (48, 80, 2), "f": (80, 80, 1), "g": (80, 80, 1), "h": (48, 48, 1),
        }  # fmt: skip
        for name, (before, after, stride) in widths.items():
            conv = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
            setattr(self, name, nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU()))
        self.whole = nn.Linear(80, 48)
        self.down = nn.Conv2d(80, 48, 1)
        self.out = nn.Conv2d(48, BINS * 9, 1)

    def forward(self, photos: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 96, 96, 3) uint8 → logits (N, 576) and corners about the cell (N, 576, 8)."""
        x = photos.permute(0, 3, 1, 2).float() / 64 - 2
        x = self.c(self.b(self.a(x)))
        x = x + self.d(x)
        y = self.e(x)
        y = y + self.f(y)
        y = y + self.g(y)
        seen = self.whole(y.mean((2, 3)))[:, :, None, None]
        wide = functional.interpolate(self.down(y), scale_factor=2, mode="nearest")
        x = x + wide + seen
        x = x + self.h(x)
        made = self.out(x).unflatten(1, (BINS, 9)).permute(0, 3, 4, 1, 2).flatten(1, 3)
        return made[..., 0], made[..., 1:]


def targets(quads: Floats) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 4, 2) → how much each of 576 places should answer, and the corners from its first."""
    first, turn = first_corner(quads)
    order = (first[:, None] + np.arange(4)) % 4
    quads = np.take_along_axis(quads, order[..., None], 1)
    at = np.clip(middle(quads), 0, 1 - 1e-6)
    grid = (np.arange(CELLS) + 0.5) / CELLS
    far_x = ((at[:, 0, None] - grid) * CELLS) ** 2
    far_y = ((at[:, 1, None] - grid) * CELLS) ** 2
    bins = (np.arange(BINS) + 0.5) / BINS - 0.5
    far_turn = np.abs(turn[:, None] - bins)
    # −0.5 and 0.5 are the same sleeve with another first corner: only the nearer side answers.
    far_turn = (far_turn * BINS) ** 2
    far = far_y[:, :, None, None] + far_x[:, None, :, None] + far_turn[:, None, None]
    weight = np.exp(-far / (2 * 0.5**2)).reshape(len(quads), -1)
    weight[weight < 0.05 * weight.max(1, keepdims=True)] = 0
    weight /= weight.sum(1, keepdims=True)
    return torch.tensor(weight, dtype=torch.float32), torch.tensor(quads.reshape(-1, 8))


_GRID = torch.tensor(
    [[(x + 0.5) / CELLS, (y + 0.5) / CELLS] * 4 for y in range(CELLS) for x in range(CELLS)
     for _ in range(BINS)]
)  # fmt: skip


def mirrored(photos: Pixels, quads: Floats, way: int) -> tuple[Pixels, Floats]:
    """One of the eight ways to turn and mirror a square, corners clockwise still."""
    if way & 1:
        photos, quads = photos[:, :, ::-1], quads * np.float32([-1, 1]) + np.float32([1, 0])
        quads = quads[:, ::-1]
    if way & 2:
        photos, quads = photos[:, ::-1], quads * np.float32([1, -1]) + np.float32([0, 1])
        quads = quads[:, ::-1]
    if way & 4:
        photos, quads = photos.swapaxes(1, 2), quads[..., ::-1][:, ::-1]
    return np.ascontiguousarray(photos), np.ascontiguousarray(quads)


def train(photos: Pixels, quads: Floats, epochs: int = EPOCHS) -> Network:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = Network()
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    batches = len(photos) // BATCH
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, epochs * batches, pct_start=0.15)
    for epoch in range(epochs):
        total = 0.0
        steps = tqdm(np.array_split(rng.permutation(len(photos)), batches), disable=None)
        for rows in steps:
            shown, where = mirrored(photos[rows], quads[rows], int(rng.integers(8)))
            gain = rng.uniform(0.7, 1.3, (len(rows), 1, 1, 3)).astype(np.float32)
            shown = np.clip(shown * gain, 0, 255).astype(np.uint8)
            weight, corners = targets(where)
            logits, found = network(torch.tensor(shown))
            far = (found + _GRID - corners[:, None]).abs().mean(2)
            place = -(weight * logits.log_softmax(1)).sum(1)
            loss = (place + 10 * (weight * far).sum(1)).mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            rate.step()
            total += float(loss.detach())
        print(f"epoch {epoch + 1}: loss {total / batches:.3f}", flush=True)
    return network.eval()


def folded(network: Network) -> dict[str, Floats]:
    """The weights, what normalises them multiplied in."""
    made = {}
    for name, layer in network.named_children():
        if isinstance(layer, nn.Sequential):
            conv, norm = layer[0], layer[1]
            gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            made[f"{name}.weight"] = conv.weight * gain[:, None, None, None]
            made[f"{name}.bias"] = norm.bias - norm.running_mean * gain
        else:
            made[f"{name}.weight"], made[f"{name}.bias"] = layer.weight, layer.bias
    return {name: value.detach().numpy() for name, value in made.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Train the network of engine/covers/identify/sleeves.npz."
    )
    parser.add_argument("--photos", type=int, default=PHOTOS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    photos, quads = shots(options.photos)
    held = len(photos) // 50
    network = train(photos[held:], quads[held:], options.epochs)
    np.savez(WEIGHTS, **{name: v.astype(np.float16) for name, v in folded(network).items()})
    off = [error(photo, quad) for photo, quad in zip(photos[:held], quads[:held], strict=True)]
    near = ", ".join(f"{np.mean(np.array(off) < bar):.3f} within {bar}" for bar in (0.05, 0.1, 0.2))
    print(f"of {held:,} photos held out, the best of four outlines: {near} of the side")


def error(photo: Pixels, quad: Floats) -> float:
    """Largest distance of a corner of the best of four outlines, as a share of the side."""
    truth = (quad * SIDE).astype(np.float32)
    found = find_sleeves(photo, 4)
    if not len(found):
        return 1.0
    return float(shift(found, truth).min() / np.sqrt(abs(cv2.contourArea(truth))))


if __name__ == "__main__":
    main()
