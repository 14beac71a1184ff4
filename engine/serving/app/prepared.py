"""A process, launcher or worker, as it has to be before it serves."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from engine.base.errors import ShazamError
from engine.base.settings import Settings, unknown_variables
from engine.serving.process import orphan, preload
from engine.serving.watch.logs import configure_logging


def prepare(settings: Settings, checks: Sequence[Callable[[], None]]) -> None:
    """Its log, its launcher and its connections. Ends it with one line where one of `checks`
    refuses what it is to serve."""
    configure_logging(settings.log_format, settings.log_level, unknown=unknown_variables())
    for check in checks:
        or_end(check)
    if settings.several_processes():
        # In a container BentoML leaves a dead process dead and runs on with those that are left,
        # which may be none that encodes; as on any other host, it shall start another. A process
        # that is alone still takes its container with it, for the platform to start anew.
        os.environ.pop("BENTOML_CONTAINERIZED", None)
    if preload.in_worker():
        from engine.serving.http.connections import bound_connections

        bound_connections()
        orphan.end_with(os.getppid())
    elif preload.launching():
        orphan.end_at_hangup()


def or_end(call: Callable[[], Any]) -> Any:
    """What `call` gives; its refusal ends the process with one line."""
    try:
        return call()
    except ShazamError as refusal:
        sys.exit(f"{refusal.code}: {refusal.message}")
