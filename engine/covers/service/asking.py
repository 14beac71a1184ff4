"""The pipeline for many callers at once: what `CoverSearch` does, off the event loop and batched.

    upload ─threads→ pixels ─Batcher→ embedding ─Batcher→ neighbours ─→ albums

Decoding runs in a small pool, a request at a time; the encoder and the index answer whole batches.
Loading happens in the background, so that the process is alive at once, ready when warm, and able
to say why when it cannot be. An encoder that stops answering while it serves is found out by its
golden queries and loaded anew.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from engine.base.errors import IndexUnavailable, NotReady, ShazamError
from engine.base.settings import Settings
from engine.serving.http.exchange import current_exchange
from engine.serving.process import preload
from engine.serving.watch.metrics import Metrics
from engine.serving.work.batching import Batcher, Stalled
from engine.serving.work.lanes import Lane, computing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.covers.catalogue import Album, Catalogue
    from engine.covers.encoder.encoder import Encoder
    from engine.covers.encoder.tokens import Tokenizer
    from engine.covers.identify.identifier import Identification, Identifier
    from engine.covers.image import Pixels
    from engine.covers.question import Wanted
    from engine.covers.search import CoverSearch, Hit
    from engine.vectors.embeddings import Embeddings
    from engine.vectors.neighbours import Neighbour

    Vector = NDArray[np.float32]

logger = logging.getLogger("shazam")

# Embeddings of recent uploads by content hash: 1,024 × 512 float32 are 2 MB.
REMEMBERED_UPLOADS = 1_024

# Larger ones are hashed beside the event loop: 10 MB take 6 ms.
HASHED_AT_ONCE = 256 * 1024

# Between attempts to load: twice as long each time, up to the last.
RETRY_LOAD_S = (0.5, 5.0)


class RemoteEncoder(Protocol):
    """The encoder in a process of its own (a BentoML service that batches adaptively)."""

    async def describe(self) -> dict[str, Any]: ...

    async def embed_images(self, pixels: Pixels) -> Embeddings: ...

    async def embed_texts(self, texts: list[str]) -> Embeddings: ...


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
class _Loaded:
    """Everything that is there once the artifact is open."""

    search: CoverSearch
    tokenizer: Tokenizer
    identifier: Identifier | None
    embed_image: Callable[[Pixels], Awaitable[Vector]]
    embed_text: Callable[[str], Awaitable[Vector]]
    nearest: Batcher[tuple[Vector, int], list[Neighbour]]
    check: Callable[[], Awaitable[Any]]
    encoder: str
    runtime: str
    precision: str


class AsyncSearch:
    """One artifact served to many callers. Create, `start()`, then ask."""

    def __init__(
        self, settings: Settings, metrics: Metrics, remote: RemoteEncoder | None = None
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self.failure: ShazamError | None = None
        self._remote = remote
        self._loaded: _Loaded | None = None
        self._ready = asyncio.Event()
        self._loading: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None
        self._verifying: asyncio.Task[None] | None = None
        self._remembered: OrderedDict[bytes, Vector] = OrderedDict()
        threads, limit_s = settings.usable_threads(), settings.timeout_s
        self._decode = Lane("decode", threads, limit_s)
        # One call of the encoder at a time, pictures or words: it spreads over the cores by itself.
        self._encoding = computing("encode", 1)
        self._searching = computing("search", 1)
        # Beside the decoders: one slow identification must not keep searches from being decoded.
        self._prove = Lane("identify", threads, limit_s)

    def start(self) -> None:
        """Begin to load; returns at once."""
        self.metrics.ready.set(0)
        if self._loading is None:
            self._loading = asyncio.create_task(self._load_until_ready())

    async def stop(self) -> None:
        if self._loading is not None and not self._loading.done():
            from engine.artifact.remote import stop_fetching

            stop_fetching()
            self._loading.cancel()
        for task in (self._checking, self._verifying):
            if task is not None:
                task.cancel()
        for lane in (self._decode, self._prove):
            lane.close()
        for pool in (self._encoding, self._searching):
            pool.shutdown(wait=False, cancel_futures=True)

    @property
    def ready(self) -> bool:
        return self._loaded is not None

    @property
    def artifact_id(self) -> str:
        return self._loaded.search.artifact.id if self._loaded else "none"

    @property
    def loaded(self) -> _Loaded:
        """Raises `NotReady` while there is nothing to search."""
        if self._loaded is None:
            raise NotReady(
                self.failure.message
                if self.failure
                else "The service is starting: its encoder is not loaded yet. Try again shortly.",
                retry_after_s=2,
            )
        return self._loaded

    async def search(self) -> CoverSearch:
        """The opened artifact; waits while the service starts, raises `NotReady` if it cannot."""
        if self._loaded is None and self.failure is None:
            await self._ready.wait()
        return self.loaded.search

    @property
    def about(self) -> About:
        """Raises `NotReady` while there is nothing to search."""
        loaded = self.loaded
        return About(
            loaded.search.artifact.id,
            len(loaded.search.catalogue),
            loaded.search.index.dimension,
            loaded.encoder,
            loaded.runtime,
            loaded.precision,
        )

    @property
    def has_covers(self) -> bool:
        """Whether the artifact holds pictures of its covers. Raises `NotReady`."""
        return self.loaded.search.catalogue.has_thumbnails

    async def catalogue(self) -> Catalogue:
        """The albums; waits while the service starts, raises `NotReady` if it cannot."""
        return (await self.search()).catalogue

    async def album(self, album_id: int) -> Album:
        """Raises `AlbumNotFound`."""
        return (await self.search()).album(album_id)

    def hits(self, neighbours: Sequence[Neighbour], wanted: Wanted) -> list[Hit]:
        """Neighbours → their albums, of those that `wanted` lets through. Raises `NotReady`."""
        return self.loaded.search.hits(neighbours, wanted)

    async def count_tokens(self, texts: Sequence[str]) -> int:
        """Tokens the encoder reads of these texts, special ones counted in."""
        await self.search()
        return int(await self._decode(self.loaded.tokenizer.count, texts))

    async def beside(self, call: Callable[..., Any], *values: Any) -> Any:
        """`call(*values)` among the decoders: what would keep the event loop from others."""
        return await self._decode(call, *values)

    async def image_vector(self, data: bytes) -> Vector:
        """Bytes of a picture → (D,) float32 unit vector. Raises what decoding raises."""
        search = await self.search()
        digest = _sha256(data) if len(data) < HASHED_AT_ONCE else await self._decode(_sha256, data)
        known = self._remembered.get(digest)
        if known is not None:
            self._remembered.move_to_end(digest)
            self.metrics.cache.labels("hit").inc()
            return known
        self.metrics.cache.labels("miss").inc()
        with self.metrics.timed("decode"):
            pixels = await self._decode(search.pixels, data, self.settings.max_image_pixels)
        vector = await self.loaded.embed_image(pixels)
        self._remembered[digest] = vector
        if len(self._remembered) > REMEMBERED_UPLOADS:
            self._remembered.popitem(last=False)
        return vector

    async def text_vector(self, text: str) -> Vector:
        """Words → (D,) float32 unit vector; cut at 77 tokens."""
        await self.search()
        return await self.loaded.embed_text(text)

    async def by_vector(self, vector: Vector, wanted: Wanted) -> list[Hit]:
        """(D,) unit vector → hits, best first."""
        search = await self.search()
        with self.metrics.timed("search"):
            if wanted.genre_id is None:
                neighbours = await self.loaded.nearest((vector, wanted.k))
                return search.hits(neighbours, wanted)
            return await self._search_alone(search.by_vector, vector, wanted)

    async def similar(self, album_id: int, wanted: Wanted) -> list[Hit]:
        search = await self.search()
        with self.metrics.timed("search"):
            return await self._search_alone(search.similar, album_id, wanted)

    async def _search_alone(self, call: Callable[..., list[Hit]], *values: Any) -> list[Hit]:
        """A search that no other can share."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._searching, call, *values)
        except IndexUnavailable as error:
            self._look_into(error)
            raise

    async def identify(self, data: bytes, *, many: bool = False) -> list[Identification]:
        """Bytes of a picture → what it shows. Raises what decoding raises."""
        await self.search()
        loaded, loop = self.loaded, asyncio.get_running_loop()

        async def rows(pixels: Pixels) -> Embeddings:
            import numpy as np

            return np.stack(await asyncio.gather(*(loaded.embed_image(one) for one in pixels)))

        def embed(pixels: Pixels) -> Embeddings:
            # Called on a thread of ours; the encoder is shared with everybody else's searches.
            waiting = asyncio.run_coroutine_threadsafe(rows(pixels), loop)
            return waiting.result(self.settings.timeout_s)

        def find() -> list[Identification]:
            limit = self.settings.max_image_pixels
            identifier = loaded.identifier or _identifier(loaded.search)
            return identifier.by_image(data, embed, many=many, max_pixels=limit)

        with self.metrics.timed("identify"):
            return await self._prove(find)

    async def _load_until_ready(self, *, again: bool = False) -> None:
        """Load; where that fails, say so and try again: a folder may be repaired or arrive late."""
        delay, longest = RETRY_LOAD_S
        while True:
            try:
                self._loaded = await self._load()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                if not isinstance(error, ShazamError):
                    logger.exception("loading failed")
                    error = NotReady(
                        f"The artifact could not be loaded ({type(error).__name__}); see the log."
                    )
                self.failure = error
                self._ready.set()
                logger.error("not ready: %s: %s", error.code, error.message)
                await asyncio.sleep(delay)
                delay, again = min(longest, 2 * delay), True
            else:
                self.failure = None
                self._ready.set()
                self.metrics.ready.set(1)
                if again:
                    gc.collect()  # what was loaded before is in cycles, and must not be frozen, too
                # What loading left stays: 150,000 objects that Python's collector would look
                # through again and again, for some 100 ms in which not even a probe is answered.
                gc.freeze()
                unverified = self._loaded.search.artifact.unverified
                if unverified and self._verifying is None:
                    self._verifying = asyncio.create_task(self._verify(unverified))
                return

    async def _verify(self, names: Sequence[str]) -> None:
        """Digests of row segments too large to wait for; a wrong one ends the service's answers.

        A damaged segment gives wrong similarities and can do nothing else: no parser sees it.
        """
        artifact, start = self.loaded.search.artifact, time.perf_counter()
        try:
            for name in names:  # one by one, so that a stop waits for one at most
                await asyncio.to_thread(artifact.verify, name)
        except ShazamError as error:
            self._loaded, self.failure = None, error
            self.metrics.ready.set(0)
            logger.error("no longer ready: %s: %s", error.code, error.message)
        else:
            logger.info("verified %d segments in %.1f s", len(names), time.perf_counter() - start)

    async def _load(self) -> _Loaded:
        from engine.covers.encoder.tokens import open_tokenizer

        settings, metrics = self.settings, self.metrics
        start, parts = time.perf_counter(), preload.seconds_so_far()
        opening = preload.take()
        if opening is not None:
            search = await asyncio.wrap_future(opening)
        else:
            with_encoder = self._remote is None
            search = await asyncio.to_thread(
                preload.open_search, settings, with_encoder=with_encoder
            )
        identifier = None
        if (search.artifact.path / "identify").is_dir():
            identifier = await asyncio.to_thread(_identifier, search)
        nearest: Batcher[tuple[Vector, int], list[Neighbour]] = Batcher(
            lambda items: _nearest(search, items),
            self._searching,
            max_items=4 * settings.max_batch,
            limit_s=settings.timeout_s,
            on_batch=metrics.batch.labels("index").observe,
            on_failure=self._search_failed,
        )
        if self._remote is not None:
            about = await self._describe_remote(search)
            embed_image, embed_text = self._through(self._remote)
            tokenizer = await asyncio.to_thread(open_tokenizer, search.artifact.encoder_folder)

            async def check() -> Any:
                return await self._describe_remote(search)
        else:
            encoder = search.encoder
            assert encoder is not None
            tokenizer = encoder.tokenizer
            about = {
                "encoder": encoder.name,
                "runtime": encoder.runtime,
                "precision": encoder.precision,
            }
            embed_image = self._batched(lambda items: _embed_images(encoder, items), "images")
            embed_text = self._batched(encoder.embed_texts, "texts")
            pool = self._encoding

            async def check() -> Any:
                golden = search.artifact.golden()
                return await asyncio.get_running_loop().run_in_executor(
                    pool, golden.check, encoder, search.index
                )

        # Opening the artifact overlaps with the imports: the parts add up to more than the whole.
        parts |= {**search.load_seconds, "load": time.perf_counter() - start}
        for part, value in parts.items():
            metrics.start.labels(part).set(value)
        logger.info(
            "ready: artifact %s, %s albums, %s on %s (%s), seconds: %s",
            search.artifact.id,
            f"{len(search.catalogue):,}",
            about["encoder"],
            about["runtime"],
            about["precision"],
            ", ".join(f"{part} {value:.2f}" for part, value in parts.items()),
        )
        metrics.artifact.labels(artifact=search.artifact.id, **about).set(len(search.catalogue))
        embed_image, embed_text = self._watched(embed_image), self._watched(embed_text)
        return _Loaded(
            search, tokenizer, identifier, embed_image, embed_text, nearest, check, **about
        )

    def _watched(self, call: Callable[[Any], Awaitable[Vector]]) -> Any:
        """`call`, whose failures are named, and looked into: was it this call, or the encoder?"""

        async def watched(item: Any) -> Vector:
            start = time.perf_counter()
            try:
                with self.metrics.span("encode"):
                    return await call(item)
            except ShazamError:
                raise
            except asyncio.CancelledError:
                # Its caller's deadline. A remote encoder that hangs shows in nothing else.
                if self._remote is not None:
                    waited = time.perf_counter() - start
                    if waited > self.settings.timeout_s / 2:
                        self._look_into(TimeoutError(f"no answer in {waited:.1f} s"))
                raise
            except Exception as error:
                self._look_into(error)
                raise NotReady(
                    "The encoder failed while it worked on this request. Try again: it is being "
                    "looked after.",
                    retry_after_s=2,
                ) from error

        return watched

    def _search_failed(self, error: Exception) -> None:
        # Our own index fails for a caller's query alone; an engine may have gone away.
        if isinstance(error, IndexUnavailable):
            self._look_into(error)

    def _look_into(self, error: Exception) -> None:
        if self._loaded is not None and (self._checking is None or self._checking.done()):
            self._checking = asyncio.create_task(self._check(self._loaded, error))

    async def _check(self, loaded: _Loaded, error: Exception) -> None:
        """After a failed call: golden queries that are not answered have everything opened anew."""
        logger.error("a call of the encoder or the index failed", exc_info=error)
        try:
            if isinstance(error, Stalled):
                # Its thread cannot be ended, only left behind; others take over.
                self._encoding = computing("encode", 1)
                raise error
            async with asyncio.timeout(self.settings.timeout_s):
                await loaded.check()
        except Exception as found:
            self._loaded = None
            gc.unfreeze()
            self.metrics.ready.set(0)
            self.failure = (
                found
                if isinstance(found, IndexUnavailable)
                else NotReady(
                    f"The encoder stopped answering ({type(found).__name__}); it is being loaded "
                    "again. Try again shortly.",
                )
            )
            logger.error("degraded: %s", self.failure.message)
            self._loading = asyncio.create_task(self._load_until_ready(again=True))
        else:
            logger.warning("the golden queries are answered; all stays as it is")

    def _through(
        self, remote: RemoteEncoder
    ) -> tuple[Callable[[Pixels], Awaitable[Vector]], Callable[[str], Awaitable[Vector]]]:
        async def embed_image(pixels: Pixels) -> Vector:
            start = time.perf_counter()
            row: Vector = (await remote.embed_images(pixels[None]))[0]
            self.metrics.stage.labels("encode").observe(time.perf_counter() - start)
            return row

        async def embed_text(text: str) -> Vector:
            start = time.perf_counter()
            row: Vector = (await remote.embed_texts([text]))[0]
            self.metrics.stage.labels("encode").observe(time.perf_counter() - start)
            return row

        return embed_image, embed_text

    def _batched(self, call: Callable[[list[Any]], Any], name: str) -> Callable[[Any], Any]:
        def timed(items: list[Any]) -> Any:
            start = time.perf_counter()
            try:
                return call(items)
            finally:
                # Not `timed`: a batch belongs to many requests, and its thread to no trace.
                self.metrics.stage.labels("encode").observe(time.perf_counter() - start)

        return Batcher(
            timed,
            self._encoding,
            max_items=self.settings.max_batch,
            wait_s=self.settings.batch_wait_ms / 1000,
            limit_s=self.settings.timeout_s,
            on_batch=self.metrics.batch.labels(name).observe,
            on_failure=self._look_into,
            on_answer=self._note_batch,
            on_depth=self.metrics.waiting.labels(name).set,
        )

    def _note_batch(self, waited_s: float, items: int) -> None:
        self.metrics.stage.labels("queue").observe(waited_s)
        exchange = current_exchange()
        if exchange is not None:
            exchange.batch_size = items

    async def _describe_remote(self, search: CoverSearch) -> dict[str, str]:
        """What the encoder service says of itself; it must serve the same artifact."""
        assert self._remote is not None
        about = dict(await self._remote.describe())
        if about.pop("artifact") != search.artifact.id:
            raise NotReady("The encoder process serves another artifact. Restart the service.")
        golden = search.artifact.golden()
        found = await self._remote.embed_images(golden.pixels)
        await self._remote.embed_texts(list(golden.texts))
        search.index.search(found, 1)
        return about


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _identifier(search: CoverSearch) -> Identifier:
    """Called at the start where an artifact has references to be checked, else at the first
    identification: OpenCV costs a start 0.05 s of processor time and a worker 20 MB."""
    from engine.covers.identify.identifier import Identifier

    return Identifier.open(search)


def _nearest(search: CoverSearch, items: Sequence[tuple[Vector, int]]) -> list[list[Neighbour]]:
    import numpy as np

    rows = search.nearest(np.stack([vector for vector, _ in items]), max(k for _, k in items))
    return [row[:k] for row, (_, k) in zip(rows, items, strict=True)]


def _embed_images(encoder: Encoder, items: Sequence[Pixels]) -> Embeddings:
    import numpy as np

    return encoder.embed_images(np.stack(items))
