"""How well voices are separated, tracked, understood and judged, where the truth is known.

    python benchmarks/voice.py --models build/studio/voice-models   # writes voice.json, voice.md
    python benchmarks/voice.py … --only pitch,words

- *Songs*: melodies of the 31 MIDI pieces of Debian's openttd-openmsx where one can be told, sung
  by the synthetic voice of `tests/singing.py`; the piece without its melody, rendered by
  FluidSynth, is the music behind it. *Words*: flite's, on a melody by WORLD. *Prompts*: a person
  who speaks, of Debian's asterisk-core-sounds-en, and the same on a melody by TD-PSOLA. Nothing was
  trained on any of it; constants were chosen on melodies of `tests/singing.py`, the level that the
  separating network hears on ten mixtures of this kind, and the windows of words on the words.
- Rooms are a tail of noise, microphones a filter, bleeding music is as loud as it says.

Needs Debian's fluidsynth, flite and ffmpeg; mido and pyworld are put into an environment of their
own below build/voice.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from voice_takes import (
    LINES,
    OTHERS,
    PROJECT,
    RATE,
    Array,
    Song,
    in_a_room,
    microphone,
    mixed,
    prompts,
    sang,
    songs,
    sung_prompt,
    sung_words,
)

from singing import moved  # isort: skip

from engine.voice.ear import tasks
from engine.voice.ear.heard import Line, Word
from engine.voice.ear.melody import Melody
from engine.voice.ear.sounds import stereo
from engine.voice.ear.wording import wrong as wrong_words

HERE = Path(__file__).resolve().parent
WORK = PROJECT / "build" / "voice"
TAKE_S = 180
LENGTH_S = 11.8  # an input of the network that separates


def quiet(_: float) -> None: ...


class Judge:
    """The steps as a worker runs them, with files in a folder."""

    def __init__(self, models: Path, work: Path) -> None:
        self.models, self.work = str(models), work
        work.mkdir(parents=True, exist_ok=True)

    def hear(self, samples: Array, name: str) -> dict[str, Any]:
        """(N, 2) → what `separate` and `listen` say, and the files of it."""
        ends = (".wav", ".v.flac", ".i.flac", ".pitch.npz", ".npz")
        source, voice, rest, pitch, melody = (str(self.work / f"{name}{end}") for end in ends)
        write(Path(source), samples)
        how: dict[str, Any] = {"models": self.models, "report": quiet, "pitch": pitch}
        told = tasks.separate(source, voice, rest, **how)
        told |= tasks.listen(voice, rest, melody, **how)
        return {**told, "source": source, "voice": voice, "rest": rest, "melody": melody}

    def words(
        self, heard: dict[str, Any], language: str | None = "en", lyrics: Sequence[str] = ()
    ) -> dict[str, Any]:
        how: dict[str, Any] = {"models": self.models, "report": quiet, "lyrics": lyrics}
        return tasks.words(heard["voice"], heard["rest"], language=language, **how)

    def score(self, user: dict[str, Any], reference: dict[str, Any], **more: Any) -> dict[str, Any]:
        path = str(self.work / "alignment.npz")
        tasks.align(user["melody"], reference["melody"], path, report=quiet)
        sure = {"user": user["confidence"], "reference": reference["confidence"]}
        asked = {"words": None, "lyrics": None, "separation": sure, **more}
        return tasks.score(user["melody"], reference["melody"], path, **asked, report=quiet)


def write(path: Path, samples: Array) -> None:
    whole = np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(whole.tobytes())


def si_sdr(heard: Array, true: Array) -> float:
    """Scale-invariant, in dB (Le Roux et al., 2019), over both channels."""
    count = min(len(heard), len(true))
    a, b = (one[:count].ravel().astype(np.float64) for one in (heard, true))
    target = (a @ b) / (b @ b) * b
    return float(10 * np.log10((target @ target) / ((a - target) @ (a - target))))


def right(melody: Melody, hz: np.ndarray) -> dict[str, float]:
    """Raw pitch accuracy within 50 cents, over all that is sung; of what it is sure of; and how
    much of it that is. Frames at the edge of a note are left out."""
    at = np.minimum((np.arange(len(melody)) * 0.016 * RATE).astype(int), len(hz) - 1)
    edge = round(0.02 * RATE)
    inside = np.minimum(hz[np.maximum(at - edge, 0)], hz[np.minimum(at + edge, len(hz) - 1)]) > 0
    true = hz[at]
    sung = (true > 0) & inside
    off = 1200 * np.abs(np.log2(np.maximum(melody.hz, 1) / np.where(sung, true, 1)))
    sure = sung & melody.sure
    return {
        "raw": float((off[sung] < 50).mean()),
        "of_sure": float((off[sure] < 50).mean()) if sure.any() else 0.0,
        "sure": float(sure.sum() / sung.sum()),
    }


def separation(judge: Judge, made: Sequence[Song]) -> dict[str, Any]:
    """Each song at 0 dB: the voice's SI-SDR before and after, and its pitch dry and after."""
    rows = []
    for number, song in enumerate(made):
        sung = sang(song, seed=number)
        both, voice = mixed(in_a_room(sung.samples, number), song.music, 0)
        rows.append(_separated(judge, song.name, both, voice, sung.hz))
    for number, line in enumerate(LINES[:3]):
        samples, hz = sung_words(WORK, line, number)
        both, voice = mixed(in_a_room(samples, number), made[number].music, 0)
        rows.append(_separated(judge, f"words {number}", both, voice, hz))
    for number, (samples, _) in enumerate(prompts(WORK, 4)):
        both, voice = mixed(in_a_room(samples, number), made[number].music, 0)
        rows.append(_separated(judge, f"prompt {number}", both, voice, None))
    told = {
        "rows": rows,
        "gain_db_median": float(np.median([row["gain_db"] for row in rows])),
        "gain_db_least": min(row["gain_db"] for row in rows),
    }
    sang_ = [row for row in rows if "dry" in row]
    for name, part in (("songs", sang_[: len(made)]), ("words", sang_[len(made) :])):
        for kind in ("dry", "mixed"):
            told[f"{name}_{kind}"] = {
                key: float(np.mean([row[kind][key] for row in part])) for key in part[0][kind]
            }
    return told


