"""Quality and speed of one artifact, measured on itself.

Queries are photos of its own covers, simulated with a fixed seed (`photos.photo`), or a folder
of the user's own pictures named like the covers. Every figure names how many queries it rests on.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.base.errors import BuildError, ShazamError
from engine.base.progress import Progress
from engine.covers.encoder.encoder import Encoder
from engine.covers.image import Pixels, decode, to_pixels
from engine.covers.opening import load_encoder
from engine.covers.search import CoverSearch
from engine.vectors.embeddings import Embeddings
from engine.vectors.exact import DEPTH, Exact, recall_at_10
from engine.vectors.neighbours import Neighbour
from engine.vectors.sources import Stored
from engine.vectors.tuning import Tuning

BATCH = 32

# Presets of engine.covers.photos.photo, from "the same file again" to "everything at once".
DISTORTIONS = (
    "clean",
    "reencode",
    "mild",
    "rotation",
    "perspective",
    "small",
    "crop",
    "glare",
    "blur",
    "occlusion",
    "mixed",
)


@dataclass(frozen=True)
class Recall:
    """Share of `queries` whose own album is the first, or among the first 5 or 50."""

    queries: int
    at_1: float
    at_5: float
    at_50: float


@dataclass(frozen=True)
class Report:
    """Everything `evaluate` measures; `as_dict` is what `--json` prints.

    `agreement_at_10` is the index's with exact search. `same_top_1_as_fp32` is the share of queries
    with the same first album when torch embeds them in float32; None where torch or the weights
    are not there, or where that is what serves.
    """

    artifact: str
    encoder: str
    runtime: str
    precision: str
    albums: int
    recall: dict[str, Recall]
    agreement_at_10: float
    same_top_1_as_fp32: float | None
    false_accepts: float | None
    threshold: float | None
    latency_ms: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(
    search: CoverSearch,
    *,
    queries: Path | None = None,
    sample: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Measure an opened artifact. `sample` albums are photographed once a distortion.

    Raises `BuildError` where the artifact holds no thumbnails and no `queries` folder is given.
    """
    progress = progress or Progress()
    encoder = search.encoder
    assert encoder is not None
    recall: dict[str, Recall] = {}
    vectors: list[np.ndarray[Any, Any]] = []
    same: list[bool] = []
    reference = _reference(search)
    right: list[float] = []
    wrong: list[float] = []
    sources = (
        [("queries", list(_own_pictures(search, queries)))]
        if queries
        else [(name, None) for name in DISTORTIONS]
    )
    covers = None if queries else _covers(search, sample, seed)
    for done, (name, given) in enumerate(sources):
        pairs = given if given is not None else list(_photos(search, covers or [], name, seed))
        truth = [album_id for album_id, _ in pairs]
        embedded = _embedded(encoder, pairs)
        found = search.nearest(embedded, 51)
        if reference is not None:
            wanted = search.nearest(_embedded(reference, pairs), 1)
            same += [row[:1] == first for row, first in zip(_ids(found), _ids(wanted), strict=True)]
        ranks = []
        for album_id, neighbours in zip(truth, found, strict=True):
            ids = [neighbour.id for neighbour in neighbours]
            ranks.append(ids.index(album_id) if album_id in ids else 10**6)
            if ids and ids[0] == album_id:
                right.append(neighbours[0].similarity)
            others = [n.similarity for n in neighbours if n.id != album_id]
            wrong.extend(others[:1])
        places = np.array(ranks)
        recall[name] = Recall(
            len(pairs),
            float(np.mean(places < 1)),
            float(np.mean(places < 5)),
            float(np.mean(places < 50)),
        )
        vectors.append(embedded)
        progress.step(done + 1, len(sources), "distortions")
    threshold = float(np.quantile(right, 0.05)) if right else None
    return Report(
        artifact=search.artifact.id,
        encoder=encoder.name,
        runtime=encoder.runtime,
        precision=encoder.precision,
        albums=len(search.catalogue),
        recall=recall,
        agreement_at_10=_agreement(search, np.concatenate(vectors)[:500]),
        same_top_1_as_fp32=float(np.mean(same)) if same else None,
        # As a stranger's photo would: the query's own album is taken out of the answer.
        false_accepts=(
            float(np.mean(np.array(wrong) >= threshold)) if threshold is not None else None
        ),
        threshold=threshold,
        latency_ms=_latency(search),
    )


def _reference(search: CoverSearch) -> Encoder | None:
    """The artifact's encoder on torch in float32, where it can be had and does not serve itself."""
    encoder = search.encoder
    if encoder is None or (encoder.runtime, encoder.precision) == ("torch-cpu", "fp32"):
        return None
    try:
        return load_encoder(search.artifact, runtime="torch-cpu", precision="fp32")
    except ShazamError:
        return None


def _embedded(encoder: Encoder, pairs: Sequence[tuple[int, Pixels]]) -> Embeddings:
    batches = (pairs[start : start + BATCH] for start in range(0, len(pairs), BATCH))
    rows = [encoder.embed_images(np.stack([pixels for _, pixels in batch])) for batch in batches]
    return np.concatenate(rows)


def _ids(found: Sequence[Sequence[Neighbour]]) -> list[list[int]]:
    return [[neighbour.id for neighbour in row] for row in found]


