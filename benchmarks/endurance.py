"""An hour's worth of mixed requests, compressed in time: memory, file descriptors and threads.

    python benchmarks/endurance.py [--requests 14400] [--clients 8] [--artifact artifacts/starter]

14,400 requests are four a second for an hour. Pictures, words, both, identifications, embeddings,
the catalogue, covers, and what goes wrong: damaged pictures, uploads that are too large or are
left in the middle, unknown albums. Every upload is different, so that no memory of answers helps.
The worker is sampled every second; after the first quarter (every decoder loaded, every shape of
batch met once) its memory must stay within 5 %, and descriptors and threads must not grow.
Exit status 1 where they do, or where an accepted request is lost or a 5xx but 503 comes.
Writes endurance.json, endurance.png and endurance.md beside itself.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import io
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

HERE = Path(__file__).parent
PROJECT = HERE.parent
sys.path.insert(0, str(PROJECT))
WARM_UP, WITHIN = 0.25, 0.05
WORDS = ("red", "blue", "dark", "moon", "guitar", "jazz", "metal", "stage", "bird", "city")


def pictures() -> list[bytes]:
    """The tests' photos, and each of the formats people send."""
    made = [path.read_bytes() for path in sorted((PROJECT / "tests/photos").glob("*.jpg"))]
    import pillow_heif

    pillow_heif.register_heif_opener()
    image = Image.open(io.BytesIO(made[0])).convert("RGB").resize((640, 640))
    for form in ("PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF"):
        buffer = io.BytesIO()
        image.save(buffer, form)
        made.append(buffer.getvalue())
    return made