def _separated(
    judge: Judge, name: str, both: Array, voice: Array, hz: np.ndarray | None
) -> dict[str, Any]:
    told = judge.hear(both, "take")
    kept = np.concatenate([*stereo(Path(told["voice"]))])
    row: dict[str, Any] = {
        "name": name,
        "before_db": si_sdr(both, voice),
        "after_db": si_sdr(kept, voice),
        "confidence": told["confidence"],
    }
    row["gain_db"] = row["after_db"] - row["before_db"]
    if hz is not None:
        row["mixed"] = right(Melody.load(Path(told["melody"])), hz)
        dry = judge.hear(voice, "dry")
        row["dry"] = right(Melody.load(Path(dry["melody"])), hz)
        row["dry_kept_db"] = dry["kept_db"]
    print(json.dumps(row), flush=True)
    return row


def lost(judge: Judge, made: Sequence[Song]) -> dict[str, Any]:
    """Recordings in which no voice is left, and those in which one is, by confidence."""
    without = [judge.hear(song.music, "take")["confidence"] for song in made]
    return {"without_a_voice": without}


def spoken(judge: Judge, made: Sequence[Song]) -> dict[str, Any]:
    """WER of a person's prompts, said and on a melody, and of sung words, by how loud they are over
    the music."""
    told: dict[str, Any] = {}
    said = prompts(WORK, 8)
    sources = {
        "prompts": said,
        "prompts on a melody": [
            (sung_prompt(WORK, samples, at), text) for at, (samples, text) in enumerate(said)
        ],
        "sung": [(sung_words(WORK, line, at)[0], line) for at, line in enumerate(LINES)],
    }
    for name, clips in sources.items():
        for db in (None, 0.0, -6.0):
            wrong = []
            for number, (samples, text) in enumerate(clips):
                music = made[number % len(made)].music
                voice = in_a_room(samples, number)
                take = voice if db is None else mixed(voice, music, db)[0]
                heard = judge.hear(take, "take")
                found = [judge.words(heard, lyrics=known)["words"] for known in ([], [text])]
                wrong.append([_wrong(words, text) for words in found])
            alone, known = np.transpose(wrong).tolist()
            told[f"{name} {'dry' if db is None else f'{db:+.0f} dB'}"] = {
                "mean": float(np.mean(alone)),
                "each": alone,
                "known": float(np.mean(known)),
                "each known": known,
            }
            print(name, db, np.round(wrong, 2).tolist(), flush=True)
    return told


