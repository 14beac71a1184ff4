"""What no training saw, and how well it is found.

Held out: the catalogue's covers, eight objects, half of the backgrounds, stickers and hands, and
one designer. `HeldOut` keeps the pictures, so that a training measures itself in seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from engine.covers import photos as camera
from engine.covers.photos.photo import PRESETS, simulate_photo
from engine.vectors.embeddings import Embeddings
from training import RUN, captions, covers, data, embed, pictures


def recall(ranks: NDArray[np.int64], k: int) -> float:
    """Share of queries whose album is among the first k; ranks count from 0."""
    return float((ranks < k).mean())


def ranks_of(queries: Embeddings, rows: Embeddings, truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """(Q, D), (N, D) unit rows, (Q,) → (Q,): how many rows come before the true one."""
    scores = queries @ rows.T
    own = scores[np.arange(len(queries)), truth]
    return (scores > own[:, None]).sum(1)


def photos_of(
    drawn: Sequence[NDArray[np.uint8]], distortion: str, seed: int, *, size: int = 480
) -> NDArray[np.uint8]:
    """One photo of each cover, with held-out settings, as the encoder sees it."""
    rng = np.random.default_rng([11, seed, *distortion.encode()])
    return np.stack(
        [
            data.prepared(simulate_photo(c, rng, distortion, size=size, held_out=True).image)
            for c in drawn
        ]
    )


@dataclass(frozen=True)
class Words:
    """One text query and which rows of the catalogue it is true of."""

    kind: str
    text: str
    right: NDArray[np.bool_]


def word_queries(albums: Sequence[covers.Album]) -> list[Words]:
    """Every query that the catalogue holds at least five answers to."""
    colour = np.array([made.colour for made in albums])
    genre = np.array([made.genre for made in albums])
    holds = {n: np.array([n in made.objects for made in albums]) for n in covers.OBJECTS}
    asked = [Words("colour", f"{c} album cover", colour == c) for c in covers.COLOURS]
    asked += [Words("genre", f"{g} album cover", genre == g) for g in covers.GENRES]
    asked += [
        Words("style", f"album cover with {captions.STYLES[g][0]}", genre == g)
        for g in covers.GENRES
    ]
    for name in covers.OBJECTS:
        thing = captions.a_thing(name)
        asked.append(Words("object", f"an album cover with {thing}", holds[name]))
        asked += [
            Words("colour and object", f"{c} album cover with {thing}", holds[name] & (colour == c))
            for c in covers.COLOURS
        ]
        asked += [
            Words("genre and object", f"{g} album cover with {thing}", holds[name] & (genre == g))
            for g in covers.GENRES
        ]
    return [words for words in asked if words.right.sum() >= 5]


def designer_test(count: int = 200) -> tuple[list[str], NDArray[np.uint8]]:
    """Names and the unseen designer's pictures of them on white, (count, 128, 128, 3) uint8."""
    drawn = pictures.drawn(pictures.UNSEEN)
    names = sorted(name for name in drawn if name not in pictures.HELD_OUT_OBJECTS)
    rng = np.random.default_rng(12)
    chosen = [names[i] for i in rng.choice(len(names), count, replace=False)]
    shown = []
    for name in chosen:
        sheet = Image.new("RGB", (pictures.SIDE, pictures.SIDE), "white")
        picture = Image.fromarray(drawn[name])
        sheet.paste(picture, (0, 0), picture)
        shown.append(data.prepared(np.asarray(sheet)))
    return chosen, np.stack(shown)


Photos = dict[str, tuple[NDArray[np.int64], NDArray[np.uint8]]]


def drawn_by() -> list[Path]:
    """The files of code that a photo of a held-out cover depends on."""
    drawn = Path(str(camera.__file__)).parent
    return [*sorted(drawn.glob("*.py")), Path(str(covers.__file__))]


def _drawn_once(
    albums: Sequence[covers.Album], distortions: dict[str, int]
) -> tuple[NDArray[np.uint8], Photos]:
    """The clean covers and, by distortion, which of them and their photos; kept on disk under a
    name that changes with the code that draws them."""
    code = [path.read_bytes() for path in drawn_by()]
    asked = json.dumps([len(albums), distortions]).encode()
    digest = hashlib.sha256(b"".join([*code, asked])).hexdigest()[:16]
    kept = RUN / f"held-out-{digest}.npz"
    if not kept.exists():
        drawn = []
        for made in tqdm(albums, desc="catalogue", disable=None):
            with Image.open(RUN / "covers" / data.file_name(made)) as cover:
                drawn.append(np.asarray(cover.convert("RGB")))
        arrays = {"clean": np.stack([data.prepared(cover) for cover in drawn])}
        for name, count in tqdm(distortions.items(), desc="photos", disable=None):
            rng = np.random.default_rng([13, *name.encode()])
            which = rng.permutation(len(drawn))[:count]
            arrays[f"{name} which"] = which
            arrays[f"{name} photos"] = photos_of([drawn[i] for i in which], name, 0)
        beside = kept.with_suffix(".part.npz")
        np.savez(beside, **arrays)
        beside.replace(kept)
    with np.load(kept) as stored:
        photos = {n: (stored[f"{n} which"], stored[f"{n} photos"]) for n in distortions}
        return stored["clean"], photos


