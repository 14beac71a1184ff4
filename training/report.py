"""An encoder and the held-out catalogue → figures: photos, words, an unseen designer; and plots."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from engine.vectors.embeddings import Embeddings
from training import RUN, embed
from training.held_out import HeldOut, held_out_objects


def parity(folder: Path, held_out: HeldOut) -> dict[str, float]:
    """Cosines of bfloat16's embeddings to float32's, on photos and on queries."""
    from transformers import CLIPModel, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(folder)
    shown = held_out.photos["mixed"][1][:200]
    asked = [words.text for words in held_out.asked[:200]]
    made: dict[torch.dtype, list[Embeddings]] = {}
    for kind in (torch.float32, torch.bfloat16):
        model = CLIPModel.from_pretrained(folder, dtype=kind).eval()
        with torch.inference_mode():
            made[kind] = [
                embed.embed_images(model, embed.normalised(shown).to(kind)).numpy(),
                embed.embed_texts(model, tokenizer, asked).numpy(),
            ]
    both = zip(made[torch.float32], made[torch.bfloat16], strict=True)
    least = [float((a * b).sum(1).min()) for a, b in both]
    return {
        "least cosine bf16 to fp32, images": round(least[0], 5),
        "least cosine bf16 to fp32, texts": round(least[1], 5),
    }


def write(encoder: Path = RUN / "shazam-starter") -> dict[str, float]:
    """Measure an exported encoder; `training/figures.json` and the plots beside it."""
    from transformers import CLIPModel, CLIPTokenizer

    model = CLIPModel.from_pretrained(encoder, dtype=torch.float32).eval()
    tokenizer = CLIPTokenizer.from_pretrained(encoder)
    held_out = HeldOut.full()
    found = held_out.measure(model, tokenizer)
    found |= held_out_objects(model, held_out) | parity(encoder, held_out)
    found |= {"albums": len(held_out.albums), "text queries": len(held_out.asked)}
    folder = Path(__file__).parent
    (folder / "figures.json").write_text(json.dumps(found, indent=1) + "\n")
    plot(found, folder / "plots")
    between(folder / "README.md", "figures", tables(found))
    between(folder / "CARD.md", "figures", tables(found, brief=True))
    planned = RUN / "run.json"
    if planned.exists():
        run = json.loads(planned.read_text())
        said = (
            f"`python -m training --steps {run['steps']}`: seed {run['seed']}, {run['step']} steps "
            f"of {run['covers_a_step']} covers, a photo of each, and {run['pictures_a_step']} "
            f"pictures, "
            f"on two shared cores without a GPU."
        )
        between(folder / "README.md", "run", said)
    return found


def tables(found: dict[str, float], *, brief: bool = False) -> str:
    """The figures as Markdown; `brief` keeps what a newcomer asks about."""
    lines = ["| Photos | recall@1 | recall@5 | recall@50 |", "|---|---|---|---|"]
    for key in found:
        name = key.removesuffix(" recall@1")
        if name == key or (brief and name not in ("clean", "reencode", "mild", "mixed")):
            continue
        shares = [found.get(f"{name} recall@{k}") for k in (1, 5, 50)]
        cells = [f"{share:.3f}" if share is not None else "" for share in shares]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| Words | right among the first five |", "|---|---|"]
    for key, value in found.items():
        if key.endswith(" precision@5"):
            lines.append(f"| {key.removesuffix(' precision@5')} | {value:.3f} |")
    lines += ["", "| Other | |", "|---|---|"]
    for key, value in found.items():
        if "designer" in key or (not brief and "cosine" in key):
            lines.append(f"| {key} | {value:.3f} |" if value < 0.99 else f"| {key} | {value:.4f} |")
    lines.append(f"| albums searched | {found['albums']:.0f} |")
    return "\n".join(lines)


def between(path: Path, name: str, text: str) -> None:
    """Put `text` between the file's <!-- name --> and <!-- /name -->."""
    whole = path.read_text(encoding="utf-8")
    head, rest = whole.split(f"<!-- {name} -->", 1)
    _, tail = rest.split(f"<!-- /{name} -->", 1)
    path.write_text(f"{head}<!-- {name} -->\n{text}\n<!-- /{name} -->{tail}", encoding="utf-8")


def plot(found: dict[str, float], folder: Path) -> None:
    """Bars of recall by distortion and precision by kind of words; curves of the training."""
    import csv

    from matplotlib.figure import Figure

    folder.mkdir(exist_ok=True)
    names = [key.removesuffix(" recall@1") for key in found if key.endswith(" recall@1")]
    figure = Figure(figsize=(9, 0.28 * len(names) + 1), layout="constrained")
    axes = figure.subplots()
    for k, height in ((50, 0.8), (5, 0.55), (1, 0.3)):
        values = [found.get(f"{name} recall@{k}", 0) for name in names]
        axes.barh(names, values, height, label=f"recall@{k}")
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), title=f"Photos of {found.get('albums', 0):.0f} held-out covers")
    axes.legend(loc="lower left")
    figure.savefig(folder / "recall.png", dpi=80)

    kinds = [key.removesuffix(" precision@5") for key in found if key.endswith(" precision@5")]
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    axes.barh(kinds, [found[f"{kind} precision@5"] for kind in kinds])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), title="Words: right covers among the first five")
    figure.savefig(folder / "words.png", dpi=80)

    log = RUN / "log.csv"
    if not log.exists():
        return
    with log.open() as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for key in ("photo", "text", "text_on_photos"):
        values = np.array([float(row[key]) for row in rows])
        smooth = np.convolve(values, np.ones(25) / 25, "valid")
        left.plot(np.arange(len(smooth)) + 25, smooth, label=key.replace("_", " "))
    left.set(xlabel="step", title="Loss (mean of 25 steps)")
    left.legend()
    measured = [row for row in rows if row.get("mixed recall@1")]
    for key in ("mild recall@1", "mixed recall@1", "mixed recall@50",
                "colour and object precision@5", "unseen designer top-5 of 200"):  # fmt: skip
        right.plot(
            [int(row["step"]) for row in measured], [float(row[key]) for row in measured], label=key
        )
    right.set(xlabel="step", ylim=(0, 1), title="Held out")
    right.legend(fontsize=8)
    figure.savefig(folder / "training.png", dpi=80)
