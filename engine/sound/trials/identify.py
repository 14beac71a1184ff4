"""Identify on trial: recordings of the artifact's tracks, with the track in the index and without.

    tracks ─excerpts→ rooms, voices, codecs ─identify→ found, placed, refused, by noise and length

The rooms and voices are other ones than those that the calibration was fitted in. Each track is a
stranger once: taken out, it has to be told from all the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.base.errors import BuildError
from engine.base.odds import expected_calibration_error, reliability
from engine.base.progress import Progress
from engine.sound.audio import RATE, Samples
from engine.sound.identify import Identifier, Verdict
from engine.sound.making.calibration import Surroundings, copies

LENGTHS_S = (3.0, 5.0, 10.0)
# Decibels that the music is above the noise; clean is what the file holds.
NOISES: dict[str, float | None] = {
    "clean": None,
    "room": None,
    "10 dB": 10.0,
    "5 dB": 5.0,
    "0 dB": 0.0,
}
# A place is right this near to where the clip begins.
PLACED_S = 0.1
# The noise of a seed that no calibration has.
_SEED = 10_007


@dataclass(frozen=True)
class Outcome:
    """What came of the recordings of one noise and length. Shares of `clips`: `matched` rightly,
    `wrong` (another track), `first` (the right track is the best, whatever was decided); `placed`
    of those matched rightly. `false` is the share of the same clips matched although their track
    was taken out. `ms` is the median CPU time from samples to verdict."""

    clips: int
    matched: float
    first: float
    wrong: float
    placed: float
    false: float
    calibration_error: float
    ms: float


@dataclass
class Trial:
    """`answers` are (confidence, whether the decision was right) of every verdict."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    answers: list[tuple[float, bool]] = field(default_factory=list)
    tracks: int = 0
    minutes: float = 0.0

    @property
    def calibration_error(self) -> float:
        return expected_calibration_error(*_columns(self.answers))

    def reliability(self) -> list[tuple[float, float, int]]:
        return reliability(*_columns(self.answers))

    def as_dict(self) -> dict[str, Any]:
        return {
            "conditions": {name: asdict(outcome) for name, outcome in self.outcomes.items()},
            "tracks": self.tracks,
            "minutes": self.minutes,
            "calibration_error": self.calibration_error,
            "reliability": self.reliability(),
        }


@dataclass(frozen=True)
class _Look:
    """Verdicts on one clip of a track with and without that track in the index; `same` are the ids
    that are right."""

    known: Verdict
    stranger: Verdict
    same: frozenset[int]
    offset_s: float
    ms: float

    @property
    def right(self) -> bool:
        return self.known.best is not None and self.known.best.track_id in self.same

    @property
    def placed(self) -> bool:
        best = self.known.best
        return best is not None and abs(best.offset_s - self.offset_s) <= PLACED_S

    @property
    def first(self) -> bool:
        return bool(self.known.candidates) and self.known.candidates[0].track_id in self.same

    @property
    def answers(self) -> list[tuple[float, bool]]:
        refused = self.stranger.decision == "no_match"
        return [(self.known.confidence, self.right), (self.stranger.confidence, refused)]


def run_trial(
    identifier: Identifier,
    tracks: Mapping[int, Callable[[], Samples]],
    *,
    sample: int = 60,
    seed: int = 0,
    progress: Progress | None = None,
) -> Trial:
    """Record `sample` excerpts, each under every noise and in every length. `tracks` gives the
    samples at 16 kHz of those whose audio is there. Raises `BuildError` where there are none."""
    if not tracks:
        raise BuildError("This artifact holds no audio to record; build it with its tracks' files.")
    progress = progress or Progress()
    surroundings = Surroundings(seed + _SEED)
    ids = np.random.default_rng([seed, _SEED]).permutation(sorted(tracks)).tolist()
    looks: dict[str, list[_Look]] = {}
    for number in range(sample):
        track_id = ids[number % len(ids)]
        samples = tracks[track_id]()
        for length_s in LENGTHS_S:
            for noise, snr_db in NOISES.items():
                rng = np.random.default_rng([seed, number, _SEED])
                start = int(rng.integers(max(1, len(samples) - round(length_s * RATE))))
                heard = samples[start : start + round(length_s * RATE)]
                if noise != "clean":
                    heard = surroundings.heard(heard, rng, snr_db)
                look = _look(identifier, heard, track_id, start / RATE)
                looks.setdefault(f"{length_s:g} s, {noise}", []).append(look)
        progress.step(number + 1, sample, "recordings")
    trial = Trial(tracks=len(identifier.index), minutes=identifier.index.minutes)
    for name, looked in looks.items():
        trial.outcomes[name] = _outcome(looked)
        trial.answers += [answer for one in looked for answer in one.answers]
    return trial


