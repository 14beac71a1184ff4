"""The two towers of an encoder for many callers at once: pixels or words → (D,) unit vector.

    InlineTowers   ─Batcher→ the encoder in this process, one call at a time
    RemoteTowers   ─→ the encoder in a process of its own, which batches what all workers ask

Either way a failed call is named for its caller, and looked into: was it this call, or the encoder?
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from engine.base.errors import NotReady, ShazamError
from engine.serving.http.exchange import current_exchange
from engine.serving.work.batching import Batcher, Stalled
from engine.serving.work.lanes import computing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.covers.encoder.encoder import Encoder
    from engine.covers.encoder.tokens import Tokenizer
    from engine.covers.golden import GoldenQueries
    from engine.covers.image import Pixels
    from engine.covers.search import CoverSearch
    from engine.covers.service.settings import CoverSettings
    from engine.serving.watch.metrics import Metrics
    from engine.vectors.embeddings import Embeddings

    Vector = NDArray[np.float32]

Item = TypeVar("Item")


class RemoteEncoder(Protocol):
    """The encoder in a process of its own (a BentoML service that batches adaptively)."""

    async def describe(self) -> dict[str, Any]: ...

    async def embed_images(self, pixels: Pixels) -> Embeddings: ...

    async def embed_texts(self, texts: list[str]) -> Embeddings: ...


class Towers(ABC):
    """An encoder, wherever it computes. `look_into` is told of every call that failed."""

    encoder: str
    runtime: str
    precision: str
    tokenizer: Tokenizer

    def __init__(
        self,
        search: CoverSearch,
        settings: CoverSettings,
        metrics: Metrics,
        look_into: Callable[[Exception], None],
    ) -> None:
        self._search, self._settings, self._metrics = search, settings, metrics
        self._look_into = look_into

    async def embed_image(self, pixels: Pixels) -> Vector:
        """(S, S, 3) uint8 → (D,) float32 unit vector. Raises `NotReady` where the encoder fails."""
        return await self._watched(self._image, pixels)

    async def embed_text(self, text: str) -> Vector:
        """Words → (D,) float32 unit vector. Raises `NotReady` where the encoder fails."""
        return await self._watched(self._text, text)

    @abstractmethod
    async def check(self, error: Exception) -> None:
        """After a call that failed with `error`: raise where golden queries are not answered."""

    async def ask_rest(self, golden: GoldenQueries) -> None:  # noqa: B027 (a remote one asks all)
        """Ask the golden queries that opening did not; callers wait for one of them at most.
        Raises `GoldenQueryFailed`."""

    def close(self) -> None:  # noqa: B027 (a remote encoder is another's to close)
        """No further call is made; one that is under way ends by itself."""

    @abstractmethod
    async def _image(self, pixels: Pixels) -> Vector: ...

    @abstractmethod
    async def _text(self, text: str) -> Vector: ...

    async def _watched(self, call: Callable[[Item], Awaitable[Vector]], item: Item) -> Vector:
        start = time.perf_counter()
        try:
            with self._metrics.span("encode"):
                return await call(item)
        except ShazamError:
            raise
        except asyncio.CancelledError:
            self._given_up(time.perf_counter() - start)
            raise
        except Exception as error:
            self._look_into(error)
            raise NotReady(
                "The encoder failed while it worked on this request. Try again: it is being "
                "looked after.",
                retry_after_s=2,
            ) from error

    def _given_up(self, waited_s: float) -> None:  # noqa: B027 (told by a `Stalled` if inline)
        """A caller's deadline came, after so long."""


