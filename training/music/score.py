"""A piece on paper: its form, its harmony, and who plays what when.

Times are beats from the start until `mix` makes seconds of them; pitches are MIDI numbers. A bar is
written as a row of characters over an even grid: "x..x..x." are eight steps, three of them struck.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from training.music.theory import Chord, Key, chord, ladder, nearest
from training.music.waves import Rng, Samples

ENERGY = {"intro": 0.55, "verse": 0.72, "chorus": 1.0, "bridge": 0.62, "solo": 0.9, "outro": 0.6}
LOUD = {"X": 1.0, "x": 0.78, "o": 0.4, "?": 0.5}
"""How hard a step is struck; "?" is left out every other time, "." is a rest, "-" holds on."""
Effect = Callable[[Samples, "Song"], Samples]


@dataclass(frozen=True)
class Note:
    """A stroke on `drum` where that is named, else a tone, begun `slide` semitones off."""

    at: float
    beats: float
    pitch: float
    force: float
    drum: str = ""
    slide: float = 0.0


@dataclass
class Part:
    """One player. `level`: dB against the others; `wet`: the share sent to the room."""

    instrument: str
    level: float
    wet: float = 0.15
    jitter_s: float = 0.008
    effects: tuple[Effect, ...] = ()
    notes: list[Note] = field(default_factory=list)
    line: dict[str, list[Phrase]] = field(default_factory=dict)  # section → its themes


@dataclass(frozen=True)
class Section:
    name: str
    at: float  # beats
    bars: int
    round: int  # how often a section of that name came before
    last: bool
    energy: float


@dataclass(frozen=True)
class Phrase:
    """A theme of two bars: when its notes fall, and how far each moves along the scale."""

    onsets: tuple[float, ...]
    moves: tuple[int, ...]
    start: int  # semitones from the part's middle


class Song:
    """Paper, and arrangers' habits. `swing`: where the second half of a `swing_unit` falls."""

    def __init__(
        self, rng: Rng, key: Key, tempo: float, *, metre: int = 4, swing: float = 0.5,
        swing_unit: float = 1.0, drift: float = 0.004, room_s: float = 1.4, fade_s: float = 1.5,
    ) -> None:  # fmt: skip
        self.rng, self.key, self.tempo, self.metre = rng, key, tempo, metre
        self.swing, self.swing_unit, self.drift = swing, swing_unit, drift
        self.room_s, self.fade_s = room_s, fade_s
        self.slowing = 0.0  # how much slower the last bar is
        self.squeeze = 3.0  # ratio of the compressor on everything
        self.parts: dict[str, Part] = {}
        self.sections: list[Section] = []
        self.chords: list[tuple[float, float, Chord]] = []  # (at, beats, chord)

    # form and harmony

    @property
    def bar_s(self) -> float:
        return self.metre * 60 / self.tempo

    @property
    def beats(self) -> float:
        return self.sections[-1].at + self.sections[-1].bars * self.metre

    def form(
        self, names: str, bars: int, seconds: float, energy: dict[str, float] | None = None
    ) -> None:
        """Sections of `bars` each ("name:4" has its own number) until `seconds` are full, and round
        again from the second where they are not."""
        planned: list[tuple[str, int]] = []
        total = 0
        words = names.split()
        for word in words + words[1:] * 3:
            name, _, own = word.partition(":")
            length = int(own) if own else bars
            length = min(length, 2 * round((seconds / self.bar_s - total) / 2))
            if length < 1:
                break
            planned.append((name, length))
            total += length
        at, seen = 0, dict.fromkeys((name for name, _ in planned), 0)
        loudness = ENERGY | (energy or {})
        for i, (name, length) in enumerate(planned):
            self.sections.append(Section(name, float(at * self.metre), length, seen[name],
                                         i == len(planned) - 1, loudness[name]))  # fmt: skip
            seen[name] += 1
            at += length

    def harmonise(self, progressions: dict[str, str], beats: float | None = None,
                  raised: Callable[[Section], int] | None = None) -> None:  # fmt: skip
        """A row of numerals a section name, repeated as long as it lasts; "I/2" lasts two beats."""
        for section in self.sections:
            key = self.key.raised(raised(section)) if raised else self.key
            row = [word.partition("/") for word in progressions[section.name].split()]
            at, end, i = section.at, section.at + section.bars * self.metre, 0
            while at < end - 1e-6:
                numeral, _, own = row[i % len(row)]
                length = min(float(own) if own else (beats or self.metre), end - at)
                self.chords.append((at, length, chord(numeral, key)))
                at, i = at + length, i + 1

    def chord_at(self, beat: float) -> Chord:
        found = self.chords[0][2]
        for at, _, named in self.chords:
            if at > beat + 1e-6:
                break
            found = named
        return found

    def chords_in(self, section: Section) -> list[tuple[float, float, Chord]]:
        end = section.at + section.bars * self.metre
        return [given for given in self.chords if section.at - 1e-6 <= given[0] < end - 1e-6]

    def called(self, *names: str) -> list[Section]:
        return [section for section in self.sections if section.name in names]

    # players

    def part(self, name: str, instrument: str, level: float, **how: object) -> Part:
        self.parts[name] = Part(instrument, level, **how)  # type: ignore[arg-type]
        return self.parts[name]

    def pick(self, choices: Sequence[str]) -> str:
        return choices[int(self.rng.integers(len(choices)))]

    def _bars(self, section: Section) -> list[float]:
        return [section.at + i * self.metre for i in range(section.bars)]

    def _steps(self, row: str) -> list[tuple[float, float, str]]:
        """(beat in the bar, beats until the next stroke or rest, how it is struck)."""
        step = self.metre / len(row)
        return [
            (found.start() * step, len(found.group()) * step, found.group()[0])
            for found in re.finditer(r"[^.\-]-*", row)
        ]

    def _struck(self, how: str) -> float | None:
        if how == "?" and self.rng.random() < 0.5:
            return None
        return LOUD.get(how, 0.78)

    def drum(self, part: Part, section: Section, rows: dict[str, str], *, vary: float = 0.06,
             fill: Sequence[str] = (), crash: str = "") -> None:  # fmt: skip
        """A bar a row, over and over; a stroke is lost now and then; sections end in a fill."""
        filled = section.bars - 1 if fill and not section.last else -1
        for i, start in enumerate(self._bars(section)):
            share = float(self.rng.choice([0.25, 0.5, 1.0])) if i == filled else 0.0
            until = self.metre * (1 - share)
            for name, row in rows.items():
                for at, _, how in self._steps(row):
                    force = self._struck(how)
                    if force is None or at >= until or (at and self.rng.random() < vary):
                        continue
                    part.notes.append(Note(start + at, 0, 0, force * section.energy**0.5, name))
            if share:
                self._fill(part, start + until, share * self.metre, fill, section.energy)
            if crash and i == 0:
                part.notes.append(Note(start, 0, 0, 0.9 * section.energy, crash))

    def _fill(
        self, part: Part, at: float, beats: float, names: Sequence[str], energy: float
    ) -> None:
        steps = round(beats * 4)
        for step in range(steps):
            if step % 2 and self.rng.random() < 0.35:
                continue
            name = names[
                min(len(names) - 1, int(step / steps * len(names) + self.rng.random() * 0.6))
            ]
            force = (0.55 + 0.4 * step / steps) * energy**0.5
            part.notes.append(Note(at + step / 4, 0, 0, force, name))

    def comp(self, part: Part, section: Section, rows: str | Sequence[str], centre: float, *,
             strum: float = 0.0, held: float = 0.9, rootless: bool = False, power: bool = False,
             doubled: int = 0, force: float = 1.0) -> None:  # fmt: skip
        """Chords where a row says. `strum`: beats from the lowest string to the highest."""
        rows = [rows] if isinstance(rows, str) else rows
        voices: list[int] = []
        for start in self._bars(section):
            for at, beats, how in self._steps(self.pick(rows)):
                struck = self._struck(how)
                if struck is None:
                    continue
                now = self.chord_at(start + at)
                root = now.near(centre)
                voices = [root, root + 7, root + 12] if power else now.voiced(centre, rootless)
                voices = voices + [voices[0] + 12 * i for i in range(1, doubled + 1)]
                order = voices if (at * 2) % 2 < 1 else voices[::-1]
                for i, pitch in enumerate(order):
                    late = strum * i / max(1, len(order) - 1)
                    part.notes.append(Note(start + at + late, (beats - late) * held, pitch,
                                           struck * section.energy**0.7 * force))  # fmt: skip

    def hold(self, part: Part, section: Section, centre: float, *, force: float = 0.6,
             rootless: bool = False, bass: float | None = None) -> None:  # fmt: skip
        """Each chord for as long as it lasts, its voices where they were near."""
        for at, beats, now in self.chords_in(section):
            pitches = now.voiced(centre + float(self.rng.choice([-2, 0, 2])), rootless)
            if bass is not None:
                pitches = [now.near(bass), *pitches]
            for pitch in pitches:
                part.notes.append(Note(at, beats, pitch, force * section.energy**0.7))

    def arpeggio(self, part: Part, section: Section, rows: Sequence[str], centre: float, *,
                 held: float = 1.0, force: float = 0.75,
                 lowest: float | None = None) -> None:  # fmt: skip
        """Digits are tones of the chord from the lowest up, "0" the root in the bass."""
        for start in self._bars(section):
            row = self.pick(rows)
            for at, beats, how in self._steps(row):
                now = self.chord_at(start + at)
                voices = ladder(now.classes, round(centre) - 5, round(centre) + 19)
                low = now.near(lowest if lowest is not None else centre - 14)
                pitch = low if how == "0" else voices[min(int(how) - 1, len(voices) - 1)]
                strong = 1.1 if at == int(at) else 0.85
                part.notes.append(Note(start + at, beats * held, pitch,
                                       min(1, force * strong * section.energy**0.6)))  # fmt: skip

    def bass(self, part: Part, section: Section, rows: str | Sequence[str], centre: float, *,
             held: float = 0.9, force: float = 0.85) -> None:  # fmt: skip
        """R root, r softly, 3, 5, 7 of the chord, 8 the octave, 4 the fifth below, a: leads on."""
        rows = [rows] if isinstance(rows, str) else rows
        for start in self._bars(section):
            for at, beats, how in self._steps(self.pick(rows)):
                if how == "?" and self.rng.random() < 0.5:
                    continue
                beat = start + at
                now, root = self.chord_at(beat), self.chord_at(beat).near(centre)
                steps = {"3": now.intervals[1], "5": now.fifth, "8": 12, "4": now.fifth - 12,
                         "6": 9,
                         "7": now.intervals[3] if len(now.intervals) > 3 else 9}  # fmt: skip
                pitch = root + steps.get(how, 0)
                if how == "a":
                    goal = self.chord_at(beat + beats).near(centre)
                    pitch = goal + int(self.rng.choice([-1, 1, -2]))
                soft = 0.7 if how in "r?" else 1.0
                part.notes.append(
                    Note(beat, beats * held, pitch, force * soft * section.energy**0.5)
                )

    def walk(self, part: Part, section: Section, centre: float) -> None:
        """A note a beat: the chord's own on strong beats, a step into the next root before it."""
        pitch = self.chord_at(section.at).near(centre)
        for step in range(section.bars * self.metre):
            beat = section.at + step
            now, then = self.chord_at(beat), self.chord_at(beat + 1)
            fresh = step == 0 or now is not self.chord_at(beat - 1)
            if fresh:
                pitch = now.near(centre + 0.4 * (pitch - centre))
            elif then is not now:
                pitch = then.near(pitch) + int(self.rng.choice([-1, 1]))
            else:
                near = [
                    p
                    for p in ladder(now.classes, round(centre) - 8, round(centre) + 11)
                    if p != pitch
                ]
                weights = np.exp(-np.abs(np.array(near) - pitch) / 3.0)
                pitch = int(self.rng.choice(near, p=weights / weights.sum()))
            part.notes.append(Note(beat, 0.95, pitch, 0.8 * section.energy**0.4))
            if self.rng.random() < 0.12:
                part.notes.append(Note(beat + 0.5, 0.3, pitch, 0.45))

    # melody

    def melody(self, part: Part, section: Section, cells: Sequence[str], centre: float, *,
               mode: str | None = None, held: float = 0.92, rest: float = 0.0, slide: float = 0.0,
               leap: float = 0.15, force: float = 0.8, plan: str = "abac") -> None:  # fmt: skip
        """Themes of two bars, a letter of `plan` each, that come back varied and land on the chord.

        A section of the same name has the same themes. `rest`: how likely a phrase is left out.
        """
        if section.name not in part.line:
            part.line[section.name] = [self._phrase(cells, leap) for _ in sorted(set(plan))]
        themes = dict(zip(sorted(set(plan)), part.line[section.name], strict=True))
        for i in range((section.bars + 1) // 2):
            if self.rng.random() < rest:
                continue
            start = section.at + i * 2 * self.metre
            bars = min(2, section.bars - 2 * i)
            varied = section.round > 0 or i >= len(set(plan))
            self._sing(part, start, bars, themes[plan[i % len(plan)]], centre, mode, held, slide,
                       force * section.energy**0.5, varied)  # fmt: skip

    def _phrase(self, cells: Sequence[str], leap: float) -> Phrase:
        first, second = self.pick(cells), self.pick(cells)
        onsets = [at for at, _, how in self._steps(first) if self._struck(how)]
        onsets += [self.metre + at for at, _, how in self._steps(second) if self._struck(how)]
        moves, place = [], 0
        for _ in onsets:
            away = int(self.rng.choice([-1, 1, -1, 1, 0, 2, -2]))
            if self.rng.random() < leap:
                away = int(self.rng.choice([3, 4, -3, -4, 5]))
            if abs(place + away) > 5:
                away = -away
            place += away
            moves.append(away)
        return Phrase(tuple(onsets), tuple(moves), int(self.rng.integers(-3, 5)))

    def _sing(self, part: Part, start: float, bars: int, phrase: Phrase, centre: float,
              mode: str | None, held: float, slide: float, force: float,
              varied: bool) -> None:  # fmt: skip
        classes = self.key.scale(mode)
        here = centre + phrase.start
        end = bars * self.metre
        onsets = [at for at in phrase.onsets if at < end - 0.2]
        for i, at in enumerate(onsets):
            move = phrase.moves[i]
            if varied and self.rng.random() < 0.2:
                if self.rng.random() < 0.3 and i < len(onsets) - 1:
                    continue
                move += int(self.rng.choice([-1, 1]))
            here = self._stepped(classes, here, move, centre)
            now = self.chord_at(start + at)
            strong = at % 2 < 1e-6 or i == len(onsets) - 1
            if strong:
                here = min(
                    (nearest(tone, here) for tone in now.classes[:3]), key=lambda p: abs(p - here)
                )
            until = onsets[i + 1] if i < len(onsets) - 1 else end
            beats = min(until - at, 3.0) * held
            bend = float(self.rng.choice([-2.0, -1.0, 1.0])) if self.rng.random() < slide else 0.0
            accent = 1.0 if strong else 0.88
            part.notes.append(Note(start + at, beats, here, min(1.0, force * accent), slide=bend))

    @staticmethod
    def _stepped(classes: tuple[int, ...], here: float, move: int, centre: float) -> int:
        """`move` places along the scale, turned round where it would leave the singer's range."""
        rungs = ladder(classes, round(centre) - 14, round(centre) + 15)
        place = min(range(len(rungs)), key=lambda i: abs(rungs[i] - here))
        if abs(rungs[max(0, min(len(rungs) - 1, place + move))] - centre) > 10:
            move = -move
        return rungs[max(0, min(len(rungs) - 1, place + move))]

    def double(
        self, source: Part, copy: Part, steps: int, since: float = 0.0, force: float = 0.8
    ) -> None:
        """`copy` plays along `steps` places up the scale: 2 are thirds; 7 an octave."""
        rungs = ladder(self.key.scale(), 12, 120)
        for given in source.notes:
            if given.at < since:
                continue
            place = min(range(len(rungs)), key=lambda i: abs(rungs[i] - given.pitch))
            copy.notes.append(Note(given.at, given.beats, rungs[place + steps], given.force * force,
                                   slide=given.slide))  # fmt: skip
