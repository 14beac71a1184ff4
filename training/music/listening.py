"""What was made, with the ears of a program: levels, brightness, strokes, repeats, and tags.

    python -m training.music.listening DIR      DIR: what `python -m training tracks --out` wrote

Prints a table by genre and writes DIR/spectrograms.png. Each track must be without clipping,
without a second of silence or a constant offset, and no two places of it the same.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import defaultdict
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engine.sound.audio import RATE, Samples, decode
from engine.sound.encoder.encoder import Standard
from engine.sound.encoder.folder import open_encoder
from engine.sound.making.encoder import save_encoder

_WINDOW, _HOP = 1024, 320  # 64 ms and 20 ms at 16 kHz


@dataclass(frozen=True)
class Heard:
    """A track's measures; levels in dB of full scale, `repeats` −1…1, see `repetition`."""

    level_db: float
    peak: float
    offset: float
    silence_s: float
    centroid_hz: float
    low_share: float  # of the energy, under 200 Hz
    strokes_s: float  # onsets a second
    tempo: float
    repeats: float

    @property
    def faults(self) -> list[str]:
        return [
            name
            for name, wrong in (
                ("clips", self.peak >= 1), ("has an offset", abs(self.offset) > 1e-3),
                ("is silent for a second", self.silence_s > 1),
                ("repeats itself", self.repeats > 0.98),
            ) if wrong
        ]  # fmt: skip


