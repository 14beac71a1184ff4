"""What two melodies and the words have alike → a number, its parts, and each phrase's.

The page beside the room's code, README.md, says what each number means, why, and how it was tried.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.voice.ear.alignment import Alignment, sharpened
from engine.voice.ear.heard import FRAME_S, Array, Line, Word
from engine.voice.ear.melody import Melody
from engine.voice.ear.phrases import Phrase, phrases
from engine.voice.ear.wording import Asked, Wrong, wrong

WEIGHTS = {"pitch": 0.4, "rhythm": 0.3, "lyrics": 0.3}
HALF_CENTS, HALF_MS = 75.0, 120.0  # so far off, a tone or a beginning counts half
_STEEP = 1.5
_SWING_S = 0.19  # over which a vibrato is its mean
_SUNG_ENOUGH = 0.95  # of what the reference sings: breaths are each singer's own
_SAME = (0.5, 0.75)  # `Alignment.same` of another song, and of the same one
_STEADY = (0.2, 0.4)  # `_steadiness` of another song, and of the same one
_THAT_SONG = 0.5  # of how surely it is that song: below, what is alike in them is chance
_CURVE = 4  # frames a point of a phrase's curve
_MOST_CENTS = 600.0
_STEP_CENTS, _STEP_FRAMES = 70.0, 4  # a new note of a voice that does not stop
_ONSET_GAP_S = 0.12
_NOISE = 0.25  # share of what sounds that has a sure tone: of noise up to 0.15, of a voice 0.9
_FEWEST = 5  # points of a curve, of which a phrase can be judged
_LEAST_WORDS = 1 / 3  # of a song's, that the recogniser must hear in the reference to judge others

Flags = npt.NDArray[np.bool_]
_NONE = np.zeros(0, np.float32)


@dataclass(frozen=True)
class Take:
    """Frame by frame of the reference: `sung` by it within what was recorded, `present` the user's
    voice, `both` sure of their tones, `cents` the user is too high (NaN elsewhere). Note by note:
    the frame where it `begins`, and by how much the user is late there, `late_ms`. `has_pitch`:
    whether something that hears pitch was there for both."""

    sung: Flags
    present: Flags
    both: Flags
    cents: Array
    late_ms: Array
    begins: npt.NDArray[np.int64]
    has_pitch: bool


def score(
    user: Melody,
    reference: Melody,
    alignment: Alignment,
    *,
    words: Sequence[Word] | None = None,
    lyrics: Sequence[Line] | None = None,
    reference_words: Sequence[Word] | None = None,
    transposition: int = 0,
    offset_s: float = 0.0,
    lost: Collection[str] = (),
) -> dict[str, Any]:
    """The results of the contract but the jury's, and what was found on the way.

    `reference_words` are those that the recogniser hears in the reference; None where nobody
    listened. `transposition`: whole semitones by which the user says to have sung higher; they are
    no fault. `offset_s` is added to the times of `lyrics`. `lost`: of whom, "user" or "reference",
    no voice came out, so that what is heard there is music that was taken for one. The user's is
    silence then; beside none of the reference nothing of a melody can be measured, and "score" is
    None where nothing at all was.
    """
    alone = "reference" in lost  # and where its melody is in the take, nobody knows
    silent = "user" in lost or not user.sounds.any()
    if alone or (silent and alignment.by == "voice"):
        alignment = Alignment.beginning_together(user, reference)
    take = compare(user, reference, alignment, transposition)
    nobody = np.zeros_like(take.sung)
    if "user" in lost:
        take = replace(take, present=nobody, both=nobody)
    if alone:
        take = replace(take, sung=nobody, both=nobody, begins=take.begins[:0], late_ms=_NONE)
    asked = None
    if reference_words is not None and lyrics and not alone:
        asked = Asked.of(lyrics, reference_words)
    off = None
    if words is not None and lyrics:
        off = _wrong(words, lyrics, asked, None if alone else alignment, offset_s)
    same = min(_share(alignment.same, *_SAME), _share(_steadiness(take), *_STEADY))
    known = max(same, 0.0 if off is None else _share(1 - off.wer, 0.3, 0.6))
    rejected = known < _THAT_SONG
    counts = 2 * known**2 if rejected else known
    if rejected and alignment.by == "voice":
        alignment = replace(alignment, latency_s=0.0)
    parts = {
        "pitch": _pitch(take, counts) if take.has_pitch else None,
        "rhythm": _rhythm(take, counts),
        "lyrics": None if off is None else _words(off),
    }
    measured = {name: part for name, part in parts.items() if part is not None}
    if rejected:
        measured = {name: part | _unmeasured(part) for name, part in measured.items()}
    weights = sum(WEIGHTS[name] for name in measured)
    found = sum(WEIGHTS[name] * part["score"] for name, part in measured.items())
    return {
        "score": round(found / weights, 1) if measured else None,
        **{
            name: {"score": part["score"], "weight": round(WEIGHTS[name] / weights, 3), **part}
            for name, part in measured.items()
        },
        "not_measured": [name for name in WEIGHTS if name not in measured],
        "phrases": [
            _told(phrase, take, alignment, known) for phrase in phrases(reference, lyrics, offset_s)
        ],
        "latency_s": round(alignment.latency_s, 3),
        "latency_by": alignment.by,
        "octave": alignment.octave,
        "transposition": {
            "offered": alignment.transposition if same >= _THAT_SONG else 0,
            "accepted": transposition,
        },
        "coverage": {
            "recorded": _recorded_share(reference, alignment),
            "recorded_s": round(_recorded_s(user, alignment), 1),
            "reference_s": round(reference.duration_s, 1),
            "sung": round(_mean(take.present[take.sung]), 3),
            "sure": round(_mean(take.both[take.sung & take.present]), 3),
            "sounds": bool(user.sounds.any()),
            "words": None if asked is None else round(asked.share, 3),
        },
        "same_song": round(known, 3),
    }


def is_noise(user: Melody) -> bool:
    """Whether what sounds has so few sure tones that nobody sings; never where nothing that hears
    pitch was there."""
    heard = user.sure[user.sounds]
    return bool(user.hz.any() and len(heard) and heard.mean() < _NOISE)


def compare(user: Melody, reference: Melody, alignment: Alignment, transposition: int = 0) -> Take:
    inside = np.isfinite(alignment.at)
    index = np.nan_to_num(alignment.at).astype(np.int64).clip(0, max(0, len(user) - 1))
    sung = inside & _sings(reference)
    present = inside & _around(user.sounds)[index]
    both = sung & reference.sure & user.sure[index]
    higher = 1200 * alignment.octave + 100 * transposition
    raw = 100 * (user.midi[index] - reference.midi) - higher
    cents = _calmed(raw, both)
    begins = _beginnings(reference)
    begins = begins[inside[begins]]
    late = (sharpened(user, reference, alignment, begins) - begins) * FRAME_S - alignment.latency_s
    has_pitch = bool(reference.hz.any() and user.hz.any())
    return Take(sung, present, both, cents, (1000 * late).astype(np.float32), begins, has_pitch)


def _sings(melody: Melody) -> Flags:
    """Where it surely does; where nothing that hears pitch was there, where it sounds."""
    return melody.sure if melody.hz.any() else melody.sounds


def _steadiness(take: Take) -> float:
    """0…1: how much alike the delays of all beginnings are, whatever most of them is. A path finds
    the tones of many melodies in a quick one, but not at the times of one."""
    late = take.late_ms[take.present[take.begins]]
    return _mean(_credit(late - np.median(late), HALF_MS)) if len(late) else 0.0


def _around(flags: Flags) -> Flags:
    """Also true three frames beside: consonants are short and quiet."""
    return np.asarray(np.convolve(flags, np.ones(7), "same") > 0)


def _calmed(cents: Array, both: Flags) -> Array:
    """The mean over one swing of a vibrato, of frames that count; what leaps by more than an octave
    is the tracker's doing as often as the singer's, and is kept as that."""
    width = round(_SWING_S / FRAME_S) | 1
    values = np.where(both, np.nan_to_num(cents), 0)
    kernel = np.ones(width)
    count = np.convolve(both, kernel, "same")
    mean = np.convolve(values, kernel, "same") / np.maximum(count, 1)
    return np.where(both, mean, np.nan).astype(np.float32)


def _beginnings(melody: Melody) -> npt.NDArray[np.int64]:
    """Frames at which a note begins: after a silence, or at a step of the tone."""
    sure = _sings(melody)
    starts = np.flatnonzero(sure & ~np.concatenate([[False], sure[:-1]]))
    found = [starts]
    if melody.hz.any():
        tone = 100 * melody.midi
        step = np.zeros(len(tone), bool)
        k = _STEP_FRAMES
        if len(tone) > 2 * k:
            there = sure[2 * k :] & sure[: -2 * k]
            step[k:-k] = there & (np.abs(tone[2 * k :] - tone[: -2 * k]) > _STEP_CENTS)
        found.append(np.flatnonzero(step & ~np.concatenate([[False], step[:-1]])))
    made: list[int] = []
    for at in np.unique(np.concatenate(found)).tolist():
        if not made or (at - made[-1]) * FRAME_S >= _ONSET_GAP_S:
            made.append(at)
    return np.array(made, np.int64)


def _credit(off: Array, half: float) -> Array:
    """1 where it is right, ½ where it is `half` off, less beyond."""
    return np.asarray(0.5 ** ((np.abs(off) / half) ** _STEEP), np.float32)


def _pitch(take: Take, known: float, where: Flags | None = None) -> dict[str, Any] | None:
    sung = take.sung if where is None else take.sung & where
    both = take.both & sung
    if not sung.any():
        return None
    cents = take.cents[both]
    heard = min(1.0, _mean(take.present[sung]) / _SUNG_ENOUGH)
    if heard > 0.5 and not len(cents):
        return None  # somebody sings, and the tracker is sure of nothing
    good = _mean(_credit(cents, HALF_CENTS))
    return {
        "score": _hundred(good * heard * known),
        "median_cents": round(float(np.median(cents)), 1) if len(cents) else None,
        "within_50_cents": round(_mean(np.abs(cents) <= 50), 3),
    }


def _rhythm(take: Take, known: float, where: Flags | None = None) -> dict[str, Any] | None:
    asked = np.ones(len(take.begins), bool) if where is None else where[take.begins]
    begins, late = take.begins[asked], take.late_ms[asked]
    if not len(begins):
        return None
    sung = take.present[begins]
    good = _mean(_credit(late[sung], HALF_MS)) * min(1.0, _mean(sung) / _SUNG_ENOUGH)
    return {
        "score": _hundred(good * known),
        "median_ms": round(float(np.median(late[sung]))) + 0.0 if sung.any() else None,
    }


def _words(off: Wrong) -> dict[str, Any]:
    return {
        "score": _hundred(1 - off.wer),
        "wer": round(off.wer, 3),
        "surely_other": round(off.surely_other, 3),
    }


def _unmeasured(part: dict[str, Any]) -> dict[str, None]:
    """By how much a singer is off, which beside another song nobody is."""
    return dict.fromkeys(part.keys() & {"median_cents", "median_ms"})


def _told(phrase: Phrase, take: Take, alignment: Alignment, known: float) -> dict[str, Any]:
    time = np.arange(len(take.sung)) * FRAME_S
    where = (time >= phrase.from_s) & (time < phrase.to_s)
    parts = [
        (WEIGHTS[name], part["score"])
        for name, part in (
            ("pitch", _pitch(take, known, where)),
            ("rhythm", _rhythm(take, known, where)),
        )
        if part is not None
    ]
    compared = where & (known >= _THAT_SONG)
    frames = np.flatnonzero(compared & take.both)[::_CURVE]
    cents = np.clip(take.cents[frames], -_MOST_CENTS, _MOST_CENTS)
    there = alignment.at[where]
    there = there[np.isfinite(there)] * FRAME_S
    weight = sum(one for one, _ in parts)
    # Where nobody is heard, or another song is, nothing is judged: each phrase is as of a part not
    # sung.
    heard = len(frames) >= _FEWEST if take.has_pitch else (take.present & compared)[take.sung].any()
    return {
        "from_s": round(phrase.from_s, 2),
        "to_s": round(phrase.to_s, 2),
        "text": phrase.text,
        "score": round(sum(a * b for a, b in parts) / weight, 1) if parts and heard else None,
        "cents": [
            [round(float(at), 2), round(float(off))]
            for at, off in zip(frames * FRAME_S, cents, strict=True)
            if heard  # of a phrase that is not judged nobody is told to be low
        ],
        "user_from_s": round(float(there[0]), 2) if len(there) else None,
        "user_to_s": round(float(there[-1]), 2) if len(there) else None,
    }


def _wrong(
    heard: Sequence[Word],
    lyrics: Sequence[Line],
    asked: Asked | None,
    alignment: Alignment | None,
    offset_s: float,
) -> Wrong | None:
    """What of the words is wrong, of those that were recorded, and that were `asked` where it
    is known what is heard in the reference; None where these are too few to tell. `alignment` is
    None where nobody knows what was recorded."""
    if asked is None or alignment is None:
        wanted = lyrics if alignment is None else _recorded(lyrics, offset_s, alignment)
        return wrong(heard, wanted)
    if asked.share < _LEAST_WORDS:
        return None
    inside = np.isfinite(alignment.at)

    def is_recorded(seconds: float) -> bool:
        at = int(seconds / FRAME_S)
        return at < len(inside) and bool(inside[at])

    return asked.wrong(heard, is_recorded)


def _recorded(lyrics: Sequence[Line], offset_s: float, alignment: Alignment) -> list[Line]:
    """The lines whose time was recorded, where lines have times; else all."""
    if any(line.from_s is None for line in lyrics):
        return [*lyrics]
    inside = np.flatnonzero(np.isfinite(alignment.at)) * FRAME_S
    if not len(inside):
        return [*lyrics]
    return [
        line
        for line in lyrics
        if line.from_s is not None and inside[0] - 1 <= line.from_s + offset_s < inside[-1] - 0.5
    ]


def _recorded_share(reference: Melody, alignment: Alignment) -> float | None:
    """Of what the reference sings, how much lies within what was recorded; None where it does not
    sing."""
    inside = np.isfinite(alignment.at)[_sings(reference)]
    return round(_mean(inside), 3) if len(inside) else None


def _recorded_s(user: Melody, alignment: Alignment) -> float:
    """How much of the reference's time was recorded, sung or not."""
    return min(float(np.isfinite(alignment.at).sum()) * FRAME_S, user.duration_s)


def _share(value: float, none: float, all_: float) -> float:
    return min(1.0, max(0.0, (value - none) / (all_ - none)))


def _mean(values: npt.NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def _hundred(share: float) -> float:
    return round(100 * min(1.0, max(0.0, share)), 1)
