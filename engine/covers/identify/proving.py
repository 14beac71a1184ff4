"""Photo → the albums it may show, each with its proof and a probability.

    photo ─outlines→ quads ─layout→ likely covers ─proof→ evidence ┐
                                    view of the place ─sight→ evidence ┴calibration→ probability
          └ only where that is not sure yet: keypoints, what a network takes for a sleeve, more
            outlines, what the encoder sees in them; and where there is doubt, keypoints again

Proposing is cheap and may be wrong; only proof counts. It runs down the proposals, likeliest
first, and stops as soon as one is sure: most photos pay for two outlines and one proof. A stranger
pays for all proposals, so what is hopeless is left as soon as that is seen: after its first
patches, after its first windows, before the encoder looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np

from engine.covers.identify import layout
from engine.covers.identify.calibration import Calibration, supported
from engine.covers.identify.candidate import Candidate
from engine.covers.identify.keypoints import COVER_SIDE, OF_PHOTO, agreeing, of_cover
from engine.covers.identify.older_keypoints import OlderKeypoints
from engine.covers.identify.outlines import Quads, find_outlines, frames, is_plausible, shift
from engine.covers.identify.places import Places
from engine.covers.identify.proof import Proof, prove
from engine.covers.identify.references import References
from engine.covers.identify.sight import VIEW_SIDE, Glance, Sight
from engine.covers.identify.sleeves import moved
from engine.covers.identify.views import rectify
from engine.covers.image import Pixels

SMALLEST_PHOTO = 32  # pixels: less shows no sleeve
_BRIEF_STAGES = 2  # layout, keypoints
_LIKELIEST = 2  # outlines looked into before the others
_QUICK_PROOFS, _MORE_PROOFS, _KEYPOINT_PROOFS = 3, 4, 3
# Layouts less alike are seldom the same cover: 97 % of the right ones are more alike than this. The
# others wait until all else was tried.
_LIKELY = 0.45
_SIGHT_OUTLINES = 2  # beside the network's
_SIGHT_IDEAS = 1  # albums the encoder sees at a place where another one was looked for
_IDEAS_A_VIEW, _SIGHT_ROWS = 2, 2  # … in an outline, and of all outlines together
_PLACES, _OTHER_PLACE = 2, 0.15  # of an album; corners further apart than this share of the side
_SAME_PLACE = 0.04  # corners, as a share of the side: one view serves for both

_HOPELESS = 0.1  # whatever the encoder sees, no album less likely than this is made likely
_DOUBTFUL = 0.03  # below it keypoints are not asked about a candidate

# A row of the references, and the outline of its cover from the cover's own top left on.
Proposals = Iterator[tuple[int, Quads]]


class Prover:
    """References and a calibration of them. Safe for concurrent use."""

    def __init__(
        self, references: References, calibration: Calibration, *, patient: bool = False
    ) -> None:
        """`patient`: the encoder looks at every place, however unlikely, as a fit wants it."""
        self.references, self.calibration, self.patient = references, calibration, patient

    def candidates(
        self, places: Places, sight: Sight | None = None, *, brief: bool = False
    ) -> list[Candidate]:
        """An upright photo of working size → what was proven of it, likeliest first.

        `brief` leaves out the stages that seldom help and cost most.
        """
        if min(places.photo.shape[:2]) < SMALLEST_PHOTO:
            return []
        return _Proving(self, places, sight).run(brief)

    def glimpse(self, photo: Pixels) -> Candidate | None:
        """What one look at the likeliest outline shows, if that is likelier than not: at most one
        proof, no encoder.

        For the frames of a camera, of which the next may be better than any further look at this.
        """
        if min(photo.shape[:2]) < SMALLEST_PHOTO:
            return None
        blind = Prover(self.references, self.calibration.blind())
        return _Proving(blind, Places(photo), None).glimpse()


class _Proving:
    """One photo being looked at."""

    def __init__(self, prover: Prover, places: Places, sight: Sight | None) -> None:
        self.references, self.calibration = prover.references, prover.calibration
        self.patient, self.rough = prover.patient, False
        self.places, self.levels, self.sight = places, places.levels, sight
        self.found: dict[int, Candidate] = {}
        # Outlines, and the layout codes of what lies in them, turned four ways each.
        self.coded: list[tuple[Quads, layout.Codes]] = []
        self.views: list[tuple[Quads, Future[list[Glance]]]] = []
        self.asked: set[int] = set()

    def run(self, brief: bool) -> list[Candidate]:
        for stage, proposals in enumerate(islice(self._stages(), _BRIEF_STAGES if brief else None)):
            self.rough = brief or stage >= _BRIEF_STAGES
            for row, quad in proposals:
                if self._try(row, quad) >= self.calibration.sure_at:
                    return self._ranked()
            # What comes later looks in other places; it does not make this one surer.
            if max((one.probability for one in self.found.values()), default=0.0) >= (
                self.calibration.match_at
            ):
                return self._ranked()
        if not brief:
            self._reconsider()
        return self._ranked()

    def _reconsider(self) -> None:
        """Count the keypoints for the likeliest candidate, where it is in doubt: glare and creases
        leave patches unlike, and whole keypoints between them."""
        best = next(iter(self._ranked()), None)
        if best is None or not best.proof.inliers or best.probability < _DOUBTFUL:
            return
        cover = self.references.cover(best.row)
        assert cover is not None, "it was proven by its cover"
        agree = agreeing(self.places.keypoints, of_cover(cover, OF_PHOTO), best.proof.quad)
        cells = np.clip(agree * (16 / COVER_SIDE), 0, 15).astype(int)
        own = self.references.own[best.row][cells[:, 1], cells[:, 0]] / 255
        if self.sight is not None and best.glance is None:
            best, _ = self._seen(best, self.references.twins(best.row))
        probability = supported(best.probability, float(own.sum()), len(own))
        self.found[best.row] = replace(best, probability=probability)

    def glimpse(self) -> Candidate | None:
        proposals = self._by_layout(find_outlines(self.levels[0], "brief"), 1, [])
        for row, quad in proposals:
            self._try(row, quad)
        return next((one for one in self._ranked() if one.probability >= 0.5), None)

    def _ranked(self) -> list[Candidate]:
        return sorted(self.found.values(), key=lambda one: (-one.probability, one.row))

    def _stages(self) -> Iterator[Proposals]:
        """Cheap ones first; each is made only when those before it proved nothing."""
        places, photo = self.places, self.places.photo
        outlines = places.outlines
        unlikely: list[tuple[int, Quads]] = []
        yield self._by_layout(outlines[:_LIKELIEST], _QUICK_PROOFS, unlikely)
        yield self._by_keypoints()
        others = np.concatenate([moved(places.sleeves), frames(photo), outlines[_LIKELIEST:]])
        # The encoder looks at these while the next are compared.
        glances = self._begun(np.concatenate([outlines[:_SIGHT_OUTLINES], places.sleeves]))
        yield self._by_layout(others, _MORE_PROOFS, unlikely)
        yield self._by_sight(glances)
        yield iter(unlikely)

    def _try(self, row: int, quad: Quads) -> float:
        """Look for an album at a place, and for those the encoder sees there; the best
        probability."""
        best, place, ideas = self._prove(row, quad)
        for idea in ideas:
            if best >= self.calibration.sure_at:
                break
            best = max(best, self._prove(idea, place)[0])
        return best

    def _prove(self, row: int, quad: Quads) -> tuple[float, Quads, list[int]]:
        """The probability of an album at a place, the place made more exact, and rows that the
        encoder sees there, where it has not looked before."""
        known = self.found.get(row)
        if known is not None and known.probability > 0.5:
            return 0.0, quad, []
        reference = self.references.reference(row)
        if reference is None:
            return 0.0, quad, []
        # The encoder looks at the first place while it is compared: most photos have no second.
        look = self._look if self.sight is not None and not self.views else None
        proof = prove(self.levels, quad, reference, look, rough=self.rough)
        if proof is None:
            return 0.0, quad, []
        candidate, ideas = self._candidate(row, proof)
        if known is None or candidate.probability > known.probability:
            self.found[row] = candidate
        return candidate.probability, proof.quad, [idea for idea in ideas if idea != row]

    def _candidate(self, row: int, proof: Proof) -> tuple[Candidate, list[int]]:
        """A proof with what layout and encoder say of its place; rows that the encoder sees there,
        where it has not looked before."""
        references = self.references
        view = rectify(self.levels, proof.quad, layout.SIDE)
        code = references.basis.codes(layout.features(view[None]))
        twins = references.twins(row)
        likeness = float(code[0] @ references.code(row))
        near = references.nearest(code, 2 + len(twins))[0]
        others = [one.similarity for one in near if one.row not in (row, *twins)]
        candidate = Candidate(row, proof, likeness, likeness - max(others, default=0.0))
        hope = self.calibration.of_candidate(replace(candidate, alike=1.0))
        if self.sight is not None and (self.patient or hope >= _HOPELESS):
            return self._seen(candidate, twins)
        return replace(candidate, probability=hope), []

    def _seen(self, candidate: Candidate, twins: Sequence[int]) -> tuple[Candidate, list[int]]:
        """A candidate with what the encoder says of its place."""
        assert self.sight is not None
        number = self._look(candidate.proof.quad)
        [glance] = self.views[number][1].result()
        alike, ahead = self.sight.evidence(glance, candidate.row, twins)
        candidate = replace(candidate, glance=glance, alike=alike, ahead=ahead)
        ideas: list[int] = []
        if number not in self.asked:
            self.asked.add(number)
            ideas = [self.references.row_of[one.id] for one in glance.near[:_SIGHT_IDEAS]]
        return replace(candidate, probability=self.calibration.of_candidate(candidate)), ideas

    def _look(self, quad: Quads) -> int:
        """The number of the view of a place, at which the encoder begins to look if it is new."""
        assert self.sight is not None
        near = _SAME_PLACE * float(np.sqrt(abs(cv2.contourArea(quad))))
        for number, (place, _) in enumerate(self.views):
            if np.abs(place - quad).max() < near:
                return number
        view = rectify(self.levels, quad, VIEW_SIDE)
        self.views.append((quad, self.sight.look([view])))
        return len(self.views) - 1

    def _by_layout(
        self, outlines: Quads, most: int, unlikely: list[tuple[int, Quads]]
    ) -> Proposals:
        """The covers most alike in layout to what lies in any outline, turned any way; those that
        are not likely are put into `unlikely` instead."""
        references = self.references
        if not len(outlines):
            return
        views = np.stack([rectify(self.levels, quad, layout.SIDE) for quad in outlines])
        turned = layout.features_turned(views)
        codes = references.basis.codes(turned.reshape(-1, turned.shape[-1]))
        self.coded.append((outlines, codes))
        hits = [
            (like.similarity, like.row, number)
            for number, near in enumerate(references.nearest(codes, 4))
            for like in near
        ]
        for similarity, row, quad in likeliest(hits, outlines, most):
            if similarity >= _LIKELY:
                yield row, quad
            else:
                unlikely.append((row, quad))

    def _begun(self, outlines: Quads) -> Future[list[Glance]] | None:
        """The encoder's glances at outlines, to be waited for; None where there is nothing to see
        or none to look."""
        views = [rectify(self.levels, one, VIEW_SIDE) for one in outlines if is_plausible(one)]
        return self.sight.look(views) if self.sight is not None and views else None

    def _by_sight(self, looking: Future[list[Glance]] | None) -> Proposals:
        """The albums that the encoder sees in outlines, however turned, where their layout says
        that they lie: of 400 mixed and hidden photos ten are found by nothing else."""
        glances = looking.result() if looking is not None else []
        row_of = self.references.row_of
        seen = [near for glance in glances for near in glance.near[:_IDEAS_A_VIEW]]
        seen.sort(key=lambda near: -near.similarity)
        for row in list(dict.fromkeys(row_of[near.id] for near in seen))[:_SIGHT_ROWS]:
            for quad in self._places_of(row):
                yield row, quad

    def _places_of(self, row: int) -> list[Quads]:
        """Of all outlines so far the two that look most like a cover, from its own top left."""
        outlines = np.concatenate([quads for quads, _ in self.coded])
        codes = np.concatenate([codes for _, codes in self.coded])
        likeness = np.einsum("nd,d->n", codes, self.references.code(row))  # as in `Basis.codes`
        places: list[Quads] = []
        for number in np.argsort(-likeness, kind="stable").tolist():
            quad = outlines[number // 4]
            near = _OTHER_PLACE * float(np.sqrt(abs(cv2.contourArea(quad))))
            if places and shift(np.stack(places), quad).min() < near:
                continue
            places.append(np.roll(quad, -(number % 4), axis=0))
            if len(places) == _PLACES:
                break
        return places

    def _by_keypoints(self) -> Proposals:
        """Covers that many keypoints vote for."""
        index = self.references.keypoints
        if isinstance(index, OlderKeypoints):
            yield from index.voted(self.places.photo, _KEYPOINT_PROOFS, self.references.cover)
        elif index is not None:
            for voted in index.voted(self.places.keypoints, _KEYPOINT_PROOFS):
                yield voted.row, voted.quad


def likeliest(
    hits: list[tuple[float, int, int]], outlines: Quads, most: int
) -> Iterator[tuple[float, int, Quads]]:
    """(similarity, row, 4 × outline + quarter turns counter-clockwise) → `most` of them."""
    hits.sort(key=lambda hit: -hit[0])
    times: dict[int, int] = {}
    for similarity, row, number in hits:
        # Two outlines a cover: the second where the first was a frame inside of the sleeve.
        if times.get(row, 0) == 2:
            continue
        times[row] = times.get(row, 0) + 1
        yield similarity, row, np.roll(outlines[number // 4], -(number % 4), axis=0)
        if sum(times.values()) == most:
            return
