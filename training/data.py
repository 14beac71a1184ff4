"""Seeds → batches: a pool of covers drawn once, then photos of them made as they are needed.

A batch is a function of (seed, step), so a resumed run sees what an unbroken one would have.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import Full
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from engine.covers.photos.photo import PRESETS, simulate_photo
from engine.covers.photos.surroundings import BACKGROUNDS, texture
from training import RUN, captions, covers, pictures

SIDE = 128
POOL_SIDE = 192
POOL = 30_000
ALIKE = 8  # covers of one genre and colour that share a batch
CATALOGUE = 2_200
SINGLES = ("small", "rotation", "perspective", "crop", "glare", "blur", "occlusion", "colour")

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Batch:
    """`clean`, `photos`: (N, 128, 128, 3) uint8 of the same N covers; `pictures`: (M, …).

    `texts`: N + M captions, then one for every thing, colour and genre. `fits[t, i]`: is text t
    true of image i of clean followed by pictures. `image_facts`, `text_facts`: (., 4), `numbered`.
    """

    step: int
    cover_ids: NDArray[np.int64]
    clean: Pixels
    photos: Pixels
    pictures: Pixels
    texts: list[str]
    fits: NDArray[np.bool_]
    image_facts: NDArray[np.int64]
    text_facts: NDArray[np.int64]


@cache
def _numbers() -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Numbers of the colours, the genres and the named things that training knows."""
    names = [n for n in pictures.catalogue_of_names() if n not in pictures.HELD_OUT_OBJECTS]
    lists: tuple[Iterable[str], ...] = (covers.COLOURS, covers.GENRES, names)
    colours, genres, things = ({name: k for k, name in enumerate(names)} for names in lists)
    return colours, genres, things


def kinds_of_facts() -> tuple[int, int, int]:
    """How many colours, genres and named things there are."""
    colours, genres, things = _numbers()
    return len(colours), len(genres), len(things)


def numbered(colour: str | None, genre: str | None, objects: tuple[str, ...]) -> list[int]:
    """[colour, genre, thing, other thing]; -1 where nothing is said."""
    colours, genres, things = _numbers()
    seen = [things[name] for name in objects[:2]]
    first = [colours[colour] if colour else -1, genres[genre] if genre else -1]
    return first + seen + [-1] * (2 - len(seen))


def prepared(image: Pixels) -> Pixels:
    """(H, W, 3) uint8 → (128, 128, 3) uint8: shorter side to 128 (bicubic), middle square.

    What `preprocessor_config.json` says and engine.covers.image does, for the pictures made here.
    """
    height, width = image.shape[:2]
    scale = SIDE / min(height, width)
    size = (max(SIDE, int(width * scale)), max(SIDE, int(height * scale)))
    if size != (width, height):
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    top, left = (image.shape[0] - SIDE) // 2, (image.shape[1] - SIDE) // 2
    return np.ascontiguousarray(image[top : top + SIDE, left : left + SIDE])


def fitting(
    said: Sequence[captions.Caption],
    facts: Sequence[tuple[str | None, str | None, tuple[str, ...]]],
) -> NDArray[np.bool_]:
    """(T, I): `Caption.fits` of T captions and the facts of I pictures, as a few comparisons of
    arrays: one call for each pair was a fifth of a batch's cost."""
    spoken = [(text.colour, text.genre, text.objects, text.any_of) for text in said]
    things = {
        name: k
        for k, name in enumerate(
            {n for *_, objects, some in spoken for n in (*objects, *some)}
            | {n for *_, objects in facts for n in objects}
        )
    }
    shown = np.zeros((len(facts), len(things)), np.int16)
    for row, (*_, objects) in zip(shown, facts, strict=True):
        row[[things[name] for name in objects]] = 1
    asked, some = (np.zeros((len(said), len(things)), np.int16) for _ in range(2))
    for all_row, some_row, text in zip(asked, some, spoken, strict=True):
        all_row[[things[name] for name in text[2]]] = 1
        some_row[[things[name] for name in text[3]]] = 1
    fits = (asked @ shown.T) == asked.sum(1)[:, None]
    fits &= ((some @ shown.T) > 0) | ~some.any(1)[:, None]
    for k in (0, 1):
        wanted = np.array([text[k] or "" for text in spoken])
        seen = np.array([fact[k] or "" for fact in facts])
        fits &= (wanted[:, None] == "") | (wanted[:, None] == seen[None])
    return np.asarray(fits, np.bool_)


# --- the pool and the catalogue -------------------------------------------------------------