def _wrong(told: Sequence[dict[str, Any]], text: str) -> float:
    off = wrong_words([Word.of(word) for word in told], [Line(text)])
    return min(1.0, off.wer) if off else 0.0


def faults(judge: Judge, made: Sequence[Song]) -> dict[str, Any]:
    """One fault at a time, on songs of music and voice, recorded in rooms: by headphones, and
    beside loudspeakers that are 12 dB below the voice."""
    rows = []
    for number, song in enumerate(made):
        reference = _reference(judge, song, number)
        rows.append({"song": song.name, **_faults(judge, song, number, reference)})
        print(json.dumps(rows[-1]), flush=True)
    return {"rows": rows}


def _reference(judge: Judge, song: Song, number: int) -> dict[str, Any]:
    voice = in_a_room(sang(song, seed=90 + number).samples, 50 + number, wet=0.2)
    both, dry = mixed(voice, song.music, 0)
    return {**judge.hear(both, f"reference-{number}"), "both": both, "dry": dry}


def _faults(
    judge: Judge, song: Song, number: int, reference: dict[str, Any]
) -> dict[str, list[float]]:
    def take(loud: bool, seed: int = 0, before_s: float = 0, **moves: Any) -> Array:
        voice = in_a_room(sang(song, seed=seed, notes=moved(song.notes, **moves)).samples, number)
        made = mixed(voice, song.music, 12)[0] if loud else 0.5 * voice
        return np.pad(made, ((round(before_s * RATE), 0), (0, 0)))

    def judged(samples: Array, **more: Any) -> float:
        found = judge.score(judge.hear(samples, "take"), reference, **more)
        return float(found["score"])

    random = np.random.default_rng(number)
    late = [random.permutation(np.linspace(0, 2 * ms / 1000, len(song.notes))) for ms in LATE]
    other = song_of(number + 1)
    plain, loud = take(False), take(True)
    ours, aloud = judged(plain), judged(loud)
    return {
        "the same file": [judged(reference["both"])],
        "its voice alone": [judged(reference["dry"])],
        "cents, headphones": [ours, *(judged(take(False, cents=cents)) for cents in CENTS[1:])],
        "cents, loudspeakers": [aloud, *(judged(take(True, cents=cents)) for cents in CENTS[1:])],
        "late, loudspeakers": [aloud, *(judged(take(True, late_s=ms / 1000)) for ms in LATE[1:])],
        "late each note, headphones": [
            ours,
            *(judged(take(False, late_s=each)) for each in late[1:]),
        ],
        "latency 0.7 s": [judged(take(False, before_s=0.7)), judged(take(True, before_s=0.7))],
        "20 dB less": [judged(0.1 * plain), judged(0.1 * loud)],
        "another microphone": [judged(microphone(plain)), judged(microphone(loud))],
        "3 semitones, accepted": [
            judged(take(False, cents=300), transposition=3),
            judged(take(True, cents=300), transposition=3),
        ],
        "silence": [judged(np.zeros_like(plain)), judged(np.asarray(0.2 * song.music))],
        "another song": [
            judged(0.5 * in_a_room(sang(other, seed=5).samples, number)),
            judged(mixed(in_a_room(sang(other, seed=5).samples, number), song.music, 12)[0]),
        ],
    }


CENTS, LATE = (0, 20, 50, 100, 200), (0, 50, 150, 300)
_SONGS: list[Song] = []


def song_of(number: int) -> Song:
    return _SONGS[number % len(_SONGS)]


