"""Encoder → encoder: the text tower taught once more, beside a vision tower that stays as it is.

After the joint training "a red album cover with a guitar" finds red covers, but few of the guitars:
colour, easy to see, drowned the thing. Here the pictures' embeddings are fixed, so every step can
hold a text against thousands of covers and push all those that fit above all those that do not.
Rows of an index made with the encoder before remain those of the encoder after.

    python -m training.words FROM TO
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers import CLIPModel, CLIPTokenizer

from training import captions, covers, data, train

SEED, BANK, STEPS, TEXTS_A_STEP, RATE, SCALE = 3, 10_000, 700, 192, 4e-4, 30.0
COLOURS = list(covers.COLOURS)
# How strongly texts about single things, colours and genres are held where they were: what they
# find among pictures that are no covers must not be lost.
HOLD = 3.0


def teach(source: Path, target: Path, steps: int = STEPS) -> None:
    """Write the encoder of `source` with a new text tower to `target`."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    model = CLIPModel.from_pretrained(source, dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(source)
    bank = _bank(model)
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
    held_names = sorted(covers.OBJECTS)
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
        loss = train.fits_loss(scores, torch.from_numpy(fits))
        if HOLD:
            names = [held_names[i] for i in rng.integers(len(held_names), size=32)]
            asked = [captions.of_picture(name, rng).text for name in names]
            now = train.embed_texts(model, tokenizer, asked)
            with torch.no_grad():
                then = _before(source, tokenizer, asked)
            loss = loss + HOLD * (1 - (now * then).sum(1)).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(taught, 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.3f}, {time.monotonic() - started:.0f} s")
    shutil.copytree(source, target, dirs_exist_ok=True)
    model.half().save_pretrained(target)


_frozen: dict[Path, CLIPModel] = {}


def _before(source: Path, tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    if source not in _frozen:
        _frozen[source] = CLIPModel.from_pretrained(source, dtype=torch.float32)
    return train.embed_texts(_frozen[source], tokenizer, texts)


def _bank(model: CLIPModel) -> torch.Tensor:
    """(BANK, 256) float32 unit rows of the first training covers."""
    pool = data.pool_of_covers()
    rows = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, BANK, 100):
            pixels = np.stack([data.prepared(cover) for cover in pool[start : start + 100]])
            rows.append(train.embed_images(model, train.normalised(pixels)))
    return torch.cat(rows).float()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    teach(options.source, options.target)
