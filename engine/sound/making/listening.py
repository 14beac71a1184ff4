"""Files of tracks → what the networks hear of them, each content once.

What is finished is kept beside the artifact to be, so an interrupted build resumes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import AudioTooShort, ShazamError
from engine.base.files import file_sha256
from engine.base.machine import usable_cores
from engine.base.progress import Progress
from engine.base.workfile import WorkFile
from engine.sound.audio import RATE, Samples, Tags, decode, read_tags
from engine.sound.catalogue import as_bytes
from engine.sound.encoder.encoder import SoundEncoder
from engine.sound.fingerprint.files import Stored, encoded
from engine.sound.fingerprint.network import STEP_S, Fingerprinter
from engine.sound.fingerprint.sounding import sounding_vectors
from engine.sound.waveform import KEPT, peaks

# A longer one is 700 MB in memory, decoded.
LONGEST_S = 3 * 3600.0


@dataclass(frozen=True)
class Heard:
    """What was made of a track's file: its seconds and tags in words, the encoder's (D,) raw vector
    and (T,) tags, the network's (F, K) vectors as stored, its waveform's bytes."""

    digest: str
    duration_s: float
    told: Tags
    vector: NDArray[np.float32]
    tags: NDArray[np.float32] | None
    prints: Stored
    waveform: bytes


@dataclass(frozen=True)
class TrackFile:
    """A file that could be heard: its name below the folder, where it is, its bytes' sha256."""

    name: str
    path: Path
    digest: str


class Ears:
    """A network and an encoder, which hear files. Safe for concurrent use."""

    def __init__(self, fingerprinter: Fingerprinter, encoder: SoundEncoder) -> None:
        self.fingerprinter, self.encoder = fingerprinter, encoder

    def hear(self, path: Path, digest: str) -> Heard:
        """Raises what `decode` raises, and `AudioTooShort` below one window of the network."""
        samples = decode(path, max_s=LONGEST_S, name=path.name)
        window_s = self.fingerprinter.window_s
        if len(samples) < window_s * RATE:
            raise AudioTooShort(
                f"{path.name} is {len(samples) / RATE:.2f} s long; a track has {window_s:.2g} s or "
                "more."
            )
        embedded = self.encoder.embed(samples)
        return Heard(
            digest,
            len(samples) / RATE,
            read_tags(path),
            embedded.vector,
            embedded.tags,
            self.prints(samples),
            as_bytes(peaks(samples, KEPT)),
        )

    def prints(self, samples: Samples) -> Stored:
        """(N,) at 16 kHz → (F, K) int8, zeros where nothing sounds."""
        return encoded(sounding_vectors(self.fingerprinter, samples, STEP_S)[0])


def listen(
    files: Sequence[tuple[str, Path]],
    ears: Ears,
    work: Workspace,
    progress: Progress,
    *,
    workers: int | None = None,
) -> tuple[list[TrackFile], list[tuple[str, str]]]:
    """Hear what the work folder does not hold yet; returns the files that could be heard, and those
    that were skipped with the reason, each in order of `files`. `workers` decode at once (as many
    as there are cores, by default)."""
    good: list[TrackFile] = []
    skipped: list[tuple[str, str]] = []

    def hear(file: tuple[str, Path]) -> tuple[str, Heard | None]:
        digest = file_sha256(file[1])
        return digest, None if digest in work.known else ears.hear(file[1], digest)

    def attempt(file: tuple[str, Path]) -> tuple[str, Heard | None, str]:
        try:
            return *hear(file), ""
        except ShazamError as error:
            return "", None, error.message
        except OSError as error:
            return "", None, str(error)
        except MemoryError:
            return "", None, "there is no memory to decode it"

    workers = workers or usable_cores()
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(files), 2 * workers):
            batch = files[start : start + 2 * workers]
            for (name, path), found in zip(batch, pool.map(attempt, batch), strict=True):
                digest, heard, failure = found
                if failure:
                    progress.remark(f"skipped {name}: {failure}")
                    skipped.append((name, failure))
                    continue
                if heard is not None:
                    work.keep(heard)
                good.append(TrackFile(name, path, digest))
            progress.step(start + len(batch), len(files), "tracks")
    return good, skipped


class Workspace(WorkFile):
    """What is heard already, by one network and one encoder, which `made_by` tells of."""

    COLUMNS = (
        "duration_s REAL NOT NULL, told TEXT NOT NULL, vector BLOB NOT NULL, tags BLOB, "
        "prints BLOB NOT NULL, waveform BLOB NOT NULL"
    )

    def __init__(self, out: Path, made_by: str, dimension: int) -> None:
        """`dimension` is the network's, K."""
        super().__init__(out, hashlib.sha256(made_by.encode()).hexdigest())
        self._dimension = dimension
        self.heard = 0

    def keep(self, heard: Heard) -> None:
        row = (
            heard.digest,
            heard.duration_s,
            json.dumps(asdict(heard.told)),
            heard.vector.astype(np.float32).tobytes(),
            None if heard.tags is None else heard.tags.astype(np.float32).tobytes(),
            heard.prints.tobytes(),
            heard.waveform,
        )
        self._keep([row])
        self.heard += 1

    def of(self, digest: str) -> Heard:
        """What was heard of this content."""
        _, duration_s, told, vector, tags, prints, waveform = self._piece(digest)
        return Heard(
            digest,
            duration_s,
            Tags(**json.loads(told)),
            np.frombuffer(vector, np.float32),
            None if tags is None else np.frombuffer(tags, np.float32),
            np.frombuffer(prints, np.int8).reshape(-1, self._dimension),
            waveform,
        )

    def each(self, files: Sequence[TrackFile]) -> Iterator[Heard]:
        """What was heard of these, one by one."""
        return (self.of(file.digest) for file in files)