def _look(identifier: Identifier, heard: Samples, track_id: int, offset_s: float) -> _Look:
    start = time.process_time()
    known = identifier.identify(heard)
    ms = (time.process_time() - start) * 1000
    clip_s = len(heard) / RATE
    index = identifier.index
    same = {track_id, *copies(index, known.candidates, track_id, clip_s)}
    others = Identifier(identifier.fingerprinter, index.without(same), identifier.calibration)
    return _Look(known, others.identify(heard), frozenset(same), offset_s, ms)


def _outcome(looked: list[_Look]) -> Outcome:
    right = [one for one in looked if one.right]
    answers = [answer for one in looked for answer in one.answers]

    def share(those: list[_Look], of: list[_Look] = looked) -> float:
        return len(those) / max(1, len(of))

    return Outcome(
        clips=len(looked),
        matched=share(right),
        first=share([one for one in looked if one.first]),
        wrong=share([one for one in looked if one.known.best is not None and not one.right]),
        placed=share([one for one in right if one.placed], right),
        false=share([one for one in looked if one.stranger.best is not None]),
        calibration_error=expected_calibration_error(*_columns(answers)),
        ms=float(np.median([one.ms for one in looked])),
    )


def _columns(answers: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [claimed for claimed, _ in answers], [right for _, right in answers]


def table(trial: Trial, say: Callable[[str], None] = print) -> None:
    """The trial as text."""
    say(f"{trial.tracks:,} tracks, {trial.minutes:,.0f} minutes")
    say(
        f"{'clip':<14}{'clips':>7}{'matched':>9}{'first':>8}{'wrong':>7}{'placed':>8}"
        f"{'false':>7}{'ECE':>7}{'ms':>6}"
    )
    for name, one in trial.outcomes.items():
        say(
            f"{name:<14}{one.clips:>7}{one.matched:>9.3f}{one.first:>8.3f}{one.wrong:>7.3f}"
            f"{one.placed:>8.3f}{one.false:>7.3f}{one.calibration_error:>7.3f}{one.ms:>6.0f}"
        )
    say(
        f"expected calibration error over {len(trial.answers):,} answers: "
        f"{trial.calibration_error:.3f}"
    )


def plot(trial: Trial, path: Path) -> Path:
    """Draw what was matched by noise, a line for each length, and the reliability diagram. Returns
    the file written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    by_noise, honest = figure.subplots(1, 2)
    for length in dict.fromkeys(name.split(", ")[0] for name in trial.outcomes):
        shares = [trial.outcomes[f"{length}, {noise}"].matched for noise in NOISES]
        by_noise.plot(list(NOISES), shares, marker="o", label=length)
    by_noise.set(ylabel="share matched rightly", ylim=(0, 1.03))
    by_noise.set_title(f"{trial.tracks:,} tracks, {trial.minutes:,.0f} minutes")
    by_noise.legend()
    honest.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    claimed, right, counts = zip(*trial.reliability(), strict=True)
    honest.plot(claimed, right, marker="o", color="#2459a8")
    for x, y, count in zip(claimed, right, counts, strict=True):
        honest.annotate(str(count), (x, y), textcoords="offset points", xytext=(6, -10), fontsize=8)
    honest.set(xlabel="confidence given", ylabel="share right", xlim=(0, 1.03), ylim=(0, 1.03))
    error = trial.calibration_error
    honest.set_title(f"{len(trial.answers)} answers, calibration error {error:.3f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path
