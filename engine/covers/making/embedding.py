"""Files of covers → embeddings and thumbnails, each content embedded once.

What is finished is kept beside the artifact to be, so an interrupted build resumes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import ShazamError
from engine.base.progress import Progress
from engine.base.workfile import WorkFile
from engine.covers.encoder.encoder import Encoder
from engine.covers.encoder.folder import digest_of_folder
from engine.covers.image import Pixels, thumbnail, to_pixels
from engine.covers.making.files import Picture
from engine.vectors.embeddings import BLOCK, Embeddings

BATCH = 64
THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 256, 34
# Files of more than this are read one at a time, however many threads decode.
_LARGE_BYTES = 32 << 20
_ONE_LARGE = Lock()


@dataclass(frozen=True)
class Embedded:
    """What became of a file: its digest, vector (D,) and thumbnail, or why it was skipped."""

    file: Picture
    digest: str = ""
    vector: NDArray[np.float32] | None = None
    thumbnail: bytes = b""
    failure: str = ""


@dataclass(frozen=True)
class Cover:
    """One cover on its way into an artifact: its file and what is known of it."""

    file: Picture
    name: str
    digest: str


def embed_batch(
    files: Sequence[Picture],
    encoder: Encoder,
    known: Container[str],
    *,
    threads: int | None = None,
) -> list[Embedded]:
    """Some files → what they are, in their order; what cannot be read says why.

    Contents in `known`, by sha256, are not embedded again: their vector is None. This is what a
    build does with covers, in this process or on a cluster's workers (`making.cluster`). `threads`
    decode; by default as many as there are cores, and a few.
    """

    def prepare(file: Picture) -> tuple[Embedded, Pixels | None]:
        try:
            if (file.size() or 0) > _LARGE_BYTES:
                with _ONE_LARGE:
                    return read(file)
            return read(file)
        except ShazamError as error:
            return Embedded(file, failure=error.message), None
        except OSError as error:
            return Embedded(file, failure=str(error)), None
        except MemoryError:
            return Embedded(file, failure="there is no memory to read it"), None

    def read(file: Picture) -> tuple[Embedded, Pixels | None]:
        data = file.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest in known:
            return Embedded(file, digest), None
        image = file.decoded(data)
        small = thumbnail(image, THUMBNAIL_SIDE, THUMBNAIL_QUALITY)
        return Embedded(file, digest, None, small), to_pixels(image, encoder.preprocessing)

    # Pillow decodes and resizes outside the interpreter lock.
    with ThreadPoolExecutor(threads) as pool:
        prepared = list(pool.map(prepare, files))
    rows = [row for row, _ in prepared]
    # The same bytes twice in a batch are embedded once.
    fresh = {row.digest: i for i, (row, pixels) in enumerate(prepared) if pixels is not None}
    if fresh:
        pixels = np.stack([prepared[i][1] for i in fresh.values()])  # type: ignore[misc]
        for i, vector in zip(fresh.values(), encoder.embed_images(pixels), strict=True):
            rows[i] = replace(rows[i], vector=vector)
    return rows


def embed(
    files: Sequence[Picture],
    encoder: Encoder,
    work: Workspace,
    progress: Progress,
    cluster: Callable[[Container[str]], Iterable[list[Embedded]]] | None = None,
) -> tuple[list[Cover], list[tuple[str, str]]]:
    """Embed what the work folder does not hold yet; returns good covers and skipped files, each in
    order of `files`. `cluster` embeds all of them elsewhere, given the digests there are."""

    def here(known: Container[str]) -> Iterator[list[Embedded]]:
        for start in range(0, len(files), BATCH):
            yield embed_batch(files[start : start + BATCH], encoder, known)

    found: dict[str, Embedded] = {}
    for batch in here(work.known) if cluster is None else cluster(frozenset(work.known)):
        work.keep((r.digest, r.vector, r.thumbnail) for r in batch if r.vector is not None)
        for row in batch:
            if row.failure:
                progress.remark(f"skipped {row.file.name}: {row.failure}")
            found[row.file.name] = replace(row, vector=None, thumbnail=b"")
        progress.step(len(found), len(files), "covers")
    rows = [found[file.name] for file in files]
    # A file name that is not UTF-8 fits into no catalogue.
    good = [
        Cover(row.file, row.file.name.encode(errors="replace").decode(), row.digest)
        for row in rows
        if not row.failure
    ]
    return good, [(row.file.name, row.failure) for row in rows if row.failure]


class Workspace(WorkFile):
    """Finished embeddings and thumbnails, of one encoder."""

    COLUMNS = "vector BLOB NOT NULL, thumbnail BLOB NOT NULL"

    def __init__(self, out: Path, encoder_folder: Path) -> None:
        super().__init__(out, digest_of_folder(encoder_folder))
        self.embedded = 0

    def keep(self, rows: Iterable[tuple[str, NDArray[np.float32], bytes]]) -> None:
        kept = [(digest, vector.tobytes(), small) for digest, vector, small in rows]
        self._keep(kept)
        self.embedded += len(kept)

    def vector(self, digest: str) -> NDArray[np.float32]:
        return np.frombuffer(self._piece(digest, "vector")[0], np.float32)

    def thumbnail(self, digest: str) -> bytes:
        return bytes(self._piece(digest, "thumbnail")[0])


class EmbeddedRows:
    """The embeddings of a work folder, in order of `digests`, as rows to build an index from."""

    def __init__(self, work: Workspace, digests: Sequence[str], dimension: int) -> None:
        self._work, self._digests, self.dimension = work, digests, dimension

    def __len__(self) -> int:
        return len(self._digests)

    def blocks(self) -> Iterator[tuple[int, Embeddings]]:
        for start in range(0, len(self), BLOCK):
            yield start, self._rows(range(start, min(start + BLOCK, len(self))))

    def sample(self, count: int, seed: int) -> tuple[NDArray[np.int64], Embeddings]:
        positions = np.random.default_rng(seed).permutation(len(self))[:count]
        return positions, self._rows(positions.tolist())

    def _rows(self, positions: Iterable[int]) -> Embeddings:
        return np.stack([self._work.vector(self._digests[i]) for i in positions])
