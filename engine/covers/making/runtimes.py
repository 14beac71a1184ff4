"""Which CPU runtime an artifact is given, and how well it agrees with float32.

int8 is kept only where it finds the same albums: the ten nearest of held-out pictures and texts,
searched with int8 and with float32 queries, must share at least `KEEP_OVERLAP` of their albums.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.base.errors import GoldenQueryFailed
from engine.base.progress import Progress
from engine.covers.encoder.encoder import Encoder, Precision, WantedPrecision
from engine.covers.encoder.on_openvino import OpenVINOEncoder
from engine.covers.encoder.on_torch import TorchEncoder
from engine.covers.golden import GoldenQueries
from engine.covers.image import Pixels
from engine.covers.making.export import Samples, export
from engine.covers.manifest import RuntimeEntry
from engine.vectors.embeddings import Embeddings
from engine.vectors.index import Index

KEEP_OVERLAP = 0.99
NEAREST = 10
CALIBRATION_PICTURES = 64

# Texts of the kind people type, for calibration and for agreement (every second one each).
TEXTS = (
    "a red album cover",
    "a dark cover with a red moon",
    "jazz",
    "a guitar on a stage",
    "a blue album cover with a bird",
    "black and white portrait of a singer",
    "heavy metal cover with a skull",
    "two people walking on a beach at sunset",
    "yellow",
    "abstract geometric shapes, electronic music",
    "a green forest with mist",
    "a folk record with a wooden house and a river, drawn by hand",
    "pink flowers",
    "a city at night with neon lights",
    "hip hop cover with bold letters",
    "an orange cat",
    "a white album with nothing on it",
    "classical music, an orchestra",
    "a purple album cover with a star",
    "the sea",
    "a punk collage with torn paper",
    "a cover that looks like a painting of a woman",
    "reggae in red, yellow and green",
    "an old car on a road",
)


def give_cpu_runtime(
    encoder: TorchEncoder,
    folder: Path,
    index: Index,
    pixels: Pixels,
    *,
    golden: GoldenQueries,
    requested: WantedPrecision,
    progress: Progress | None = None,
) -> RuntimeEntry:
    """Export `encoder` (float32) to OpenVINO under `folder`; returns what the manifest records.

    `pixels` (N, S, S, 3) uint8 are split into a part to calibrate on and one to compare with. An
    int8 that was asked for by name is kept although it agrees less, and a remark says so, but
    not where the `golden` queries would refuse to be served by it.
    """
    progress = progress or Progress()
    used, held_out = _split(pixels)
    samples = Samples(used, TEXTS[::2])
    if requested in ("auto", "int8"):
        export(encoder, folder, int8=samples, progress=progress)
        entry = _compare(encoder, folder, "int8", requested, index, held_out)
        refusal = _refusal(encoder, folder, golden, index)
        if refusal is None and entry.overlap_at_10 >= KEEP_OVERLAP:
            return entry
        finds = f"int8 finds {entry.overlap_at_10:.4f} of the albums that float32 finds"
        if requested == "int8" and refusal is None:
            progress.remark(f"{finds}, below {KEEP_OVERLAP}: kept, as --precision int8 asks")
            return entry
        if requested == "int8":
            progress.remark(
                f"{finds}; it is not kept, although --precision int8 asks for it: {refusal}"
            )
        else:
            progress.remark(f"{finds}: this encoder is served in float instead, and all is well")
    export(encoder, folder, half=requested != "fp32")
    precision: Precision = "fp32" if requested == "fp32" else "bf16"
    return _compare(encoder, folder, precision, requested, index, held_out)


def _refusal(encoder: Encoder, folder: Path, golden: GoldenQueries, index: Index) -> str | None:
    """Why the golden queries refuse the int8 towers in `folder`; None where they do not."""
    try:
        golden.check(OpenVINOEncoder(folder, encoder.name, precision="int8"), index)
    except GoldenQueryFailed as error:
        return error.message
    return None


def _split(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """Every second picture calibrates, the others compare; few pictures do both."""
    if len(pixels) < 16:
        return pixels, pixels
    return pixels[::2][:CALIBRATION_PICTURES], pixels[1::2]


def _compare(
    encoder: Encoder,
    folder: Path,
    precision: Precision,
    requested: WantedPrecision,
    index: Index,
    pixels: Pixels,
) -> RuntimeEntry:
    exported = OpenVINOEncoder(folder, encoder.name, precision=precision)
    texts = TEXTS[1::2]
    images = _in_batches(encoder, pixels), _in_batches(exported, pixels)
    words = encoder.embed_texts(texts), exported.embed_texts(texts)
    overlap = [_overlap(index, *images), _overlap(index, *words)]
    cosines = np.sum(images[0] * images[1], axis=1)
    text_cosines = np.sum(words[0] * words[1], axis=1)
    return RuntimeEntry(
        precision=precision,
        requested=requested,
        cosine_mean=round(float(cosines.mean()), 6),
        cosine_min=round(float(cosines.min()), 6),
        text_cosine_min=round(float(text_cosines.min()), 6),
        overlap_at_10=round(min(overlap), 6),
        compared=len(pixels) + len(texts),
    )


def _in_batches(encoder: Encoder, pixels: Pixels) -> Embeddings:
    parts = [encoder.embed_images(pixels[i : i + 16]) for i in range(0, len(pixels), 16)]
    return np.concatenate(parts)


def _overlap(index: Index, reference: Embeddings, other: Embeddings) -> float:
    """Mean share of the reference's ten nearest that the other finds too."""
    shares = []
    for row, found in zip(
        index.search(reference, NEAREST), index.search(other, NEAREST), strict=True
    ):
        wanted = {neighbour.id for neighbour in row}
        shares.append(len(wanted & {n.id for n in found}) / max(1, len(wanted)))
    return float(np.mean(shares))
