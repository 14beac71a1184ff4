"""Evidence → a probability that means what it says: of all answers given with 0.9, nine in ten
are right.

A logistic regression over the evidence, then one over its own output (Platt 1999) on photos where
the best candidate was chosen by it. `making.calibrating` fits both on simulated photos of the
artifact's own covers, of which a fifth is left out while they are looked at: the strangers.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import ArtifactError
from engine.base.odds import rescaled, sigmoid
from engine.covers.identify.candidate import FEATURES, SIGHT, Candidate
from engine.covers.identify.verdict import version

logger = logging.getLogger("shazam.identify")

# However little a photo shows of any album, it may be one that is there and was not seen: of 839
# noes to the starter's photos 5 % were wrong, of 204 to real ones 2 %.
UNSEEN = 0.04
# Of keypoints that agree: what one is worth that other covers have too, where one of its own is
# worth 1; the weight that a stranger may have; and by what power of it odds grow beyond that.
_SHARED, _USUAL, _SUPPORT = 0.25, 10.0, 3.0


@dataclass(frozen=True)
class Calibration:
    """`weights` and `bias` over `FEATURES`, or over `FEATURES` and `SIGHT` where the encoder's word
    counts; below `match_at` no match is claimed, from `sure_at` on no further proof is sought.
    `present` (slope, bias) over the log-odds of the best candidate
    gives the probability that the album is in the catalogue although none is claimed."""

    weights: tuple[float, ...]
    bias: float
    present: tuple[float, float]
    match_at: float = 0.9
    sure_at: float = 0.95
    photos: int = 0

    def probability(self, features: NDArray[np.float64]) -> float:
        """(10,) or (11,) → the probability, 0–1, that the photo shows this very album."""
        known = features[: len(self.weights)]
        return float(sigmoid(np.dot(self.weights, known) + self.bias))

    def of_candidate(self, candidate: Candidate) -> float:
        """The probability that a photo shows this very album, by all that is known of it.

        Of a cover too plain to align, layout, colours and encoder alone speak. Those weights are
        set by hand, since few catalogues have enough such covers to fit on, and give 0.95 at most.
        In a coloured light nobody knows which plain cover it is.
        """
        proof = candidate.proof
        if proof.inliers:
            return self.probability(candidate.features)
        chance = 0.95 * sigmoid(25 * (candidate.margin - 0.15))
        chance *= sigmoid(40 * (0.12 - proof.colour - proof.tint / 2))
        if candidate.ahead is not None:
            chance *= sigmoid(10 * (candidate.ahead - 0.2))
        return float(chance)

    def absent(self, probability: float, prior: float = 0.5) -> float:
        """The probability that the catalogue lacks the album, given its best candidate's, where
        `prior` of all photos show one that it has."""
        return 1 - shifted(max(rescaled(probability, self.present), UNSEEN), prior)

    def blind(self) -> Calibration:
        """This one where it needs no encoder, else the built-in one, which never does."""
        return self if len(self.weights) == len(FEATURES) else DEFAULT

    @property
    def features(self) -> tuple[str, ...]:
        return (*FEATURES, *SIGHT)[: len(self.weights)]

    def write(self, path: Path) -> None:
        path.write_text(
            json.dumps({"features": self.features, "network": version(), **asdict(self)}, indent=2)
            + "\n",
            encoding="utf-8",
        )

    @classmethod
    def of(cls, folder: Path) -> Calibration:
        """The calibration of an artifact's folder, or the one fitted on the demo catalogue.

        Also that one where the artifact's is over the features, or of the network, of another
        version of this engine.
        Raises `ArtifactError` where it is there and cannot be read.
        """
        path = folder / "identify" / "calibration.json"
        if not path.is_file():
            return DEFAULT
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            features, network = read.pop("features"), read.pop("network", None)
            known = features in (list(FEATURES), [*FEATURES, *SIGHT])
            if not known or network != version():
                logger.warning(
                    "identify/calibration.json is another version's; a built-in one is used. "
                    "Build the artifact again for one of its own covers."
                )
                return DEFAULT
            if len(read["weights"]) != len(features):
                raise ValueError("it has not a weight for each feature")
            pairs = {name: tuple(read[name]) for name in ("weights", "present")}
            made = cls(**{**read, **pairs})
            if not np.isfinite([*made.weights, made.bias, *made.present]).all():
                raise ValueError("a weight is not finite")
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise ArtifactError(
                f"identify/calibration.json cannot be read ({error}). Build the artifact again."
            ) from error
        return made


# Fitted by `making.calibrating` on 900 photos of the demo catalogue, without the encoder; what
# an artifact too small for a fit of its own uses.
DEFAULT = Calibration(
    weights=(0.833, 4.57, 1.41, 1.48, -1.78, 1.87, -3.35, 0.439, 3.87, 1.38),
    bias=-4.06,
    present=(0.298, -2.08),
    match_at=0.6,
    sure_at=0.95,
)


def supported(probability: float, own: float, agreeing: int) -> float:
    """The probability of a candidate in doubt, of whose keypoints `agreeing` are in the photo where
    they must be, `own` of them where no similar cover has the same.

    Set by hand: of 280 simulated strangers in doubt, most of them beside their own series, none had
    a weight above 16, and but two above 9; of 17 covers in doubt half had.
    """
    weight = own + _SHARED * agreeing
    odds = np.log(max(probability, 1e-9) / max(1 - probability, 1e-9))
    return float(sigmoid(odds + _SUPPORT * np.log(max(1.0, weight / _USUAL))))


def shifted(probability: float, prior: float) -> float:
    """A probability fitted where half of all photos show an album of the catalogue → the same where
    `prior` of them do (Saerens, Latinne & Decaestecker 2002, for two classes)."""
    if prior == 0.5 or not 0 < probability < 1:
        return probability
    if not 0 < prior < 1:
        return float(prior)
    return float(sigmoid(np.log(probability / (1 - probability)) + np.log(prior / (1 - prior))))
