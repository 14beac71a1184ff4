"""Photo → the albums it may show, each with its proof and a probability.

    photo ─outlines→ quads ─layout→ likely covers ─proof→ evidence ─calibration→ probability
          └ only where that is not sure yet: fainter outlines, keypoint votes, the encoder's ideas

Proposing is cheap and may be wrong; only proof counts. It runs down the proposals, likeliest
first, and stops as soon as one is sure: most photos pay for one or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engine import layout
from engine.calibration import FEATURES, Calibration
from engine.image import Pixels
from engine.outlines import Quads, find_outlines
from engine.proof import Proof, keypoints_of_photo, prove, quad_from_keypoints
from engine.references import References

# A sleeve on 15 % of a 3:4 frame is then 215 pixels wide, more than proof looks at.
WORKING_SIDE = 480
SMALLEST_PHOTO = 32  # pixels: less shows no sleeve
_QUICK_PROOFS, _THOROUGH_PROOFS, _KEYPOINT_PROOFS = 3, 12, 6
_LIKELIEST = 6  # outlines looked into before the others

# A photo → the ids of albums that the encoder finds near.
Ideas = Callable[[Pixels], Sequence[int]]
# A row of the references, and the outline of its cover from the cover's own top left on.
Proposals = Iterator[tuple[int, Quads]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An album that the photo may show, by its row in the references. `likeness` is the cosine of
    layout codes at the proven outline, `margin` what it is ahead of the next album there."""

    row: int
    proof: Proof
    likeness: float
    margin: float
    probability: float = 0.0

    @property
    def features(self) -> NDArray[np.float64]:
        """(12,) float64, in the order of `calibration.FEATURES`."""
        own = (self.likeness, self.margin)
        return np.array([*own, *(getattr(self.proof, name) for name in FEATURES[len(own) :])])


class Prover:
    """References and a calibration of them. Safe for concurrent use."""

    def __init__(self, references: References, calibration: Calibration) -> None:
        self.references, self.calibration = references, calibration

    def candidates(self, photo: Pixels, ideas: Ideas | None = None) -> list[Candidate]:
        """(H, W, 3) uint8 RGB, upright, of working size → what was proven, likeliest first."""
        if min(photo.shape[:2]) < SMALLEST_PHOTO:
            return []
        levels = layout.halvings(photo)
        found: dict[int, Candidate] = {}
        for row, quad in self._proposals(levels, ideas):
            known = found.get(row)
            if known is not None and known.probability > 0.5:
                continue
            candidate = self._candidate(levels, row, quad)
            if candidate is None:
                continue
            if known is None or candidate.probability > known.probability:
                found[row] = candidate
            if candidate.probability >= self.calibration.sure_at:
                break
        return sorted(found.values(), key=lambda one: (-one.probability, one.row))

    def _proposals(self, levels: Sequence[Pixels], ideas: Ideas | None) -> Proposals:
        """Cheap ones first; each kind is made only when those before it proved nothing."""
        photo = levels[0]
        outlines = find_outlines(photo)
        yield from self._by_layout(levels, outlines[:_LIKELIEST], _QUICK_PROOFS)
        yield from self._by_layout(levels, outlines[_LIKELIEST:], _QUICK_PROOFS)
        fainter = find_outlines(photo, thorough=True)
        yield from self._by_layout(levels, fainter, _THOROUGH_PROOFS)
        yield from self._by_keypoints(photo, ideas)

    def _candidate(self, levels: Sequence[Pixels], row: int, quad: Quads) -> Candidate | None:
        references = self.references
        reference = references.reference(row)
        proof = prove(levels, quad, reference) if reference is not None else None
        if proof is None:
            return None
        view = layout.rectify(levels, proof.quad, layout.SIDE)
        code = references.basis.codes(layout.features(view[None]))
        likeness = float(code[0] @ references.codes[row])
        near = references.nearest(code, 2)[0]
        others = [n.similarity for n in near if n.row != row]
        candidate = Candidate(row, proof, likeness, likeness - max(others, default=0.0))
        calibration = self.calibration
        if proof.inliers:
            chance = calibration.probability(candidate.features)
        else:
            chance = calibration.plain(candidate.margin, proof.colour, proof.tint)
        return replace(candidate, probability=chance)

    def _by_layout(self, levels: Sequence[Pixels], outlines: Quads, most: int) -> Proposals:
        """The covers most alike in layout to what lies in any outline, turned any way."""
        references = self.references
        if not len(outlines):
            return
        views = np.stack([layout.rectify(levels, quad, layout.SIDE) for quad in outlines])
        turned = layout.features_turned(views)
        codes = references.basis.codes(turned.reshape(-1, turned.shape[-1]))
        hits = [
            (like.similarity, like.row, number)
            for number, near in enumerate(references.nearest(codes, 4))
            for like in near
        ]
        hits.sort(key=lambda hit: -hit[0])
        times: dict[int, int] = {}
        for _, row, number in hits:
            # Two outlines a cover: the second where the first was a frame inside of the sleeve.
            if times.get(row, 0) == 2:
                continue
            times[row] = times.get(row, 0) + 1
            yield row, np.roll(outlines[number // 4], -(number % 4), axis=0)
            if sum(times.values()) == most:
                return

    def _by_keypoints(self, photo: Pixels, ideas: Ideas | None) -> Proposals:
        """Covers that many keypoints vote for, and those the encoder finds near."""
        references = self.references
        keypoints = keypoints_of_photo(photo)
        rows = references.vote(keypoints, _KEYPOINT_PROOFS)
        if ideas is not None:
            near = ideas(photo)
            rows += [references.row_of[i] for i in near if i in references.row_of]
        for row in dict.fromkeys(rows):
            reference = references.reference(row)
            quad = quad_from_keypoints(keypoints, reference) if reference is not None else None
            if quad is not None:
                yield row, quad


def working_copy(photo: Pixels) -> tuple[Pixels, float]:
    """The photo, its shorter edge at most 480 pixels, and how much larger the photo itself is."""
    height, width = photo.shape[:2]
    # A strip has no sleeve in it, and its longer edge would stay enormous.
    scale = min(WORKING_SIDE / min(height, width), 4 * WORKING_SIDE / max(height, width), 1.0)
    if scale == 1.0:
        return photo, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, 1 / scale
