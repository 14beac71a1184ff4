"""Batches → encoder: the contrastive training, its checkpoints, and the folder it exports.

Three losses over one embedding: photo ↔ its clean cover among thousands of others, text ↔ every
picture it is true of, and text ↔ photo, which carries the words through the distortions.
Weights are kept in float32; the passes run in bfloat16, three times as fast where the processor
has it. What is exported is the running mean of the weights.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch.nn import functional
from tqdm import tqdm
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

from training import RUN, captions, data
from training.embed import MEAN, STD, embed_ids, embed_images, normalised, some_patches
from training.held_out import HeldOut


@dataclass(frozen=True)
class Plan:
    """Everything that decides the weights, but for the machine's rounding."""

    seed: int = 1
    steps: int = 3600
    covers_a_step: int = 112
    pictures_a_step: int = 224
    mixed_from: int = 300
    peak_rate: float = 1.0e-3
    inner_rate: float = 2.0  # times that for the matrices inside the layers
    warmup: int = 60
    decay: float = 0.1
    kept_patches: float = 0.5  # of pictures, until `full_from`
    kept_of_covers: float = 0.75  # and of photos of them, likewise
    full_from: float = 0.5  # of the run
    queue: int = 4096
    mean_decay: float = 0.996


def new_model(tokenizer: CLIPTokenizer) -> CLIPModel:
    config = CLIPConfig(
        vision_config={
            "hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 6,
            "num_attention_heads": 3, "image_size": data.SIDE, "patch_size": 16,
            "hidden_act": "gelu",
        },
        text_config={
            "hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 3,
            "num_attention_heads": 3, "vocab_size": len(tokenizer),
            "max_position_embeddings": 77, "hidden_act": "gelu",
            "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        projection_dim=256,
    )  # fmt: skip
    config._attn_implementation = "eager"  # at 65 tokens a third faster than the fused kernel
    return CLIPModel(config)


def new_tokenizer() -> CLIPTokenizer:
    """CLIP's own cutting of words, with tokens learned from the captions."""
    backend = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = CLIPTokenizer().backend_tokenizer.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=3000, min_frequency=2, end_of_word_suffix="</w>", initial_alphabet=alphabet,
        show_progress=False,
    )  # fmt: skip
    backend.train_from_iterator(captions.every_text(), trainer)
    learned = json.loads(backend.to_str())["model"]
    # As in CLIP: the bytes, the bytes that end a word, the merges, then start and end.
    merges = [
        tuple(pair) if isinstance(pair, list) else tuple(pair.split(" "))
        for pair in learned["merges"]
    ]
    tokens = alphabet + [letter + "</w>" for letter in alphabet]
    tokens += [a + b for a, b in merges if a + b not in tokens]
    tokens = [*dict.fromkeys(tokens), "<|startoftext|>", "<|endoftext|>"]
    vocab = {token: number for number, token in enumerate(tokens)}
    assert len(vocab) - 1 != 2
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)


def fits_loss(scores: torch.Tensor, fits: torch.Tensor) -> torch.Tensor:
    """(T, I) scaled cosines and truths → mean over the rows' true pairs of -log p against the
    false ones. Another true picture is no rival."""
    rivals = scores.masked_fill(fits, -1e4).logsumexp(1, keepdim=True)
    each = functional.softplus(rivals - scores) * fits
    return (each.sum(1) / fits.sum(1).clamp(min=1)).sum() / fits.any(1).sum().clamp(min=1)


