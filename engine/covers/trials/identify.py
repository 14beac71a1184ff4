"""Identify on trial: photos of covers, of strangers and of no cover at all, and what it said.

Photos are simulated with backgrounds, stickers and hands that neither training nor calibration
has seen. A fifth of the covers is left out of the references: those, or a folder of other covers,
are the strangers.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from engine.base.errors import BuildError, ShazamError
from engine.base.odds import expected_calibration_error, reliability
from engine.base.progress import Progress
from engine.covers.identify.calibration import Calibration
from engine.covers.identify.identifier import Identification, Identifier
from engine.covers.identify.outlines import Quads
from engine.covers.identify.proof import REFERENCE_SIDE
from engine.covers.identify.proving import Prover
from engine.covers.identify.references import Covers, cover_of
from engine.covers.image import Pixels, decode, to_pixels
from engine.covers.making.references import make_references, split_references
from engine.covers.photos.photo import PRESETS, Distortion, Photo, simulate_photo
from engine.covers.photos.surroundings import BACKGROUNDS, background
from engine.covers.search import CoverSearch
from engine.vectors.embeddings import Ids
from engine.vectors.making import build_index

CONDITIONS: dict[str, Distortion] = {
    "as it is": PRESETS["reencode"],
    "mild": PRESETS["mild"],
    "everything mixed": PRESETS["mixed"],
    "turned by any angle": PRESETS["rotation"],
    "turned, 30 % of the frame, a quarter hidden": Distortion(
        share=(0.3, 0.3), turn_deg=180, occlusion=(0.25, 0.25)
    ),
    "cut by the frame": PRESETS["crop"],
    "mirrored by a front camera": replace(PRESETS["mixed"], mirrored=True),
}


@dataclass(frozen=True)
class Outcome:
    """What came of the photos of one condition. Shares of `known` photos: `matched` rightly,
    `wrong` (another album), `ambiguous`; `encoder` is the encoder alone, its first hit for the
    whole photo. `false` is the share of `strangers` matched. `quad_error` is the median, over
    matches, of the mean distance of the corners as a share of the sleeve's side. `ms` is the median
    time of `known` photos, bytes to answer, and `search_ms` that of a plain search with the same
    bytes, one after the other."""

    known: int
    matched: float
    wrong: float
    ambiguous: float
    encoder: float
    strangers: int
    false: float
    calibration_error: float
    quad_error: float
    ms: float
    search_ms: float


@dataclass
class Trial:
    """`answers` are (confidence, whether the decision was right) of every photo, `denials` those
    of them that were `no_match`."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    answers: list[tuple[float, bool]] = field(default_factory=list)
    denials: list[tuple[float, bool]] = field(default_factory=list)
    references: int = 0
    no_covers: int = 0
    no_covers_matched: int = 0

    def count(self, looked: Sequence[Look]) -> None:
        for one in looked:
            said = (one.answer.confidence, one.right)
            self.answers.append(said)
            if one.answer.decision == "no_match":
                self.denials.append(said)

    @property
    def calibration_error(self) -> float:
        return expected_calibration_error(*_columns(self.answers))

    @property
    def noes(self) -> tuple[int, float, float]:
        """How many answers were `no_match`, how sure on average, and what share was right."""
        if not self.denials:
            return 0, 0.0, 0.0
        claimed, right = (float(np.mean(column)) for column in _columns(self.denials))
        return len(self.denials), claimed, right

    def reliability(self) -> list[tuple[float, float, int]]:
        """(mean confidence, share right, answers) of each filled bin of confidence."""
        return reliability(*_columns(self.answers))

    def as_dict(self) -> dict[str, Any]:
        return {
            "conditions": {name: asdict(outcome) for name, outcome in self.outcomes.items()},
            "references": self.references,
            "calibration_error": self.calibration_error,
            "reliability": self.reliability(),
            "noes": dict(zip(("answers", "claimed", "right"), self.noes, strict=True)),
            "no_covers": self.no_covers,
            "no_covers_matched": self.no_covers_matched,
        }


