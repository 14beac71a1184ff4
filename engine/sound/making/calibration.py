"""Simulated recordings of the own tracks → how agreement becomes a probability.

    tracks ─excerpts→ a phone in a room ─search→ with the track, and without it ─fit→ Calibration

Each recording is looked for twice: in the whole index, and in one from which its own track, and
whatever is the same recording, is taken out. So every track is a stranger once, and among its own
kind, which is harder than among others. Kept in the artifact as `calibration.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.base.odds import Numbers, fit_logistic, sigmoid
from engine.base.progress import Progress
from engine.sound.fingerprint.align import Agreement
from engine.sound.fingerprint.index import FingerprintIndex
from engine.sound.fingerprint.sounding import RATE, Embeds, Samples, sounding_vectors
from engine.sound.hearing import phone, rooms
from engine.sound.hearing.codec import available
from engine.sound.hearing.noise import speech
from engine.sound.identify import (
    DEFAULT,
    FEATURES,
    SAME,
    STEP_S,
    Calibration,
    weigh,
)

# Recordings that a calibration rests on: with one stranger in 200 allowed, fewer would leave the
# threshold to the worst one alone.
CLIPS = 600
# Fewer tracks than this tell nothing of strangers.
FEWEST_TRACKS = 20
LENGTHS_S = (3.0, 5.0, 5.0, 8.0, 10.0, 10.0, 15.0)
# Fitted with noise louder than the music, too, all that is found in less would be too modest.
SNRS_DB = (None, 15.0, 10.0, 5.0, 0.0)
_HURRIED, _FASTEST = 0.15, 0.02
_ROOMS, _VOICES_S = 16, 40.0
_FALSE_MATCHES = 0.005  # share of strangers
_PARTS = 5  # of the recordings: each is judged by weights fitted on the others
_LEAST_ODDS = -10.0


@dataclass(frozen=True)
class Observed:
    """One recording, looked for in an index with its track or, a `stranger`, without. `evidence` is
    (F,) of the best candidate or None where there was none; `right`: it is the track."""

    evidence: Numbers | None
    right: bool
    stranger: bool


class Surroundings:
    """Rooms and voices of one seed, made once: a room takes longer than a clip in it."""

    def __init__(self, seed: int, count: int = _ROOMS) -> None:
        rng = np.random.default_rng([seed, 5])
        self._rooms = [rooms.two(rng, RATE) for _ in range(count)]
        self._voices = speech(rng, round(_VOICES_S * RATE), RATE)

    def heard(
        self, samples: Samples, rng: np.random.Generator, snr_db: float | None, speed: float = 1.0
    ) -> Samples:
        """(N,) at 16 kHz → (N / speed,): the same through a loudspeaker, a room and a phone."""
        codec = str(rng.choice(available())) if rng.random() < 0.7 else None
        place = phone.invent(
            rng,
            responses=self._rooms[int(rng.integers(len(self._rooms)))],
            snr_db=snr_db,
            codec=codec,
            speed=speed,
            recordings=self._voices,
        )
        return place.heard(samples, RATE, rng)


def calibrate(
    fingerprinter: Embeds,
    index: FingerprintIndex,
    tracks: Mapping[int, Callable[[], Samples]],
    *,
    network: str = "",
    clips: int = CLIPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibration:
    """Fit a calibration to an index by its own tracks: `tracks` gives the (N,) samples at 16 kHz of
    those whose audio is there. `network` is the fingerprinter's digest. The built-in calibration
    where it is too little to fit."""
    if len(tracks) < FEWEST_TRACKS:
        return DEFAULT
    observed = observe(fingerprinter, index, tracks, clips=clips, seed=seed, progress=progress)
    return fit(observed, network)


def observe(
    fingerprinter: Embeds,
    index: FingerprintIndex,
    tracks: Mapping[int, Callable[[], Samples]],
    *,
    clips: int = CLIPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Observed]:
    """Record `clips` excerpts and look for each, with its track and without."""
    progress = progress or Progress()
    surroundings = Surroundings(seed)
    found: list[Observed] = []
    for track_id, excerpts in _excerpts(tracks, clips, seed):
        for excerpt, rng in excerpts:
            snr_db = SNRS_DB[int(rng.integers(len(SNRS_DB)))]
            hurried = rng.random() < _HURRIED
            speed = float(1 + rng.uniform(-_FASTEST, _FASTEST)) if hurried else 1.0
            heard = surroundings.heard(excerpt, rng, snr_db, speed)
            found += look(fingerprinter, index, heard, track_id)
            progress.step(len(found) // 2, clips, "calibration clips")
    return found


def look(
    fingerprinter: Embeds, index: FingerprintIndex, heard: Samples, track_id: int
) -> tuple[Observed, Observed]:
    """A recording of a track, looked for in an index with the track and without it."""
    clip_s = len(heard) / RATE
    vectors, _ = sounding_vectors(fingerprinter, heard, STEP_S)
    whole = index.search(vectors, STEP_S)
    same = {track_id, *copies(index, whole, track_id, clip_s)}
    others = index.without(same)

    def observed(among: FingerprintIndex, candidates: Sequence[Agreement]) -> Observed:
        stranger = among is others
        if not candidates:
            return Observed(None, False, stranger)
        evidence = weigh(among, candidates, vectors)
        return Observed(evidence, candidates[0].track_id in same, stranger)

    return observed(index, whole), observed(others, others.search(vectors, STEP_S))


def copies(
    index: FingerprintIndex, found: Sequence[Agreement], track_id: int, clip_s: float
) -> Iterator[int]:
    """Ids of candidates that are the same recording as the track."""
    for own in (one for one in found if one.track_id == track_id):
        for other in found:
            if other is not own and index.likeness(own, other, clip_s) >= SAME:
                yield other.track_id


def _excerpts(
    tracks: Mapping[int, Callable[[], Samples]], clips: int, seed: int
) -> Iterator[tuple[int, list[tuple[Samples, np.random.Generator]]]]:
    """Tracks in a drawn order, each decoded once, with its share of all excerpts."""
    ids = np.random.default_rng([seed, 3]).permutation(sorted(tracks))[:clips].tolist()
    for number, track_id in enumerate(ids):
        samples = tracks[track_id]()
        excerpts = []
        for turn in range(number, clips, len(ids)):
            rng = np.random.default_rng([seed, turn])
            length = round(float(rng.choice(LENGTHS_S)) * RATE)
            start = int(rng.integers(max(1, len(samples) - length)))
            excerpts.append((samples[start : start + length], rng))
        yield track_id, [(e, rng) for e, rng in excerpts if len(e) > RATE and e.any()]


def fit(observed: Sequence[Observed], network: str = "") -> Calibration:
    """What was observed of many recordings → a calibration; the built-in one of too few."""
    known = [one for one in observed if one.evidence is not None]
    right = np.array([one.right for one in known], np.bool_)
    if min(right.sum(), (~right).sum()) < 20:
        return DEFAULT
    weights, bias = _fitted(known)
    # The threshold is set by probabilities given by weights that have not seen the recording.
    odds = np.full(len(observed), _LEAST_ODDS)
    part = np.random.default_rng(0).permutation(len(observed)) % _PARTS
    for number in range(_PARTS):
        w, b = _fitted([o for o, at in zip(observed, part, strict=True) if at != number])
        for at in np.flatnonzero(part == number).tolist():
            evidence = observed[at].evidence
            if evidence is not None:
                odds[at] = np.clip(evidence @ w + b, _LEAST_ODDS, 15)
    probabilities = sigmoid(odds)
    stranger = np.array([one.stranger for one in observed])
    ranked = np.sort(probabilities[stranger])
    # Of new strangers, (k + 1) / (N + 1) are expected to come before the k-th best of N.
    allowed = max(0, int(_FALSE_MATCHES * (len(ranked) + 1)) - 1)
    match_at = float(np.clip(ranked[-1 - allowed] + 0.01, 0.5, 0.99))
    # Where no match is claimed: how often the track is there all the same.
    unclaimed = probabilities < match_at
    there, base = fit_logistic(odds[unclaimed, None], (~stranger)[unclaimed].astype(np.float64))
    return Calibration(
        features=FEATURES,
        weights=tuple(float(w) for w in weights),
        bias=bias,
        present=(float(there[0]), base),
        match_at=match_at,
        network=network,
        clips=len(observed) // 2,
    )


def _fitted(observed: Sequence[Observed]) -> tuple[Numbers, float]:
    pairs = [(one.evidence, one.right) for one in observed if one.evidence is not None]
    evidence = np.stack([e for e, _ in pairs])
    return fit_logistic(evidence, np.array([float(right) for _, right in pairs]))
