"""Tempo and key of music whose tempo and key are known: ours and librosa's on the same files.

    python benchmarks/analysis.py               # writes analysis.json and analysis.md

- *openmsx*: the 31 MIDI pieces of Debian's openttd-openmsx, rendered by FluidSynth with TimGM6mb.
  Nothing was tuned on them. Their tempo is what the files set; their key is what is written in
  eleven of them, and derived from the notes of the others; *by notes* derives all.
- *demo*: 64 tracks of `artifacts/starter-sound`, composed and synthesised by `training/music`,
  which knows their tempo and key. Constants were chosen on these, and on MIDI of Debian's freedoom
  and planetblupi-music-midi rendered with FluidR3.

A key is derived from how long each pitch class sounds (Krumhansl and Kessler's profile and Albrecht
and Shanahan's, the mean of both correlations), the first and the last bass notes counting a little.
How often that is right is measured on scores that `training/music` writes, whose key is known.

A tempo is right within 4 %; a half and a double are counted apart. MIREX weighs keys: exact 1, a
fifth off 0.5, the relative 0.3, the parallel 0.2.

Needs Debian's fluidsynth; librosa and mido are put into an environment of their own below
build/analysis.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sound_clips import KNOWN, PROJECT, SOUNDFONT, environment, install

sys.path.insert(0, str(PROJECT))
from engine.library.analysis import analyse
from training.music.genres import compose
from training.music.theory import NAMES
from training.music.tracks import planned

HERE = Path(__file__).resolve().parent
WANTED = ["librosa==0.11.0", "mido==1.3.3"]
TOLERANCE = 0.04
_PROFILES = (
    (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    (
        (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
        (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
    ),
)
_LONGEST_S, _STEP_S = 2.0, 0.25  # a held note counts no more; how often the bass is asked for
_FIRST, _LAST, _EDGE = 8, 6, 0.1  # steps at the ends, and what they add
_SCORES = 4  # of each of four styles of twenty genres
WORTH = {"exact": 1.0, "fifth": 0.5, "relative": 0.3, "parallel": 0.2, "other": 0.0}

Note = tuple[float, float, int]  # start s, end s, pitch


def others(work: Path, what: str, files: Sequence[Path]) -> dict[str, Any]:
    out = work / f"{what}.json"
    command = [environment(work, WANTED), HERE / "analysis_others.py", what, out, *files]
    subprocess.run(command, check=True)
    told: dict[str, Any] = json.loads(out.read_text())
    return told


def rendered(work: Path, scores: Sequence[Path]) -> list[Path]:
    font = install(work, SOUNDFONT[0]) / SOUNDFONT[1]
    made = []
    for score in scores:
        path = work / "rendered" / f"{score.stem}.wav"
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            told = ["fluidsynth", "-ni", "-q", "-r", "48000", "-F", str(path), str(font)]
            subprocess.run([*told, str(score)], check=True, capture_output=True)
        made.append(path)
    return made


def derived(notes: Sequence[Note]) -> str:
    """The key of a score."""
    lasting = np.zeros(12)
    steps = np.arange(0, max(end for _, end, _ in notes), _STEP_S)
    lowest = np.full(len(steps), 999)
    for start, end, pitch in notes:
        lasting[pitch % 12] += min(end - start, _LONGEST_S)
        first, last = np.searchsorted(steps, (start - 1e-6, max(end, start + 0.1)))
        lowest[first:last] = np.minimum(lowest[first:last], pitch)
    bass = lowest[lowest < 999] % 12
    ends = [np.bincount(part, minlength=12) / len(part) for part in (bass[:_FIRST], bass[-_LAST:])]
    kinds = np.array(
        [
            [np.corrcoef(lasting, np.roll(p[kind], tonic))[0, 1] for tonic in range(12)]
            for p in _PROFILES
            for kind in range(2)
        ]
    )
    fits = kinds.reshape(len(_PROFILES), 2, 12).mean(0) + _EDGE * sum(ends)
    best = int(fits.argmax())
    return f"{NAMES[best % 12]} {('major', 'minor')[best // 12]}"


def reliability() -> float:
    """How often `derived` is right of scores whose key is known."""
    right = []
    for genre in sorted({plan.genre for plan in planned()}):
        for style in range(4):
            for seed in range(_SCORES):
                rng = np.random.default_rng([77, seed, style, len(genre)])
                song = compose(genre, style, rng)
                beat = 60 / song.tempo
                played = [note for part in song.parts.values() for note in part.notes]
                notes = [
                    (note.at * beat, (note.at + note.beats) * beat, round(note.pitch))
                    for note in played
                    if not note.drum
                ]
                right.append(derived(notes) == song.key.name)
    return float(np.mean(right))


def named(signature: str) -> str:
    """MIDI's "F#m" → "F# minor", spelt as we spell."""
    tonic = signature.removesuffix("m")
    spelt = {"Db": "C#", "D#": "Eb", "Gb": "F#", "G#": "Ab", "A#": "Bb", "Cb": "B"}
    return f"{spelt.get(tonic, tonic)} {'minor' if signature.endswith('m') else 'major'}"