class HeldOut:
    """The held-out pictures, drawn, and the questions about them."""

    def __init__(self, distortions: dict[str, int], *, queries: int | None) -> None:
        """`distortions`: name → photos of it. `queries`: how many text queries of a kind."""
        self.albums = data.catalogue()
        self.clean, self.photos = _drawn_once(self.albums, distortions)
        asked = word_queries(self.albums)
        if queries is not None:
            left: Counter[str] = Counter()
            few = []
            for i in np.random.default_rng(14).permutation(len(asked)):
                left[asked[i].kind] += 1
                if left[asked[i].kind] <= queries:
                    few.append(asked[i])
            asked = few
        self.asked = asked
        self.names, self.by_unseen = designer_test()

    @classmethod
    def quick(cls) -> HeldOut:
        """What a training looks at while it runs."""
        return cls({"reencode": 300, "mild": 400, "mixed": 600}, queries=60)

    @classmethod
    def full(cls) -> HeldOut:
        counts = dict.fromkeys(PRESETS, 150) | {"reencode": 500, "mild": 600, "mixed": 1000}
        return cls(counts, queries=None)

    def measure(self, model: Any, tokenizer: Any) -> dict[str, float]:
        """Figure's name → share, 0–1."""
        found: dict[str, float] = {}
        rows = images(model, self.clean)
        for name, (which, photos) in self.photos.items():
            ranks = ranks_of(images(model, photos), rows, which)
            for k in (1, 5, 50):
                found[f"{name} recall@{k}"] = round(recall(ranks, k), 4)
        scores = texts(model, tokenizer, [words.text for words in self.asked]) @ rows.T
        first = np.argsort(-scores, axis=1)[:, :5]
        right = np.array(
            [words.right[top].mean() for words, top in zip(self.asked, first, strict=True)]
        )
        kinds = np.array([words.kind for words in self.asked])
        for kind in dict.fromkeys(kinds):
            found[f"{kind} precision@5"] = round(float(right[kinds == kind].mean()), 4)
        queries = [f"a picture of {captions.a_thing(name)}" for name in self.names]
        scores = images(model, self.by_unseen) @ texts(model, tokenizer, queries).T
        own = np.diag(scores)
        ranks = (scores > own[:, None]).sum(1)
        for k in (1, 5):
            found[f"unseen designer top-{k} of {len(self.names)}"] = round(recall(ranks, k), 4)
        return found


@torch.inference_mode()
def images(model: Any, pixels: NDArray[np.uint8], batch: int = 100) -> Embeddings:
    """(N, 128, 128, 3) uint8 → (N, 256) float32 unit rows."""
    with torch.autocast("cpu", torch.bfloat16):
        parts = [
            embed.embed_images(model, embed.normalised(pixels[i : i + batch]))
            for i in range(0, len(pixels), batch)
        ]
    return torch.cat(parts).numpy()


@torch.inference_mode()
def texts(model: Any, tokenizer: Any, asked: list[str], batch: int = 200) -> Embeddings:
    """T texts → (T, 256) float32 unit rows."""
    parts = [
        embed.embed_texts(model, tokenizer, asked[i : i + batch])
        for i in range(0, len(asked), batch)
    ]
    return torch.cat(parts).numpy()


def held_out_objects(model: Any, held_out: HeldOut, count: int = 200) -> dict[str, float]:
    """Recall among the catalogue and `count` covers whose objects nothing trained on."""
    new = [covers.draw_cover(covers.album(covers.HELD_OUT_SEED + i)) for i in range(count)]
    first = np.stack([data.prepared(cover) for cover in new])
    rows = images(model, np.concatenate([first, held_out.clean]))
    found = {}
    for name in ("mild", "mixed"):
        ranks = ranks_of(images(model, photos_of(new, name, 1)), rows, np.arange(count))
        for k in (1, 50):
            found[f"held-out objects, {name} recall@{k}"] = round(recall(ranks, k), 4)
    return found
