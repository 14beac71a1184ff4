"""One application as a BentoML service: its processes, limits and image.

FastAPI owns every public route; BentoML gives a service its processes, its typed APIs and, where
something computes in a process of its own, the adaptively batched calls to it.

The launching process reads this file before it starts workers: what only they need is imported
where it is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import bentoml

from engine.base.settings import Settings
from engine.serving.process import collector, preload
from engine.serving.watch import tracing

if TYPE_CHECKING:
    from engine.serving.app.capability import Capability
    from engine.serving.app.failures import Absent

# A client session to a dependency is closed by BentoML after 100 requests or 300 s with calls in
# flight, which fails 1 to 28 % of them; these bounds are never reached.
KEEP_SESSION = {"max_requests": 10**9, "max_age": 1e9}

# The rest of an image is in its recipe. A distribution that BentoML knows would be given
# build-essential and git: 300 MB, and a compiler. The code goes in before the packages, so that
# deploy/container/slim.sh can compile it: the root file system of a container is read-only.
IMAGE = bentoml.images.Image(
    # A release names a digest: BASE_IMAGE=docker.io/library/python:3.11-slim@sha256:…
    base_image=os.environ.get("BASE_IMAGE", "docker.io/library/python:3.11-slim"),
    distro="bare",
    python_version="3.11",
    build_include_paths=["service.py", "engine"],
)


def behind_ours(settings: Settings) -> dict[str, float]:
    """BentoML's `traffic` of a service. Its own limits answer from outside any middleware; `Front`
    has ours, so BentoML's must only never come first. Not longer than needed: it keeps a timer of
    that length for every request."""
    return {"timeout": settings.timeout_s + 30}


def options(settings: Settings) -> dict[str, Any]:
    """What every service of ours tells BentoML of itself, beside its name."""
    return {
        "workers": settings.workers,
        "traffic": behind_ours(settings),
        "metrics": {"enabled": False},
        "logging": {"access": {"enabled": False}},
        "image": IMAGE,
        **tracing.options(settings),
    }


def put_on(
    service: Any,
    capabilities: Callable[[], Sequence[Capability]],
    settings: Settings,
    absent: Absent | None = None,
) -> None:
    """Every public route onto the service, and our limits and errors before them; nothing in the
    launching process."""
    if not (preload.launching() or preload.alone()):
        from engine.serving.app.site import Site

        made = capabilities()
        site = Site(made, settings, absent)
        bentoml.asgi_app(site.api, path="/")(service)
        service.add_asgi_middleware(site.front)
        if any(limit.streamed for one in made for limit in one.bodies.values()):
            _keep_no_time()
    collector.resume()


def _keep_no_time() -> None:
    """Let BentoML end no request of this process by its own deadline, which counts until an answer
    begins: a large body may take longer to come. `Front` has one, for all but what comes."""
    from bentoml._internal.server.http.traffic import TimeoutMiddleware

    async def answer(self: Any, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    TimeoutMiddleware.__call__ = answer