class Client:
    """One caller with one connection; every kind of request that a service meets."""

    def __init__(self, port: int, seed: int, made: list[bytes], albums: int) -> None:
        self.port, self.albums, self.pictures = port, albums, made
        self.rng = np.random.default_rng(seed)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.kinds: list[tuple[int, str, Callable[[], tuple[str, str, bytes, str]]]] = [
            (30, "picture", lambda: self.form("/api/search-by-image?k=5", self.picture())),
            (25, "words", lambda: self.get(f"/api/search-by-text?query={self.words()}")),
            (5, "both", lambda: self.form("/api/search?query=red", self.picture())),
            (5, "identify", lambda: self.form("/api/identify", self.picture())),
            (5, "embeddings", self.embeddings),
            (10, "cover", lambda: self.get(f"/api/albums/{self.number(albums)}/cover")),
            (6, "similar", lambda: self.get(f"/api/albums/{self.number(albums)}/similar")),
            (5, "albums", lambda: self.get(f"/api/albums?offset={self.number(albums)}")),
            (3, "damaged", lambda: self.form("/api/search-by-image", self.picture()[:500])),
            (2, "unknown", lambda: self.get("/api/albums/999999999")),
            (2, "health", lambda: self.get("/health")),
            (1, "too large", lambda: self.form("/api/search-by-image", bytes(11 << 20))),
            (1, "left", self.leave),
        ]
        self.weights = np.array([weight for weight, _, _ in self.kinds]) / 100

    def number(self, below: int) -> int:
        return int(self.rng.integers(below))

    def picture(self) -> bytes:
        chosen = self.pictures[self.number(len(self.pictures))]
        return chosen + self.rng.bytes(12)

    def words(self) -> str:
        chosen = self.rng.choice(WORDS, int(self.rng.integers(1, 40)))
        return "%20".join(chosen)

    def get(self, path: str) -> tuple[str, str, bytes, str]:
        return "GET", path, b"", ""

    def form(self, path: str, picture: bytes) -> tuple[str, str, bytes, str]:
        head = b'--XbX\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        kind = "multipart/form-data; boundary=XbX"
        return "POST", path, head + picture + b"\r\n--XbX--\r\n", kind

    def embeddings(self) -> tuple[str, str, bytes, str]:
        uri = "data:image/png;base64," + base64.b64encode(self.picture()).decode()
        body = json.dumps({"input": [uri] if self.rng.integers(2) else ["red", "blue moon"]})
        return "POST", "/v1/embeddings", body.encode(), "application/json"

    def leave(self) -> tuple[str, str, bytes, str]:
        """Half an upload, and gone; what follows is an ordinary request."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(
                b"POST /api/search-by-image HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n"
                b"Content-Type: multipart/form-data; boundary=XbX\r\n\r\n--XbX\r\n" + bytes(30_000)
            )
        return self.get("/api/genres")

    def ask(self) -> str:
        """One request: its kind and status, or how it was lost."""
        _, name, make = self.kinds[self.rng.choice(len(self.kinds), p=self.weights)]
        method, path, body, kind = make()
        headers = {"Content-Type": kind} if kind else {}
        for attempt in (1, 2):
            try:
                self.connection.request(method, path, body or None, headers)
                answer = self.connection.getresponse()
                answer.read()
                return f"{name} {answer.status}"
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # A kept connection that was closed between two requests (or with a 413, while
                # the rest of the upload was still being sent) has not taken this one.
                self.connection.close()
                if name == "too large":
                    return f"{name} closed"
                if attempt == 2:
                    return f"{name} lost"
            except OSError as error:
                self.connection.close()
                return f"{name} lost ({type(error).__name__})"
        raise AssertionError


def sample(worker: psutil.Process) -> dict[str, float]:
    status = Path(f"/proc/{worker.pid}/status").read_text()
    own = re.search(r"^RssAnon:\s+(\d+) kB", status, re.M)
    assert own
    return {
        "rss_mb": worker.memory_info().rss / 1e6,
        # Not USS: a mapped page is "its own" as soon as no other process of the machine has it.
        "own_mb": int(own[1]) * 1024 / 1e6,
        "fds": worker.num_fds(),
        "threads": worker.num_threads(),
    }


def serve(artifact: str, port: int, home: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        f"{sys.executable} -m bentoml serve service:ShazamVisual --host 127.0.0.1 "
        f"--port {port}".split(),
        cwd=PROJECT,
        env={**os.environ, "BENTOML_HOME": home, "SHAZAM_ARTIFACT": artifact},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return process
        except OSError:
            time.sleep(0.2)
    process.kill()
    raise RuntimeError("the service was not ready within a minute")


def run(artifact: str, requests: int, clients: int) -> dict[str, Any]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = pictures()
    answers: Counter[str] = Counter()
    lock, begun = threading.Lock(), 0
    with tempfile.TemporaryDirectory() as home:
        process = serve(artifact, port, home)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
                albums = json.load(answer)["total_albums"]
            (worker,) = psutil.Process(process.pid).children()

            def ask(seed: int) -> None:
                nonlocal begun
                client = Client(port, seed, made, albums)
                while True:
                    with lock:
                        if begun >= requests:
                            break
                        begun += 1
                    told = client.ask()
                    with lock:
                        answers[told] += 1
                client.connection.close()

            callers = [threading.Thread(target=ask, args=(seed,)) for seed in range(clients)]
            samples: list[dict[str, float]] = []
            start = time.monotonic()
            for caller in callers:
                caller.start()
            while any(caller.is_alive() for caller in callers):
                samples.append(
                    {"seconds": time.monotonic() - start, "requests": begun, **sample(worker)}
                )
                print(
                    f"\r{begun:,} of {requests:,}, {samples[-1]['own_mb']:.0f} MB",
                    end="",
                    flush=True,
                )
                time.sleep(1)
            print()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    return {"seconds": time.monotonic() - start, "answers": dict(answers), "samples": samples}


def verdict(found: dict[str, Any]) -> dict[str, Any]:
    """Growth from the first third after the warm-up to the last, and what was lost."""
    samples = found["samples"]
    total = samples[-1]["requests"]
    warm = [one for one in samples if one["requests"] >= WARM_UP * total]
    third = max(1, len(warm) // 3)
    early, late = warm[:third], warm[-third:]
    growth = {}
    for name in ("rss_mb", "own_mb", "fds", "threads"):
        before = statistics.median(one[name] for one in early)
        after = statistics.median(one[name] for one in late)
        growth[name] = {"early": before, "late": after, "growth": after / before - 1}
    statuses: Counter[str] = Counter()
    for told, count in found["answers"].items():
        statuses[told.rsplit(" ", 1)[-1] if "lost" not in told else "lost"] += count
    errors = sum(n for status, n in statuses.items() if status[0] == "5" and status != "503")
    held = max(growth["rss_mb"]["growth"], growth["own_mb"]["growth"]) <= WITHIN
    flat = all(
        growth[name]["late"] <= growth[name]["early"] + slack
        for name, slack in (("fds", 4), ("threads", 0))
    )
    return {
        "requests": sum(statuses.values()),
        "statuses": dict(sorted(statuses.items())),
        "lost": statuses["lost"],
        "5xx but 503": errors,
        "growth": growth,
        "passed": held and flat and not errors and not statuses["lost"],
    }


def plot(found: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    samples = found["samples"]
    asked = [one["requests"] for one in samples]
    figure = Figure(figsize=(8, 5), layout="constrained")
    memory, counts = figure.subplots(2, 1, sharex=True)
    memory.plot(asked, [one["rss_mb"] for one in samples], label="resident (RSS)")
    memory.plot(asked, [one["own_mb"] for one in samples], label="not of files (RssAnon)")
    memory.axvline(WARM_UP * asked[-1], color="grey", linestyle=":", label="end of the warm-up")
    memory.set(ylabel="MB", ylim=(0, None))
    memory.legend(loc="lower right")
    counts.plot(asked, [one["fds"] for one in samples], label="file descriptors")
    counts.plot(asked, [one["threads"] for one in samples], label="threads")
    counts.set(xlabel="requests", ylim=(0, None))
    counts.legend(loc="lower right")
    figure.savefig(path, dpi=100)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=14_400)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--artifact", default="artifacts/starter")
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    found = run(options.artifact, options.requests, options.clients)
    told = verdict(found)
    lines = [
        "# An hour's worth of requests",
        "",
        "| | early | late | growth |",
        "|---|---|---|---|",
    ]
    for name, label in (
        ("rss_mb", "resident memory, MB"),
        ("own_mb", "of which not of files (RssAnon), MB"),
        ("fds", "file descriptors"),
        ("threads", "threads"),
    ):
        row = told["growth"][name]
        lines.append(
            f"| {label} | {row['early']:.0f} | {row['late']:.0f} | {100 * row['growth']:+.1f} % |"
        )
    lines += [
        "",
        f"{told['requests']:,} requests in {found['seconds']:.0f} s by {options.clients} clients; "
        f"lost {told['lost']}, 5xx other than 503: {told['5xx but 503']}. Statuses: "
        + ", ".join(f"{status} × {count:,}" for status, count in told["statuses"].items())
        + ". Early and late: medians of the first and the last third after the first quarter.",
        "",
        "![Memory, descriptors and threads over the requests](endurance.png)",
        "",
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "endurance.md").write_text("\n".join(lines))
    (options.out / "endurance.json").write_text(json.dumps({**found, "verdict": told}) + "\n")
    plot(found, options.out / "endurance.png")
    print("\n".join(lines[2:9]))
    print("passed" if told["passed"] else "FAILED")
    return 0 if told["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