def replaced(judge: Judge, made: Sequence[Song]) -> dict[str, Any]:
    """The same recording, and lines of which some words are others, sung as well: the score, how
    much of the words is wrong, what the pitch is worth, and by how many words one is judged."""
    rows = []
    for number, line in enumerate(LINES):
        music = made[number].music
        voice = in_a_room(sung_words(WORK, line, number)[0], number)
        both = mixed(voice, music, 0)[0]
        reference = judge.hear(both, "reference")
        theirs = judge.words(reference, None)["words"]
        lyrics = [{"text": line}]

        def judged(take: Array, reference: Any = reference, **more: Any) -> list[float]:
            heard = judge.hear(take, "take")
            texts = [one["text"] for one in more["lyrics"]]
            told = judge.words(heard, lyrics=texts)["words"]
            found = judge.score(heard, reference, words=told, **more)
            wrong = found.get("lyrics", {}).get("wer")
            return [found["score"], wrong, found["pitch"]["score"], found["coverage"]["words"]]

        how = {"lyrics": lyrics, "reference_words": theirs}
        same = judged(both, **how)
        random = np.random.default_rng(number)
        order = random.permutation(len(line.split()))
        found = []
        for share in (0, 0.25, 0.5, 1.0):
            words = line.split()
            for at in order[: round(share * len(words))]:
                words[at] = str(random.choice(OTHERS))
            take = mixed(in_a_room(sung_words(WORK, " ".join(words), number)[0], number), music, 12)
            found.append(judged(take[0], **how))
        rows.append({"line": line, "the same": same, "by_share": found})
        print(json.dumps(rows[-1]), flush=True)
    return {"rows": rows}


def timed(judge: Judge, made: Sequence[Song]) -> dict[str, Any]:
    """Takes and a reference of three minutes, step by step, in seconds of the clock and of CPU, as
    a worker does them: a take of vowels, and one full of words, beside lyrics."""
    took: dict[str, float] = {}

    def clock(name: str, do: Callable[[], Any]) -> Any:
        begins, worked = time.monotonic(), time.process_time()
        made = do()
        took[f"{name}, CPU"] = round(time.process_time() - worked, 1)
        took[name] = round(time.monotonic() - begins, 1)
        return made

    def judged(kind: str, take: Array) -> None:
        user = clock(f"{kind}: separated, heard", lambda: judge.hear(take, "take"))
        told = clock(f"{kind}: its words", lambda: judge.words(user, "en", text))
        known: dict[str, Any] = {"lyrics": [{"text": line} for line in text]}
        known["reference_words"] = theirs["words"]
        clock(
            f"{kind}: aligned, scored",
            lambda: judge.score(user, reference, words=told["words"], **known),
        )

    judge.words(judge.hear(_words()[: 20 * RATE], "warm"))  # a worker has its networks open
    whole = _vowels(0, seed=1)
    reference = clock("the reference", lambda: judge.hear(whole, "reference"))
    sung = judge.hear(_words(), "sung")
    theirs = clock("its words, where it has lyrics", lambda: judge.words(sung, None))
    text = [LINES[at % 4] for at in range(36)]
    for kind, take in (("vowels", _vowels), ("words", _words)):
        judged(kind, take())
        for unit in ("", ", CPU"):
            steps = [took[name] for name in took if name.startswith(f"{kind}: ")]
            units = [name.endswith(", CPU") for name in took if name.startswith(f"{kind}: ")]
            known = sum(s for s, cpu in zip(steps, units, strict=True) if cpu == bool(unit))
            took[f"all of {kind}, reference remembered{unit}"] = round(known, 1)
            first = took[f"the reference{unit}"] + took[f"its words, where it has lyrics{unit}"]
            took[f"all of {kind}{unit}"] = round(known + first, 1)
    took["load of the machine"] = round(os.getloadavg()[0], 1)
    took["MB held"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(took), flush=True)
    return took


def _vowels(db: float = 12, seed: int = 9) -> Array:
    """Three minutes of a voice so much over the music."""
    made = [
        mixed(in_a_room(sang(song_of(at), seed=seed).samples, at), song_of(at).music, db)[0]
        for at in range(16)
    ]
    return np.concatenate(made)[: TAKE_S * RATE]


def _words() -> Array:
    """The same of lines, one after the other with hardly a breath between."""
    made: list[Array] = []
    while sum(map(len, made)) < TAKE_S * RATE:
        at = len(made)
        voice = in_a_room(sung_words(WORK, LINES[at % 4], at % 4)[0], at)
        made.append(mixed(voice, song_of(at).music, 12)[0])
    return np.concatenate(made)[: TAKE_S * RATE]


SECTIONS: dict[str, Callable[[Judge, Sequence[Song]], dict[str, Any]]] = {
    "pitch": separation,
    "lost": lost,
    "words": spoken,
    "faults": faults,
    "replaced": replaced,
    "time": timed,
}


