"""What a child process does with files of this machine: paths in, paths written, facts out.

As `engine.library.pipeline.tasks`; what hears is `engine.voice.ear`, which this gives its models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.base.errors import AudioTooLong, AudioTooShort, EmptyFile, NoSound, UnreadableAudio
from engine.sound.advice import ADVICE, LEAST_S, LEAST_WINDOW_S
from engine.sound.audio import read_tags
from engine.voice.ear import tasks as ear
from engine.voice.ear.sounds import RATE, Flac, stereo

Report = Callable[[float], None]
Facts = dict[str, Any]
# As failures call it: where it lies is our own business.
NAME = "The file"
# A stream that does not tell its length is taken for one of a song's.
_USUAL_S = 240.0


def received(source: str, original: str, *, max_s: float, report: Report) -> Facts:
    """A stranger's `source` → `original`, FLAC at 44.1 kHz in two channels: what a browser recorded
    cannot be looked for a place in. What the file says of itself. Raises `AudioTooShort` below what
    anything could be compared in."""
    path = Path(source)
    if not path.stat().st_size:
        raise EmptyFile(f"{NAME} is empty: it has 0 bytes. {ADVICE}")
    written = 0
    try:
        with Flac(Path(original)) as file:
            for samples in stereo(path, NAME):
                written += len(samples)
                if written > max_s * RATE:
                    raise AudioTooLong(
                        f"The recording is longer than {max_s:g} s. Send a part of it."
                    )
                file.add(samples)
                report(written / RATE / _USUAL_S)
    except UnreadableAudio as error:
        if error.details.get("streams") == 0:
            raise NoSound(f"{NAME} has pictures and no sound in it. {ADVICE}") from error
        raise
    if written < LEAST_WINDOW_S * RATE:
        raise AudioTooShort(
            f"The file holds {written / RATE:.2f} s of sound. Send {LEAST_S:g} s or more."
        )
    tags = asdict(read_tags(path))
    told = {name: tags.get(name) for name in ("title", "artist", "album")}
    return {"duration_s": round(written / RATE, 3), "tags": told}


TASKS: dict[str, Callable[..., Facts]] = {
    "received": received,
    "separate": ear.separate,
    "listen": ear.listen,
    "words": ear.words,
    "align": ear.align,
    "score": ear.score,
}
