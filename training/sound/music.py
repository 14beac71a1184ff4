"""Unpacked packages → hours of music and of speech at 8 kHz, in files that training maps."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

RATE = 8_000
ENDINGS = (".ogg", ".mp3", ".opus", ".flac", ".oga", ".wav")
ARCHIVES = (".pk3", ".zip")
SHORTEST_S, LONGEST_S = 20.0, 420.0

SPEECH_FILES = 300  # of each language


@dataclass(frozen=True)
class Track:
    package: str
    name: str
    start: int  # in samples of the file
    samples: int


@dataclass(frozen=True)
class Music:
    samples: npt.NDArray[np.int16]  # all tracks one after the other, 8 kHz mono
    tracks: list[Track]

    @classmethod
    def open(cls, folder: Path) -> Music:
        tracks = [Track(**t) for t in json.loads((folder / "tracks.json").read_text())]
        return cls(np.memmap(folder / "music.i16", np.int16, "r"), tracks)

    def of(self, packages: Collection[str]) -> Music:
        return Music(self.samples, [t for t in self.tracks if t.package in packages])

    @property
    def hours(self) -> float:
        return sum(t.samples for t in self.tracks) / RATE / 3600


def decode(source: Any, rate: int = RATE, **opening: Any) -> npt.NDArray[np.int16]:
    """A path or file → (N,) int16 at `rate`, the channels' mean."""
    parts = []
    with av.open(source, **opening) as container:
        resampler = av.AudioResampler("s16", "mono", rate)
        for frame in container.decode(audio=0):
            parts += [f.to_ndarray()[0] for f in resampler.resample(frame)]
        parts += [f.to_ndarray()[0] for f in resampler.resample(None)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def files(package: Path) -> Iterator[tuple[str, Any]]:
    """Names and what PyAV opens, archives looked into."""
    for path in sorted(p for p in package.rglob("*") if p.is_file()):
        ending = path.suffix.lower()
        if ending in ENDINGS:
            yield str(path.relative_to(package)), str(path)
        elif ending in ARCHIVES and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if name.lower().endswith(ENDINGS):
                        yield name, io.BytesIO(archive.read(name))


def gather(packages: list[Path], folder: Path) -> None:
    """Decode what `folder` lacks yet; a recording that two packages hold is taken once."""
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "tracks.json"
    tracks = [Track(**t) for t in json.loads(known.read_text())] if known.exists() else []
    done = {t.package for t in tracks}
    seen = set(json.loads((folder / "seen.json").read_text())) if known.exists() else set()
    with (folder / "music.i16").open("ab") as out:
        for package in packages:
            if package.name in done:
                continue
            for name, source in files(package):
                try:
                    samples = decode(source)[: int(LONGEST_S * RATE)]
                except (av.FFmpegError, IndexError, ValueError) as error:
                    print(package.name, name, error)
                    continue
                digest = hashlib.sha256(samples.tobytes()).hexdigest()
                if len(samples) < SHORTEST_S * RATE or not samples.any() or digest in seen:
                    continue
                seen.add(digest)
                tracks.append(Track(package.name, name, out.tell() // 2, len(samples)))
                out.write(samples.tobytes())
            out.flush()
            known.write_text(json.dumps([asdict(t) for t in tracks], indent=0))
            (folder / "seen.json").write_text(json.dumps(sorted(seen)))
            mine = [t.samples for t in tracks if t.package == package.name]
            print(
                f"{package.name:30} {len(mine):4} tracks {sum(mine) / RATE / 60:7.1f} min",
                flush=True,
            )
