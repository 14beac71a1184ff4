"""The pipeline for many callers at once: what `CoverSearch` does, off the event loop and batched.

    upload ─threads→ pixels ─Towers→ embedding ─Batcher→ neighbours ─→ albums

Decoding runs in a small pool, a request at a time; the encoder and the index answer whole batches.
Loading happens in the background (`engine.serving.work.readiness`). An encoder that stops answering
while it serves is found out by its golden queries and loaded anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.base.errors import ArtifactError, IndexUnavailable, NotReady, ShazamError
from engine.covers.service.start import open_search
from engine.covers.service.towers import InlineTowers, RemoteEncoder, RemoteTowers, Towers
from engine.serving.process import collector, preload
from engine.serving.process.address import invitation
from engine.serving.watch.metrics import Metrics, Subject
from engine.serving.work.batching import Batcher
from engine.serving.work.lanes import Lane, computing
from engine.serving.work.readiness import Readiness

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.covers.artifact import Artifact
    from engine.covers.catalogue import Album, Catalogue
    from engine.covers.identify.identifier import Identification, Identifier
    from engine.covers.image import Pixels
    from engine.covers.question import Wanted
    from engine.covers.search import CoverSearch, Hit
    from engine.covers.service.settings import CoverSettings
    from engine.vectors.embeddings import Embeddings
    from engine.vectors.neighbours import Neighbour

    Vector = NDArray[np.float32]

logger = logging.getLogger("shazam")

# What the metrics of this service are about.
SUBJECT = Subject(
    name="covers",
    stages=("decode", "queue", "encode", "search", "identify"),
    items="albums",
    uploads="pictures",
)

# Embeddings of recent uploads by content hash: 1,024 × 512 float32 are 2 MB.
REMEMBERED_UPLOADS = 1_024

# So long after a start the golden queries that it left are asked: who waited for it comes first.
ASKED_AFTER_S = 1.0

# Larger ones are hashed beside the event loop: 10 MB take 6 ms.
HASHED_AT_ONCE = 256 * 1024


@dataclass(frozen=True, slots=True)
class About:
    """What is being served: an artifact's id, how many albums of how many dimensions, and the
    encoder that made them, as it computes here."""

    artifact: str
    albums: int
    dimension: int
    encoder: str
    runtime: str
    precision: str


@dataclass
class OpenedSearch:
    """Everything that is there once the artifact is open."""

    search: CoverSearch
    towers: Towers
    nearest: Batcher[tuple[Vector, int], list[Neighbour]]
    threads: int
    prior: float
    _identifier: Identifier | None = None
    _making: threading.Lock = field(default_factory=threading.Lock)

    def identifier(self) -> Identifier:
        """Made at the start where an artifact has references to be checked, else at the first
        identification: OpenCV costs a start 0.05 s of processor time and a worker 20 MB."""
        with self._making:
            if self._identifier is None:
                from engine.covers.identify.identifier import Identifier

                self._identifier = Identifier.open(self.search, self.threads, self.prior)
            return self._identifier

    def close(self) -> None:
        """No further call is made."""
        self.towers.close()
        if self._identifier is not None:
            self._identifier.close()


class AsyncSearch:
    """One artifact served to many callers. Create, `start()`, then ask."""

    def __init__(
        self, settings: CoverSettings, metrics: Metrics, remote: RemoteEncoder | None = None
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self._ready = metrics.ready.labels(SUBJECT.name)
        self._remote = remote
        self._readiness = Readiness(
            self._open,
            self._check,
            explain=_explain,
            starting="The service is starting: its encoder is not loaded yet. Try again shortly.",
            limit_s=settings.timeout_s,
            verify=self._verify,
            on_ready=self._on_ready,
            on_lost=self._on_lost,
        )
        self._recent = RecentUploads(metrics)
        threads, limit_s = settings.usable_threads(), settings.timeout_s
        self._decode = Lane("decode", threads, limit_s)
        self._searching = computing("search", 1)
        # Beside the decoders: one slow identification must not keep searches from being decoded.
        self._prove = Lane("identify", threads, limit_s)

    def start(self) -> None:
        """Begin to load; returns at once."""
        self._ready.set(0)
        self._readiness.start()

    async def stop(self) -> None:
        if self._readiness.opening:
            from engine.artifact.remote import stop_fetching

            stop_fetching()
        self._readiness.stop()
        if self._readiness.ready:
            self._readiness.now.close()
        for lane in (self._decode, self._prove):
            lane.close()
        self._searching.shutdown(wait=False, cancel_futures=True)

    @property
    def ready(self) -> bool:
        return self._readiness.ready

    @property
    def failed(self) -> bool:
        """Whether the artifact could not be opened, or was lost."""
        return self._readiness.failure is not None

    async def settled(self) -> None:
        """Returns once the artifact is open, or the first attempt to open it has failed."""
        await self._readiness.settled()

    def look_into(self, error: Exception) -> None:
        """An answer failed: is what is open still there? Returns at once."""
        self._readiness.look_into(error)

    @property
    def artifact_id(self) -> str:
        return self._readiness.now.search.artifact.id if self.ready else "none"

    async def search(self) -> CoverSearch:
        """The opened artifact; waits while the service starts, raises `NotReady` if it cannot."""
        return (await self._readiness.opened()).search

    @property
    def about(self) -> About:
        """Raises `NotReady` while there is nothing to search."""
        opened = self._readiness.now
        return About(
            opened.search.artifact.id,
            len(opened.search.catalogue),
            opened.search.index.dimension,
            opened.towers.encoder,
            opened.towers.runtime,
            opened.towers.precision,
        )

    @property
    def has_covers(self) -> bool:
        """Whether the artifact holds pictures of its covers. Raises `NotReady`."""
        return self._readiness.now.search.catalogue.has_thumbnails

    async def catalogue(self) -> Catalogue:
        """The albums; waits while the service starts, raises `NotReady` if it cannot."""
        return (await self.search()).catalogue

    async def album(self, album_id: int) -> Album:
        """Raises `AlbumNotFound`."""
        return (await self.search()).album(album_id)

    def hits(self, neighbours: Sequence[Neighbour], wanted: Wanted) -> list[Hit]:
        """Neighbours → their albums, of those that `wanted` lets through. Raises `NotReady`."""
        return self._readiness.now.search.hits(neighbours, wanted)

    async def count_tokens(self, texts: Sequence[str]) -> int:
        """Tokens the encoder reads of these texts, special ones counted in."""
        towers = (await self._readiness.opened()).towers
        return int(await self._decode(towers.tokenizer.count, texts))

    async def beside(self, call: Callable[..., Any], *values: Any) -> Any:
        """`call(*values)` among the decoders: what would keep the event loop from others."""
        return await self._decode(call, *values)

    async def image_vector(self, data: bytes) -> Vector:
        """Bytes of a picture → (D,) float32 unit vector. Raises what decoding raises."""
        opened = await self._readiness.opened()
        digest = _sha256(data) if len(data) < HASHED_AT_ONCE else await self._decode(_sha256, data)
        known = self._recent.find(digest)
        if known is not None:
            return known
        with self.metrics.timed("decode"):
            pixels = await self._decode(opened.search.pixels, data, self.settings.max_image_pixels)
        vector = await self._readiness.now.towers.embed_image(pixels)
        self._recent.keep(digest, vector)
        return vector

    async def text_vector(self, text: str) -> Vector:
        """Words → (D,) float32 unit vector; cut at 77 tokens."""
        return await (await self._readiness.opened()).towers.embed_text(text)

    async def by_vector(self, vector: Vector, wanted: Wanted) -> list[Hit]:
        """(D,) unit vector → hits, best first."""
        opened = await self._readiness.opened()
        with self.metrics.timed("search"):
            if wanted.genre_id is None:
                neighbours = await opened.nearest((vector, wanted.k))
                return opened.search.hits(neighbours, wanted)
            return await self._search_alone(opened.search.by_vector, vector, wanted)

    async def similar(self, album_id: int, wanted: Wanted) -> list[Hit]:
        search = await self.search()
        with self.metrics.timed("search"):
            return await self._search_alone(search.similar, album_id, wanted)

    async def _search_alone(self, call: Callable[..., list[Hit]], *values: Any) -> list[Hit]:
        """A search that no other can share."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._searching, call, *values)
        except IndexUnavailable as error:
            self._readiness.look_into(error)
            raise

    async def identify(self, data: bytes, *, many: bool = False) -> list[Identification]:
        """Bytes of a picture → what it shows. Raises what decoding raises."""
        opened, loop = await self._readiness.opened(), asyncio.get_running_loop()

        async def rows(pixels: Pixels) -> Embeddings:
            import numpy as np

            return np.stack(
                await asyncio.gather(*(opened.towers.embed_image(one) for one in pixels))
            )

        def embed(pixels: Pixels) -> Embeddings:
            # Called on a thread of ours; the encoder is shared with everybody else's searches.
            waiting = asyncio.run_coroutine_threadsafe(rows(pixels), loop)
            return waiting.result(self.settings.timeout_s)

        def find() -> list[Identification]:
            limit = self.settings.max_image_pixels
            return opened.identifier().by_image(data, embed, many=many, max_pixels=limit)

        with self.metrics.timed("identify"):
            return await self._prove(find)

    async def glimpse(self, data: bytes) -> Identification:
        """Bytes of a picture → a match, or `unsure`, for about what a search costs."""
        opened = await self._readiness.opened()
        limit = self.settings.max_image_pixels
        with self.metrics.timed("identify"):
            return await self._prove(
                lambda: opened.identifier().at_a_glance(data, max_pixels=limit)
            )

    async def _open(self) -> OpenedSearch:
        settings = self.settings
        start, parts = time.perf_counter(), preload.seconds_so_far()
        opening = preload.take()
        if opening is not None:
            search: CoverSearch = await asyncio.wrap_future(opening)
        else:
            with_encoder = self._remote is None
            search = await asyncio.to_thread(open_search, settings, with_encoder=with_encoder)
        threads = settings.usable_threads()
        towers, nearest = await self._towers(search), self._nearest(search)
        opened = OpenedSearch(search, towers, nearest, threads, settings.prior)
        if (search.artifact.path / "identify").is_dir():
            await asyncio.to_thread(opened.identifier)
        # Opening the artifact overlaps with the imports: the parts add up to more than the whole.
        self._tell(opened, {**parts, **search.load_seconds, "load": time.perf_counter() - start})
        return opened

    def _verify(self, opened: OpenedSearch) -> Coroutine[Any, Any, None] | None:
        """What a start does not wait for; where it fails, the service's answers end."""
        search = opened.search
        if search.unasked is None and not search.artifact.unverified:
            return None
        return self._verify_rest(opened)

    async def _verify_rest(self, opened: OpenedSearch) -> None:
        search = opened.search
        if search.unasked is not None:
            await asyncio.sleep(ASKED_AFTER_S)
            try:
                await opened.towers.ask_rest(search.unasked)
            except ShazamError:
                raise
            except Exception as error:  # as of any call that fails
                self._readiness.look_into(error)
        if search.artifact.unverified:
            await _verify_segments(search.artifact)

    async def _check(self, opened: OpenedSearch, error: Exception) -> None:
        if isinstance(error, sqlite3.Error):
            from engine.covers.manifest import CATALOGUE

            await asyncio.to_thread(opened.search.artifact.check_again, {CATALOGUE})
        else:
            await opened.towers.check(error)

    async def _towers(self, search: CoverSearch) -> Towers:
        about = (search, self.settings, self.metrics, self._readiness.look_into)
        if self._remote is not None:
            return await RemoteTowers.open(self._remote, *about)
        return InlineTowers(*about)

    def _nearest(self, search: CoverSearch) -> Batcher[tuple[Vector, int], list[Neighbour]]:
        return Batcher(
            lambda items: _nearest(search, items),
            self._searching,
            max_items=4 * self.settings.max_batch,
            limit_s=self.settings.timeout_s,
            on_batch=self.metrics.batch.labels("index").observe,
            on_failure=self._search_failed,
        )

    def _search_failed(self, error: Exception) -> None:
        # Our own index fails for a caller's query alone; an engine may have gone away.
        if isinstance(error, IndexUnavailable):
            self._readiness.look_into(error)

    def _tell(self, opened: OpenedSearch, seconds: dict[str, float]) -> None:
        for part, value in seconds.items():
            self.metrics.start.labels(part).set(value)
        artifact, albums = opened.search.artifact.id, len(opened.search.catalogue)
        encoder, runtime = opened.towers.encoder, opened.towers.runtime
        precision = opened.towers.precision
        logger.info(
            "ready: artifact %s, %s albums, %s on %s (%s), seconds: %s",
            artifact,
            f"{albums:,}",
            encoder,
            runtime,
            precision,
            ", ".join(f"{part} {value:.2f}" for part, value in seconds.items()),
        )
        if line := invitation(keys=bool(self.settings.api_keys)):
            logger.info("%s", line)
        self.metrics.artifacts[SUBJECT.items].labels(
            artifact=artifact, encoder=encoder, runtime=runtime, precision=precision
        ).set(albums)

    def _on_ready(self, again: bool) -> None:
        self._ready.set(1)
        collector.keep(again=again)

    def _on_lost(self, opened: OpenedSearch) -> None:
        self._ready.set(0)
        opened.towers.close()  # not its identifier: what it is at may need no encoder any more
        collector.let_go()


