"""Encoder → encoder: the text tower taught once more, beside a vision tower that stays as it is.

After the joint training "a red album cover with a guitar" finds red covers, but few of the guitars:
colour, easy to see, drowned the thing. And some names, a key's above all, attract pictures of
anything. Here the pictures' embeddings are fixed, so every step can hold a text against thousands
of covers and push all those that fit above all those that do not, and hold hundreds of names
against one another before every picture. Rows of an index made with the encoder before remain
those of the encoder after.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm
from transformers import CLIPModel, CLIPTokenizer

from training import captions, covers, data, report, train

SEED, BANK, STEPS, TEXTS_A_STEP, RATE, SCALE = 3, 10_000, 400, 192, 4e-4, 30.0
NAMES_A_STEP, TIMES_DRAWN, FIRSTS = 224, 8, 1.0
COLOURS = list(covers.COLOURS)


def teach(source: Path, target: Path, steps: int = STEPS) -> None:
    """Write the encoder of `source` with a new text tower to `target`."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    model = CLIPModel.from_pretrained(source, dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(source)
    bank = _covers(model)
    drawn, whose = _pictures(model, np.random.default_rng([SEED, 1]))
    made = [covers.album(covers.TRAINING_SEED + seed) for seed in range(BANK)]
    colour = np.array([COLOURS.index(one.colour) for one in made])
    genre = np.array([covers.GENRES.index(one.genre) for one in made])
    has = {name: np.array([name in one.objects for one in made]) for name in covers.OBJECTS}

    for parameter in model.parameters():
        parameter.requires_grad_(False)
    taught = [*model.text_model.parameters(), *model.text_projection.parameters()]
    for parameter in taught:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(taught, lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps, pct_start=0.1)
    names = sorted(set(whose))
    started = time.monotonic()
    for step in tqdm(range(steps), desc="words", disable=None):
        said = [
            captions.of_cover(one.colour, one.genre, one.objects, rng)
            for one in (made[i] for i in rng.integers(BANK, size=TEXTS_A_STEP))
        ]
        fits = np.ones((len(said), BANK), bool)
        for row, caption in zip(fits, said, strict=True):
            if caption.colour is not None:
                row &= colour == COLOURS.index(caption.colour)
            if caption.genre is not None:
                row &= genre == covers.GENRES.index(caption.genre)
            for name in caption.objects:
                row &= has[name]
        scores = SCALE * train.embed_texts(model, tokenizer, [one.text for one in said]) @ bank.T
        true = torch.from_numpy(fits)
        loss = train.fits_loss(scores, true) + FIRSTS * firsts_loss(scores, true)
        asked = [names[i] for i in rng.choice(len(names), NAMES_A_STEP, replace=False)]
        called = [captions.of_picture(name, rng) for name in asked]
        shown = np.flatnonzero(np.isin(whose, asked))
        facts = [(None, None, (str(name),)) for name in whose[shown]]
        true = torch.from_numpy(data.fitting(called, facts))
        texts = train.embed_texts(model, tokenizer, [one.text for one in called])
        scores = SCALE * texts @ drawn[shown].T
        loss = loss + train.fits_loss(scores.T, true.T) + 0.5 * train.fits_loss(scores, true)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(taught, 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.3f}, {time.monotonic() - started:.0f} s")
    shutil.copytree(source, target, dirs_exist_ok=True)
    model.half().save_pretrained(target)
    (target / "model.safetensors").chmod(0o644)


def firsts_loss(scores: torch.Tensor, fits: torch.Tensor) -> torch.Tensor:
    """(T, I) scaled cosines and truths → mean of -log of the share of the softmax that lies on
    true ones: that the first are right, even if the hardest true ones never come."""
    true = scores.masked_fill(~fits, -1e4).logsumexp(1)
    return (scores.logsumexp(1) - true)[fits.any(1)].mean()


def _covers(model: CLIPModel) -> torch.Tensor:
    """(BANK, 256) float32 unit rows of the first training covers."""
    pool = data.pool_of_covers()
    return torch.cat(
        [
            torch.from_numpy(
                report.images(model, np.stack([data.prepared(c) for c in pool[i : i + 100]]))
            )
            for i in range(0, BANK, 100)
        ]
    )


def _pictures(model: CLIPModel, rng: np.random.Generator) -> tuple[torch.Tensor, NDArray[np.str_]]:
    """(N, 256) float32 unit rows of pictures of every name, each redrawn `TIMES_DRAWN` times, and
    the names."""
    made, whose = [], []
    for name, hands in data.drawings():
        shown = [data.on_a_ground(data.redrawn(hands, rng), rng) for _ in range(TIMES_DRAWN)]
        made.append(torch.from_numpy(report.images(model, np.stack(shown))))
        whose += [name] * TIMES_DRAWN
    return torch.cat(made), np.array(whose)