def run_trial(
    search: CoverSearch,
    *,
    strangers: Path | None = None,
    no_covers: Path | None = None,
    sample: int = 200,
    distractors: int | Path = 0,
    seed: int = 0,
    conditions: Sequence[str] = tuple(CONDITIONS),
    progress: Progress | None = None,
) -> Trial:
    """Photograph `sample` albums and as many strangers under each condition, and look at pictures
    of no cover: those in the folder `no_covers`, else `sample` drawn ones.

    `distractors` is a folder of covers that the references hold, too, or how many times as many
    covers more are mixed from the catalogue's own. Raises `BuildError` where there are no covers
    to photograph.
    """
    progress = progress or Progress()
    catalogue = search.catalogue
    split = split_references(catalogue, seed + 1, progress)
    if split is None or not split[1]:
        raise BuildError("This artifact holds no covers to identify by; build it from its covers.")
    references, left_out = split
    known = references.ids.tolist()
    if distractors:
        others: int | list[Path]
        if isinstance(distractors, Path):
            others = [path for path, _ in _readable(distractors)]
        else:
            others = distractors * len(known)
        crowd = Crowd(catalogue, known, others)
        crowded = make_references(crowd, crowd.ids(), progress)
        assert crowded is not None
        references, search = crowded, _crowded(search, crowd, progress)
    identifier = Identifier(search, Prover(references, Calibration.of(search.artifact.path)))
    rng = np.random.default_rng([seed, 1])
    albums = _repeated(rng.permutation(known).tolist(), sample)
    lacking = list(_pictures(strangers)) if strangers else []
    unknown = _repeated(rng.permutation(left_out).tolist(), sample)
    trial = Trial(references=len(references))
    steps = len(conditions) * sample
    for name in conditions:
        looked: list[Look] = []
        searched: list[tuple[bool, float]] = []
        for number, (album_id, other) in enumerate(zip(albums, unknown, strict=True)):
            cover = cover_of(catalogue, album_id)
            assert cover is not None
            photo = _photo(cover, name, [seed, number, 0])
            looked.append(look(identifier, jpeg(photo.image), album_id, photo.quad))
            searched.append(searched_first(search, jpeg(photo.image), album_id))
            stranger = lacking[number % len(lacking)] if lacking else cover_of(catalogue, other)
            assert stranger is not None
            photo = _photo(stranger, name, [seed, number, 1])
            looked.append(look(identifier, jpeg(photo.image), None))
            progress.step(len(trial.outcomes) * sample + number + 1, steps, "photos")
        trial.outcomes[name] = outcome_of(looked, searched)
        trial.count(looked)
    for picture in _pictures(no_covers) if no_covers else scenes(sample, seed):
        [answer] = identifier.by_pixels(picture)
        trial.no_covers += 1
        trial.no_covers_matched += answer.decision == "match"
    return trial


class Crowd:
    """`Covers`: a catalogue's, and `others`: those in files, or as many as that number, each the
    left of one cover beside the right of another, both with other colours."""

    has_thumbnails = True

    def __init__(
        self, catalogue: Covers, known: Sequence[int], others: int | Sequence[Path]
    ) -> None:
        self._own, self._known, self._others = catalogue, list(known), others
        self._first = max(self._known) + 1

    def ids(self) -> Ids:
        more = self._others if isinstance(self._others, int) else len(self._others)
        return np.array([*self._known, *range(self._first, self._first + more)], np.int64)

    def thumbnail(self, album_id: int) -> bytes | None:
        if album_id < self._first:
            return self._own.thumbnail(album_id)
        if not isinstance(self._others, int):
            path = self._others[album_id - self._first]
            image = decode(path.read_bytes(), name=path.name).resize((REFERENCE_SIDE,) * 2)
            return jpeg(np.asarray(image, np.uint8))
        rng = np.random.default_rng([17, album_id])
        pair = rng.choice(self._known, 2, replace=False).tolist()
        left, right = (cover_of(self._own, one) for one in pair)
        assert left is not None
        assert right is not None
        half = left.shape[1] // 2
        right = np.asarray(cv2.resize(right, left.shape[1::-1]), np.uint8)
        mixed = np.concatenate([left[:, :half], right[:, half:]], axis=1)
        # Nearly as it is: both halves have been through a thumbnail's compression already.
        return jpeg(mixed[..., rng.permutation(3)])


def _crowded(search: CoverSearch, crowd: Crowd, progress: Progress) -> CoverSearch:
    """The same search over a crowd, its covers embedded; the catalogue knows none of its others."""
    assert search.encoder is not None
    ids, rows = crowd.ids(), []
    for start in range(0, len(ids), 64):
        covers = [cover_of(crowd, album_id) for album_id in ids[start : start + 64].tolist()]
        images = [Image.fromarray(cover) for cover in covers if cover is not None]
        pixels = [to_pixels(image, search.artifact.preprocessing) for image in images]
        rows.append(search.encoder.embed_images(np.stack(pixels)))
        progress.step(start + len(pixels), len(ids), "distractors")
    index = build_index(np.concatenate(rows), ids, "flat")
    return CoverSearch(search.artifact, index, search.catalogue, search.encoder)


@dataclass(frozen=True)
class Look:
    """One photo's answer, the album it shows (None: a stranger), whether the decision was right,
    how far the corners are off as a share of the sleeve's side, and what it took."""

    answer: Identification
    truth: int | None
    right: bool
    error: float | None
    ms: float


def look(identifier: Identifier, data: bytes, truth: int | None, quad: Quads | None = None) -> Look:
    """Ask about the bytes of a photo of the album `truth`, whose corners are `quad` if known."""
    start = time.perf_counter()
    [answer] = identifier.by_image(data)
    ms = (time.perf_counter() - start) * 1000
    error = None
    if answer.quad is not None and quad is not None and truth == answer.album_id:
        side = float(np.linalg.norm(np.roll(quad, -1, 0) - quad, axis=1).mean())
        error = float(np.linalg.norm(answer.quad - quad, axis=1).mean()) / side
    if truth is None:
        right = answer.decision == "no_match"
    elif answer.decision == "ambiguous":
        right = truth in [near.id for near in answer.candidates]
    else:
        right = answer.album_id == truth
    return Look(answer, truth, right, error, ms)


