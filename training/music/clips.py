"""Three clips of the demo's tracks as a phone hears them in a room, for who has no microphone.

    python -m training.music.clips DIR      DIR: what `python -m training tracks --out` wrote

Writes web/clip-1.m4a to clip-3.m4a: eight seconds each, Opus in MP4 as the tracks are.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from engine.sound.audio import RATE, Samples, decode, encode, resample
from engine.sound.hearing import rooms
from engine.sound.hearing.phone import Place

WEB = Path(__file__).parents[2] / "web"
SECONDS = 8.0
KBIT = 16
# The track's album, where the clip begins in s, how much louder than the people around in dB.
CLIPS = ((770, 30.4, 12.0), (31, 17.2, 8.0), (114, 9.6, 10.0))


def clip(track: Samples, start_s: float, snr_db: float, rng: np.random.Generator) -> Samples:
    """(N,) at 16 kHz → eight seconds of it from a loudspeaker across an invented room.

    What sounded before the clip still echoes in it, as it would.
    """
    before = min(1.0, start_s)
    first = round((start_s - before) * RATE)
    piece = track[first : first + round((SECONDS + before) * RATE)]
    place = Place(rooms.two(rng, RATE), snr_db, lowest_hz=140, highest_hz=6_500, poles=1)
    return place.heard(piece, RATE, rng)[round(before * RATE) :]


def write(folder: Path) -> int:
    """Bytes of the three."""
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        of_album = {int(row["album_id"]): row["file"] for row in csv.DictReader(file)}
    total = 0
    for number, (album_id, start_s, snr_db) in enumerate(CLIPS, 1):
        rng = np.random.default_rng([22, album_id])
        heard = clip(decode(folder / of_album[album_id]), start_s, snr_db, rng)
        whole = resample(heard, RATE, 48_000)
        written = encode(whole, 48_000, "mp4", "libopus", kbit=KBIT, options={"moov_size": "2600"})
        (WEB / f"clip-{number}.m4a").write_bytes(written)
        total += len(written)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.music.clips", description=__doc__)
    parser.add_argument("folder", type=Path)
    print(f"{write(parser.parse_args().folder)} bytes")


if __name__ == "__main__":
    main()