# Trials of which nothing else is left: what words at −6 dB hang on.
_WORDS_TRIED = """
What is sung is flite's voice, whose plain speech behind the same music at −6 dB is understood worse
still: 0.96 of its words are wrong, 0.81 spoken 1.6 times slower, 0.60 on a melody (the four lines,
other music). But a person's prompts, put on a melody with each period of the voice the person's own
(TD-PSOLA), are understood no better than flite's lines, though the same person's speech is; nor by
WORLD (0.52), whose voice alone, without a melody, costs 0.12. So it is not the synthetic voice by
which 0.3 is missed, but a melody behind which Whisper base knows the words of a separated voice no
more; whether a person who sings fares better than one who is put on a melody is not known.

Tried on twenty lines (four lines, five songs) and seven prompts at −6 dB, wrong words with the
stem and so much of the music: none 0.73 and 0.45, a quarter 0.67 and 0.26 (what is done), a half
0.69 and 0.34, four fifths 0.79 and 0.40. Of none, a quarter and a half the one of which Whisper is
surest: 0.67 and 0.26, for three times the work; the best of all four, by who knows the words: 0.53
and 0.24. Without the gate that looks for a voice 0.69 and 0.26. No lyrics are told to Whisper
before it listens: it then hears words that nobody sang.

Lyrics known: of a word that was misheard the model is asked how probable it is at its place, the
words before it given, and how probable in noise. Words are taken for sung of which log p is above
−5 and by 1 more than in noise. Of words sung at −6 dB then so many are missed (before), of lines
0.27 (0.53), prompts on a melody 0.20 (0.40), prompts 0.09 (0.19); at 0 dB 0.02 (0.06) of lines.
Of words that nobody sang 0.96 to 1.00 are noticed still (0.97 to 1.00), whether half of the lyrics
are other words at random, another line from the middle on, or another line altogether. Without the
noise 0.18 are missed, and only 0.62 of another line's words noticed: language makes them probable.
Both numbers were chosen on these clips. On others, lines of which a quarter or a half were sung
with other words, 0.42 (0.60) of the rest are missed at −6 dB and 0.98 to 1.00 of the others
noticed; at 12 dB 0.02 (0.04), and 0.96 to 1.00.

How probable Whisper finds a word, of takes whose words are all right: at −6 dB 0.63 of the words
heard right have 0.8 or more, 0.15 of those misheard; at 12 dB 0.89 and 0.44. Surely others are in
such takes at most 0.36 of the words (a tenth of the takes have 0.14 or more); of four lines sung
with entirely other words at 12 dB 0.50 to 0.71, at −6 dB 0.14 to 0.83, with half at 12 dB at most
0.31.

Windows: of 30 s as Whisper has them, silences in them, at −6 dB 0.24 of the prompts and 0.60 of
what is sung; 14 s of voice encoded as 15 s 0.26 and 0.51, as 17 s 0.24 and 0.60, 9.5 s as 10 s
too short for lines (0.17 instead of 0.10 wrong of three minutes of them at 6 dB). Of three minutes
of a person's speech 0.19 were wrong in windows of 30 s, 0.04 in those of 14 s: a limit of 120
tokens had ended what was said quickly. Processor time for words of three minutes: of vowels 5.7 s
(before 18.6), lines 15.4 (22.5), lines with pauses 9.6 (32.8), speech 20.7 (23.0).
"""


