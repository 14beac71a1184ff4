"""One cover at one place of a photo, and the features that its probability is made of.

A calibration stores weights by these names: another order, another name or another meaning makes
those of every artifact another version's (`Calibration.of`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.covers.identify.proof import Proof
from engine.covers.identify.sight import Glance

# Attributes of `Candidate`, `Proof` and `Explained`, which say what they are.
LAYOUT = ("likeness", "margin")
PROOF = ("own_correlation", "sharply", "colour", "agreeing", "differing", "verdict")
EXPLAINED = ("added", "agreement")
# Of 24, taken away one by one, these are what a fit on other photos was not better without.
FEATURES = (*LAYOUT, *PROOF, *EXPLAINED)
# Of `Sight.evidence`: a calibration fitted with the artifact's own encoder has a weight for it.
SIGHT = ("alike",)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An album that the photo may show, by its row in the references. `likeness` is the cosine of
    layout codes at the proven outline, `margin` what it is ahead of the next album there; `glance`,
    `alike` and `ahead` are the encoder's (`Sight.evidence`), None without one."""

    row: int
    proof: Proof
    likeness: float
    margin: float
    glance: Glance | None = None
    alike: float | None = None
    ahead: float | None = None
    probability: float = 0.0

    @property
    def features(self) -> NDArray[np.float64]:
        """(10,) float64 in the order of `FEATURES`; with an encoder (11,), `SIGHT` last."""
        layout_says = (self.likeness, self.margin)
        proven = [getattr(self.proof, name) for name in PROOF]
        explained = [getattr(self.proof.explained, name) for name in EXPLAINED]
        seen = () if self.alike is None else (self.alike,)
        return np.array([*layout_says, *proven, *explained, *seen], np.float64)
