"""The pipeline: a picture or words → albums.

    >>> search = CoverSearch.open("artifacts/starter")
    >>> photo = Path("tests/photos/02-psychedelic-on-carpet.jpg").read_bytes()
    >>> search.by_image(photo, Wanted(k=3))[0].album.title
    'A Parade for Vera'
    >>> len(search.by_text("a dark cover with a red moon"))
    5

Each step is a method of its own (`pixels`, `nearest`, `hits`), because the service runs them in
different places: decoding in a thread a request, encoder and index once a batch.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import AlbumNotFound, InvalidRequest
from engine.base.machine import gpu_present
from engine.covers.artifact import Artifact, check_ids
from engine.covers.catalogue import Album, Catalogue
from engine.covers.encoder.encoder import Encoder
from engine.covers.golden import ALL, FIRST, GoldenQueries
from engine.covers.image import MAX_IMAGE_PIXELS, Pixels, decode, to_pixels
from engine.covers.opening import import_openvino_ahead, load_encoder, open_index
from engine.covers.question import Wanted, shown_text
from engine.vectors.embeddings import Embeddings
from engine.vectors.index import Index, set_index_threads
from engine.vectors.neighbours import Neighbour, VectorIndex
from engine.vectors.selection import Selection
from engine.vectors.where import OWN_INDEX

# How strongly `negative` words push away. At 1 a query and its negative weigh the same, and what is
# left is mostly the difference of two similar vectors: noise.
NEGATIVE_WEIGHT = 0.5
# Genres whose albums are kept as a filter, made once: at ten million albums 1.3 MB each.
REMEMBERED_GENRES = 64


@dataclass(frozen=True, slots=True)
class Hit:
    """An album and its cosine similarity to the query."""

    album: Album
    similarity: float


class Selections:
    """Genre → the albums that a search is restricted to; the `REMEMBERED_GENRES` asked for last
    are kept. Safe for concurrent use."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._made: OrderedDict[int, Selection] = OrderedDict()
        self._lock = threading.Lock()

    def of_genre(self, genre_id: int) -> Selection:
        with self._lock:
            known = self._made.get(genre_id)
            if known is not None:
                self._made.move_to_end(genre_id)
                return known
        # Not under the lock: of ten million albums it takes a while, and others need not wait.
        made = Selection(self._catalogue.ids_of_genre(genre_id), genre_id)
        with self._lock:
            self._made[genre_id] = made
            if len(self._made) > REMEMBERED_GENRES:
                self._made.popitem(last=False)
        return made


