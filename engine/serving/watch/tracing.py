"""OpenTelemetry traces, where `SHAZAM_TRACES` names a collector: stages as spans of a request.

BentoML already makes a span of every request and honours `traceparent`; here it learns where to
send them, and the stages are added. No span holds a query, a file name or a key.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from engine.base.settings import Settings
from engine.serving.watch.metrics import Span


def options(settings: Settings) -> dict[str, Any]:
    """BentoML's `tracing` option of a service."""
    if not settings.traces:
        # Else BentoML makes and throws away a span of every message of every request.
        return {"tracing": {"excluded_urls": "."}}
    return {
        "tracing": {
            "exporter_type": "otlp",
            # All requests of callers who do not say themselves; a collector can take fewer.
            "sample_rate": 1.0,
            "excluded_urls": "livez,readyz,health,metrics",
            "otlp": {"protocol": "http", "endpoint": settings.traces, "http": {}},
        }
    }


def spans(settings: Settings) -> Span:
    """Opens a span of the current request's trace; nothing where traces go nowhere."""
    if not settings.traces:
        return lambda _: nullcontext()
    from bentoml._internal.configuration.containers import BentoMLContainer

    tracer = BentoMLContainer.tracer_provider.get().get_tracer("shazam")

    def span(name: str) -> AbstractContextManager[Any]:
        opened: AbstractContextManager[Any] = tracer.start_as_current_span(name)
        return opened

    return span


def describe_request(request_id: str) -> None:
    """Give the request's span our id, and take the query away that BentoML wrote into it."""
    from opentelemetry import trace

    span: Any = trace.get_current_span()
    if span.is_recording():
        span.set_attribute("shazam.request_id", request_id)
        for name in ("http.url", "http.target", "url.full", "url.query"):
            if name in span.attributes:
                span.set_attribute(name, str(span.attributes[name]).partition("?")[0])
