"""Where a service listens → what its log tells whoever started it: an address to open.

The launcher knows the address and a worker knows when it is ready; the environment carries one to
the other. Started otherwise (`bentoml serve`, a container's platform), nothing is told.
"""

from __future__ import annotations

import os

VARIABLE = "SERVED_AT"
EVERYWHERE = ("0.0.0.0", "::")
HERE = ("127.0.0.1", "::1")


def announce(host: str, port: int) -> None:
    """Let the workers that are started next know where they are reached."""
    os.environ[VARIABLE] = f"{host} {port}"


def invitation(*, keys: bool) -> str | None:
    """One line for people, once this worker is ready; `keys`: whether callers must send one."""
    host, _, port = os.environ.get(VARIABLE, "").partition(" ")
    if not port:
        return None
    if host not in EVERYWHERE:
        named = "localhost" if host in HERE else f"[{host}]" if ":" in host else host
        return f"open http://{named}:{port}"
    who = (
        "a key is asked for"
        if keys
        else "no key is asked for: SHAZAM_API_KEYS sets some, --host 127.0.0.1 keeps others out"
    )
    return f"open http://localhost:{port} (other machines reach it, too; {who})"