@dataclass(frozen=True)
class CoverSearch:
    """One opened artifact. `encoder` is None where the encoder runs in another process; of
    `unasked`, golden queries, all but the first (`rest`) are still to be checked."""

    artifact: Artifact
    index: VectorIndex
    catalogue: Catalogue
    encoder: Encoder | None = None
    load_seconds: dict[str, float] = field(default_factory=dict)
    unasked: GoldenQueries | None = None
    _selections: Selections = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_selections", Selections(self.catalogue))

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        runtime: str = "auto",
        precision: str | None = None,
        threads: int | None = None,
        with_encoder: bool = True,
        index_at: str = OWN_INDEX,
        timeout_s: float = 30.0,
        ask_later: bool = False,
    ) -> CoverSearch:
        """Open and verify an artifact, load encoder and index, and run its golden queries; where
        the others are asked later, the first picture and the first text (see `unasked`).

        `index_at` is what `SHAZAM_INDEX` says; an engine's answer may take `timeout_s`. Raises an
        `ArtifactError` that names what is wrong, `SettingsError` for a runtime that is not there,
        `IndexUnavailable` for an engine that does not answer. `load_seconds` tells where the time
        went: digests, index (and its digest), encoder (what it took longer than that), warm-up.
        """
        clock = _Clock()
        if with_encoder and runtime != "torch-cpu" and not gpu_present():
            # OpenVINO's libraries load while the files are hashed: 0.2 s off every cold start.
            threading.Thread(target=import_openvino_ahead, daemon=True).start()
        artifact = Artifact.open(Path(path), index_later=index_at == OWN_INDEX)
        clock.lap("digests")
        # One: a search is short beside an encoding, and FAISS's threads wait by spinning, which
        # takes the cores from the encoder's (20,000 rows: 35 ms instead of 2 under load).
        set_index_threads(1)
        with ThreadPoolExecutor(1, thread_name_prefix="encoder") as pool:
            # Beside the index: neither loading nor a large digest holds the interpreter lock.
            loading = None
            if with_encoder:
                loading = pool.submit(
                    load_encoder, artifact, runtime=runtime, precision=precision, threads=threads
                )
            catalogue = artifact.open_catalogue()
            index = open_index(artifact, index_at, timeout_s=timeout_s)
            if isinstance(index, Index):  # a publication has checked an engine's, for all replicas
                check_ids(index, catalogue)
            clock.lap("index")
            encoder = loading.result() if loading else None
        golden = None
        if encoder is not None:
            clock.lap("encoder")
            golden = artifact.golden()
            golden.check(encoder, index, FIRST if ask_later else ALL)
            clock.lap("warm-up")
        unasked = golden if ask_later else None
        return cls(artifact, index, catalogue, encoder, clock.laps, unasked)

    def by_image(self, data: bytes, wanted: Wanted = Wanted()) -> list[Hit]:
        """Bytes of a picture → hits, best first. Raises what `image.decode` raises."""
        return self.by_vector(self._encoder.embed_images(self.pixels(data)[None])[0], wanted)

    def by_text(self, text: str, wanted: Wanted = Wanted()) -> list[Hit]:
        """Words → hits, best first. Raises `InvalidRequest` for words that show nothing."""
        return self.by_vector(self._encoder.embed_texts([shown_text(text)])[0], wanted)

    def by_vector(self, vector: NDArray[np.float32], wanted: Wanted = Wanted()) -> list[Hit]:
        """(D,) float32 unit vector → hits, best first."""
        return self.hits(self.nearest(vector[None], wanted.k, wanted.genre_id)[0], wanted)

    def similar(self, album_id: int, wanted: Wanted = Wanted()) -> list[Hit]:
        """The nearest neighbours of an album, itself left out. Raises `AlbumNotFound`."""
        vector = self.album_vector(album_id)
        found = self.nearest(vector[None], wanted.k + 1, wanted.genre_id)[0]
        others = [neighbour for neighbour in found if neighbour.id != album_id]
        return self.hits(others[: wanted.k], wanted)

    def album(self, album_id: int) -> Album:
        album = self.catalogue.album(album_id)
        if album is None:
            raise AlbumNotFound(
                f"There is no album {album_id}. GET /api/albums lists those there are."
            )
        return album

    def album_vector(self, album_id: int) -> NDArray[np.float32]:
        """(D,) float32 unit row of an album. Raises `AlbumNotFound`."""
        vector: NDArray[np.float32] = self.index.vectors([self.album(album_id).album_id])[0]
        return vector

    def pixels(self, data: bytes, max_pixels: int = MAX_IMAGE_PIXELS) -> Pixels:
        """Bytes of a picture → (S, S, 3) uint8, what the encoder takes."""
        preprocessing = self.artifact.preprocessing
        image = decode(data, max_pixels=max_pixels, shortest_side=preprocessing.size)
        return to_pixels(image, preprocessing)

    def nearest(
        self, vectors: Embeddings, k: int, genre_id: int | None = None
    ) -> list[list[Neighbour]]:
        """(N, D) unit rows → N lists of at most `k` neighbours, of one genre where one is given."""
        among = None if genre_id is None else self._selections.of_genre(genre_id)
        return self.index.search(vectors, k, among)

    def hits(self, neighbours: Sequence[Neighbour], wanted: Wanted) -> list[Hit]:
        """Neighbours → albums, those below `min_score` left out."""
        kept = [
            neighbour
            for neighbour in neighbours
            if wanted.min_score is None or neighbour.similarity >= wanted.min_score
        ]
        albums = self.catalogue.albums([neighbour.id for neighbour in kept])
        return [Hit(albums[neighbour.id], neighbour.similarity) for neighbour in kept]

    @property
    def _encoder(self) -> Encoder:
        assert self.encoder is not None, "opened with with_encoder=False"
        return self.encoder


def combine(
    image: NDArray[np.float32] | None,
    text: NDArray[np.float32] | None,
    negative: NDArray[np.float32] | None,
    image_weight: float = 0.5,
) -> NDArray[np.float32]:
    """(D,) unit vectors of picture, words and unwanted words → one (D,) unit query.

    `image_weight` 0–1 counts where picture and words are both given. Raises `InvalidRequest` when
    nothing is left (a text and itself as negative).
    """
    if image is not None and text is not None:
        wanted = image_weight * image + (1 - image_weight) * text
    elif image is not None:
        wanted = image
    elif text is not None:
        wanted = text
    elif negative is not None:
        return -negative
    else:
        raise InvalidRequest("Send a picture in 'file', words in 'query' or 'negative', or both.")
    if negative is not None:
        wanted = wanted - NEGATIVE_WEIGHT * negative
    norm = float(np.linalg.norm(wanted))
    if norm < 1e-6:
        raise InvalidRequest("Picture and words cancel each other out. Change one of them.")
    return (wanted / norm).astype(np.float32)


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now
