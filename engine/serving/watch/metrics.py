"""Prometheus metrics of the service; labels are route templates, so their number is bounded.

Built when the worker starts and not at import: BentoML names the folder its processes share
(`PROMETHEUS_MULTIPROC_DIR`) only then.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client import Gauge

Span = Callable[[str], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Subject:
    """What the metrics of a way to find music are about: its name, the stages of a search
    (`timed`), the items an artifact holds, which name a series, and what callers upload."""

    name: str
    stages: tuple[str, ...]
    items: str
    uploads: str


class Metrics:
    def __init__(
        self,
        subjects: Sequence[Subject],
        span: Span = lambda _: nullcontext(),
        *,
        alone: bool = False,
    ) -> None:
        """`span` opens a span of the request's trace (`engine.serving.watch.tracing`).

        `alone`: no other process counts with this one, so the numbers stay in memory. What
        processes share lies in files mapped into memory, and writing to those ends a process where
        the disk is full (SIGBUS, no exception).
        """
        if alone:
            os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
        from prometheus_client import (
            REGISTRY,
            CollectorRegistry,
            Counter,
            Gauge,
            Histogram,
            disable_created_metrics,
        )

        disable_created_metrics()  # when each series began: as many again, and nobody asks
        self.span = span
        # A registry of its own where nothing is shared (tests), else two services in one process
        # would name the same series twice.
        shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        self._registry = CollectorRegistry() if not shared else REGISTRY
        self._options: dict[str, Any] = {"registry": None if shared else self._registry}
        options = self._options
        stages = dict.fromkeys(stage for one in subjects for stage in one.stages)
        uploads = " and ".join(one.uploads for one in subjects)
        self.requests = Counter(
            "shazam_requests", "Answered requests", ("route", "method", "status"), **options
        )
        self.seconds = Histogram(
            "shazam_request_seconds",
            "Time from the first byte of a request to the last of its answer",
            ("route",),
            buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30),
            **options,
        )
        self.stage = Histogram(
            "shazam_stage_seconds",
            f"Time of one stage of a search: {', '.join(stages)}",
            ("stage",),
            buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
            **options,
        )
        self.batch = Histogram(
            "shazam_batch_items",
            "Items in one call of the encoder or the index",
            ("call",),
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            **options,
        )
        live: dict[str, Any] = {"multiprocess_mode": "livesum", **options}
        self.in_flight = Gauge("shazam_requests_in_flight", "Requests accepted, unanswered", **live)
        self.waiting = Gauge(
            "shazam_queue_items", "Items that wait for a call of the encoder", ("call",), **live
        )
        self.ready = Gauge(
            "shazam_ready",
            "1 where every worker can answer a search, else 0",
            ("capability",),
            multiprocess_mode="livemin",
            **options,
        )
        self.refused = Counter(
            "shazam_requests_refused", "Requests refused because the queue was full", **options
        )
        self.cache = Counter(
            "shazam_upload_cache",
            f"{uploads.capitalize()} looked up among recent ones",
            ("result",),
            **options,
        )
        self.start = Gauge(
            "shazam_start_seconds",
            "Where the time from process start to ready went",
            ("part",),
            multiprocess_mode="max",
            **options,
        )
        # Items → the artifact that holds them.
        self.artifacts = {
            one.items: Gauge(
                f"shazam_artifact_{one.items}",
                f"{one.items.capitalize()} of the artifact that is served",
                ("artifact", "encoder", "runtime", "precision"),
                multiprocess_mode="max",
                **options,
            )
            for one in subjects
        }

    def gauge(self, name: str, about: str, labels: Sequence[str] = ()) -> Gauge:
        """One that a capability has and others have not. Every process tells the same of what all
        share: the last who told it is right."""
        from prometheus_client import Gauge

        return Gauge(name, about, labels, multiprocess_mode="livemostrecent", **self._options)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            with self.span(stage):
                yield
        finally:
            self.stage.labels(stage).observe(time.perf_counter() - start)

    def page(self) -> tuple[bytes, str]:
        """The page Prometheus scrapes, summed over all processes, and its media type."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            from prometheus_client.multiprocess import MultiProcessCollector

            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry), CONTENT_TYPE_LATEST
