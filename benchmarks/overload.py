"""More callers than places, probes meanwhile, and a stop in the middle: what is lost.

    python benchmarks/overload.py [ARTIFACT] [--seconds 20] [--clients 64] [--pause 0.1]

64 callers send a different picture each time to a service that takes 16 at once; /livez and /readyz
are asked fifty times a second from a process of their own; then SIGTERM, while all go on. The
callers are niced: elsewhere, as callers are, they would take nothing from the service. A request
is answered, refused (503 with `Retry-After`), not taken (the connection was refused or closed
before a byte of an answer, and it was begun after SIGTERM or half a second before) or lost, of
which there must be none. Who is refused comes again after `--pause` seconds: 0 is a flood.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from typing import Any

from endurance import Client, pictures, serve


def probe(port: int, seconds: float, found: Any) -> None:
    """Milliseconds of /livez and /readyz, each on a connection of its own, as platforms ask."""
    taken, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        for path in ("/livez", "/readyz"):
            start = time.perf_counter()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", path)
            assert connection.getresponse().read()
            connection.close()
            taken.append(1000 * (time.perf_counter() - start))
        time.sleep(0.02)
    found.send(sorted(taken))


def run(artifact: str, seconds: float, clients: int, places: int, pause: float) -> dict[str, Any]:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        port = any_port.getsockname()[1]
    os.environ["SHAZAM_MAX_CONCURRENCY"] = str(places)
    made = pictures()[:1]
    told: Counter[str] = Counter()
    stopped_at: list[float] = []
    stopping, lock = threading.Event(), threading.Lock()
    with tempfile.TemporaryDirectory() as home:
        process = serve(artifact, port, home)

        def ask(seed: int) -> None:
            client = Client(port, seed, made, 1)
            while True:
                method, path, body, kind = client.form("/api/search-by-image", client.picture())
                began, began_stopping = time.monotonic(), stopping.is_set()
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                try:
                    connection.request(method, path, body, {"Content-Type": kind})
                    answer = connection.getresponse()
                    answer.read()
                    refused = answer.status == 503 and answer.headers["Retry-After"]
                    how = "refused" if refused else str(answer.status)
                except OSError:
                    # What came half a second before had long been accepted.
                    late = stopping.is_set() and began > stopped_at[0] - 0.5
                    how = "not taken" if late else "lost"
                with lock:
                    told[how] += 1
                connection.close()
                if how == "refused":
                    time.sleep(pause)
                if began_stopping:
                    return

        callers = [threading.Thread(target=ask, args=(seed,)) for seed in range(clients)]
        receiver, sender = multiprocessing.Pipe(duplex=False)
        prober = multiprocessing.Process(target=probe, args=(port, seconds, sender))
        prober.start()
        os.nice(10)  # of this thread and those it starts
        for caller in callers:
            caller.start()
        taken = receiver.recv()
        prober.join()
        start = time.monotonic()
        stopped_at.append(start)
        stopping.set()
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(Exception):
            process.wait(60)
        stopped = time.monotonic() - start
        for caller in callers:
            caller.join()
    return {
        "sent": sum(told.values()),
        "answered": told["200"],
        "refused": told["refused"],
        "not taken after SIGTERM": told["not taken"],
        "lost": sum(told.values()) - told["200"] - told["refused"] - told["not taken"],
        "probes": len(taken),
        "probe_ms": {
            name: round(taken[int(share * (len(taken) - 1))], 1)
            for name, share in (("median", 0.5), ("95 %", 0.95), ("99 %", 0.99), ("max", 1))
        },
        "seconds to stop": round(stopped, 1),
        "exit status": process.returncode,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("artifact", nargs="?", default="artifacts/starter")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--places", type=int, default=16)
    parser.add_argument("--pause", type=float, default=0.1)
    found = run(**vars(parser.parse_args()))
    print(json.dumps(found, indent=1))
    return 0 if not found["lost"] and found["exit status"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