def key_off(said: str | None, true: str) -> str:
    """How far a key is from the true one, as MIREX names it."""
    if said is None:
        return "other"
    (tonic, mode), (root, kind) = (name.split() for name in (said, true))
    apart = (NAMES.index(tonic) - NAMES.index(root)) % 12
    if mode == kind:
        return {0: "exact", 5: "fifth", 7: "fifth"}.get(apart, "other")
    if apart == 0:
        return "parallel"
    return "relative" if apart == (9 if mode == "minor" else 3) else "other"


def tempo_off(said: float | None, true: float) -> str:
    for name, times in (("right", 1.0), ("half", 0.5), ("double", 2.0)):
        if said is not None and abs(said / (times * true) - 1) <= TOLERANCE:
            return name
    return "wrong"


def ours(files: Sequence[Path]) -> dict[str, Any]:
    told = {}
    for path in files:
        start = time.process_time()
        found = analyse(path)
        took = time.process_time() - start
        told[path.stem] = {
            "bpm": found.bpm,
            "key": found.key,
            "cpu_s": took,
            "duration_s": found.duration_s,
        }
    return told


def row(said: dict[str, Any], bpm: dict[str, float], key: dict[str, str]) -> dict[str, Any]:
    tempi = Counter(tempo_off(said[name]["bpm"], bpm[name]) for name in bpm)
    keys = Counter(key_off(said[name]["key"], key[name]) for name in bpm)
    return {
        "tracks": len(bpm),
        **{name: tempi[name] / len(bpm) for name in ("right", "half", "double", "wrong")},
        **{name: keys[name] / len(bpm) for name in WORTH},
        "mirex": sum(keys[name] * worth for name, worth in WORTH.items()) / len(bpm),
    }


def demo() -> tuple[list[Path], dict[str, float], dict[str, str]]:
    folder = PROJECT / "artifacts" / "starter-sound"
    with sqlite3.connect(f"file:{folder / 'catalogue.sqlite'}?mode=ro", uri=True) as connection:
        found = connection.execute("SELECT track_id, bpm, key FROM tracks").fetchall()
    paths = [folder / "audio" / f"{number}.m4a" for number, _, _ in found]
    return paths, {str(n): b for n, b, _ in found}, {str(n): k for n, _, k in found}


def report(rows: list[dict[str, Any]], reliable: float) -> str:
    lines = [
        "| set | system | tempo right | half | double | all three | key exact | fifth | relative "
        "| parallel | other | MIREX | CPU s a minute |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in rows:
        shares = [one[name] for name in ("right", "half", "double")]
        cells = [*shares, sum(shares), *(one[name] for name in WORTH)]
        lines.append(
            f"| {one['set']} ({one['tracks']}) | {one['system']} | "
            + " | ".join(f"{100 * cell:.0f} %" for cell in cells)
            + f" | {one['mirex']:.2f} | {one['cpu_s_a_minute']:.2f} |"
        )
    said = f"A key derived from notes is right of {100 * reliable:.0f} % of {_SCORES * 80} scores."
    return "\n".join([*lines, "", said, ""])


def main() -> None:
    work = PROJECT / "build" / "analysis"
    work.mkdir(parents=True, exist_ok=True)
    package = "openttd-openmsx"
    scores = sorted(install(work, package).glob(KNOWN[package]))
    read = others(work, "notes", scores)
    bpm = {name: one["bpm"] for name, one in read.items()}
    by_notes = {name: derived(one["notes"]) for name, one in read.items()}
    written = {n: named(one["signature"]) for n, one in read.items() if one["signature"]}
    files, (demo_files, demo_bpm, demo_key) = rendered(work, scores), demo()
    sets = (
        ("openmsx", bpm, by_notes | written),
        ("openmsx, by notes", bpm, by_notes),
        ("demo", demo_bpm, demo_key),
    )
    both = [*files, *demo_files]
    heard = ours(both)
    systems = {"ours": heard, "librosa": others(work, "librosa", both)}
    rows = []
    for name, tempi, keys in sets:
        minutes = sum(heard[one]["duration_s"] for one in tempi) / 60
        for system, said in systems.items():
            spent = sum(said[one]["cpu_s"] for one in tempi) / minutes
            told = {"set": name, "system": system, "cpu_s_a_minute": spent}
            rows.append(told | row(said, tempi, keys))
    reliable = reliability()
    truth = {"bpm": bpm, "key by notes": by_notes, "key written": written}
    kept = {"rows": rows, "derived right": reliable, "truth": truth, "said": systems}
    (HERE / "analysis.json").write_text(json.dumps(kept, indent=1) + "\n")
    (HERE / "analysis.md").write_text(report(rows, reliable))
    print(report(rows, reliable))


if __name__ == "__main__":
    main()