class InlineTowers(Towers):
    """The encoder of `search`, in this process."""

    def __init__(
        self,
        search: CoverSearch,
        settings: CoverSettings,
        metrics: Metrics,
        look_into: Callable[[Exception], None],
    ) -> None:
        super().__init__(search, settings, metrics, look_into)
        assert search.encoder is not None
        encoder = self._encoder = search.encoder
        self.encoder, self.runtime, self.precision = (
            encoder.name,
            encoder.runtime,
            encoder.precision,
        )
        self.tokenizer = encoder.tokenizer
        # One call at a time, pictures or words: it spreads over the cores by itself.
        self._pool = computing("encode", 1)
        self._images = self._batched(lambda items: _embed_images(encoder, items), "images")
        self._texts = self._batched(encoder.embed_texts, "texts")

    async def check(self, error: Exception) -> None:
        if isinstance(error, Stalled):
            raise error  # its thread cannot be ended, only left behind
        golden = self._search.artifact.golden()
        await asyncio.get_running_loop().run_in_executor(
            self._pool, golden.check, self._encoder, self._search.index
        )

    async def ask_rest(self, golden: GoldenQueries) -> None:
        for among in golden.rest():
            await asyncio.get_running_loop().run_in_executor(
                self._pool, golden.check, self._encoder, self._search.index, among
            )

    def close(self) -> None:
        self._pool.shutdown(wait=False)

    async def _image(self, pixels: Pixels) -> Vector:
        vector: Vector = await self._images(pixels)
        return vector

    async def _text(self, text: str) -> Vector:
        vector: Vector = await self._texts(text)
        return vector

    def _batched(self, call: Callable[[list[Any]], Any], name: str) -> Batcher[Any, Any]:
        def timed(items: list[Any]) -> Any:
            start = time.perf_counter()
            try:
                return call(items)
            finally:
                # Not `timed`: a batch belongs to many requests, and its thread to no trace.
                self._metrics.stage.labels("encode").observe(time.perf_counter() - start)

        return Batcher(
            timed,
            self._pool,
            max_items=self._settings.max_batch,
            wait_s=self._settings.batch_wait_ms / 1000,
            limit_s=self._settings.timeout_s,
            on_batch=self._metrics.batch.labels(name).observe,
            on_failure=self._look_into,
            on_answer=self._note_batch,
            on_depth=self._metrics.waiting.labels(name).set,
        )

    def _note_batch(self, waited_s: float, items: int) -> None:
        self._metrics.stage.labels("queue").observe(waited_s)
        exchange = current_exchange()
        if exchange is not None:
            exchange.batch_size = items


class RemoteTowers(Towers):
    """An encoder in a process of its own; `open` one, as it has to be asked what it is."""

    _remote: RemoteEncoder

    @classmethod
    async def open(
        cls,
        remote: RemoteEncoder,
        search: CoverSearch,
        settings: CoverSettings,
        metrics: Metrics,
        look_into: Callable[[Exception], None],
    ) -> RemoteTowers:
        """Raises `NotReady` where it serves another artifact, and what its calls raise."""
        from engine.covers.encoder.tokens import open_tokenizer

        made = cls(search, settings, metrics, look_into)
        made._remote = remote
        about = await made._describe()
        made.encoder, made.runtime = about["encoder"], about["runtime"]
        made.precision = about["precision"]
        made.tokenizer = await asyncio.to_thread(open_tokenizer, search.artifact.encoder_folder)
        return made

    async def check(self, error: Exception) -> None:
        await self._describe()

    async def _describe(self) -> dict[str, str]:
        """What the encoder says of itself; it must serve this artifact, and answer."""
        about = dict(await self._remote.describe())
        if about.pop("artifact") != self._search.artifact.id:
            raise NotReady("The encoder process serves another artifact. Restart the service.")
        golden = self._search.artifact.golden()
        found = await self._remote.embed_images(golden.pixels)
        await self._remote.embed_texts(list(golden.texts))
        self._search.index.search(found, 1)
        return about

    async def _image(self, pixels: Pixels) -> Vector:
        start = time.perf_counter()
        row: Vector = (await self._remote.embed_images(pixels[None]))[0]
        self._metrics.stage.labels("encode").observe(time.perf_counter() - start)
        return row

    async def _text(self, text: str) -> Vector:
        start = time.perf_counter()
        row: Vector = (await self._remote.embed_texts([text]))[0]
        self._metrics.stage.labels("encode").observe(time.perf_counter() - start)
        return row

    def _given_up(self, waited_s: float) -> None:
        # A remote encoder that hangs shows in nothing else.
        if waited_s > self._settings.timeout_s / 2:
            self._look_into(TimeoutError(f"no answer in {waited_s:.1f} s"))


def _embed_images(encoder: Encoder, items: list[Pixels]) -> Embeddings:
    import numpy as np

    return encoder.embed_images(np.stack(items))
