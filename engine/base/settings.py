"""Environment → one frozen `Settings` of a kind of service, read once a process.

`SHARED` is what every service reads. A kind adds its own variables to it and its own fields to
`Settings` (`covers/service/settings.py`): its `variables` are then the one list of what can be set,
which the README's table, the deployment manifests' tests and the parser below all read. A bad value
stops the start with one line.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from engine.base.errors import SettingsError
from engine.base.machine import gpu_present, usable_cores
from engine.base.places import ENGINE

PREFIX = "SHAZAM_"
MEBI = 1 << 20


@dataclass(frozen=True)
class Variable:
    """One environment variable: its parser, an example for the error message, and its meaning.
    The value of a `secret` one never reaches a log."""

    parse: Callable[[str], Any]
    example: str
    meaning: str
    secret: bool = False


def integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"must be between {low} and {high}")
        return value

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(f"must be between {low:g} and {high:g}")
        return value

    return parse


def choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        value = text.strip().lower()
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return parse


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _key_digests(text: str) -> tuple[str, ...]:
    """Keys → their sha256 in hex. `sha256:HEX` is a key whose hash was made elsewhere."""
    digests = []
    for key in _words(text):
        if key.startswith("sha256:"):
            if not re.fullmatch(r"sha256:[0-9a-fA-F]{64}", key):
                raise ValueError("holds a 'sha256:' that is not followed by 64 hex digits")
            digests.append(key[7:].lower())
        else:
            digests.append(hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest())
    return tuple(digests)


def _origins(text: str) -> tuple[str, ...]:
    origins = _words(text)
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"https?://[\w.*-]+(:(\d+|\*))?", origin):
            raise ValueError(f"{origin!r} is not an origin: scheme and host, no path")
    return origins


def _collector(text: str) -> str:
    if not re.fullmatch(r"https?://\S+", text.strip()):
        raise ValueError("is not an http:// or https:// address")
    return text.strip()


def path_prefix(text: str) -> str:
    """The path behind which a proxy shows a service, as `/records`, without a slash at its end.
    Raises ValueError: nothing in it may be taken for a host, for HTML or for a way up."""
    path = text.strip().rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,99}){0,8}", path):
        raise ValueError("is not a path such as /records: letters, digits, '-', '_', '~' and '.'")
    return path


SHARED: dict[str, Variable] = {
    "runtime": Variable(
        choice("auto", "torch-cuda", "torch-cpu", "openvino-cpu"),
        "auto",
        "What runs the encoder; `auto` is `torch-cuda` where there is a GPU, else the artifact's "
        "CPU runtime",
    ),
    "workers": Variable(
        integer(1, 64), "1", "Processes that answer HTTP; more than one pays with a GPU"
    ),
    "allowed_origins": Variable(
        _origins,
        "https://*.example.app",
        "Origins a browser may call from, comma-separated; a `*` inside a host is a wildcard",
    ),
    "root_path": Variable(
        path_prefix,
        "/records",
        "The path behind which a proxy shows the service, whether it takes it off or not; unset: "
        "what the proxy says in `X-Forwarded-Prefix`",
    ),
    "api_keys": Variable(
        _key_digests,
        "key-one,key-two",
        "Keys of which callers must send one, as `X-API-Key: KEY` or `Authorization: Bearer KEY` "
        "(`/livez` and `/readyz` ask for none); comma-separated, each as it is or as `sha256:HEX` "
        "of it; none: open to all",
        secret=True,
    ),
    "rate_limit": Variable(
        integer(0, 1_000_000),
        "600",
        "Requests a minute of one key (of one address where there are no keys), counted by each "
        "worker; past it 429; 0 is no limit",
    ),
    "max_upload_bytes": Variable(
        integer(1_024, 1 << 30), "10485760", "Largest upload, in bytes (10 MiB)"
    ),
    "max_concurrency": Variable(
        integer(1, 100_000), "128", "Requests accepted at once per worker; past it 503 at once"
    ),
    "max_batch": Variable(integer(1, 1_024), "16", "Most items in one call of the encoder"),
    "batch_wait_ms": Variable(
        number(0, 1_000),
        "0",
        "How long a batch may wait to fill, in milliseconds; 0 batches what queues up while the "
        "encoder is busy, so that a single client waits for nobody",
    ),
    "timeout_s": Variable(number(0.1, 3_600), "30", "Deadline of one request, in seconds"),
    "log_format": Variable(choice("json", "text"), "json", "Shape of the log lines"),
    "log_level": Variable(
        choice("debug", "info", "warning", "error"), "info", "Least severe level that is logged"
    ),
    "traces": Variable(
        _collector,
        "http://localhost:4318/v1/traces",
        "Where OpenTelemetry traces go: the OTLP/HTTP address of a collector; unset: nowhere, but "
        "`traceparent` headers are honoured",
    ),
    "threads": Variable(
        integer(0, 1_024), "2", "Threads for the encoder and the index; 0 is one per usable core"
    ),
}


@dataclass(frozen=True)
class Settings:
    """All settings of one process; the field `max_batch` is the variable `SHAZAM_MAX_BATCH`."""

    variables: ClassVar[Mapping[str, Variable]] = SHARED

    runtime: str = "auto"
    workers: int = 1
    allowed_origins: tuple[str, ...] = ("http://localhost:3000",)
    root_path: str = ""
    api_keys: tuple[str, ...] = ()  # sha256 in hex, nothing else is kept of them
    rate_limit: int = 0
    max_upload_bytes: int = 10 * MEBI
    max_concurrency: int = 128
    max_batch: int = 16
    batch_wait_ms: float = 0.0
    timeout_s: float = 30.0
    log_format: str = "text"
    log_level: str = "info"
    traces: str = ""
    threads: int = 0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Parse every `SHAZAM_*` variable; the first bad one raises a one-line `SettingsError`."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for name, row in cls.variables.items():
            variable = PREFIX + name.upper()
            text = environ.get(variable, "")
            if not text.strip():
                continue  # container platforms pass unset variables as empty ones
            try:
                values[name] = row.parse(text)
            except ValueError as problem:
                reason = str(problem)
                if reason.startswith(("invalid literal", "could not convert", "Exceeds")):
                    reason = "is not a number"
                shown = "…" if row.secret else repr(text[:200])
                raise SettingsError(
                    f"{variable}={shown} {reason}. Example: {variable}={row.example}"
                ) from None
        return cls(**values)

    @classmethod
    def one(cls, name: str, environ: Mapping[str, str] | None = None) -> Any:
        """One setting, whatever the others are: for jobs that no server's variable should stop."""
        environ = os.environ if environ is None else environ
        variable = PREFIX + name.upper()
        return getattr(cls.from_environment({variable: environ.get(variable, "")}), name)

    def on_gpu(self) -> bool:
        """Whether the encoder runs on a GPU: as set, or because there is one."""
        return self.runtime == "torch-cuda" or (self.runtime == "auto" and gpu_present())

    def several_processes(self) -> bool:
        """Whether more than one process answers: BentoML then starts and watches them."""
        return self.workers > 1

    def usable_threads(self) -> int:
        """Threads the encoder and the index may use: the setting, or one per usable core."""
        if self.threads:
            return self.threads
        return usable_cores()


def unknown_variables(environ: Mapping[str, str] | None = None) -> list[str]:
    """`SHAZAM_*` variables that set nothing: a typing mistake worth a warning, not a stop.

    Services of several kinds may share an environment, so what any kind's table holds is known.
    Kubernetes gives every pod `<SERVICE>_PORT` and `<SERVICE>_SERVICE_HOST` variables, so a
    Service called `shazam-visual` sets many with our prefix; those are passed over.
    """
    known = {PREFIX + name.upper() for table in _tables() for name in table}
    return sorted(
        variable
        for variable in (os.environ if environ is None else environ)
        if variable.startswith(PREFIX)
        and variable not in known
        and not re.search(r"_(SERVICE|PORT)(_|$)", variable)
    )


def _tables() -> list[Mapping[str, Variable]]:
    """The table of every kind of service that is installed: `VARIABLES` in its own settings.

    Found where they lie, as this room names none of those above it.
    """
    return [
        importlib.import_module(f"engine.{path.parts[-3]}.service.settings").VARIABLES
        for path in sorted(ENGINE.glob("*/service/settings.py"))
    ]