def outcome_of(looked: Sequence[Look], searched: Sequence[tuple[bool, float]]) -> Outcome:
    """Looks at photos of one kind, and what the encoder alone said of those that are known."""
    known = [one for one in looked if one.truth is not None]
    strangers = [one for one in looked if one.truth is None]
    matched = [one for one in known if one.answer.decision == "match"]

    def share(part: Sequence[Any], whole: Sequence[Any]) -> float:
        return len(part) / max(1, len(whole))

    return Outcome(
        known=len(known),
        matched=share([one for one in matched if one.right], known),
        wrong=share([one for one in matched if not one.right], known),
        ambiguous=share([one for one in known if one.answer.decision == "ambiguous"], known),
        encoder=float(np.mean([float(right) for right, _ in searched] or [0.0])),
        strangers=len(strangers),
        false=share([one for one in strangers if one.answer.decision == "match"], strangers),
        calibration_error=expected_calibration_error(
            [one.answer.confidence for one in looked], [one.right for one in looked]
        ),
        quad_error=float(np.median([one.error for one in matched if one.error is not None] or [1])),
        ms=float(np.median([one.ms for one in known])),
        search_ms=float(np.median([ms for _, ms in searched])),
    )


def searched_first(search: CoverSearch, data: bytes, truth: int) -> tuple[bool, float]:
    """Whether the encoder alone has the album first, and how many milliseconds that takes."""
    assert search.encoder is not None
    start = time.perf_counter()
    [near] = search.nearest(search.encoder.embed_images(search.pixels(data)[None]), 5)
    return near[0].id == truth, (time.perf_counter() - start) * 1000


def jpeg(picture: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def _photo(cover: Pixels, condition: str, seed: list[int]) -> Photo:
    rng = np.random.default_rng(seed)
    return simulate_photo(cover, rng, CONDITIONS[condition], held_out=True)


def _repeated(ids: Sequence[int], count: int) -> list[int]:
    """`count` of them: each once before any is taken twice."""
    return [int(ids[number % len(ids)]) for number in range(count)]


def scenes(count: int, seed: int) -> Iterator[Pixels]:
    """Pictures of no cover: a wall, a shelf, a screen …, on which lies a square cut from another,
    as hard to tell from a sleeve as a poster or a tile is."""
    for number in range(count):
        rng = np.random.default_rng([seed, 23, number])
        held_out = bool(number % 2)
        other = background(str(rng.choice(BACKGROUNDS[not held_out])), 256, 256, rng)
        yield simulate_photo(other, rng, "mixed", held_out=held_out).image


def _pictures(folder: Path) -> Iterator[Pixels]:
    for _, image in _readable(folder):
        yield np.asarray(image, np.uint8)


def _readable(folder: Path) -> Iterator[tuple[Path, Image.Image]]:
    """The pictures of a folder; other files are passed over. Raises `BuildError` without any."""
    count = 0
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            image = decode(path.read_bytes(), name=path.name)
        except (ShazamError, OSError):
            continue
        count += 1
        yield path, image
    if not count:
        raise BuildError(f"{folder} holds no picture we can read.")


def _columns(answers: Sequence[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [claimed for claimed, _ in answers], [right for _, right in answers]


def plot(trial: Trial, path: Path) -> Path:
    """Draw the reliability diagram: claimed against right. Returns the file written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    claimed, right, counts = zip(*trial.reliability(), strict=True)
    axes.plot(claimed, right, marker="o", color="#2459a8")
    for x, y, count in zip(claimed, right, counts, strict=True):
        axes.annotate(str(count), (x, y), textcoords="offset points", xytext=(6, -10), fontsize=8)
    axes.set(xlabel="confidence given", ylabel="share right", xlim=(0, 1.03), ylim=(0, 1.03))
    axes.set_title(f"{len(trial.answers)} answers, calibration error {trial.calibration_error:.3f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


def table(trial: Trial, say: Callable[[str], None] = print) -> None:
    """The trial as text."""
    say(
        f"{'condition':<44}{'photos':>8}{'matched':>9}{'wrong':>7}{'unsure':>8}{'encoder':>9}"
        f"{'strangers':>11}{'false':>7}{'ECE':>7}{'quad':>7}{'ms':>6}{'× search':>10}"
    )
    for name, one in trial.outcomes.items():
        say(
            f"{name:<44}{one.known:>8}{one.matched:>9.3f}{one.wrong:>7.3f}{one.ambiguous:>8.3f}"
            f"{one.encoder:>9.3f}{one.strangers:>11}{one.false:>7.3f}{one.calibration_error:>7.3f}"
            f"{one.quad_error:>7.4f}{one.ms:>6.0f}{one.ms / one.search_ms:>10.1f}"
        )
    if trial.answers:
        say(
            f"expected calibration error over {len(trial.answers):,} answers: "
            f"{trial.calibration_error:.3f}"
        )
        count, claimed, right = trial.noes
        say(f"noes: {count:,}, {claimed:.3f} sure on average, {right:.3f} right")
    if trial.no_covers:
        say(f"pictures of no cover: {trial.no_covers_matched} of {trial.no_covers} matched")