@dataclass
class Job:
    """Some of a step's pictures (uint8 pixels) or texts (tokens), and which rows they become."""

    rows: torch.Tensor
    pixels: np.ndarray[Any, Any] | None = None
    kept: torch.Tensor | None = None
    ids: torch.Tensor | None = None

    @property
    def cost(self) -> int:
        """Tokens times layers."""
        if self.ids is not None:
            return 3 * self.ids.numel()
        patches = (data.SIDE // 16) ** 2 if self.kept is None else self.kept.shape[1]
        return 6 * len(self.rows) * (1 + patches)


class Hands:
    """Copies of the model in bfloat16, each with a thread and a part of the step to itself.

    Threads that share each product of matrices wait for one another at every one of them, some
    thousand times a step; where other work takes a core now and then, all wait for the slowest.
    These meet twice a step.
    """

    def __init__(self, tokenizer: CLIPTokenizer, count: int) -> None:
        self.tokenizer = tokenizer
        self.models = [new_model(tokenizer).bfloat16() for _ in range(count)]
        self.threads = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))

    def take(self, model: CLIPModel) -> None:
        """Weights from `model`; gradients forgotten."""
        with torch.no_grad():
            for copy in self.models:
                for fast, kept in zip(copy.parameters(), model.parameters(), strict=True):
                    fast.copy_(kept)
                    fast.grad = None

    def jobs(
        self, shown: list[tuple[np.ndarray[Any, Any], float]], texts: list[str], part: int = 56
    ) -> list[list[Job]]:
        """Pictures with the share of their patches to keep, then texts → each hand's jobs, about
        even; texts of one length together, as a short one padded to a long one costs the same."""
        jobs, first = [], 0
        for pixels, keep in shown:
            kept = some_patches(len(pixels), keep)
            for start in range(0, len(pixels), part):
                some = slice(start, start + part)
                rows = torch.arange(first, first + len(pixels))[some]
                jobs.append(Job(rows, pixels[some], None if kept is None else kept[some]))
            first += len(pixels)
        tokens = self.tokenizer(texts, truncation=True, max_length=77)["input_ids"]
        by_length = sorted(range(len(texts)), key=lambda i: len(tokens[i]))
        for start in range(0, len(texts), 4 * part):
            which = by_length[start : start + 4 * part]
            longest = len(tokens[which[-1]])
            pad = self.tokenizer.pad_token_id
            ids = [tokens[i] + [pad] * (longest - len(tokens[i])) for i in which]
            jobs.append(Job(torch.tensor(which) + first, ids=torch.tensor(ids)))
        shares: list[list[Job]] = [[] for _ in self.models]
        for job in sorted(jobs, key=lambda job: -job.cost):
            min(shares, key=lambda share: sum(one.cost for one in share)).append(job)
        return shares

    def _forward(self, model: CLIPModel, jobs: list[Job]) -> torch.Tensor:
        made = []
        for job in jobs:
            if job.ids is not None:
                made.append(embed_ids(model, job.ids, self.tokenizer.eos_token_id))
            else:
                assert job.pixels is not None
                made.append(embed_images(model, normalised(job.pixels).bfloat16(), job.kept))
        return torch.cat(made)

    def forward(self, shares: list[list[Job]]) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """→ all rows (R, 256) in their order, a leaf; and what `backward` wants."""
        made = list(self.threads.map(self._forward, self.models, shares))
        order = torch.cat([job.rows for share in shares for job in share])
        rows = torch.empty(len(order), made[0].shape[1])
        rows[order] = torch.cat([some.detach() for some in made])
        return rows.requires_grad_(), made

    def backward(
        self, rows: torch.Tensor, shares: list[list[Job]], made: list[torch.Tensor]
    ) -> None:
        """The gradient of `rows` through every hand's part, into the copies' own gradients."""
        assert rows.grad is not None
        grads = [rows.grad[torch.cat([job.rows for job in share])] for share in shares]
        list(self.threads.map(torch.autograd.backward, made, grads))

    def give(self, model: CLIPModel) -> None:
        """Add the sum of the copies' gradients to the model's own."""
        copies = [copy.parameters() for copy in self.models]
        for kept, *fast in zip(model.parameters(), *copies, strict=True):
            for one in fast:
                if one.grad is not None:
                    grad = one.grad.float()
                    kept.grad = grad if kept.grad is None else kept.grad + grad


