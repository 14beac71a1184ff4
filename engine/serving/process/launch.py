"""Starts a service with as little before it as can be: `python -m engine serve`.

    python -m engine.serving.process.launch HOST PORT SERVICE OPENER COMPOSE

is the same without the command line's checks, for whoever has made them.

Before `bentoml serve` starts a worker it imports BentoML, its clients of a cloud and the service,
which the worker then imports again: 0.8 s of processor time at every start, and 70 MB for as long
as it runs. Where one process answers, all that is needed before it is a socket, and somebody to
look after it. The worker answers without BentoML before it (worker.py). Where there are several
processes, BentoML starts them.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from types import FrameType

from engine.base.errors import SettingsError, ShazamError
from engine.base.places import PROJECT, ensure_bentoml_home
from engine.serving.process.address import announce
from engine.serving.process.orphan import hangup_matters
from engine.serving.process.preload import set_environment

BACKLOG = 2_048
# Why a port cannot be had, where another one can.
REFUSED = {
    errno.EADDRINUSE: "is taken already, by another program or by a service that still runs",
    errno.EACCES: "may not be listened at by this user",
}
# After a worker that died so young another follows a second later: it may well die, too.
YOUNG_S, PAUSE_S = 5.0, 1.0


def serve(
    host: str,
    port: int,
    *,
    service: str,
    opener: str,
    compose: str,
    several: bool = False,
    traced: bool = False,
) -> int:
    """Serve until SIGTERM, SIGINT or SIGHUP; returns the exit status. Raises `SettingsError` where
    the port is taken or not for this user, and for a host that is none of this machine's.

    `service` is BentoML's name of it ("module:class"), `opener` what opens its artifact
    ("module:function"), `compose` what says of what it is made (the same). `several` processes of
    it are BentoML's to start, and the one that is `traced` is BentoML's own worker.
    """
    set_environment()
    ensure_bentoml_home(elsewhere=True)
    host = address_of(host)
    announce(host, port)
    python = [sys.executable, "-m"]
    if several:
        listen(host, port).close()
        os.chdir(PROJECT)
        options = ["--host", host, "--port", str(port)]
        os.execv(sys.executable, [*python, "bentoml", "serve", service, *options])
    with listen(host, port) as listening:
        handle = listening.fileno()
        told = [str(os.getpid()), opener, "-" if traced else compose, service]
        worker = [*python, "engine.serving.process.worker", *told]
        return _Watch([*worker, "--fd", str(handle)], handle).run()


def address_of(host: str) -> str:
    """A name or an address, an IPv6 one in brackets or not → an address: BentoML takes no names."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"--host {host[:200]!r} is no address of this machine.") from error
    # `localhost` is 127.0.0.1 for whoever asks there, and ::1 for few.
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0])


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address; at `::` it takes IPv4, too, as BentoML's own does. Raises as
    `serve`."""
    try:
        return _bound(host, port)
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        raise SettingsError(
            f"Port {port} {REFUSED[error.errno]}. Choose another: --port {_other(port)}, or with "
            f"make: PORT={_other(port)}."
        ) from error


def _other(port: int) -> int:
    """One that is likely to be had."""
    return port + 1 if 1_024 <= port < 65_535 else 8_080


def _bound(host: str, port: int) -> socket.socket:
    if ":" not in host:
        return socket.create_server((host, port), backlog=BACKLOG)
    return socket.create_server(
        (host, port),
        family=socket.AF_INET6,
        backlog=BACKLOG,
        dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
    )


class _Watch:
    """One worker, and another where it dies: callers wait at the socket meanwhile."""

    def __init__(self, command: list[str], handle: int) -> None:
        self._command = command
        self._handle = handle
        self._worker: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    def run(self) -> int:
        hangup = [signal.SIGHUP] if hangup_matters() else []
        for number in (signal.SIGTERM, signal.SIGINT, *hangup):
            signal.signal(number, self._stop)
        while not self._stopping.is_set():
            began = time.monotonic()
            self._worker = subprocess.Popen(
                self._command, cwd=PROJECT, pass_fds=[self._handle], stdin=subprocess.DEVNULL
            )
            if self._stopping.is_set():  # while it was being started
                self._worker.terminate()
            status = self._worker.wait()
            if self._stopping.is_set():
                break
            # Who ends by itself has said what is wrong, and would say it again. In a container the
            # platform starts anew, and knows that it had to.
            if status >= 0 or "BENTOML_CONTAINERIZED" in os.environ:
                return status if status >= 0 else 128 - status
            print(f"the worker was ended by signal {-status}; another is started", file=sys.stderr)
            if time.monotonic() - began < YOUNG_S:
                time.sleep(PAUSE_S)
        return 0

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()
        if self._worker is not None:
            # After Ctrl-C the terminal has told the worker already: once more does no harm.
            self._worker.terminate()


if __name__ == "__main__":
    _host, _port, _service, _opener, _compose = sys.argv[1:]
    try:
        sys.exit(serve(_host, int(_port), service=_service, opener=_opener, compose=_compose))
    except ShazamError as refusal:
        sys.exit(f"{refusal.code}: {refusal.message}")
    except OSError as error:
        sys.exit(f"system: {error}")