def spectrum(samples: Samples) -> NDArray[np.float32]:
    """(N,) at 16 kHz → (T, 513) magnitudes, a frame every 20 ms."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    return np.abs(np.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32))).astype(np.float32)


def bands(magnitudes: NDArray[np.float32], count: int = 48) -> NDArray[np.float32]:
    """(T, 513) → (T, count) log energies in bands of equal ratio from 60 Hz to 8 kHz."""
    edges = np.geomspace(60, 8000, count + 1) / (RATE / 2) * (magnitudes.shape[1] - 1)
    total = np.cumsum(magnitudes**2, axis=1)
    high = np.minimum(np.ceil(edges[1:]).astype(int), magnitudes.shape[1] - 1)
    low = np.minimum(edges[:-1].astype(int), high - 1)
    return np.log10(total[:, high] - total[:, low] + 1e-4).astype(np.float32)


def heard(samples: Samples) -> Heard:
    """(N,) at 16 kHz."""
    magnitudes = spectrum(samples)
    logs = bands(magnitudes)
    power = (magnitudes**2).mean(0)
    hz = np.linspace(0, RATE / 2, len(power))
    flux = np.maximum(0, np.diff(logs, axis=0)).mean(1)
    quiet = np.concatenate(
        [[0], (samples[: len(samples) // 160 * 160].reshape(-1, 160) ** 2).mean(1) < 1e-6, [0]]
    )
    edges = np.flatnonzero(np.diff(quiet.astype(int)))
    return Heard(
        level_db=float(10 * np.log10(np.mean(samples**2))),
        peak=float(np.abs(samples).max()),
        offset=float(samples.mean()),
        silence_s=float(max((edges[1::2] - edges[::2]), default=0)) / 100,
        centroid_hz=float((magnitudes.mean(0) * hz).sum() / magnitudes.mean(0).sum()),
        low_share=float(power[hz < 200].sum() / power.sum()),
        strokes_s=_onsets(flux) / (len(samples) / RATE),
        tempo=_tempo(flux),
        repeats=repetition(logs),
    )


def _onsets(flux: NDArray[np.float32]) -> int:
    """Peaks of the flux that stand out of the second around them."""
    around = np.convolve(flux, np.ones(51) / 51, "same")
    top = (
        (flux[1:-1] > flux[:-2])
        & (flux[1:-1] >= flux[2:])
        & (flux[1:-1] > 1.5 * around[1:-1] + 0.01)
    )
    return int(top.sum())


def _tempo(flux: NDArray[np.float32]) -> float:
    """Beats a minute: where the flux agrees most with itself, 120 a little preferred."""
    centred = flux - flux.mean()
    spectrum_ = np.abs(np.fft.rfft(centred, 2 * len(centred))) ** 2
    agreement = np.fft.irfft(spectrum_)
    lags = np.arange(15, 60)
    bpm = 3000 / lags
    weight = np.exp(-0.5 * (np.log2(bpm / 120) / 0.8) ** 2)
    return float(bpm[np.argmax(agreement[lags] * weight)])


def repetition(logs: NDArray[np.float32], seconds: float = 5.0) -> float:
    """The highest correlation of two windows that do not overlap; 1 is a loop.

    The track's mean spectrum is taken away first: an instrument is not a repeat.
    """
    size, hop = round(seconds * 50), 5
    sounding = logs - logs.mean(0)
    n = (len(sounding) - size) // hop + 1
    if n < 2:
        return 0.0
    windows = np.stack([sounding[i * hop : i * hop + size].ravel() for i in range(n)])
    windows /= np.linalg.norm(windows, axis=1, keepdims=True)
    alike = windows @ windows.T
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) * hop >= size
    return float(alike[apart].max())


def tagged(
    tracks: list[Samples],
) -> tuple[tuple[str, ...], NDArray[np.float32], NDArray[np.float32]]:
    """Names of tags, (N, T) how much of each musicnn hears, (N, D) standardised vectors."""
    with tempfile.TemporaryDirectory() as folder:
        save_encoder("musicnn", Path(folder))
        encoder = open_encoder(Path(folder))
        embedded = [encoder.embed(samples) for samples in tracks]
    tags = np.stack([one.tags for one in embedded if one.tags is not None])
    raw = np.stack([one.vector for one in embedded])
    return encoder.tags, tags, Standard.fit(raw).apply(raw)


def draw(path: Path, shown: dict[str, tuple[str, Samples]]) -> None:
    """A spectrogram a genre: its first track."""
    figure = Figure(figsize=(20, 2.2 * ((len(shown) + 3) // 4)), layout="constrained")
    for i, (genre, (title, samples)) in enumerate(shown.items()):
        axes = figure.add_subplot((len(shown) + 3) // 4, 4, i + 1)
        shade = bands(spectrum(samples), 96)[::3].T
        axes.imshow(shade, aspect="auto", origin="lower", cmap="magma", vmin=-3, vmax=3,
                    extent=(0, len(samples) / RATE, 0, 96))  # fmt: skip
        axes.set_title(f"{genre}: {title}", fontsize=9)
        axes.set_yticks([])
    figure.savefig(path, dpi=70)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.music.listening", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (folder / row["file"]).is_file()]
    tracks = [decode(folder / row["file"]) for row in rows]
    measures = [heard(samples) for samples in tracks]
    names, tags, vectors = tagged(tracks)
    _print_genres(rows, measures, names, tags)
    _print_neighbours(rows, vectors)
    for row, measure in zip(rows, measures, strict=True):
        for fault in measure.faults:
            print(f"{row['file']} {fault}: {measure}")
    first = {row["genre"]: (row["title"], samples)
             for row, samples in reversed(list(zip(rows, tracks, strict=True)))}  # fmt: skip
    draw(folder / "spectrograms.png", dict(sorted(first.items())))


def _print_genres(rows: list[dict[str, str]], measures: list[Heard], names: tuple[str, ...],
                  tags: NDArray[np.float32]) -> None:  # fmt: skip
    by_genre: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        by_genre[row["genre"]].append(i)
    usual = tags.mean(0)
    print(
        "| Genre | level dB | peak | centroid Hz | under 200 Hz | strokes/s | tempo (as written) "
        "| repeats | musicnn hears |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for genre, members in sorted(by_genre.items()):
        mean = np.array([astuple(measures[i]) for i in members])
        level, _, _, _, centroid, low, strokes, _, _ = mean.mean(0)
        tempi = ", ".join(f"{measures[i].tempo:.0f} ({rows[i]['bpm']})" for i in members)
        own = tags[members].mean(0)
        first = ", ".join(f"{names[t]} {own[t]:.2f}" for t in np.argsort(-(own - 0.7 * usual))[:5])
        print(f"| {genre} | {level:.1f} | {mean[:, 1].max():.2f} | {centroid:.0f} | {low:.2f} | "
              f"{strokes:.1f} | {tempi} | {mean[:, 8].max():.2f} | {first} |")  # fmt: skip


def _print_neighbours(rows: list[dict[str, str]], vectors: NDArray[np.float32]) -> None:
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1)
    genres = np.array([row["genre"] for row in rows])
    share = np.mean(genres[alike.argmax(1)] == genres)
    a, b = np.unravel_index(alike.argmax(), alike.shape)
    print(f"\nnearest of the same genre: {share:.2f}; the two most alike: {rows[a]['file']}, "
          f"{rows[b]['file']} ({alike[a, b]:.2f})")  # fmt: skip


if __name__ == "__main__":
    main()
