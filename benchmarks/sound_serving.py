"""The service of sound, and covers without and with it: start, memory, requests a second.

    python benchmarks/sound_serving.py [--artifact artifacts/starter-sound] [--seconds 8]

Needs `wrk` (Debian's package). Clips are ten seconds of a track of the artifact, as Chrome's
recorder writes them. Writes sound_serving.json and sound_serving.md beside itself.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))
CLIENTS = (1, 8, 32)
STARTS = 3
COVERS = ROOT / "artifacts" / "starter"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--artifact", type=Path, default=ROOT / "artifacts" / "starter-sound")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each point of load")
    options = parser.parse_args()
    artifact = str(options.artifact.resolve())
    systems = {
        "sound alone": ([artifact], {}),
        "covers alone": ([str(COVERS)], {"SHAZAM_SOUND_ARTIFACT": "none"}),
        "covers and sound": ([str(COVERS)], {"SHAZAM_SOUND_ARTIFACT": artifact}),
    }
    results: dict[str, Any] = {"machine": machine(), "starts": {}, "load": {}}
    for _ in range(STARTS):  # in turns, so that none has the quiet minute to itself
        for name, (arguments, settings) in systems.items():
            with served(arguments, settings) as service:
                results["starts"].setdefault(name, []).append(start_of(service))
    with tempfile.TemporaryDirectory() as temporary:
        clip = clip_of(options.artifact, Path(temporary))
        with served([artifact], {}) as service:
            start_of(service)
            for path in ("/api/identify-sound", "/api/search-by-sound?k=5"):
                for clients in CLIENTS:
                    point = load(service, path, clip, clients, options.seconds)
                    results["load"].setdefault(path, {})[str(clients)] = point
                    print(path, clients, point, flush=True)
            results["memory_after_mb"] = memory_mb(service)
    (HERE / "sound_serving.json").write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "sound_serving.md").write_text(table(results))
    print(table(results))
    return 0


class Service:
    def __init__(self, process: subprocess.Popen[bytes], port: int, began: float) -> None:
        self.process, self.port, self.began = process, port, began

    def tree(self) -> list[psutil.Process]:
        whole = psutil.Process(self.process.pid)
        return [whole, *whole.children(recursive=True)]

    def answers(self, path: str) -> bool:
        address = f"http://127.0.0.1:{self.port}{path}"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=30) as answer:
            return bool(answer.status == 200)
        return False


@contextlib.contextmanager
def served(arguments: list[str], settings: dict[str, str]) -> Iterator[Service]:
    """`python -m engine serve`, as a user starts it; its log is thrown away."""
    with socket.socket() as probe, tempfile.TemporaryDirectory() as home:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        command = [sys.executable, "-m", "engine", "serve", *arguments, "--host", "127.0.0.1"]
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "BENTOML_HOME": home, **settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield Service(process, port, time.monotonic())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def start_of(service: Service) -> dict[str, float]:
    """Seconds until it is ready, until sound is as well, and the processor's of all processes by
    the first; PSS of all processes once all is open."""
    ready = until(service, "/readyz")
    spent = sum(sum(one.cpu_times()[:2]) for one in service.tree())
    told = {"ready_s": round(ready, 2), "cpu_s": round(spent, 2)}
    if service.answers("/api/tracks?limit=1") or _has_sound(service):
        told["sound_s"] = round(until(service, "/health/ready"), 2)
    return {**told, "memory_mb": memory_mb(service)}


def _has_sound(service: Service) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/", timeout=30) as answer:
        return "identify_sound" in json.load(answer)["endpoints"]


def until(service: Service, path: str) -> float:
    while not service.answers(path):
        if service.process.poll() is not None or time.monotonic() - service.began > 120:
            raise SystemExit("the service did not start")
        time.sleep(0.02)
    return time.monotonic() - service.began


def memory_mb(service: Service) -> int:
    """Of all its processes, shared pages counted once (PSS)."""
    return round(sum(one.memory_full_info().pss for one in service.tree()) / 1e6)


def load(service: Service, path: str, clip: Path, clients: int, seconds: float) -> dict[str, float]:
    """`seconds` of wrk with that many connections, each with one request at a time."""
    url = f"http://127.0.0.1:{service.port}"
    how = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "--timeout", "35s"]
    before = sum(sum(one.cpu_times()[:2]) for one in service.tree())
    run = subprocess.run(
        [*how, "-s", str(HERE / "sound.lua"), url, "--", path, str(clip)],
        capture_output=True,
        text=True,
        timeout=seconds + 90,
    )
    spent = sum(sum(one.cpu_times()[:2]) for one in service.tree()) - before
    found = [line.split()[1:] for line in run.stdout.splitlines() if line.startswith("RESULT")]
    if not found:
        raise SystemExit(f"wrk failed: {run.stdout[-500:]} {run.stderr[-500:]}")
    count, failed, took, p50, p95 = map(float, found[0])
    return {
        "per_second": round(count / took, 1),
        "p50_ms": round(p50, 1),
        "p95_ms": round(p95, 1),
        "cpu_ms": round(1000 * spent / max(1, count), 1),
        "failed": int(failed),
    }


def clip_of(artifact: Path, folder: Path) -> Path:
    """Ten seconds from the middle of the artifact's first track that has audio."""
    from engine.sound.audio import RATE, decode, encode
    from engine.sound.search import SoundSearch

    search = SoundSearch.open(artifact)
    heard = next(track for track in search.catalogue if track.audio and track.audio_shared)
    samples = decode(artifact / str(heard.audio))
    middle = len(samples) // 2
    clip = samples[max(0, middle - 5 * RATE) : middle + 5 * RATE]
    path = folder / "clip.webm"
    path.write_bytes(encode(clip, RATE, "webm", "libopus", kbit=32))
    return path


def machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}


def table(results: dict[str, Any]) -> str:
    lines = [
        "# The service of sound",
        "",
        "`python benchmarks/sound_serving.py`; medians of "
        f"{STARTS} starts, in turns. {results['machine']['cores']} cores, load "
        f"{results['machine']['load_before']} when it began.",
        "",
        "| | ready after | CPU until then | sound ready after | memory (PSS) |",
        "|---|---|---|---|---|",
    ]
    for name, starts in results["starts"].items():
        middle = {key: statistics.median(one[key] for one in starts) for key in starts[0]}
        sound = f"{middle['sound_s']:.2f} s" if "sound_s" in middle else "–"
        lines.append(
            f"| {name} | {middle['ready_s']:.2f} s | {middle['cpu_s']:.2f} s | {sound} | "
            f"{middle['memory_mb']:.0f} MB |"
        )
    lines += [
        "",
        "Ten-second clips (WebM, Opus), sound alone, decoded in processes of their own:",
        "",
        "| | clients | answers a second | p50 | p95 | CPU an answer | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for path, points in results["load"].items():
        for clients, one in points.items():
            lines.append(
                f"| `{path.partition('?')[0]}` | {clients} | {one['per_second']} | "
                f"{one['p50_ms']} ms | {one['p95_ms']} ms | {one['cpu_ms']} ms | {one['failed']} |"
            )
    lines += ["", f"Memory after all of it: {results['memory_after_mb']} MB.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
