"""A run → `figures.json`, the tables in the README, and two plots."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from training.report import between
from training.sound.export import averaged
from training.sound.validate import LENGTHS_S, SNRS, Validation, called

HERE = Path(__file__).parent
SMOOTH = 25  # steps


def write(run: Path) -> None:
    """Measure every kept state of the run, and tell."""
    validation = Validation(run / "data")
    states = [*sorted(run.glob("step-*.pt")), run / "checkpoint-0.pt"]
    curve = []
    for state in states:
        network, step = averaged(state)
        curve.append({"step": step, **validation.figures(network)})
    (HERE / "figures.json").write_text(json.dumps(curve[-1], indent=1) + "\n")
    between(HERE / "README.md", "figures", table(curve[-1]))
    plot_training(logs(run), curve, HERE / "plots" / "training.png")


def logs(run: Path) -> list[list[dict[str, float]]]:
    names = ("step", "seconds", "time", "loss", "found", "rate")
    out = []
    for path in sorted(run.glob("log-*.csv")):
        with path.open() as file:
            rows = [dict(zip(names, map(float, row[:6]), strict=True)) for row in csv.reader(file)]
        out.append(rows)
    return out


def table(figures: dict[str, Any]) -> str:
    """Shares right and accepted, right at all, by noise (down) and length (across)."""
    lengths = [f"{length:.0f} s" for length in LENGTHS_S]
    lines = ["| Noise | " + " | ".join(lengths) + " |", "|---" * (1 + len(lengths)) + "|"]
    for snr in SNRS:
        shares = [
            [figures[f"{length} {called(snr)} {what}"] for what in ("accepted", "first")]
            for length in lengths
        ]
        cells = [f"{accepted:.2f} / {first:.2f}" for accepted, first in shares]
        lines.append(f"| {called(snr)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot_training(
    runs: list[list[dict[str, float]]], curve: list[dict[str, float]], path: Path
) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for rows in runs:
        steps, found = [r["step"] for r in rows], [r["found"] for r in rows]
        mean = np.convolve(found, np.ones(SMOOTH) / SMOOTH, "valid")
        left.plot(steps[len(steps) - len(mean) :], mean)
    left.set(xlabel="step", ylabel="windows found at once, of 6,400", title="Training")
    for snr in SNRS:
        shares = [point[f"10 s {called(snr)} accepted"] for point in curve]
        right.plot([point["step"] for point in curve], shares, marker="o", label=called(snr))
    right.set(xlabel="step", ylabel="10 s right and accepted", ylim=(0, 1.02), title="Validation")
    right.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
