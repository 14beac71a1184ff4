"""`bentoml serve` → our launcher, where one process answers and nothing was asked that only
BentoML's does.

By the time it reads a service's module, `bentoml serve` has imported what it needs to build, push
and deploy; it would then start a worker that imports the most of it again. The process becomes our
launcher instead (`engine.serving.process.launch`), with the same id, address and output.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from engine.base.places import PROJECT
from engine.base.settings import Settings
from engine.serving.process import preload

# What our launcher knows of what `bentoml serve` may be asked.
KNOWN = {"bento", "host", "port"}
# Whoever gives BentoML a configuration (certificates, say) means it to be read.
CONFIGURED = ("BENTOML_CONFIG", "BENTOML_CONFIG_OPTIONS")
MODULE = "service"


def take_over(settings: Settings, *, service: str, opener: str, compose: str) -> None:
    """Become the launcher of a service; returns where this is not its place. The names are those
    that `launch.serve` takes."""
    if not preload.launching() or settings.several_processes() or settings.traces:
        return
    address = _address()
    if address is None:
        return
    told = ["-m", "engine.serving.process.launch", *address, service, opener, compose]
    os.chdir(PROJECT)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *told])


def _address() -> tuple[str, str] | None:
    """The host and port that `bentoml serve` was given; None where it was given anything else."""
    import click
    from bentoml._internal.configuration.containers import BentoMLContainer
    from click.core import ParameterSource

    context = click.get_current_context(silent=True)
    if context is None or any(os.environ.get(name) for name in CONFIGURED):
        return None
    by_default = (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP, None)
    params = context.params
    given = {name for name in params if context.get_parameter_source(name) not in by_default}
    if given - KNOWN or not _is_ours(str(params.get("bento"))):
        return None
    http = BentoMLContainer.http
    host, port = params.get("host"), params.get("port")
    return (
        str(http.host.get() if host is None else host),
        str(http.port.get() if port is None else port),
    )


def _is_ours(target: str) -> bool:
    """Whether what is served is this project's own module of services, rather than one that
    imports it."""
    folder = Path(target).expanduser()
    if folder.is_dir():
        target = _service_of(folder)
    return target.partition(":")[0].removesuffix(".py") == MODULE


def _service_of(folder: Path) -> str:
    """What a built bento or a project says that it serves."""
    import yaml  # type: ignore[import-untyped]

    for name in ("bento.yaml", "bentofile.yaml"):
        if (folder / name).is_file():
            said: Any = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
            return str(said.get("service", "")) if isinstance(said, dict) else ""
    return ""
