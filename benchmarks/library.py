"""Many who upload at once, while workers make tracks of it: is all of it done, and does it answer?

    python benchmarks/library.py [--uploads 200] [--clients 20] [--workers 2] [--seconds 10]

A service, its workers (each at one track at once) and all clients share this machine, so what is
measured is what waits for what. Each client uploads one recording after another (stereo noise, as
WAV) and meanwhile asks twice a second how its jobs are, as a page does, until the last is done.
Once on SQLite, once on PostgreSQL (Debian's package; as Debian configures it but for its port).
Writes library.json and library.md beside itself.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests"), str(HERE)]

import httpx  # noqa: E402
from postgres import Postgres  # noqa: E402
from sound_serving import machine, served, until  # noqa: E402
from workers import clip  # noqa: E402

from engine.library.database import Database  # noqa: E402
from engine.library.jobs import Jobs  # noqa: E402
from engine.library.pipeline.bench import Loop  # noqa: E402

ARTIFACT = str(PROJECT / "artifacts" / "starter")  # covers: the library is beside them
ASK_S = 0.5
LONGEST_S = 1_800.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--uploads", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each recording")
    parser.add_argument("--only", choices=["SQLite", "PostgreSQL"])
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": machine(), "asked": vars(options), "found": {}}
    clips = [clip(seed, options.seconds) for seed in range(options.uploads)]
    for kind in ("SQLite", "PostgreSQL"):
        if options.only in (None, kind):
            with tempfile.TemporaryDirectory() as folder, database(kind, Path(folder)) as url:
                found = measured(url, Path(folder), clips, options)
            results["found"][kind] = found
            print(kind, json.dumps(found), flush=True)
    if options.only is None:
        (HERE / "library.json").write_text(json.dumps(results, indent=1) + "\n")
        (HERE / "library.md").write_text(table(results))
    print(table(results))
    return 0


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "SQLite":
        yield f"sqlite:///{folder / 'library.sqlite'}"
        return
    server = Postgres()
    try:
        yield server.create()
    finally:
        server.close()


class Client(threading.Thread):
    """One caller: what its requests took, in seconds, and the jobs that it was given."""

    def __init__(self, port: int, clips: list[bytes]) -> None:
        super().__init__(daemon=True)
        self._clips = clips
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self.uploads: list[float] = []
        self.questions: list[float] = []
        self.jobs: dict[str, dict[str, Any]] = {}

    def run(self) -> None:
        for number, data in enumerate(self._clips):
            began = time.monotonic()
            files = {"file": (f"take-{number}.wav", data, "audio/wav")}
            answer = self._http.post("/api/v1/upload/file", files=files).raise_for_status()
            self.uploads.append(time.monotonic() - began)
            job = answer.json()
            self.jobs[job["job_id"]] = job
            self._ask(next(iter(self.jobs)))
        deadline = time.monotonic() + LONGEST_S
        while waiting := [one for one, job in self.jobs.items() if not _ended(job)]:
            if time.monotonic() > deadline:
                return
            self._ask(waiting[0])
            time.sleep(ASK_S)

    def _ask(self, job_id: str) -> None:
        began = time.monotonic()
        answer = self._http.get(f"/api/v1/jobs/{job_id}").raise_for_status()
        self.questions.append(time.monotonic() - began)
        self.jobs[job_id] = answer.json()


def _ended(job: dict[str, Any]) -> bool:
    return job.get("state") in ("done", "failed", "cancelled")


def measured(
    url: str, folder: Path, clips: list[bytes], options: argparse.Namespace
) -> dict[str, Any]:
    settings = {
        "SHAZAM_LIBRARY": "shared",
        "SHAZAM_DATABASE": url,
        "SHAZAM_STORAGE": str(folder / "objects"),
    }
    with served([ARTIFACT], settings) as service, workers(options.workers, settings, folder):
        until(service, "/api/v1/health")
        each = -(-len(clips) // options.clients)
        parts = [clips[at : at + each] for at in range(0, len(clips), each)]
        callers = [Client(service.port, part) for part in parts]
        began = time.monotonic()
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        took = time.monotonic() - began
    jobs = [job for caller in callers for job in caller.jobs.values()]
    uploads = [seconds for caller in callers for seconds in caller.uploads]
    questions = [seconds for caller in callers for seconds in caller.questions]
    return {
        "uploads": len(uploads),
        "done": sum(job.get("state") == "done" for job in jobs),
        "tracks": len({job["track_id"] for job in jobs}),
        "steps_run_twice": twice(url, list(jobs)),
        "seconds": round(took, 1),
        "all_ms": spread(uploads + questions),
        "uploads_ms": spread(uploads),
        "questions_ms": spread(questions),
    }


@contextlib.contextmanager
def workers(count: int, settings: dict[str, str], folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "engine", "work", "--concurrency", "1"]
    with (folder / "workers.log").open("wb") as log:
        started = [
            subprocess.Popen(
                command, cwd=PROJECT, env={**os.environ, **settings}, stdout=log, stderr=log
            )
            for _ in range(count)
        ]
        try:
            yield
        finally:
            for one in started:
                one.terminate()
            for one in started:
                one.wait(60)


def twice(url: str, jobs: list[dict[str, Any]]) -> int:
    """How many steps ran more than once, of all jobs."""
    loop = Loop()
    rows = loop.wait(lambda: Database.open(url))
    try:
        told = [loop.wait(lambda job=job: Jobs(rows).steps(job["job_id"])) for job in jobs]
    finally:
        loop.wait(rows.close)
        loop.stop()
    return sum(step.runs != 1 for steps in told for step in steps.values())


def spread(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    found = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(seconds)}
    return {name: round(1_000 * value, 1) for name, value in found.items()}


def table(results: dict[str, Any]) -> str:
    asked = results["asked"]
    lines = [
        "# Many who upload at once",
        "",
        f"{asked['uploads']} recordings of {asked['seconds']:g} s from {asked['clients']} clients, "
        f"{asked['workers']} workers, all on one machine: {results['machine']['cores']} cores, "
        f"load {results['machine']['load_before']:g} before; `python benchmarks/library.py "
        f"--seconds {asked['seconds']:g}`.",
        "",
        "| | done | tracks | steps run twice | seconds | any answer, p50 / p95 / p99 / max | "
        "uploads | questions |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind, found in results["found"].items():
        spreads = [
            " / ".join(f"{found[name][part]:.0f}" for part in ("p50", "p95", "p99", "max"))
            for name in ("all_ms", "uploads_ms", "questions_ms")
        ]
        lines.append(
            f"| {kind} | {found['done']} of {found['uploads']} | {found['tracks']} | "
            f"{found['steps_run_twice']} | {found['seconds']:.0f} | {' | '.join(spreads)} |"
        )
    return "\n".join([*lines, "", "Times of answers are milliseconds.", ""])


if __name__ == "__main__":
    raise SystemExit(main())
