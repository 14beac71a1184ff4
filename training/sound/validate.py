"""How often music that no training heard is found, by noise, and how near strangers come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from engine.sound.fingerprint import spectrum
from engine.sound.fingerprint.network import WINDOW_FRAMES
from engine.sound.hearing import codec as codecs
from engine.sound.hearing import phone, rooms
from training.sound.model import Network
from training.sound.music import Music
from training.sound.packages import VALIDATED_ON

RATE = spectrum.RATE
Samples = npt.NDArray[np.float32]
Rows = npt.NDArray[np.float32]

SNRS: tuple[float | None, ...] = (None, 10.0, 5.0, 0.0, -5.0)
LENGTHS_S = (3.0, 5.0, 10.0)
CLIPS = 60
PHASES = 4  # rows of a query between two of the index


def called(snr: float | None) -> str:
    return "quiet" if snr is None else f"{snr:.0f} dB"


@dataclass(frozen=True)
class Question:
    samples: Samples  # 10 s at 8 kHz, as heard
    track: int  # of the index; −1: a stranger
    second: float
    snr_db: float | None


class Validation:
    """Half of the tracks set aside are indexed, the others are strangers."""

    def __init__(self, folder: Path, seed: int = 7) -> None:
        music = Music.open(folder).of(VALIDATED_ON)
        tracks = [t for t in music.tracks if t.samples > 45 * RATE]
        rng = np.random.default_rng(seed)
        tracks = [tracks[i] for i in rng.permutation(len(tracks))]
        cut = [
            music.samples[t.start : t.start + t.samples].astype(np.float32) / 32_768 for t in tracks
        ]
        half = len(cut) // 2
        self.indexed, strangers = cut[:half], cut[half:]
        speech = np.load(folder / "speech.npy", mmap_mode="r")
        self.questions = []
        for snr in SNRS:
            for k in range(CLIPS):
                self.questions.append(_ask(rng, self.indexed, k % half, snr, speech))
            for k in range(CLIPS // 2):
                asked = _ask(rng, strangers, k % len(strangers), snr, speech)
                self.questions.append(Question(asked.samples, -1, 0.0, snr))

    def figures(self, network: Network) -> dict[str, float]:
        network.eval()
        index = [embed(network, s)[::PHASES] for s in self.indexed]
        rows = np.concatenate(index)
        begins = np.cumsum([0, *map(len, index)])
        owner = np.repeat(np.arange(len(index)), [len(i) for i in index])
        asked = [embed(network, q.samples) for q in self.questions]
        out: dict[str, float] = {}
        for length in LENGTHS_S:
            count = len(spectrum.frames(np.zeros(int(length * RATE), np.float32)))
            count = (count - WINDOW_FRAMES) // 8 + 1
            best = [align(q[:count], rows, owner) for q in asked]
            strange = [b[0] for b, q in zip(best, self.questions, strict=True) if q.track < 0]
            threshold = float(np.quantile(strange, 0.995))
            out[f"{length:.0f} s strangers' median"] = float(np.median(strange))
            out[f"{length:.0f} s threshold"] = threshold
            for snr in SNRS:
                mine = [
                    (score, owner[row] == q.track, _off_s(row - begins[owner[row]], phase, q))
                    for (score, row, phase), q in zip(best, self.questions, strict=True)
                    if q.track >= 0 and q.snr_db == snr
                ]
                name = f"{length:.0f} s {called(snr)}"
                out[f"{name} first"] = float(np.mean([right for _, right, _ in mine]))
                out[f"{name} accepted"] = float(np.mean([r and s > threshold for s, r, _ in mine]))
                if length == 10.0:
                    placed = [abs(off) < 0.1 for _, right, off in mine if right]
                    out[f"{name} placed"] = float(np.mean(placed)) if placed else 0.0
                    out[f"{name} score"] = float(np.median([s for s, _, _ in mine]))
        return out


def _ask(
    rng: np.random.Generator, tracks: list[Samples], track: int, snr: float | None, speech: Samples
) -> Question:
    samples = tracks[track]
    start = int(rng.integers(RATE, len(samples) - 12 * RATE))
    codec = "opus-24k" if rng.random() < 0.6 else str(rng.choice(codecs.available()))
    place = phone.invent(
        rng, responses=rooms.two(rng, RATE), snr_db=snr, codec=codec, recordings=speech
    )
    heard = place.heard(samples[start - RATE : start + 10 * RATE + 8], RATE, rng)
    return Question(heard[RATE : 11 * RATE], track, start / RATE, snr)


def _off_s(row: int, phase: int, question: Question) -> float:
    return 0.5 * row - 0.5 * phase / PHASES - question.second


def embed(network: Network, samples: Samples) -> Rows:
    """(N,) at 8 kHz → a row every eighth of a second."""
    frames = torch.from_numpy(spectrum.frames(samples))[None]
    with torch.inference_mode():
        return network(frames)[0].numpy()  # type: ignore[no-any-return]


def align(query: Rows, rows: Rows, owner: npt.NDArray[np.int64]) -> tuple[float, int, int]:
    """The mean cosine along the best line of speed 1 → it, its first row and the query's phase."""
    best = (-1.0, 0, 0)
    for phase in range(min(PHASES, len(query))):
        part = query[phase::PHASES]
        similar = part @ rows.T
        places = len(rows) - len(part) + 1
        total = sum(similar[i, i : i + places] for i in range(len(part))) / len(part)
        total = np.where(owner[:places] == owner[len(part) - 1 :][:places], total, -1)
        row = int(total.argmax())
        best = max(best, (float(total[row]), row, phase))
    return best
