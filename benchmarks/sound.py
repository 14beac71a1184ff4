"""Which recording is this: our fingerprints, audfprint2 and fpcalc on the same clips.

    python benchmarks/sound.py                 # writes sound.json, sound.md and sound.png
    python benchmarks/sound.py --only ours     # what others said is taken from the last run

60 pieces of Debian's packages are indexed, those of two other games are the strangers; none of it
is in any training (`sound_clips.py`). Every clip is asked of every system. Its threshold is, for
each length, the lowest at which at most 0.5 % of the strangers' clips would be taken for a track;
*ours, as it decides* is what `Identifier` says with a calibration fitted on the indexed tracks
alone, as `build` fits it, which has seen no stranger, room or voice of these.

Needs Debian's fluidsynth and libchromaprint-tools; audfprint2 and pyroomacoustics are put into
an environment of their own below build/sound.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sound_clips import (
    CONDITIONS,
    KNOWN,
    PROJECT,
    RATE,
    STRANGERS,
    Clip,
    Recorder,
    ask,
    environment,
    tracks,
)

from engine.base.odds import expected_calibration_error, reliability
from engine.sound.fingerprint.align import Agreement
from engine.sound.fingerprint.index import FingerprintIndex
from engine.sound.fingerprint.network import STEP_S, Fingerprinter
from engine.sound.fingerprint.sounding import sounding_vectors
from engine.sound.identify import Calibration, Identifier
from engine.sound.making.calibration import calibrate

HERE = Path(__file__).resolve().parent
LENGTHS_S = (10.0, 5.0)
HURRIED = "+2 %, 10 dB"
# How strangers are heard; in a clean file they are the easiest to tell.
STRANGE = ("room", "10 dB", "0 dB")
FALSE_MATCHES = 0.005
PLACED_S, SAME_SOUND = 0.1, 0.9
SYSTEMS = ("ours", "audfprint2", "fpcalc")
WANTED = ["audfprint2==0.1.2", "pyroomacoustics==0.10.1"]


@dataclass(frozen=True)
class Said:
    """One system of one clip: the track it found best, from when on, how sure, CPU seconds."""

    track: int
    offset_s: float
    score: float
    took_s: float


def clips(known: dict[str, np.ndarray], strangers: dict[str, np.ndarray]) -> Iterator[Clip]:
    """Every clip that is asked; the shorter are the beginnings of the longer."""
    yield from ask(known, 2, CONDITIONS, LENGTHS_S[:1])
    for clip in ask(known, 1, ("10 dB",), LENGTHS_S[:1]):
        yield Clip(clip.track, clip.offset_s, clip.length_s, clip.condition, speed=1.02)
    for clip in ask(strangers, 4, STRANGE, LENGTHS_S[:1]):
        yield Clip(-1 - clip.track, clip.offset_s, clip.length_s, clip.condition)


def record(
    work: Path, python: Path, known: dict[str, np.ndarray], strangers: dict[str, np.ndarray]
) -> tuple[list[Clip], np.ndarray]:
    """The clips and (N, 160,000) int16 of them, made once."""
    asked = list(clips(known, strangers))
    path, count = work / "clips.npy", round(LENGTHS_S[0] * RATE)
    if not path.exists():
        recorder, made = Recorder(work, python), np.zeros((len(asked), count), np.int16)
        pieces = [list(known.values()), list(strangers.values())]
        for number, clip in enumerate(asked):
            samples = pieces[clip.track < 0][clip.track if clip.track >= 0 else -1 - clip.track]
            heard = recorder.record(samples, clip, number)[:count]
            made[number, : len(heard)] = np.rint(np.clip(heard, -1, 1) * 32767)
            print(f"\r{number} of {len(asked)} clips", end="", file=sys.stderr, flush=True)
        np.save(path, made)
    return asked, np.load(path, mmap_mode="r")


class Ours:
    """The index of the known tracks, and what it says of clips."""

    def __init__(self, work: Path, known: dict[str, np.ndarray], clips: int) -> None:
        self.ear = Fingerprinter.built_in(threads=1)
        made = work / f"index-{self.ear.digest[:12]}"
        if not (made / "build_s").exists():
            start = time.process_time()
            index = FingerprintIndex(self.ear.dimension, STEP_S)
            for number, samples in enumerate(known.values()):
                heard = samples.astype(np.float32) / 32768
                index.add(number, sounding_vectors(self.ear, heard, STEP_S)[0])
            index.write(made)
            (made / "build_s").write_text(str(time.process_time() - start))
        self.index = FingerprintIndex.open(made)
        self.build_s = float((made / "build_s").read_text())
        kept = work / f"calibration-{self.ear.digest[:12]}-{clips}"
        if not (kept / "calibration.json").exists():
            kept.mkdir(exist_ok=True)
            given = {n: _giver(samples) for n, samples in enumerate(known.values())}
            made = calibrate(self.ear, self.index, given, network=self.ear.digest, clips=clips)
            made.write(kept / "calibration.json")
        self.calibration = Calibration.of(kept, self.ear.digest)
        self.identifier = Identifier(self.ear, self.index, self.calibration)
        self.confidences: dict[float, list[tuple[float, bool, bool]]] = {}

    @property
    def bytes(self) -> int:
        return int(self.index.minutes * 60 / STEP_S) * self.index.dimension

    def said(self, asked: Sequence[Clip], heard: np.ndarray) -> list[list[Said]]:
        sure: list[float] = []  # of the best track, whatever is decided

        class Telling(Identifier):
            def probability(self, found: Any, vectors: Any, index: Any) -> float:
                sure.append(super().probability(found, vectors, index))
                return sure[0]

        self.identifier = Telling(self.ear, self.index, self.calibration)
        made = []
        for clip, samples in zip(asked, heard, strict=True):
            row = []
            for length_s in LENGTHS_S:
                one = samples[: round(length_s * RATE)].astype(np.float32) / 32768
                sure.clear()
                start = time.process_time()
                verdict = self.identifier.identify(one)
                took = time.process_time() - start
                matched = verdict.best is not None
                best = verdict.candidates[0] if verdict.candidates else None
                right = (best is not None and best.track_id == clip.track) if matched else False
                honest = right if matched else clip.track < 0
                kept = self.confidences.setdefault(length_s, [])
                kept.append((verdict.confidence, matched, honest))
                if best is None:
                    row.append(Said(-1, 0.0, 0.0, took))
                else:
                    row.append(Said(best.track_id, best.offset_s, sure[0], took))
            made.append(row)
        return made


def _giver(samples: np.ndarray) -> Callable[[], np.ndarray]:
    return lambda: samples.astype(np.float32) / 32768


def others(
    system: str, work: Path, python: Path, known: dict[str, np.ndarray]
) -> tuple[list[list[Said]], int, float]:
    asked = {
        "tracks": [str(samples.filename) for samples in known.values()],  # type: ignore[attr-defined]
        "lengths_s": LENGTHS_S,
    }
    (work / "asked.json").write_text(json.dumps(asked))
    kept = work / f"{system}.json"
    if not kept.exists():
        subprocess.run([python, HERE / "sound_others.py", system, work], check=True)
    told = json.loads(kept.read_text())
    said = [[Said(*one) for one in row] for row in told["answers"]]
    return said, told["bytes"], told["build_s"]


def threshold(asked: Sequence[Clip], said: Sequence[Said]) -> float:
    """The lowest score at which no more than FALSE_MATCHES of the strangers are taken for a track:
    what is accepted has more."""
    scores = sorted(one.score for clip, one in zip(asked, said, strict=True) if clip.track < 0)
    return scores[-1 - int(FALSE_MATCHES * len(scores))]


def sounds_the_same(index: FingerprintIndex, track: int, here_s: float, there_s: float) -> bool:
    """Whether a piece repeats itself: who hears one of two such places cannot tell which."""
    here, there = (Agreement(track, s, 1.0, 1.0, 0, 0) for s in (here_s, there_s))
    return index.likeness(here, there, LENGTHS_S[-1]) >= SAME_SOUND


def rows(
    asked: Sequence[Clip],
    said: Sequence[Said],
    accepts: Callable[[int, Said], bool],
    index: FingerprintIndex,
) -> dict[str, dict[str, float]]:
    """By condition: shares of the known tracks' clips and of the strangers'."""
    made = {}
    for name in (*CONDITIONS, HURRIED):
        here = [
            (clip, one, accepts(number, one))
            for number, (clip, one) in enumerate(zip(asked, said, strict=True))
            if name == (HURRIED if clip.speed != 1 else clip.condition)
        ]
        known = [entry for entry in here if entry[0].track >= 0]
        strange = [entry for entry in here if entry[0].track < 0]
        right = [entry for entry in known if entry[2] and entry[1].track == entry[0].track]
        placed = [
            entry for entry in right if abs(entry[1].offset_s - entry[0].offset_s) <= PLACED_S
        ]
        made[name] = {
            "clips": len(known),
            "right": len(right) / len(known),
            "first": float(np.mean([one.track == clip.track for clip, one, _ in known])),
            "wrong": float(np.mean([ok and one.track != clip.track for clip, one, ok in known])),
            "placed": len(placed) / max(1, len(right)),
            "placed_or_repeated": float(
                np.mean(
                    [
                        one in placed
                        or sounds_the_same(index, one[0].track, one[0].offset_s, one[1].offset_s)
                        for one in right
                    ]
                    or [0.0]
                )
            ),
            "strangers": len(strange),
            "false": float(np.mean([ok for _, _, ok in strange])) if strange else 0.0,
        }
    return made


def run(work: Path, only: str | None, calibration_clips: int) -> dict[str, Any]:
    python = environment(work, WANTED)
    known, strangers = tracks(work, KNOWN), tracks(work, STRANGERS)
    minutes = sum(map(len, known.values())) / RATE / 60
    asked, heard = record(work, python, known, strangers)
    ours = Ours(work, known, calibration_clips)
    index = ours.index
    report: dict[str, Any] = {
        "tracks": len(known),
        "minutes": minutes,
        "strangers": len(strangers),
        "systems": {},
    }
    for system in SYSTEMS:
        if only and system != only and not (work / f"{system}.json").exists():
            continue
        entry: dict[str, Any] = {}
        if system == "ours":
            said = ours.said(asked, heard)
            size, built = ours.bytes, ours.build_s
            entry["calibration"] = ours.calibration.model_dump(mode="json")
        else:
            said, size, built = others(system, work, python, known)
        entry |= {"bytes_a_minute": size / minutes, "times_real_time": minutes * 60 / built}
        for at, length_s in enumerate(LENGTHS_S):
            column = [row[at] for row in said]
            least = threshold(asked, column)
            judged = {
                "threshold": least,
                "ms": float(np.median([one.took_s for one in column])) * 1000,
                "conditions": rows(
                    asked, column, lambda _, one, least=least: one.score > least, index
                ),
            }
            if system == "ours":
                kept = ours.confidences[length_s]
                judged["as it decides"] = rows(
                    asked, column, lambda n, _, kept=kept: kept[n][1], index
                )
                columns = [claimed for claimed, _, _ in kept], [right for _, _, right in kept]
                judged["calibration_error"] = expected_calibration_error(*columns)
                judged["reliability"] = reliability(*columns)
            entry[f"{length_s:g} s"] = judged
        report["systems"][system] = entry
    return report


def lines(report: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{report['tracks']} tracks, {report['minutes']:.0f} minutes; {report['strangers']} "
        "strangers. Right and accepted, %, by noise; strangers matched of all their clips."
    )
    yield ""
    heads = [*CONDITIONS, HURRIED]
    tail = "wrong | placed | or repeated | strangers | CPU ms | KB a minute"
    yield f"| system | clip | {' | '.join(heads)} | {tail} |"
    yield "|" + "---|" * (len(heads) + 8)
    for system, entry in report["systems"].items():
        for length_s in LENGTHS_S:
            judged = entry[f"{length_s:g} s"]
            kinds = {system: judged["conditions"]}
            if "as it decides" in judged:
                kinds["ours, as it decides"] = judged["as it decides"]
            for name, made in kinds.items():
                cells = [f"{100 * made[head]['right']:.1f}" for head in heads]
                clips = sum(one["clips"] for one in made.values())
                wrong = sum(one["wrong"] * one["clips"] for one in made.values()) / clips
                right = sum(one["right"] * one["clips"] for one in made.values())
                placed, repeated = (
                    sum(one[kind] * one["right"] * one["clips"] for one in made.values())
                    for kind in ("placed", "placed_or_repeated")
                )
                strange = sum(one["strangers"] for one in made.values())
                false = sum(one["false"] * one["strangers"] for one in made.values())
                yield (
                    f"| {name} | {length_s:g} s | {' | '.join(cells)} | {100 * wrong:.1f} | "
                    f"{100 * placed / max(1, right):.1f} | {100 * repeated / max(1, right):.1f} | "
                    f"{false:.0f} of {strange} | "
                    f"{judged['ms']:.0f} | {entry['bytes_a_minute'] / 1000:.1f} |"
                )
    ours = report["systems"].get("ours")
    if ours:
        yield ""
        errors = ", ".join(
            f"{ours[f'{s:g} s']['calibration_error']:.3f} over {s:g} s" for s in LENGTHS_S
        )
        times = ours["times_real_time"]
        yield f"Calibration error: {errors}. Index made at {times:.0f} × real time."


def plot(report: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, length_s in zip(figure.subplots(1, 2, sharey=True), LENGTHS_S, strict=True):
        for system, entry in report["systems"].items():
            made = entry[f"{length_s:g} s"]["conditions"]
            axes.plot(CONDITIONS, [100 * made[c]["right"] for c in CONDITIONS], "o-", label=system)
        axes.set(title=f"{length_s:g} s", ylim=(0, 102), ylabel="% right, ≤ 0.5 % strangers")
        axes.legend(loc="lower left")
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, default=PROJECT / "build" / "sound")
    parser.add_argument("--only", choices=SYSTEMS)
    parser.add_argument("--calibration-clips", type=int, default=400)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    report = run(options.work, options.only, options.calibration_clips)
    (HERE / "sound.json").write_text(json.dumps(report, indent=2) + "\n")
    (HERE / "sound.md").write_text("\n".join(lines(report)) + "\n")
    plot(report, HERE / "sound.png")
    print("\n".join(lines(report)))


if __name__ == "__main__":
    main()
