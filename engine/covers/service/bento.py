"""The service of covers as BentoML sees it: its processes, its typed APIs, its image.

FastAPI owns every public route (routes.py); BentoML gives the service its processes, its typed APIs
(`bentoml.SyncHTTPClient(url).search_by_image(file=path)`) and, where the encoder runs in a process
of its own, the adaptively batched calls to it.

The launching process reads this file before it starts workers, and needs neither the routes nor
what they import: without them it starts in a fifth less CPU time and holds 9 MB less.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from engine.base.errors import ShazamError
from engine.covers.service import start
from engine.serving.process import collector, orphan, preload

# All this before BentoML is imported, here and in the workers that are given this environment.
collector.pause()
preload.set_environment()
try:
    settings = start.settings()
except ShazamError as refusal:
    sys.exit(f"{refusal.code}: {refusal.message}")
# An encoder on a GPU is worth a process of its own, shared by all workers; on a CPU the crossing
# costs more than it gives (benchmarks/README.md).
separate_encoder = settings.separate_encoder()
if not separate_encoder:
    preload.begin(start.OPENER)

import bentoml
import numpy as np
from pydantic import Field

from engine.artifact.store import check_exists
from engine.base.settings import unknown_variables
from engine.covers.question import DEFAULT_K, MAX_K, Wanted
from engine.covers.service.schemas import IdentifyResponse, SearchResponse
from engine.serving.watch import tracing
from engine.serving.watch.logs import configure_logging
from engine.vectors.where import check_installed

if TYPE_CHECKING:
    from engine.covers.service.answers import Answers

try:
    configure_logging(settings.log_format, settings.log_level, unknown=unknown_variables())
    check_exists(settings.artifact)
    check_installed(settings.index)
except ShazamError as refusal:
    sys.exit(f"{refusal.code}: {refusal.message}")

if settings.several_processes():
    # In a container BentoML leaves a dead process dead and runs on with those that are left, which
    # may be none that encodes; as on any other host, it shall start another. A process that is
    # alone still takes its container with it, for the platform to start anew.
    os.environ.pop("BENTOML_CONTAINERIZED", None)
if preload.in_worker():
    from engine.serving.http.connections import bound_connections

    bound_connections()
    orphan.end_with(os.getppid())
elif preload.launching():
    orphan.end_at_hangup()

# A client session to a dependency is closed by BentoML after 100 requests or 300 s with calls in
# flight, which fails 1 to 28 % of them; these bounds are never reached.
KEEP_SESSION = {"max_requests": 10**9, "max_age": 1e9}
# BentoML's own limits answer from outside any middleware; `Front` has ours, so BentoML's must only
# never come first. Not longer than needed: it keeps a timer of that length for every request.
BEHIND_OURS = {"timeout": settings.timeout_s + 30}


# The rest of the image is in bentofile.yaml. A distribution that BentoML knows would be given
# build-essential and git: 300 MB, and a compiler. The code goes in before the packages, so that
# deploy/container/slim.sh can compile it: the root file system of a container is read-only.
IMAGE = bentoml.images.Image(
    # A release names a digest: BASE_IMAGE=docker.io/library/python:3.11-slim@sha256:…
    base_image=os.environ.get("BASE_IMAGE", "docker.io/library/python:3.11-slim"),
    distro="bare",
    python_version="3.11",
    build_include_paths=["service.py", "engine"],
)


@bentoml.service(
    name="shazam_visual_encoder",
    traffic=BEHIND_OURS,
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


@bentoml.service(
    name="shazam_visual",
    workers=settings.workers,
    traffic=BEHIND_OURS,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    image=IMAGE,
    **tracing.options(settings),
)
class ShazamVisual:
    """Which album is this? The APIs below are what BentoML's typed clients call."""

    if separate_encoder:
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


def _answers() -> Answers:
    from engine.covers.service.routes import answers

    return answers()


def _serve_routes(service: Any) -> None:
    """Put every public route on the service, and our limits and errors before them."""
    from engine.covers.service import routes
    from engine.covers.service.french import LANGUAGES
    from engine.serving.http.connections import BoundedProtocol
    from engine.serving.http.front import Front

    def front(app: Any, **options: Any) -> Front:
        made = Front(app, **options)
        BoundedProtocol.at_once = made.at_once
        return made

    if separate_encoder:
        routes.remote_encoder = _RemoteEncoder()
    bentoml.asgi_app(routes.api, path="/")(service)
    service.add_asgi_middleware(
        front,
        api=routes.api,
        routes=[route.path for route in routes.api.routes],  # type: ignore[attr-defined]
        probes=routes.PROBES,
        free=routes.FREE,
        bodies=routes.BODIES,
        settings=settings,
        metrics=routes.metrics,
        artifact_id=routes.artifact_id,
        languages=LANGUAGES,
    )


if not preload.launching():
    _serve_routes(ShazamVisual)

collector.resume()
