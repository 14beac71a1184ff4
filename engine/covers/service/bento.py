"""Covers as BentoML sees them: typed APIs, and the encoder in a process of its own.

A service that answers for covers (`engine.services`) is a class that inherits `CoverApis`.
`bentoml.SyncHTTPClient(url).search_by_image(file=path)` calls what is here by name; its answers are
those of the routes.

The launching process reads this file before it starts workers, and needs neither the routes nor
what they import: without them it starts in a fifth less CPU time and holds 9 MB less.
"""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import bentoml
import numpy as np
from pydantic import Field

from engine.covers.question import DEFAULT_K, MAX_K, Wanted
from engine.covers.service import start
from engine.covers.service.schemas import IdentifyResponse, SearchResponse
from engine.serving.app.bento import KEEP_SESSION, behind_ours
from engine.serving.watch import tracing

if TYPE_CHECKING:
    from engine.covers.service.answers import Answers

settings = start.settings()


@bentoml.service(
    name="shazam_visual_encoder",
    traffic=behind_ours(settings),
    runner_connection=KEEP_SESSION,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    **({"resources": {"gpu": 1}} if settings.on_gpu() else {}),
    **tracing.options(settings),
)
class EncoderService:
    """The encoder in a process of its own; BentoML batches its callers adaptively."""

    def __init__(self) -> None:
        from engine.artifact.store import find_artifact
        from engine.covers.artifact import Artifact
        from engine.covers.opening import load_encoder, open_index

        artifact = Artifact.open(find_artifact(settings.artifact))
        self._encoder = load_encoder(
            artifact, runtime=settings.runtime, threads=settings.usable_threads()
        )
        self._artifact_id = artifact.id
        index = open_index(artifact, settings.index)
        artifact.golden().check(self._encoder, index)

    @bentoml.api
    def describe(self) -> dict[str, str]:
        encoder = self._encoder
        return {
            "artifact": self._artifact_id,
            "encoder": encoder.name,
            "runtime": encoder.runtime,
            "precision": encoder.precision,
        }

    @bentoml.api(batchable=True, max_batch_size=settings.max_batch)
    def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        """(N, S, S, 3) uint8 → (N, D) float32 unit rows."""
        with _ends_if_stuck():
            return self._encoder.embed_images(pixels)

    @bentoml.api(batchable=True, max_batch_size=settings.max_batch)
    def embed_texts(self, texts: list[str]) -> np.ndarray:
        """N texts → (N, D) float32 unit rows."""
        with _ends_if_stuck():
            return self._encoder.embed_texts(texts)


@contextmanager
def _ends_if_stuck() -> Iterator[None]:
    """End this process, and have another started, if a call takes longer than any request may."""
    faulthandler.dump_traceback_later(settings.timeout_s, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


class CoverApis:
    """Which album is this? What BentoML's typed clients call."""

    if settings.separate_encoder():
        encoder = bentoml.depends(EncoderService)

    @bentoml.api
    async def search_by_image(
        self,
        file: Path,
        k: Annotated[int, Field(ge=1, le=MAX_K)] = DEFAULT_K,
        genre_id: int | None = None,
        min_score: float | None = None,
    ) -> SearchResponse:
        """The albums whose covers are nearest to a picture."""
        return await _answers().by_image(file.read_bytes(), Wanted(k, genre_id, min_score))

    @bentoml.api
    async def search_by_text(
        self,
        query: str,
        k: Annotated[int, Field(ge=1, le=MAX_K)] = DEFAULT_K,
        genre_id: int | None = None,
        min_score: float | None = None,
    ) -> SearchResponse:
        """The albums whose covers fit a description."""
        return await _answers().by_text(query, Wanted(k, genre_id, min_score))

    @bentoml.api
    async def identify(self, file: Path) -> IdentifyResponse:
        """Which album is this a photo of?"""
        return await _answers().identify(file.read_bytes())


class _RemoteEncoder:
    """`towers.RemoteEncoder` over BentoML's connection to `EncoderService`."""

    async def describe(self) -> dict[str, Any]:
        return dict(await self._call("describe"))

    async def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        rows: np.ndarray = await self._call("embed_images", pixels)
        return rows

    async def embed_texts(self, texts: list[str]) -> np.ndarray:
        rows: np.ndarray = await self._call("embed_texts", texts)
        return rows

    async def _call(self, name: str, *values: Any) -> Any:
        import aiohttp

        call = getattr(bentoml.get_current_service().encoder.to_async, name)
        try:
            return await call(*values)
        except aiohttp.ClientConnectionError:
            # The encoder's side closes a connection after 5 s of silence; a call that meets that
            # moment has not been read, and embedding twice is harmless.
            return await call(*values)


def use_encoder_process() -> None:
    """Let this worker's covers ask `EncoderService`, where there is one."""
    from engine.covers.service.running import RUNNING

    if settings.separate_encoder():
        RUNNING.remote_encoder = _RemoteEncoder()


def _answers() -> Answers:
    from engine.covers.service.running import answers

    return answers()
