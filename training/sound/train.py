"""Pairs → weights: a window as heard must find itself as recorded, among all others."""

from __future__ import annotations

import csv
import math
import multiprocessing
import multiprocessing.queues
import queue
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.sound.model import Network
from training.sound.packages import TRAINED_ON
from training.sound.pairs import Batch, Recipe, endless

EVERY_ROW = 4  # outputs between rows of the index: half a second


@dataclass(frozen=True)
class Plan:
    steps: int = 3_000
    seed: int = 1
    rate: float = 2e-3
    warm: int = 60  # steps up to the full rate
    decay: float = 0.02
    temperature: float = 0.06
    # Windows of the same recording at another place may truly be alike, as loops are.
    sibling_logit: float = -1.0
    remembered: int = 6_144  # windows of earlier batches that are false answers too
    easy: int = 150  # steps with less noise at first
    replicas: int = 2  # trainers on batches of their own
    meeting: int = 10  # steps between their meetings
    kept: int = 50  # steps between states on disk
    measured: int = 200  # steps between states that the report measures; a multiple of `kept`
    averaging: float = 0.99  # of the weights that are kept


class Muon(torch.optim.Optimizer):
    """Jordan et al. (2024), scaled to AdamW's rates (Liu et al., 2025), in float32.

    torch's own computes in bfloat16, which took a second a step on a processor without it.
    """

    def __init__(self, matrices: list[nn.Parameter], lr: float, decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for matrix in group["params"]:
                momentum = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
                momentum.lerp_(matrix.grad, 0.05)
                update = orthogonal(matrix.grad.lerp(momentum, 0.95))
                scale = 0.2 * math.sqrt(max(matrix.shape)) * group["lr"]
                matrix.mul_(1 - group["lr"] * group["decay"]).add_(update, alpha=-scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are about 1, by five steps of Newton and Schulz."""
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class Memory:
    """Windows as recorded, of the last batches, and whose they are."""

    def __init__(self, size: int) -> None:
        self.rows, self.tracks, self.size = torch.zeros(0, 64), torch.zeros(0).int(), size

    def add(self, rows: Tensor, tracks: Tensor) -> None:
        self.rows = torch.cat([rows.detach(), self.rows])[: self.size]
        self.tracks = torch.cat([tracks, self.tracks])[: self.size]


def loss(
    heard: Tensor, recorded: Tensor, tracks: Tensor, memory: Memory, plan: Plan
) -> tuple[Tensor, Tensor]:
    """(N, 64) rows twice and (N,) whose → InfoNCE both ways, and the share found at once."""
    logits = heard @ recorded.T / plan.temperature
    same = (tracks[:, None] == tracks) & ~torch.eye(len(tracks), dtype=torch.bool)
    logits = logits + plan.sibling_logit * same
    right = torch.arange(len(tracks))
    backward = F.cross_entropy(logits.T, right)
    if len(memory.rows):
        old = heard @ memory.rows.T / plan.temperature
        old = old.masked_fill(tracks[:, None] == memory.tracks, -1e4)
        logits = torch.cat([logits, old], 1)
    found = (logits.detach().argmax(1) == right).float().mean()
    return F.cross_entropy(logits, right) + backward, found


class Others:
    """Trainers of the same network on other batches, that meet in the middle now and then.

    Each writes its weights to a file and takes the mean with what the others wrote last, without
    waiting for them: on a machine that others use too, all are at times slow.
    """

    def __init__(self, folder: Path, mine: int, count: int) -> None:
        self.own = folder / f"replica-{mine}.pt"
        self.others = [folder / f"replica-{k}.pt" for k in range(count) if k != mine]

    def meet(self, network: Network) -> None:
        new = self.own.with_suffix(".new")
        torch.save(network.state_dict(), new)
        new.replace(self.own)
        states = [torch.load(path, weights_only=True) for path in self.others if path.exists()]
        for name, values in network.state_dict().items():
            if states and values.is_floating_point():
                values.copy_(torch.stack([values, *(s[name] for s in states)]).mean(0))


class Trainer:
    def __init__(self, plan: Plan, until: float | None = None) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.until = plan, until
        self.network = Network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = torch.optim.swa_utils.AveragedModel(
            self.network,
            avg_fn=lambda old, new, n: old + (new - old) * max(1 - plan.averaging, 10 / (10 + n)),
            use_buffers=True,
        )
        matrices = list(self.network.weights)
        rest = [*self.network.norms.parameters(), *self.network.head.parameters()]
        self.optimisers: list[torch.optim.Optimizer] = [
            Muon(matrices, plan.rate, plan.decay),
            torch.optim.AdamW(rest, plan.rate, weight_decay=plan.decay),
        ]
        self.memory = Memory(plan.remembered)
        self.step, self.seconds = 0, 0.0
        self.began = time.time()

    def resume(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self, path: Path) -> None:
        new = path.with_suffix(".new")
        torch.save(
            {
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
                "step": self.step,
                "seconds": self.seconds,
            },
            new,
        )
        new.replace(path)

    def rate(self) -> float:
        """Linear up, then half a cosine to a hundredth: by steps, or by the clock up to `until`."""
        done = self.step / self.plan.steps
        if self.until:
            done = (time.time() - self.began) / (self.until - self.began)
        falling = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        return self.plan.rate * min(1.0, (self.step + 1) / self.plan.warm) * max(0.01, falling)

    @property
    def done(self) -> bool:
        return time.time() > self.until if self.until else self.step >= self.plan.steps

    def learn(self, batch: Batch) -> tuple[float, float]:
        """One step → its loss and the share of windows found at once."""
        self.network.train()
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.rate()
        both = torch.from_numpy(np.concatenate([batch.heard, batch.recorded])).float()
        heard, recorded = self.network(both)[:, ::EVERY_ROW].flatten(0, 1).chunk(2)
        tracks = torch.from_numpy(batch.tracks).repeat_interleave(len(heard) // len(batch.tracks))
        value, found = loss(heard, recorded, tracks, self.memory, self.plan)
        self.network.zero_grad()
        value.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        self.average.update_parameters(self.network)
        self.step += 1
        self.memory.add(recorded, tracks)
        return float(value.detach()), float(found)


def run(plan: Plan, data: Path, folder: Path, *, replica: int = 0, until: float | None = None,
        start: Path | None = None) -> None:  # fmt: skip
    """Train one of the plan's replicas, or go on where it was; every so often its state is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    trainer = Trainer(plan, until)
    checkpoint = folder / f"checkpoint-{replica}.pt"
    begin = checkpoint if checkpoint.exists() else start
    if begin:
        trainer.resume(begin)
    others = Others(folder, replica, plan.replicas)
    with Maker(plan, data, trainer.step, replica) as maker, Log(folder, replica) as log:
        while not trainer.done:
            before = time.process_time()
            value, found = trainer.learn(maker.batch())
            if trainer.step % plan.meeting == 0:
                others.meet(trainer.network)
            trainer.seconds += time.process_time() - before
            log.write(trainer, value, found)
            if trainer.step % plan.kept == 0 or trainer.done:
                trainer.save(checkpoint)
            if trainer.step % plan.measured == 0 and not replica:
                shutil.copyfile(checkpoint, folder / f"step-{trainer.step:05}.pt")
    trainer.save(checkpoint)


class Maker:
    """A process that makes batches, a few ahead."""

    def __init__(self, plan: Plan, data: Path, step: int, replica: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.batches: multiprocessing.queues.Queue[Batch] = context.Queue(4)
        seed = plan.seed * 1_000_003 + step * 101 + replica
        given = (self.batches, data, seed, max(1, plan.easy - step))
        self.process = context.Process(target=_make, args=given, daemon=True)

    def __enter__(self) -> Maker:
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()

    def batch(self) -> Batch:
        while True:
            try:
                return self.batches.get(timeout=60)
            except queue.Empty:
                if not self.process.is_alive():
                    raise RuntimeError("what makes the batches has ended") from None


def _make(out: multiprocessing.queues.Queue[Batch], data: Path, seed: int, easy: int) -> None:
    torch.set_num_threads(1)
    for batch in endless(data, TRAINED_ON, Recipe(), seed, easy):
        out.put(batch)


class Log:
    """A row a step: step, seconds of processor, of the clock, loss, share found at once, rate."""

    def __init__(self, folder: Path, replica: int) -> None:
        self.file = (folder / f"log-{replica}.csv").open("a", newline="")

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, trainer: Trainer, loss: float, found: float) -> None:
        row = [trainer.step, f"{trainer.seconds:.1f}", f"{time.time():.0f}", f"{loss:.4f}"]
        csv.writer(self.file).writerow([*row, f"{found:.4f}", f"{trainer.rate():.6f}"])
        self.file.flush()