def _draw_range(path: Path, start: int, stop: int) -> int:
    pool = np.load(path, mmap_mode="r+")
    for seed in range(start, stop):
        made = covers.album(covers.TRAINING_SEED + seed)
        pool[seed] = covers.draw_cover(made, POOL_SIDE)
    return stop - start


def pool_of_covers(count: int = POOL) -> NDArray[np.uint8]:
    """(count, 192, 192, 3) uint8, memory-mapped: the covers of the training seeds."""
    path = RUN / f"pool-{count}.npy"
    if not path.exists():
        beside = path.with_suffix(".part.npy")
        np.lib.format.open_memmap(
            beside, mode="w+", dtype=np.uint8, shape=(count, POOL_SIDE, POOL_SIDE, 3)
        ).flush()
        for designer in pictures.ON_COVERS:
            covers._pictures_of(designer)
        with (
            ProcessPoolExecutor(os.cpu_count()) as workers,
            tqdm(total=count, desc="pool", disable=None) as bar,
        ):
            jobs = [
                workers.submit(_draw_range, beside, start, min(count, start + 250))
                for start in range(0, count, 250)
            ]
            for job in jobs:
                bar.update(job.result())
        beside.rename(path)
    return np.load(path, mmap_mode="r")


def catalogue(count: int = CATALOGUE) -> list[covers.Album]:
    """The demo's albums: no two of the same title and artist, every genre about equally often."""
    found: dict[tuple[str, str], covers.Album] = {}
    seed = covers.CATALOGUE_SEED
    while len(found) < count:
        made = covers.album(seed)
        found.setdefault((made.title, made.artist), made)
        seed += 1
    return list(found.values())


def file_name(made: covers.Album) -> str:
    """The name of its cover in `training/run/covers`."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in made.title.lower())
    while "--" in plain:
        plain = plain.replace("--", "-")
    return f"{made.seed - covers.CATALOGUE_SEED:05d}-{plain.strip('-')}.webp"


def write_catalogue() -> None:
    """`training/run/covers/*.webp` at 512 px and `training/run/metadata.csv`."""
    folder = RUN / "covers"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for made in tqdm(catalogue(), desc="catalogue", disable=None):
        path = folder / file_name(made)
        if not path.exists():
            beside = path.with_suffix(".part")
            Image.fromarray(covers.draw_cover(made)).save(beside, "WEBP", quality=90, method=4)
            beside.rename(path)
        rows.append(
            {
                "file": path.name,
                "title": made.title,
                "artist": made.artist,
                "year": made.year,
                "genre": made.genre,
                "colour": made.colour,
                "objects": "; ".join(made.objects),
                "style": captions.STYLES[made.genre][0],
            }
        )
    with (RUN / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


# --- single pictures ------------------------------------------------------------------------


def is_ink(rgba: Pixels) -> bool:
    """Is it a drawing in black alone, whose shape is all there is?"""
    return bool(rgba[..., :3][rgba[..., 3] > 128].max(initial=0) < 48)


def filled_in(ink: Pixels, palette: Pixels, rng: np.random.Generator) -> Pixels:
    """(S, S, 4) uint8, a drawing in black → the same with every region that the lines enclose
    filled with a colour of `palette`, (N, 3) uint8; or the lines alone; or in another ink."""
    alpha = cv2.extractChannel(ink, 3)
    draw = rng.random()
    colour = np.zeros_like(ink[..., :3])
    if draw < 0.35:
        if rng.random() < 0.6:
            colour[:] = palette[int(rng.integers(len(palette)))]
        return np.dstack([colour, alpha])
    if rng.random() < 0.3:
        thick = int(rng.integers(2, 4))
        alpha = cv2.dilate(alpha, np.ones((thick, thick), np.uint8))
    count, regions = cv2.connectedComponents(
        np.pad(alpha < 128, 1, constant_values=True).astype(np.uint8), connectivity=4
    )
    regions = regions[1:-1, 1:-1]
    fills = palette[rng.integers(len(palette), size=count)]
    if rng.random() < 0.4:
        fills[:] = fills[-1]
    inside = regions > 1  # 0 is ink, 1 what touches the border
    weight = alpha[..., None].astype(np.float32) / 255
    colour = np.where(inside[..., None], fills[regions] * (1 - weight), colour).astype(np.uint8)
    return np.dstack([colour, np.where(inside, 255, alpha).astype(np.uint8)])


Hands = tuple[list[Pixels], list[Pixels]]


def drawings() -> list[tuple[str, Hands]]:
    """By name, what the trained designers drew in colours and what they drew in black."""
    by_name: dict[str, Hands] = {}
    for designer in pictures.TRAINED:
        for name, rgba in pictures.drawn(designer).items():
            if name not in pictures.HELD_OUT_OBJECTS:
                by_name.setdefault(name, ([], []))[is_ink(rgba)].append(rgba)
    return list(by_name.items())


def redrawn(hands: Hands, rng: np.random.Generator) -> Pixels:
    """One designer's drawing; a third of the time a black one, its regions filled with the
    colours of another designer's: a black outline around flat colours is how many draw."""
    coloured, inked = hands
    if inked and (not coloured or rng.random() < 0.35):
        palette = rng.integers(0, 256, (8, 3), np.uint8)
        if coloured and rng.random() < 0.75:
            other = coloured[int(rng.integers(len(coloured)))]
            places = rng.integers(len(other), size=(2, 64))
            solid = other[places[0], places[1]]
            solid = solid[solid[:, 3] > 200]
            if len(solid):
                palette = solid[:, :3]
        return filled_in(inked[int(rng.integers(len(inked)))], palette, rng)
    return coloured[int(rng.integers(len(coloured)))]


