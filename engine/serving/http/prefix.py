"""A path that a proxy puts before ours → the address that is meant, and answers that lead back.

`https://example.org/records/api/albums` may reach us as it is, or without `/records` where the
proxy takes it off: both are answered, and what an answer names begins with the path again. Which
path that is `SHAZAM_ROOT_PATH` says, else the proxy, by `X-Forwarded-Prefix`.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from engine.base.settings import path_prefix
from engine.serving.http.exchange import current_exchange
from engine.serving.http.messages import Message, Scope

_HEADER = b"x-forwarded-prefix"


def prefix_here() -> str:
    """What stands before our paths for the caller that is being answered: empty, or as `/records`.

    A caller's own word where no setting says it: who forges it is misled, and nobody else. It holds
    nothing that HTML or an address could take for more than a path.
    """
    exchange = current_exchange()
    return exchange.prefix if exchange is not None else ""


class Prefix:
    """Reads the prefix of requests. `routes` are the templates of all paths that there are."""

    def __init__(self, configured: str, routes: Iterable[str]) -> None:
        self._configured = configured
        self._heads = {_head(route) for route in routes} - {""}

    def of(self, scope: Scope) -> str:
        if self._configured:
            return self._configured
        for name, value in scope["headers"]:
            if name == _HEADER:
                try:  # several proxies add theirs behind a comma; the first is the outermost
                    return path_prefix(value.decode("latin-1").partition(",")[0])
                except ValueError:
                    return ""
        return ""

    def own_path(self, path: str, prefix: str) -> str:
        """A request's path without the prefix, where it came with it. Empty where there was no
        more than that: the page is at `/records/`, beside which its files are."""
        if not prefix or not (path + "/").startswith(prefix + "/"):
            return path
        rest = path[len(prefix) :]
        # Behind `/api`, `/api/albums` has lost the path already, and `/api/api/albums` has not.
        if _head(prefix) in self._heads and rest != "/" and _head(rest) not in self._heads:
            return path
        return rest


def _head(path: str) -> str:
    return path.partition("/")[2].partition("/")[0]


def behind(scope: Scope, prefix: str) -> Scope:
    """The scope as ASGI has it for an application at a path: `path` with it, `root_path` it."""
    return {**scope, "path": prefix + scope["path"], "root_path": prefix}


def make_relative(start: Message) -> None:
    """A redirection to this host without its name: we may be called by another, and by https."""
    start["headers"] = [
        (name, _without_host(value) if name == b"location" else value)
        for name, value in start["headers"]
    ]


def _without_host(location: bytes) -> bytes:
    parts = urlsplit(location)
    path = b"/" + parts.path.lstrip(b"/")  # `//host` would be one again
    return path + b"?" + parts.query if parts.query else path
