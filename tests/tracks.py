"""Tracks made on the spot: short tunes that no two of which are alike, and a table about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from engine.sound.held import Heard
    from engine.sound.search import SoundSearch

RATE = 16_000
TRACKS = 6
SECONDS = 12.0
# How tracks 4 and 5 differ: the audio of one may not be handed out, that of the other is elsewhere.
KEPT_BACK, ELSEWHERE = 4, 5
ADDRESS = "https://music.example/tracks/5.mp3"


def tune(number: int, seconds: float = SECONDS, rate: int = RATE) -> npt.NDArray[np.float32]:
    """(seconds × rate,) float32 in −1…1: plucked notes, never twice the same, over a hum."""
    rng = np.random.default_rng([number, 7])
    made = np.zeros(round(seconds * rate), np.float32)
    for begin in np.cumsum(rng.uniform(0.08, 0.3, round(seconds * 6))):
        at = round(begin * rate)
        time = np.arange(max(0, min(round(0.5 * rate), len(made) - at))) / rate
        pitch = 110 * 2 ** (rng.integers(0, 36) / 12) * (1 + 0.004 * np.sin(2 * np.pi * 5 * time))
        wave = np.sin(2 * np.pi * pitch * time) + 0.4 * np.sin(4 * np.pi * pitch * time)
        made[at : at + len(time)] += (np.exp(-6 * time) * wave).astype(np.float32)
    made += 0.01 * rng.standard_normal(len(made)).astype(np.float32)
    return (0.8 * made / np.abs(made).max()).astype(np.float32)


def write_tracks(folder: Path) -> Path:
    """`TRACKS` files track-0.ogg … and metadata.csv beside them; returns that."""
    from engine.sound.audio import to_opus

    lines = ["file,track_id,title,artist,album,album_id,year,genre,key,bpm,licence,url"]
    for number in range(TRACKS):
        to_opus(tune(number), RATE, folder / f"track-{number}.opus", 48)
        about = (
            f"track-{number}.opus",
            number,
            f"Tune {number}",
            f"Artist {number % 2}",
            f"Album {number // 2}",
            10 + number // 2,
            1990 + number,
            ("jazz", "folk")[number % 2],
            "D minor,92",
            "All rights reserved" if number == KEPT_BACK else "CC0-1.0",
            ADDRESS if number == ELSEWHERE else "",
        )
        lines.append(",".join(map(str, about)))
    table = folder / "metadata.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def heard_by(search: SoundSearch, samples: npt.NDArray[np.float32]) -> Heard:
    """(N,) samples at `RATE` as an open artifact's networks hear them."""
    from engine.sound.catalogue import kept_peaks
    from engine.sound.fingerprint.files import encoded
    from engine.sound.fingerprint.network import STEP_S
    from engine.sound.fingerprint.sounding import sounding_vectors
    from engine.sound.held import Heard
    from engine.sound.waveform import KEPT, peaks

    embedded = search.encoder.embed(samples)
    told = search.artifact.manifest
    return Heard(
        prints=encoded(sounding_vectors(search.identifier.fingerprinter, samples, STEP_S)[0]),
        vector=embedded.vector,
        tags=np.zeros(0, np.float32) if embedded.tags is None else embedded.tags,
        peaks=kept_peaks(peaks(samples, KEPT)),
        network=told.fingerprint.digest,
        encoder=told.encoder.digest,
    )