class RecentUploads:
    """Digest of an upload → its embedding, of the `REMEMBERED_UPLOADS` that were used last."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._vectors: OrderedDict[bytes, Vector] = OrderedDict()

    def find(self, digest: bytes) -> Vector | None:
        """(D,) float32 unit vector, or None; counted as a hit or a miss."""
        known = self._vectors.get(digest)
        if known is not None:
            self._vectors.move_to_end(digest)
        self._metrics.cache.labels("miss" if known is None else "hit").inc()
        return known

    def keep(self, digest: bytes, vector: Vector) -> None:
        self._vectors[digest] = vector
        if len(self._vectors) > REMEMBERED_UPLOADS:
            self._vectors.popitem(last=False)


def _explain(found: Exception) -> ShazamError:
    """What a check found → what callers are told until all is loaded again."""
    if isinstance(found, (IndexUnavailable, ArtifactError)):
        return found
    return NotReady(
        f"The encoder stopped answering ({type(found).__name__}); it is being loaded again. Try "
        "again shortly."
    )


async def _verify_segments(artifact: Artifact) -> None:
    """Digests of row segments too large to wait for.

    A damaged segment gives wrong similarities and can do nothing else: no parser sees it.
    """
    names, start = artifact.unverified, time.perf_counter()
    for name in names:  # one by one, so that a stop waits for one at most
        await asyncio.to_thread(artifact.verify, name)
    logger.info("verified %d segments in %.1f s", len(names), time.perf_counter() - start)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _nearest(search: CoverSearch, items: Sequence[tuple[Vector, int]]) -> list[list[Neighbour]]:
    import numpy as np

    rows = search.nearest(np.stack([vector for vector, _ in items]), max(k for _, k in items))
    return [row[:k] for row, (_, k) in zip(rows, items, strict=True)]