class Landmarks(torch.nn.Module):
    """A point in the embedding for every colour, genre and named thing, used in training alone.

    Both towers learn to stand near the points of what they show or say. From texts alone the same
    facts took over ten times as many steps to be learned: a text tower that knows nothing yet
    gives an image tower nothing to learn from, and the other way round.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts = data.kinds_of_facts()
        self.points = torch.nn.Parameter(torch.randn(sum(self.counts), 256) / 16)
        self.scale = torch.nn.Parameter(torch.tensor(math.log(16.0)))

    def forward(self, rows: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
        """(N, 256) unit rows, (N, 4) numbers or -1 → the mean loss over the facts, summed over
        colour, genre and thing."""
        scores = self.scale.exp().clamp(max=60) * rows @ functional.normalize(self.points, dim=-1).T
        colours, genres, things = scores.split(self.counts, 1)
        colour = functional.cross_entropy(colours, facts[:, 0], ignore_index=-1)
        genre = functional.cross_entropy(genres, facts[:, 1], ignore_index=-1)
        truth = torch.zeros(len(rows), self.counts[2] + 1, dtype=torch.bool)
        truth.scatter_(1, facts[:, 2:] % (self.counts[2] + 1), True)  # -1 falls into the last
        return colour + genre + fits_loss(things, truth[:, :-1])


def with_places(model: CLIPModel) -> None:
    """Start the vision tower aware of place and looking at itself, instead of as a bag of patches.

    Positions start as waves as strong as the patches' content (in CLIP's own start they are a
    thirtieth of it), and attention as in "Mimetic Initialization of Self-Attention Layers"
    (Trockman and Kolter, 2023): queries times keys near the identity, values times output near
    its negative. After 50 steps the loss for genres was 0.5 instead of 1.5.
    """
    vision = model.vision_model
    side, width = data.SIDE // 16, 192
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    waves = 100.0 ** -(torch.arange(width // 4) / (width // 4))
    turns = [axis.reshape(-1, 1) * waves for axis in (x, y)]
    places = torch.cat([wave for turn in turns for wave in (turn.sin(), turn.cos())], 1)
    with torch.no_grad():
        vision.embeddings.position_embedding.weight[1:] = 0.7 * places
        for layer in vision.encoder.layers:
            attention = layer.self_attn
            deep = width // attention.num_heads
            for head in range(attention.num_heads):
                near = 0.7 * torch.eye(width) + 0.7 * torch.randn(width, width) / width**0.5
                u, s, v = torch.linalg.svd(near)
                rows = slice(head * deep, (head + 1) * deep)
                attention.q_proj.weight[rows] = (u[:, rows] * s[rows].sqrt()).T
                attention.k_proj.weight[rows] = v[rows] * s[rows].sqrt()[:, None]
            near = -0.4 * torch.eye(width) + 0.4 * torch.randn(width, width) / width**0.5
            u, s, v = torch.linalg.svd(near)
            attention.out_proj.weight.copy_(u * s.sqrt())
            attention.v_proj.weight.copy_(v * s.sqrt()[:, None])


class Training:
    """One run: its weights, their mean, its optimiser and where it stands."""

    def __init__(self, plan: Plan, folder: Path = RUN) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.folder = plan, folder
        self.tokenizer = new_tokenizer()
        self.model = new_model(self.tokenizer)
        with_places(self.model)
        self.landmarks = Landmarks()
        self.mean = new_model(self.tokenizer).requires_grad_(False)
        self.mean.load_state_dict(self.model.state_dict())
        self.hands = Hands(self.tokenizer, torch.get_num_threads())
        self.photo_scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.1)))
        self.optimisers = self._new_optimisers()
        self.step = 0
        self.began = 0  # the step at which the schedule began: not 0 after `start`
        self.queue = torch.zeros(0, 256)
        self.queue_ids = torch.zeros(0, dtype=torch.long)
        self.log: list[dict[str, float]] = []

    def _new_optimisers(self) -> list[torch.optim.Optimizer]:
        """Muon (Jordan et al., 2024; scaled as in "Muon is Scalable for LLM Training", Liu et
        al., 2025, so that it takes AdamW's rates) for the matrices inside the layers, AdamW for
        all else."""
        named = [*self.model.named_parameters(), ("photo_scale", self.photo_scale)]
        named += [(f"embedding {name}", p) for name, p in self.landmarks.named_parameters()]
        inner = [p for name, p in named if ".layers." in name and p.ndim == 2]
        outer = [(name, p) for name, p in named if not (".layers." in name and p.ndim == 2)]
        decayed = [p for name, p in outer if p.ndim >= 2 and "embedding" not in name]
        plain = [p for name, p in outer if not (p.ndim >= 2 and "embedding" not in name)]
        plan = self.plan
        return [
            torch.optim.Muon(
                inner, lr=plan.peak_rate, weight_decay=plan.decay, momentum=0.95,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(
                [
                    {"params": decayed, "weight_decay": plan.decay},
                    {"params": plain, "weight_decay": 0.0},
                ],
                lr=plan.peak_rate, betas=(0.9, 0.98), eps=1e-8, fused=True,
            ),
        ]  # fmt: skip

    # one step

    def rate(self) -> float:
        plan, done = self.plan, self.step - self.began
        if done < plan.warmup:
            return plan.peak_rate * (done + 1) / plan.warmup
        share = (done - plan.warmup) / max(1, plan.steps - self.began - plan.warmup)
        return plan.peak_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))

    def shares(self, batch: data.Batch) -> list[list[Job]]:
        early = self.step - self.began < self.plan.full_from * (self.plan.steps - self.began)
        keep = self.plan.kept_patches if early else 1.0
        of_covers = self.plan.kept_of_covers if early else 1.0
        shown = [(batch.clean, of_covers), (batch.pictures, keep), (batch.photos, of_covers)]
        return self.hands.jobs(shown, batch.texts)

    def losses(self, batch: data.Batch, rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """`rows`: clean, pictures, photos, texts, in this order."""
        n, m = len(batch.clean), len(batch.pictures)
        easy, photos, texts = rows.split([n + m, n, len(batch.texts)])
        clean = easy[:n]

        ids = torch.from_numpy(batch.cover_ids)
        scale = self.photo_scale.exp().clamp(max=100)
        known = torch.cat([clean, self.queue])
        scores = scale * photos @ known.T
        same = ids[:, None] == torch.cat([ids, self.queue_ids])[None]
        same[:, :n] = False
        target = torch.arange(n)
        photo_loss = (
            functional.cross_entropy(scores.masked_fill(same, -1e4), target)
            + functional.cross_entropy(scale * clean @ photos.T, target)
        ) / 2
        self.queue = torch.cat([clean.detach(), self.queue])[: self.plan.queue]
        self.queue_ids = torch.cat([ids, self.queue_ids])[: self.plan.queue]

        fits = torch.from_numpy(batch.fits)
        text_scale = self.model.logit_scale.exp().clamp(max=100)
        scores = text_scale * texts @ easy.T
        text_loss = (fits_loss(scores, fits) + fits_loss(scores.T, fits.T)) / 2
        scores = text_scale * texts @ photos.T
        on_photos = (fits_loss(scores, fits[:, :n]) + fits_loss(scores.T, fits[:, :n].T)) / 2

        shown, said = torch.from_numpy(batch.image_facts), torch.from_numpy(batch.text_facts)
        facts = [self.landmarks(easy, shown), self.landmarks(photos, shown[:n])]
        facts.append(self.landmarks(texts, said))
        return photo_loss, text_loss, on_photos, *facts

    def one(self, batch: data.Batch) -> dict[str, float]:
        self.hands.take(self.model)
        shares = self.shares(batch)
        rows, made = self.hands.forward(shares)
        photo_loss, text_loss, on_photos, *facts = self.losses(batch, rows)
        of_easy, of_photos, of_texts = facts
        loss = 1.5 * photo_loss + text_loss + 0.5 * on_photos
        loss = loss + of_easy + 0.5 * (of_photos + of_texts)
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        loss.backward()
        self.hands.backward(rows, shares, made)
        self.hands.give(self.model)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        inner, outer = self.optimisers
        for optimiser, times in ((inner, self.plan.inner_rate), (outer, 1.0)):
            for group in optimiser.param_groups:
                group["lr"] = self.rate() * times
            optimiser.step()
        with torch.no_grad():
            done = self.step - self.began
            share = 1 - min(self.plan.mean_decay, (1 + done) / (20 + done))
            for mean, kept in zip(self.mean.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(kept, share)
        self.step += 1
        return {
            "step": self.step, "photo": photo_loss.item(), "text": text_loss.item(),
            "text_on_photos": on_photos.item(), "rate": self.rate(),
            "facts_of_pictures": facts[0].item(), "facts_of_photos": facts[1].item(),
            "facts_of_texts": facts[2].item(),
        }  # fmt: skip

    # keeping

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        beside = self.checkpoint.with_suffix(".part")
        torch.save(
            {
                "plan": asdict(self.plan), "step": self.step, "began": self.began,
                "model": self.model.state_dict(),
                "mean": self.mean.state_dict(), "landmarks": self.landmarks.state_dict(),
                "photo_scale": self.photo_scale.data,
                "optimisers": [one.state_dict() for one in self.optimisers], "queue": self.queue,
                "queue_ids": self.queue_ids, "torch_rng": torch.get_rng_state(), "log": self.log,
            },
            beside,
        )  # fmt: skip
        beside.replace(self.checkpoint)

    def resume(self) -> bool:
        """From the folder's checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return False
        kept = torch.load(self.checkpoint, weights_only=True)
        plan = asdict(self.plan)
        changed = {
            name: (kept["plan"].get(name), value)
            for name, value in plan.items()
            if name != "steps" and kept["plan"].get(name) != value
        }
        if changed:
            tqdm.write(f"going on under another plan from step {kept['step']}: {changed}")
        self._take(kept)
        self.began = kept["began"]
        for optimiser, state in zip(self.optimisers, kept["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        torch.set_rng_state(kept["torch_rng"])
        return True

    def start(self, checkpoint: Path) -> None:
        """From the weights of an earlier run, under a schedule of its own; the steps count on."""
        kept = torch.load(checkpoint, weights_only=True)
        self._take(kept)
        self.began = self.step

    def _take(self, kept: dict[str, Any]) -> None:
        self.model.load_state_dict(kept["model"])
        self.mean.load_state_dict(kept["mean"])
        self.landmarks.load_state_dict(kept["landmarks"])
        self.photo_scale.data.copy_(kept["photo_scale"])
        self.queue, self.queue_ids = kept["queue"], kept["queue_ids"]
        self.step, self.log = kept["step"], kept["log"]

    def export(self, folder: Path) -> None:
        """The mean weights in float16, the tokenizer and the preprocessing, in one rename."""
        beside = folder.with_name(folder.name + ".part")
        shutil.rmtree(beside, ignore_errors=True)
        model = new_model(self.tokenizer)
        model.load_state_dict(self.mean.state_dict())
        model.logit_scale.data.copy_(self.model.logit_scale.data)
        model.half().save_pretrained(beside)
        images = CLIPImageProcessor(
            size={"shortest_edge": data.SIDE}, crop_size={"height": data.SIDE, "width": data.SIDE},
            resample=3, image_mean=list(MEAN), image_std=list(STD),
        )  # fmt: skip
        CLIPProcessor(images, self.tokenizer).save_pretrained(beside)
        images.save_pretrained(beside)  # preprocessor_config.json, where older readers look
        (beside / "model.safetensors").chmod(0o644)
        old = folder.with_name(folder.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        beside.rename(folder)
        shutil.rmtree(old, ignore_errors=True)

    def write_log(self) -> None:
        keys = list(dict.fromkeys(key for row in self.log for key in row))
        with (self.folder / "log.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, keys)
            writer.writeheader()
            writer.writerows(self.log)


def run(
    plan: Plan,
    *,
    every: int = 250,
    workers: int = 1,
    until: float | None = None,
    start: Path | None = None,
) -> Training:
    """Train to `plan.steps`, evaluating and exporting every `every` steps.

    `start`: a checkpoint of an earlier run to take the weights from, where the folder holds none
    of this one.

    `until` (seconds since the epoch) re-plans the number of steps so that the schedule ends then;
    the number it came to is in `run.json`, and a run of that many steps repeats this one.
    """
    training = Training(plan)
    if training.resume():
        tqdm.write(f"resumed at step {training.step}")
    elif start is not None:
        training.start(start)
    held_out = HeldOut.quick()
    sampler = (plan.seed, plan.covers_a_step, plan.pictures_a_step, plan.mixed_from)
    started, first = time.time(), training.step
    bar = tqdm(total=plan.steps, initial=first, desc="train", disable=None)
    for batch in data.batches(sampler, first, workers):
        row = training.one(batch)
        training.log.append(row)
        done = training.step - first
        if until is not None and done >= 20 and done % 20 == 0:
            pace = (time.time() - started) / done
            steps = training.step + max(0, int((until - time.time()) / pace))
            training.plan = Plan(**{**asdict(training.plan), "steps": steps})
            bar.total = steps
        bar.update()
        bar.set_postfix({key: f"{row[key]:.2f}" for key in ("photo", "text")})
        if training.step % 20 == 0:
            shown = {key: round(value, 5) for key, value in row.items()}
            shown["s_a_step"] = round((time.time() - started) / done, 3)
            print(json.dumps(shown), flush=True)
        over = training.step >= training.plan.steps
        if training.step % every == 0 or over:
            figures = held_out.measure(training.mean, training.tokenizer)
            training.log[-1] |= figures
            print(json.dumps({"step": training.step} | figures), flush=True)
            training.save()
            training.export(RUN / "shazam-starter")
            training.write_log()
            (RUN / "run.json").write_text(
                json.dumps(
                    asdict(training.plan) | {"step": training.step, "began": training.began},
                    indent=1,
                )
            )
        if over:
            return training
    raise AssertionError("batches never end")