def report(found: dict[str, Any]) -> str:
    """voice.json as a page."""
    lines = ["# Voices: separated, tracked, understood, judged", "", "`python benchmarks/voice.py`"]
    told = [line for line in (__doc__ or "").splitlines() if line.startswith(("- ", "  "))]
    lines += ["", *(line for line in told if not line.startswith("    "))]
    if "pitch" in found:
        lines += [
            "",
            "## Separation and pitch, voice and music at 0 dB",
            *_of_pitch(found["pitch"]),
        ]
    if "lost" in found:
        each = ", ".join(f"{one:.2f}" for one in found["lost"]["without_a_voice"])
        lines += ["", f"Confidence where there is no voice at all: {each}; below 0.2 it is lost."]
    if "words" in found:
        lines += ["", "## Words that are wrong (WER, at most 1)", ""]
        lines += [
            "Of a take whose lyrics are known, as it is judged; and as it is heard alone.",
            "",
        ]
        lines += ["| | lyrics known | heard alone | each, known |", "|---|---|---|---|"]
        for name, row in found["words"].items():
            each = " ".join(f"{one:.2f}" for one in row["each known"])
            lines.append(f"| {name} | {row['known']:.2f} | {row['mean']:.2f} | {each} |")
        lines += ["", *_WORDS_TRIED.strip().splitlines()]
    if "faults" in found:
        lines += ["", "## Scores, one fault at a time", "", *_of_faults(found["faults"]["rows"])]
    if "replaced" in found:
        lines += ["", "## Scores as words are replaced (none, a quarter, half, all)", ""]
        lines += [
            "| Line | judged by | the same recording | score | WER |",
            "|---|---|---|---|---|",
        ]
        for row in found["replaced"]["rows"]:
            scores = " → ".join(f"{one[0]:.0f}" for one in row["by_share"])
            wrong = " → ".join(f"{one[1]:.2f}" for one in row["by_share"])
            same = row["the same"]
            told = f"{same[3]:.0%} of its words | {same[0]:.0f} | {scores} | {wrong}"
            lines.append(f"| {row['line']} | {told} |")
    if "time" in found:
        lines += [
            "",
            "## Takes of three minutes: seconds of the clock, and of CPU",
            "",
            "One of vowels on quick melodies; one full of words.",
            "",
            "| | |",
            "|---|---|",
        ]
        lines += [f"| {name} | {value:g} |" for name, value in found["time"].items()]
    return "\n".join(lines) + "\n"


def _of_pitch(found: dict[str, Any]) -> list[str]:
    lines = [
        "",
        "| Clip | SI-SDR before → after, dB | raw pitch accuracy dry | mixed | of what it is",
    ]
    lines[-1] += " sure of | sure |"
    lines.append("|---|---|---|---|---|---|")
    for row in found["rows"]:
        told = f"| {row['name']} | {row['before_db']:.1f} → {row['after_db']:.1f} |"
        if "dry" in row:
            mixed_, dry = row["mixed"], row["dry"]
            told += f" {dry['raw']:.3f} | {mixed_['raw']:.3f} | {mixed_['of_sure']:.3f} |"
            told += f" {mixed_['sure']:.2f} |"
        else:
            told += " | | | |"
        lines.append(told)
    for kind in ("songs", "words"):
        dry, both = found[f"{kind}_dry"], found[f"{kind}_mixed"]
        lines.append(
            f"| **{kind}, mean** | | {dry['raw']:.3f} | {both['raw']:.3f} | {both['of_sure']:.3f} |"
            f" {both['sure']:.2f} |"
        )
    lines += ["", f"SI-SDR gained: median {found['gain_db_median']:.1f} dB, least "]
    lines[-1] += f"{found['gain_db_least']:.1f} dB."
    return lines


def _of_faults(rows: list[dict[str, Any]]) -> list[str]:
    names = [name for name in rows[0] if name != "song"]
    lines = [
        "| | " + " | ".join(row["song"] for row in rows) + " |",
        "|---" * (len(rows) + 1) + "|",
    ]
    for name in names:
        told = [" → ".join(f"{one:.1f}" for one in row[name]) for row in rows]
        lines.append(f"| {name} | " + " | ".join(told) + " |")
    cents, late = (", ".join(map(str, each)) for each in (CENTS, LATE))
    lines += ["", f"Cents: {cents}; late: {late} ms. Where two are given, the first is by"]
    lines[-1] += " headphones, the second beside loudspeakers."
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=PROJECT / "build/studio/voice-models")
    parser.add_argument("--songs", type=int, default=6)
    parser.add_argument("--only", default=",".join(SECTIONS))
    options = parser.parse_args()
    _SONGS[:] = songs(WORK, options.songs, LENGTH_S)
    path = HERE / "voice.json"
    for name in options.only.split(","):
        judge = Judge(options.models.resolve(), WORK / "takes" / name)
        made = SECTIONS[name](judge, _SONGS)
        found = json.loads(path.read_text()) if path.exists() else {}
        found = {**found, name: made}
        path.write_text(json.dumps(found, indent=1) + "\n")
        path.with_suffix(".md").write_text(report(found))


if __name__ == "__main__":
    main()
