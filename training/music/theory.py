"""Keys, scales, chords and how one chord leads to the next.

Pitches are MIDI numbers (69 is A4, 440 Hz), pitch classes 0–11 from C. Roman numerals always count
from the major scale of the key, so minor keys write bIII, bVI and bVII in full.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "blues": (0, 3, 5, 6, 7, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
}
QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7), "m": (0, 3, 7), "5": (0, 7), "7": (0, 4, 7, 10), "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11), "9": (0, 4, 7, 10, 14), "m9": (0, 3, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14), "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "o": (0, 3, 6),
    "o7": (0, 3, 6, 9), "m7b5": (0, 3, 6, 10), "sus4": (0, 5, 7), "sus2": (0, 2, 7),
    "add9": (0, 4, 7, 14), "madd9": (0, 3, 7, 14), "13": (0, 4, 10, 14, 21), "+": (0, 4, 8),
}  # fmt: skip
_DEGREES = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
_NUMERAL = re.compile(r"([b#]?)([iv]+|[IV]+)(.*)")


@dataclass(frozen=True)
class Key:
    tonic: int  # pitch class
    mode: str  # a name in SCALES

    @property
    def name(self) -> str:
        """As people write it: "D minor"; a mode counts by its third."""
        return f"{NAMES[self.tonic]} {'minor' if 3 in SCALES[self.mode] else 'major'}"

    def scale(self, mode: str | None = None) -> tuple[int, ...]:
        """Pitch classes, upwards from the tonic."""
        return tuple((self.tonic + step) % 12 for step in SCALES[mode or self.mode])

    def raised(self, semitones: int) -> Key:
        return Key((self.tonic + semitones) % 12, self.mode)


@dataclass(frozen=True)
class Chord:
    root: int  # pitch class
    intervals: tuple[int, ...]  # semitones above the root

    @property
    def classes(self) -> tuple[int, ...]:
        return tuple((self.root + step) % 12 for step in self.intervals)

    @property
    def fifth(self) -> int:
        """The interval that a bass may leap to: 7, or 6 and 8 where the chord has them."""
        return next((step for step in self.intervals if step in (6, 7, 8)), 7)

    def near(self, centre: float) -> int:
        """The root's pitch nearest to `centre`."""
        return nearest(self.root, centre)

    def voiced(self, centre: float, rootless: bool = False) -> list[int]:
        """Each tone as near to `centre` as it can be, rising; no two the same."""
        classes = self.classes[1:] if rootless and len(self.classes) > 3 else self.classes
        return sorted({nearest(tone, centre) for tone in classes})


def nearest(pitch_class: int, centre: float) -> int:
    """The pitch of that class within a tritone of `centre`."""
    return round(centre) + (pitch_class - round(centre) + 6) % 12 - 6


def chord(numeral: str, key: Key) -> Chord:
    """ "bVImaj7" in C → A flat major seventh. Small numerals are minor."""
    found = _NUMERAL.fullmatch(numeral)
    assert found, f"{numeral!r} is no chord"
    sign, degree, quality = found.groups()
    if degree.islower() and not quality.startswith(("o", "m", "sus", "5")):
        quality = "m" + quality
    shift = {"b": -1, "#": 1, "": 0}[sign]
    return Chord((key.tonic + _DEGREES[degree.upper()] + shift) % 12, QUALITIES[quality])


def ladder(classes: tuple[int, ...], low: int, high: int) -> list[int]:
    """Every pitch of these classes from `low` to `high`."""
    return [pitch for pitch in range(low, high + 1) if pitch % 12 in classes]


def hertz(pitch: float) -> float:
    return 440.0 * 2.0 ** ((pitch - 69) / 12)
