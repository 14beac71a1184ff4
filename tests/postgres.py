"""Debian's PostgreSQL, started for the tests: a server of their own, gone when they end.

`Postgres.create()` gives the address of a new, empty database; `stop` and `start` are for what must
bear that it is away. PostgreSQL refuses to run as root, so there it runs as the user `postgres`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path

_WITHIN_S = 30
# Not without synchronous_commit: `stop` would then lose what was committed half a second before.
_QUICK = ["fsync=off", "full_page_writes=off", "max_connections=200"]


def binaries() -> Path | None:
    """Where `initdb` and `postgres` are, None where PostgreSQL is not installed."""
    newest = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3])
    )
    if newest:
        return newest[-1].parent
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


class Postgres:
    """One server on a free port of this machine; whoever is on the machine may ask it."""

    def __init__(self, *, durable: bool = False) -> None:
        """`durable`: what is committed is on the disk, as Debian has it; tests do without."""
        self._settings = ["max_connections=200"] if durable else _QUICK
        found = binaries()
        if found is None:
            raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
        self._binaries = found
        # Not below pytest's folder, which only its own user may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="shazam-postgres-"))
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        self._numbers = count(1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        initdb = ["initdb", "-D", f"{self._folder}/data", "-A", "trust", "-U", "shazam"]
        self._run(*initdb, "-E", "UTF8", "--no-locale", "--no-sync")
        self.start()

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://shazam@127.0.0.1:{self.port}/{name}"

    def create(self, template: str = "template0") -> str:
        """The address of a new database, a copy of `template`, which nobody may be using."""
        import psycopg

        name, deadline = f"tests_{next(self._numbers)}", time.monotonic() + _WITHIN_S
        while True:
            try:
                self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
                return self.url(name)
            except psycopg.errors.ObjectInUse:  # a connection that was closed is not gone yet
                if time.monotonic() > deadline:
                    raise

    def sql(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        log = (self._folder / "server.log").open("ab")
        settings = [part for setting in self._settings for part in ("-c", setting)]
        self._process = subprocess.Popen(
            [
                *self._as_user("--pdeathsig", "QUIT"),
                self._binaries / "postgres",
                *("-D", self._folder / "data", "-k", self._folder, "-h", "127.0.0.1"),
                *("-p", str(self.port), *settings),
            ],
            cwd=self._folder,
            stdout=log,
            stderr=log,
        )
        log.close()
        deadline = time.monotonic() + _WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "server.log").read_text()[-2000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, as if its machine had failed: what was committed is there at the next start."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_WITHIN_S)
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user(), self._binaries / program, *arguments]
        ran = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def _as_user(self, *options: str) -> list[str]:
        if os.geteuid() == 0:
            options += ("--reuid=postgres", "--regid=postgres", "--clear-groups")
        return ["setpriv", *options] if options else []