def on_a_ground(rgba: Pixels, rng: np.random.Generator) -> Pixels:
    """(S, S, 4) uint8 → (128, 128, 3) uint8: redrawn in some other hand, on some ground.

    The changes of hand (outline, flat colours, grey) are what lets an unseen designer's drawing
    be told by its shape.
    """
    colour, alpha = cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), cv2.extractChannel(rgba, 3)
    tones = np.tile(np.arange(256.0)[:, None], 3)
    if rng.random() < 0.3:
        levels = int(rng.integers(3, 6))
        tones = np.minimum(tones // (256 // levels) * (255 // (levels - 1)), 255)
    if rng.random() < 0.4:
        tones = tones * np.exp(rng.normal(0, 0.25, 3)) + rng.uniform(-30, 30)
    colour = cv2.LUT(colour, np.clip(tones, 0, 255).astype(np.uint8)[None])
    if rng.random() < 0.1:
        colour = cv2.cvtColor(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    elif rng.random() < 0.1:
        colour = np.ascontiguousarray(colour[..., rng.permutation(3)])
    if rng.random() < 0.4:
        thick = int(rng.integers(1, 5))
        line = cv2.morphologyEx(alpha, cv2.MORPH_GRADIENT, np.ones((thick + 1,) * 2, np.uint8))
        rim = line
        if rng.random() < 0.6:
            inner = cv2.dilate(cv2.Canny(colour, 60, 140), np.ones((thick, thick), np.uint8))
            line = np.maximum(np.where(alpha > 128, inner, 0), rim)
        colour = cv2.multiply(colour, cv2.cvtColor(255 - line, cv2.COLOR_GRAY2RGB), scale=1 / 255)
        alpha = np.maximum(alpha, rim)
    plain = rng.random() < 0.65
    if plain:
        sheet = np.full((SIDE, SIDE, 3), 255, np.uint8)
    elif rng.random() < 0.7:
        sheet = np.empty((SIDE, SIDE, 3), np.uint8)
        sheet[:] = rng.integers(0, 256, 3)
    else:
        kinds = BACKGROUNDS[False]
        ground = texture(kinds[int(rng.integers(len(kinds)))], int(rng.integers(12)))
        y, x = rng.integers(0, 512 - 256, 2)
        sheet = cv2.resize(
            ground[y : y + 256, x : x + 256], (SIDE, SIDE), interpolation=cv2.INTER_AREA
        )
    size = SIDE * rng.uniform(0.7 if plain else 0.45, 1.0)
    turn = rng.normal(0, 8) if plain or rng.random() < 0.9 else rng.uniform(-180, 180)
    stretch = np.exp(rng.normal(0, 0.08))
    scale = size / alpha.shape[0]
    spin = cv2.getRotationMatrix2D((alpha.shape[1] / 2, alpha.shape[0] / 2), turn, scale)
    spin[0] *= stretch
    room = (SIDE - size) / 2
    spin[:, 2] += SIDE / 2 - spin[:, :2] @ [alpha.shape[1] / 2, alpha.shape[0] / 2] - spin[:, 2]
    spin[:, 2] += rng.uniform(-room, room, 2)
    if scale < 0.6:
        colour, alpha = cv2.GaussianBlur(colour, (0, 0), 0.6), cv2.GaussianBlur(alpha, (0, 0), 0.6)
    colour = cv2.warpAffine(colour, spin, (SIDE, SIDE))
    weight = cv2.warpAffine(alpha, spin, (SIDE, SIDE)).astype(np.float32) / 255
    if rng.random() < 0.3:
        colour, weight = colour[:, ::-1], weight[:, ::-1]
    return np.asarray(
        cv2.blendLinear(np.ascontiguousarray(colour), np.ascontiguousarray(sheet),
                        np.ascontiguousarray(weight), np.ascontiguousarray(1 - weight))
    )  # fmt: skip


# --- batches --------------------------------------------------------------------------------


class Sampler:
    """(seed, step) → Batch."""

    def __init__(
        self, seed: int, covers_a_step: int, pictures_a_step: int, mixed_from: int
    ) -> None:
        cv2.setNumThreads(1)
        self.seed, self.covers_a_step, self.pictures_a_step = seed, covers_a_step, pictures_a_step
        self.mixed_from = mixed_from  # the step from which the photos are as hard as they get
        self.pool = pool_of_covers()
        self.drawn = drawings()
        self.albums = [covers.album(covers.TRAINING_SEED + i) for i in range(len(self.pool))]
        alike: dict[tuple[str, str], list[int]] = {}
        for number, made in enumerate(self.albums):
            alike.setdefault((made.genre, made.colour), []).append(number)
        self.alike = [numbers for numbers in alike.values() if len(numbers) >= ALIKE]

    def _chosen(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Numbers of covers: half in eights of one genre and one colour, which only their things
        and their letters tell apart, half at random."""
        groups = rng.choice(len(self.alike), self.covers_a_step // (2 * ALIKE), replace=False)
        close = [rng.choice(self.alike[group], ALIKE, replace=False) for group in groups]
        taken = np.concatenate([*close, np.zeros(0, np.int64)]).astype(np.int64)
        others = rng.permutation(len(self.pool))[: self.covers_a_step + len(taken)]
        others = others[~np.isin(others, taken)]
        return np.concatenate([taken, others])[: self.covers_a_step]

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step])
        ids = self._chosen(rng)
        hardness = min(1.0, step / self.mixed_from)
        clean, photos, texts, facts = [], [], [], []
        for cover_id in ids:
            cover = np.asarray(self.pool[cover_id])
            made = self.albums[cover_id]
            clean.append(self._nearly_clean(cover, rng))
            photos.append(self._photo(cover, hardness, rng))
            texts.append(captions.of_cover(made.colour, made.genre, made.objects, rng))
            facts.append((made.colour, made.genre, made.objects))
        shown = []
        for which in rng.choice(len(self.drawn), self.pictures_a_step, replace=False):
            name, hands = self.drawn[which]
            shown.append(on_a_ground(redrawn(hands, rng), rng))
            texts.append(captions.of_picture(name, rng))
            facts.append((None, None, (name,)))
        texts += captions.about_everything(rng)
        fits = fitting(texts, facts)
        said = [numbered(text.colour, text.genre, text.objects) for text in texts]
        return Batch(step, ids, np.stack(clean), np.stack(photos), np.stack(shown),
                     [text.text for text in texts], fits,
                     np.array([numbered(*fact) for fact in facts]), np.array(said))  # fmt: skip

    @staticmethod
    def _nearly_clean(cover: Pixels, rng: np.random.Generator) -> Pixels:
        if rng.random() < 0.3:
            side = int(rng.integers(64, 192))
            cover = cv2.resize(cover, (side, side), interpolation=cv2.INTER_AREA)
        elif rng.random() < 0.6:
            return np.asarray(
                cv2.resize(cover, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8
            )
        return prepared(cover)

    @staticmethod
    def _photo(cover: Pixels, hardness: float, rng: np.random.Generator) -> Pixels:
        draw = rng.random()
        if draw < 0.15 + 0.65 * hardness:
            how = "mixed"
        elif draw < 0.9:
            how = "mild"
        else:
            how = SINGLES[int(rng.integers(len(SINGLES)))]
        return prepared(simulate_photo(cover, rng, PRESETS[how], size=SIDE).image)


def _work(sampler: tuple[Any, ...], first: int, every: int, queue: Any) -> None:
    parent = os.getppid()
    made = Sampler(*sampler)
    step = first
    while True:
        batch = made.batch(step)
        while True:
            try:
                queue.put(batch, timeout=5)
                break
            except Full:
                if os.getppid() != parent:  # the training was killed
                    queue.cancel_join_thread()
                    return
        step += every


def batches(sampler: tuple[Any, ...], first: int, workers: int) -> Iterator[Batch]:
    """Batches from step `first` on, in order, made ahead of need by `workers` processes."""
    context = multiprocessing.get_context("spawn")
    queues = [context.Queue(maxsize=3) for _ in range(workers)]
    processes = [
        context.Process(target=_work, args=(sampler, first + k, workers, queue), daemon=True)
        for k, queue in enumerate(queues)
    ]
    for process in processes:
        process.start()
    try:
        step = 0
        while True:
            yield queues[step % workers].get()
            step += 1
    finally:
        for process in processes:
            process.kill()