def _covers(search: CoverSearch, sample: int, seed: int) -> list[tuple[int, Pixels]]:
    """`sample` albums with thumbnails, as (H, W, 3) uint8."""
    if not search.catalogue.has_thumbnails:
        raise BuildError(
            "This artifact holds no covers to photograph (an import brings none). Give your own "
            "pictures with --queries DIR, each named after its album id."
        )
    ids = search.catalogue.ids()
    chosen = np.random.default_rng(seed).permutation(ids)[:sample]
    covers = []
    for album_id in sorted(int(i) for i in chosen):
        image = search.catalogue.thumbnail(album_id)
        if image:
            covers.append((album_id, np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))))
    return covers


def _photos(
    search: CoverSearch, covers: Sequence[tuple[int, Pixels]], distortion: str, seed: int
) -> Iterator[tuple[int, Pixels]]:
    from engine.covers.photos.photo import simulate_photo  # OpenCV: only an evaluation pays for it

    for album_id, cover in covers:
        rng = np.random.default_rng([seed, album_id])
        photo = simulate_photo(cover, rng, distortion, held_out=True)
        image = Image.fromarray(photo.image)
        yield album_id, to_pixels(image, search.artifact.preprocessing)


def _own_pictures(search: CoverSearch, folder: Path) -> Iterator[tuple[int, Pixels]]:
    """Pictures named after an album's cover file, or after its id, each with that album's id."""
    by_name = {
        Path(album.source).stem: album.album_id for album in search.catalogue if album.source
    }
    count = 0
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        album_id = by_name.get(path.stem)
        if album_id is None and path.stem.isdecimal() and search.catalogue.album(int(path.stem)):
            album_id = int(path.stem)
        if album_id is None:
            continue
        try:
            image = decode(path.read_bytes(), name=path.name)
        except ShazamError:
            continue
        count += 1
        yield album_id, to_pixels(image, search.artifact.preprocessing)
    if not count:
        raise BuildError(
            f"{folder} holds no picture named after a cover of this catalogue or an album id "
            "(for example 17.jpg)."
        )


def _agreement(search: CoverSearch, queries: Embeddings) -> float:
    """Mean recall@10 of the index. `queries` (Q, D) are photos: none of them is a row itself."""
    ids, own = search.catalogue.ids(), np.full(len(queries), -1, np.int64)
    exact = Exact(queries, own)
    for start, rows in Stored(search.index, ids).blocks():
        exact.add(rows, ids[start : start + len(rows)])
    asked = zip(search.nearest(queries, DEPTH), own.tolist(), exact.nearest(), strict=True)
    return float(np.mean([recall_at_10(*answer) for answer in asked]))


def _latency(search: CoverSearch, repeats: int = 30) -> dict[str, float]:
    """Median milliseconds of each step for one query alone."""
    encoder = search.encoder
    assert encoder is not None
    size = encoder.preprocessing.size
    pixels = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.repeat(np.repeat(pixels[0], 4, 0), 4, 1)).save(buffer, "JPEG")
    data = buffer.getvalue()
    vector = encoder.embed_images(pixels)

    def median(step: Any) -> float:
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        return float(np.median(times) * 1000)

    return {
        "decode": median(lambda: search.pixels(data)),
        "encode_image": median(lambda: encoder.embed_images(pixels)),
        "encode_text": median(lambda: encoder.embed_texts(["a red album cover with a guitar"])),
        "index": median(lambda: search.nearest(vector, 5)),
        "albums": median(lambda: search.by_vector(vector[0])),
    }


def plot(report: Report, folder: Path) -> Path:
    """Draw recall by distortion into `folder`/recall.png; returns the file."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    names = list(report.recall)
    places = np.arange(len(names))
    figure = Figure(figsize=(1.2 + 0.85 * len(names), 4), layout="constrained")
    axes = figure.subplots()
    for shift, depth in enumerate((1, 5, 50)):
        heights = [float(getattr(report.recall[name], f"at_{depth}")) for name in names]
        axes.bar(places + 0.27 * (shift - 1), heights, 0.25, label=f"recall@{depth}")
    axes.set_xticks(places, names, rotation=30, ha="right")
    axes.set(ylim=(0, 1), title=f"{report.encoder}, {report.albums:,} albums ({report.precision})")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="lower left")
    target = folder / "recall.png"
    figure.savefig(target, dpi=110)
    return target


def plot_tuning(tuning: Tuning, folder: Path) -> Path:
    """Draw the operating points an index was tuned over into `folder`/index.png."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    points = sorted(tuning.curve, key=lambda point: point.ms)
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([p.ms for p in points], [p.recall for p in points], marker="o")
    for point in points:
        if (point.nprobe, point.reach) == (tuning.nprobe, tuning.reach):
            axes.plot(point.ms, point.recall, "o", ms=11, label=f"chosen: nprobe {point.nprobe}")
    axes.axhline(tuning.target, ls="--", lw=1, label=f"asked for: {tuning.target:g}")
    axes.set(xlabel="ms a query, one thread", ylabel="recall@10", xscale="log")
    axes.set_title(f"{tuning.lists} lists of {tuning.codes}, {tuning.queries} held-out queries")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    target = folder / "index.png"
    figure.savefig(target, dpi=110)
    return target
