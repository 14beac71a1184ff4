"""Which album is this a photo of? match, ambiguous or no_match, with proof.

    photo ─candidates→ the likeliest album ─calibration→ decision ─encoder→ others like it
          └ where that shows none: mirrored, as front cameras take them, and more briefly

    >>> from pathlib import Path
    >>> search = CoverSearch.open("artifacts/starter")
    >>> photo = Path("tests/photos/02-psychedelic-on-carpet.jpg").read_bytes()
    >>> [answer] = Identifier.open(search).by_image(photo)
    >>> answer.decision, search.album(answer.album_id).title
    ('match', 'A Parade for Vera')

An artifact without covers has nothing to prove with: then the encoder's similarity alone decides,
on the whole photo and on what lies in its outlines, and says how little that is worth.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Lock
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from engine.base.machine import usable_cores
from engine.covers.identify import layout
from engine.covers.identify.calibration import Calibration, shifted
from engine.covers.identify.candidate import Candidate
from engine.covers.identify.outlines import Quads, find_outlines, is_plausible
from engine.covers.identify.places import Places
from engine.covers.identify.proving import Prover
from engine.covers.identify.references import References
from engine.covers.identify.sight import Embed, Sight, embed_views
from engine.covers.identify.views import WORKING_SIDE, halvings, rectify, working_copy
from engine.covers.image import HALVED_SIDES, MAX_IMAGE_PIXELS, Pixels, decode
from engine.covers.search import CoverSearch
from engine.serving.work.lanes import computing
from engine.vectors.embeddings import Embeddings
from engine.vectors.neighbours import Neighbour

Decision = Literal["match", "ambiguous", "no_match", "unsure"]

CANDIDATES = 5
MOST_SLEEVES = 12
_ENCODER_OUTLINES = 4
# An encoder's cosine alone proves nothing: whatever it says, one in four is expected to be wrong.
_MOST_WITHOUT_PROOF = 0.75


@dataclass(frozen=True, slots=True)
class Identification:
    """The answer for one sleeve.

    `confidence` is the probability that the decision is right; where it is `unsure`, as only a
    glance is, that of its candidate, 0 without one. `album_id` is None unless it is a match. `quad`
    (4, 2) float32 is where the cover lies, in pixels of the upright picture that was sent, from the
    cover's own top left to its top right and on; None, like `inliers`, where nothing was proven.
    `mirrored` is whether the photo shows the cover as a mirror does, as front cameras do: its
    corners then run counter-clockwise, else clockwise. `candidates` are led by what was matched or
    could not be told apart, then the encoder's nearest.
    """

    decision: Decision
    confidence: float
    album_id: int | None
    inliers: int | None
    quad: Quads | None
    candidates: tuple[Neighbour, ...]
    mirrored: bool = False


UNSURE = Identification("unsure", 0.0, None, None, None, ())


class Identifier:
    """One opened artifact. Safe for concurrent use where `embed` is."""

    def __init__(
        self,
        search: CoverSearch,
        prover: Prover | None,
        threads: int | None = None,
        prior: float = 0.5,
    ) -> None:
        """`threads`: photos that the encoder may look at beside their proofs, one each; all usable
        cores unless it is given. `prior`: the share of photos that show an album of the catalogue;
        no more strangers are matched for a high one."""
        self.search, self.prover, self.prior = search, prover, prior
        self._encoding = Lock()
        self._looking = computing("look", threads or usable_cores())

    @classmethod
    def open(
        cls, search: CoverSearch, threads: int | None = None, prior: float = 0.5
    ) -> Identifier:
        """Raises `ArtifactError` where the artifact's part for this cannot be read."""
        cv2.setNumThreads(1)  # pictures are small here: callers are worth more than threads
        folder = search.artifact.path
        references = References.open(folder, search.catalogue)
        prover = Prover(references, Calibration.of(folder)) if references else None
        return cls(search, prover, threads, prior)

    def close(self) -> None:
        """End the threads; one that is forgotten ends its own."""
        self._looking.shutdown(wait=False, cancel_futures=True)

    def by_image(
        self,
        data: bytes,
        embed: Embed | None = None,
        *,
        many: bool = False,
        max_pixels: int = MAX_IMAGE_PIXELS,
    ) -> list[Identification]:
        """Bytes of a picture → one answer, or with `many` one for each sleeve found, maybe none.

        `embed` takes (N, S, S, 3) uint8 to (N, D) unit rows; left out, it is the search's own
        encoder. Raises what `engine.covers.image.decode` raises.
        """
        photo, scale = _decoded(data, max_pixels)
        found = self.by_pixels(photo, embed, many=many)
        return [_scaled(answer, scale) for answer in found]

    def at_a_glance(self, data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> Identification:
        """Bytes of a picture → a `match`, or `unsure`, for about what a search costs: one place is
        looked at, without the encoder. What is likely and not sure is the one candidate of
        `unsure`, with the place: the next frame may say the same. Raises what
        `engine.covers.image.decode` raises."""
        photo, scale = _decoded(data, max_pixels)
        small, shrunk = working_copy(photo)
        seen = self.prover.glimpse(small) if self.prover is not None else None
        if seen is None or self.prover is None or self.prover.references.twins(seen.row):
            return UNSURE
        sure = shifted(seen.probability, self.prior)
        if sure < 0.5:
            return UNSURE
        matches = seen.probability >= self.prover.calibration.blind().sure_at
        album_id = int(self.prover.references.ids[seen.row])
        proof = seen.proof
        near = (Neighbour(album_id, seen.likeness),)
        decision: Decision = "match" if matches else "unsure"
        known = album_id if matches else None
        answer = Identification(decision, sure, known, proof.inliers, proof.quad, near)
        return _scaled(answer, scale * shrunk)

    def by_pixels(
        self,
        photo: Pixels,
        embed: Embed | None = None,
        *,
        many: bool = False,
    ) -> list[Identification]:
        """(H, W, 3) uint8 RGB, upright; otherwise as `by_image`."""
        if embed is None:
            embed = self._embed_alone
        small, scale = working_copy(photo)
        if self.prover is None:
            return [self._by_similarity(small, embed)]
        answers: list[Identification] = []
        while len(answers) < (MOST_SLEEVES if many else 1):
            # A photo is mirrored as a whole: of its other sleeves that is known.
            ways = (answers[0].mirrored,) if answers else (False, True)
            answer = self._by_proof(self.prover, small, embed, ways)
            if many and answer.decision == "no_match":
                break
            answers.append(_scaled(answer, scale))
            if many and answer.quad is not None:
                small = _painted_over(small, answer.quad)
        return answers

    def _embed_alone(self, pixels: Pixels) -> Embeddings:
        """The search's own encoder, which runs one batch at a time: what looks beside a proof may
        not have ended when the proof has."""
        encoder = self.search.encoder
        assert encoder is not None, "opened with with_encoder=False"
        with self._encoding:
            return encoder.embed_images(pixels)

    def _by_proof(
        self, prover: Prover, photo: Pixels, embed: Embed, ways: Sequence[bool]
    ) -> Identification:
        """`ways`: mirrored or not, tried in this order until one shows an album. What a photo shows
        as it is comes first, so a cover that is its own mirror image is never called mirrored."""
        references, search = prover.references, self.search
        sight = Sight(search.index, search.artifact.preprocessing, embed, references, self._looking)
        places, most = Places(photo), 0.0
        near: Future[list[Neighbour]] | None = None
        for mirrored in ways:
            seen = places.mirrored() if mirrored else places
            proven = prover.candidates(seen, sight, brief=mirrored)
            claimed = self._claimed(prover, proven, mirrored=mirrored)
            if claimed is not None:
                return _mirrored_back(claimed, photo.shape[1]) if mirrored else claimed
            most = max([most, *(one.probability for one in proven[:1])])
            # What it most likely shows is looked for while its mirror image is.
            near = near or self._looking.submit(self._near, [photo], embed)
        absent = prover.calibration.absent(most, self.prior)
        assert near is not None, "it was tried in one way at least"
        return Identification("no_match", absent, None, None, None, tuple(near.result()))

    def _claimed(
        self, prover: Prover, proven: Sequence[Candidate], *, mirrored: bool
    ) -> Identification | None:
        """What the likeliest of all candidates is good for; None where nothing is claimed."""
        calibration, references = prover.calibration, prover.references
        if not proven:
            return None
        best, *others = proven
        twins = references.twins(best.row) if best.probability >= 0.5 else []
        rivals = [other.row for other in others if _is_rival(best, other)]
        told_apart = not twins and not rivals
        least = calibration.match_at if told_apart else 0.5
        # Few photos are mirrored, and a second look must not be a stranger's second chance.
        sure = shifted(best.probability, self.prior)
        if sure < 0.5 or best.probability < (calibration.sure_at if mirrored else least):
            return None
        ids = [int(references.ids[row]) for row in dict.fromkeys([best.row, *twins, *rivals])]
        assert best.glance is not None, "it was looked at with an encoder"
        return Identification(
            "match" if told_apart else "ambiguous",
            sure,
            ids[0] if told_apart else None,
            best.proof.inliers,
            best.proof.quad,
            tuple(self._nearest(best.glance.vector[None], ids)),
        )

    def _by_similarity(self, photo: Pixels, embed: Embed) -> Identification:
        """Without references: the encoder alone, on the photo and on what lies in its outlines."""
        levels = halvings(photo)
        outlines = [quad for quad in find_outlines(photo) if is_plausible(quad)]
        views = [
            np.ascontiguousarray(np.rot90(rectify(levels, quad, 2 * layout.SIDE), turn))
            for quad in outlines[:_ENCODER_OUTLINES]
            for turn in range(4)
        ]
        near = self._near([photo, *views], embed)
        ahead = near[0].similarity - (near[1].similarity if len(near) > 1 else 0.0)
        lead = 1 / (1 + np.exp(-60 * (ahead - 0.04)))
        level = 1 / (1 + np.exp(-25 * (near[0].similarity - 0.75)))
        chance = float(_MOST_WITHOUT_PROOF * lead * level)
        sure = shifted(chance, self.prior)
        if min(chance, sure) < 0.5:
            absent = 1 - shifted(max(chance, 0.4), self.prior)
            return Identification("no_match", absent, None, None, None, tuple(near))
        return Identification("match", sure, near[0].id, None, None, tuple(near))

    def _near(self, pictures: Sequence[Pixels], embed: Embed) -> list[Neighbour]:
        """The albums nearest to any of the pictures."""
        return self._nearest(embed_views(pictures, self.search.artifact.preprocessing, embed))

    def _nearest(self, vectors: Embeddings, first: Sequence[int] = ()) -> list[Neighbour]:
        """The albums nearest to any of (N, D) unit rows, those named `first` before the others."""
        best: dict[int, float] = {}
        for row in self.search.nearest(vectors, CANDIDATES):
            for near in row:
                best[near.id] = max(near.similarity, best.get(near.id, -1.0))
        if first:
            own = (self.search.index.vectors(first) @ vectors.T).max(1)
            best.update(zip(first, own.tolist(), strict=True))
        order = sorted(best, key=lambda album_id: (-best[album_id], album_id))
        order = list(dict.fromkeys([*first, *order]))
        return [Neighbour(album_id, best[album_id]) for album_id in order[:CANDIDATES]]


def _is_rival(best: Candidate, other: Candidate) -> bool:
    """Whether the photo shows as much of `other` as of `best`, in the same place."""
    if other.probability < 0.5 or other.proof.seen < best.proof.seen - 0.05:
        return False
    edge = float(np.sqrt(max(1.0, abs(cv2.contourArea(best.proof.quad)))))
    return bool(np.abs(best.proof.quad - other.proof.quad).max() < 0.1 * edge)


def _mirrored_back(answer: Identification, width: int) -> Identification:
    """What was found in a mirrored photo, in pixels of the photo itself, `width` wide."""
    assert answer.quad is not None
    quad = np.array([width, 0], np.float32) + answer.quad * np.array([-1, 1], np.float32)
    return replace(answer, quad=quad, mirrored=True)


def _painted_over(photo: Pixels, quad: Quads) -> Pixels:
    """The photo without one sleeve, so that the next one is found."""
    painted = photo.copy()
    middle = quad.mean(0)
    colour = np.median(photo.reshape(-1, 3), axis=0).tolist()
    cv2.fillConvexPoly(painted, np.round(middle + 1.04 * (quad - middle)).astype(np.int32), colour)
    return painted


def _scaled(answer: Identification, scale: float) -> Identification:
    if answer.quad is None or scale == 1.0:
        return answer
    return replace(answer, quad=np.asarray(answer.quad * scale, np.float32))


def _decoded(data: bytes, max_pixels: int) -> tuple[Pixels, float]:
    """The picture, upright and no larger than is looked at, and how much larger the file's is."""
    least = int(WORKING_SIDE / HALVED_SIDES)  # what the decoder leaves is then enough
    image = decode(data, max_pixels=max_pixels, shortest_side=least)
    # The decoder may have shrunk a large JPEG; its longer edge tells by how much.
    return np.asarray(image, np.uint8), max(_size(data)) / max(image.size)


def _size(data: bytes) -> tuple[int, int]:
    """Width and height in the file's header; the bytes were decoded before."""
    with Image.open(io.BytesIO(data)) as image:
        return image.size
