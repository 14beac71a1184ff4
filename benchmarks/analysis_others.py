"""What `analysis.py` runs in an environment of its own: mido reads scores, librosa listens.

python analysis_others.py notes OUT FILE.mid…      # tempi, signatures and notes, as JSON
python analysis_others.py librosa OUT FILE…        # tempo and key of each, and CPU seconds
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


def notes(path: str) -> dict[str, Any]:
    """The tempo that most of its time has, the key signature that most of it has, and its notes
    but for the drums': (start s, end s, pitch)."""
    import mido

    file = mido.MidiFile(path, clip=True)
    now, tempo, signature = 0.0, 500_000, ""
    tempi: Counter[int] = Counter()
    signatures: Counter[str] = Counter()
    sounding: dict[tuple[int, int], list[float]] = {}
    found = []
    for message in mido.merge_tracks(file.tracks):
        passed = mido.tick2second(message.time, file.ticks_per_beat, tempo)
        now += passed
        tempi[tempo] += passed
        signatures[signature] += passed
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "key_signature":
            signature = message.key
        elif message.type in ("note_on", "note_off") and message.channel != 9:
            starts = sounding.setdefault((message.channel, message.note), [])
            if message.type == "note_on" and message.velocity:
                starts.append(now)
            elif starts:
                found.append((starts.pop(0), now, message.note))
    return {
        "bpm": 6e7 / tempi.most_common(1)[0][0],
        "signature": signatures.most_common(1)[0][0],
        "notes": found,
    }


def heard(path: str) -> dict[str, Any]:
    """librosa's own tempo, and Krumhansl's profiles on the mean of its chroma."""
    import librosa

    start = time.process_time()
    samples, rate = librosa.load(path, sr=22_050)
    bpm = float(np.atleast_1d(librosa.beat.beat_track(y=samples, sr=rate)[0])[0])
    chroma = librosa.feature.chroma_cqt(y=samples, sr=rate).mean(1)
    kinds = (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    )
    fits = [np.corrcoef(chroma, np.roll(one, n))[0, 1] for one in kinds for n in range(12)]
    best = int(np.argmax(fits))
    key = f"{NAMES[best % 12]} {('major', 'minor')[best // 12]}"
    return {"bpm": bpm, "key": key, "cpu_s": time.process_time() - start}


def main() -> None:
    what, out, *files = sys.argv[1:]
    if what == "librosa":
        heard(files[0])  # compiles
    told = {Path(path).stem: (notes if what == "notes" else heard)(path) for path in files}
    Path(out).write_text(json.dumps(told))


if __name__ == "__main__":
    main()
