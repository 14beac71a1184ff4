"""Serving speed: the original plan, infinity and this service, beside each other in one run.

    python benchmarks/serving.py            # about 25 minutes on two cores; --quick: about 10

Needs `wrk` (Debian's package). Everything else is made on the spot under build/bench: an encoder of
openai/clip-vit-base-patch32's configuration with random weights (speed does not depend on them),
20,000 albums, two photos. Writes benchmarks/serving.json, serving.md and serving.png.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
WORK = PROJECT / "build" / "bench"
INFINITY = PROJECT / "build" / "infinity"
# The newest releases of its dependencies that it still imports with.
INFINITY_NEEDS = (
    "infinity-emb[server,torch,vision]==0.0.78",
    "aiohttp",  # asked for at the first picture, and not among its requirements
    "torch==2.13.0",
    "transformers<4.50",
    "click<8.2",
    "optimum<1.25",
    "numpy<2.3",
)
INFINITY_OPTIONS = (
    *("--served-model-name", "clip", "--engine", "torch", "--device", "cpu"),
    *("--no-bettertransformer", "--no-model-warmup", "--log-level", "error", "--port", "PORT"),
)
ALBUMS, DIMENSION = 20_000, 512
CLIENTS = (1, 8, 32, 128)


@dataclass(frozen=True)
class System:
    """One service under test: how it is started, and where it answers."""

    name: str
    command: list[str]
    env: dict[str, str]
    ready: str
    image_mode: str = "image"
    text_mode: str | None = "text"
    base64_picture: bool = False
    cwd: Path = PROJECT


@dataclass
class Running:
    """A started system and what is watched of it while it runs."""

    process: subprocess.Popen[bytes]
    port: int
    start_s: dict[str, float]
    log: Path
    peak_bytes: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def cpu_s(self) -> float:
        """CPU seconds of all its processes so far."""
        total = 0.0
        for process in self.tree():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def watch(self) -> None:
        """Peak of the sum of its processes' proportional memory (PSS: shared pages count once)."""
        while not self._stop.wait(0.25):
            total = 0
            for process in self.tree():
                with contextlib.suppress(psutil.Error):
                    total += process.memory_full_info().pss
            self.peak_bytes = max(self.peak_bytes, total)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="5 s a point, fewer points")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names of systems to run")
    parser.add_argument("--no-infinity", action="store_true")
    options = parser.parse_args()
    seconds = 5.0 if options.quick else options.seconds
    made = prepare()
    results: dict[str, Any] = {
        "machine": machine(),
        "raw_encoder_images_per_s": raw_encoder(made["artifact"]),
        "systems": {},
        "starter": {},
    }
    print("raw encoder, batch 16, all cores:", results["raw_encoder_images_per_s"], "pictures/s")
    systems = [
        *(("systems", one) for one in list_systems(made, infinity=not options.no_infinity)),
        *(("starter", one) for one in list_systems(made, starter=True)),
    ]
    for group, system in systems:
        if options.only and system.name not in options.only:
            continue
        short = options.quick or group == "starter"
        try:
            found = measure(system, made, seconds, 1 if options.quick else options.starts, short)
        except (RuntimeError, OSError) as error:
            print(f"{system.name} is left out: {error}")
        else:
            results[group][system.name] = found
    (HERE / "serving.json").write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "serving.md").write_text(table(results))
    plot(results)
    print(table(results))


def prepare() -> dict[str, Path]:
    """Encoder, the pair of files the original plan holds, our artifact of them, two photos."""
    sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]
    import faiss
    from encoders import write_clip

    WORK.mkdir(parents=True, exist_ok=True)
    encoder = WORK / "vit-b-32"
    if not (encoder / "model.safetensors").is_file():
        write_clip(encoder, vit_b_32=True)
    index, metadata = WORK / "album_covers.index", WORK / "metadata.pkl"
    if not metadata.is_file():
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(ALBUMS, DIMENSION)).astype(np.float32)
        faiss.normalize_L2(rows)
        flat = faiss.IndexFlatIP(DIMENSION)
        flat.add(rows)
        faiss.write_index(flat, str(index))
        metadata.write_bytes(pickle.dumps({"labels": rng.integers(0, 20, ALBUMS).tolist()}))
    # Named after what exports it: an artifact of an older exporter is no measure of this one.
    exporter = (PROJECT / "engine" / "covers" / "making" / "export.py").read_bytes()
    artifact = WORK / f"artifact-{hashlib.sha256(exporter).hexdigest()[:8]}"
    if not artifact.is_dir():
        for older in WORK.glob("artifact*"):
            shutil.rmtree(older)
        run = [sys.executable, "-m", "engine", "import", "--index", str(index)]
        run += ["--metadata", str(metadata), "--encoder", str(encoder), "--out", str(artifact)]
        # Random weights put all pictures close together, where int8 changes the order of many
        # neighbours; a trained encoder's agreement is measured on the starter.
        subprocess.run([*run, "--precision", "int8"], cwd=PROJECT, check=True)
    # What a container ships: the same artifact without the weights that only torch would read.
    serving = artifact.with_name(artifact.name + "-serving")
    if not serving.is_dir():
        pack = [sys.executable, "-m", "engine", "pack", str(artifact), "--serving"]
        subprocess.run([*pack, "--out", str(serving)], cwd=PROJECT, check=True)
    from PIL import Image

    # The starter's files as the original plan reads them.
    starter = PROJECT / "artifacts" / "starter"
    with contextlib.closing(sqlite3.connect(starter / "catalogue.sqlite")) as catalogue:
        rows = catalogue.execute("SELECT album_id, genre_id FROM albums").fetchall()
    labels = dict.fromkeys(range(max(row[0] for row in rows) + 1), -1) | dict(rows)
    starter_metadata = WORK / "starter.pkl"
    starter_metadata.write_bytes(pickle.dumps({"labels": list(labels.values())}))
    photo = min((PROJECT / "tests" / "photos").glob("*.jpg"))
    for name, size in (("600.jpg", (600, 600)), ("4000.jpg", (4000, 3000))):
        if not (WORK / name).is_file():
            Image.open(photo).resize(size).save(WORK / name, quality=88)
    return {
        "encoder": encoder,
        "index": index,
        "metadata": metadata,
        "artifact": serving,
        "starter": starter,
        "starter_metadata": starter_metadata,
        "600": WORK / "600.jpg",
        "4000": WORK / "4000.jpg",
    }


def list_systems(
    made: dict[str, Path], *, infinity: bool = False, starter: bool = False
) -> list[System]:
    python = sys.executable
    offline = {"HF_HUB_OFFLINE": "1", "BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "1"}
    folder = made["starter"]
    encoder, index, metadata, artifact = (
        (folder / "encoder", folder / "index.faiss", made["starter_metadata"], folder)
        if starter
        else (made["encoder"], made["index"], made["metadata"], made["artifact"])
    )
    plan = System(
        "original plan",
        [python, "-m", "uvicorn", "original_plan:app", "--log-level", "warning", "--port", "PORT"],
        {**offline, "ENCODER": str(encoder), "INDEX": str(index), "METADATA": str(metadata)},
        "/health",
        cwd=HERE,
    )
    serve = [python, "-m", "engine", "serve", "--port", "PORT"]  # as `make serve`
    env = {**offline, "SHAZAM_ARTIFACT": str(artifact), "SHAZAM_LOG_LEVEL": "warning"}
    # Kernels prepared at an earlier start, as in an image that was started once while it was built;
    # other artifacts of this user must not push them out in between.
    env["XDG_CACHE_HOME"] = str(WORK / "cache")
    ours = System("ours", serve, env, "/readyz")
    two = System(
        "ours, encoder as a service",
        serve,
        {**env, "SHAZAM_ENCODER_PROCESS": "service"},
        "/readyz",
    )
    systems = [plan, ours] if starter else [plan, ours, two]
    if infinity and (emb := install_infinity()):
        encoder_for_it = infinity_encoder(made["encoder"])
        systems.insert(
            1,
            System(
                "infinity (embedding alone)",
                [str(emb), "v2", *INFINITY_OPTIONS, "--model-id", str(encoder_for_it)],
                offline,
                "/health",
                image_mode="embeddings",
                text_mode="embed_text",
                base64_picture=True,
            ),
        )
    return systems


def install_infinity() -> Path | None:
    command = INFINITY / "bin" / "infinity_emb"
    if not command.is_file():
        print("installing infinity into", INFINITY)
        subprocess.run([sys.executable, "-m", "venv", str(INFINITY)], check=True)
        pip = str(INFINITY / "bin" / "pip")
        if subprocess.run([pip, "install", "--quiet", *INFINITY_NEEDS]).returncode:
            print("infinity cannot be installed here; its column is left out")
            return None
        # It comes for another torch; transformers imports without it.
        subprocess.run([pip, "uninstall", "--quiet", "--yes", "torchvision"])
    return command


def infinity_encoder(encoder: Path) -> Path:
    """The same checkpoint with the tokenizer files that an older transformers looks for."""
    folder = WORK / "vit-b-32-infinity"
    if not folder.is_dir():
        shutil.copytree(encoder, folder)
        config = json.loads((folder / "config.json").read_text())
        config["architectures"] = ["CLIPModel"]
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "tokenizer_config.json").write_text(
            json.dumps(
                {
                    "tokenizer_class": "PreTrainedTokenizerFast",
                    "model_max_length": 77,
                    "bos_token": "<|startoftext|>",
                    "eos_token": "<|endoftext|>",
                    "pad_token": "<|endoftext|>",
                    "unk_token": "<|endoftext|>",
                }
            )
        )
    return folder


def measure(
    system: System, made: dict[str, Path], seconds: float, starts: int, short: bool
) -> dict[str, Any]:
    """Load first, then starts: each system's files and prepared kernels are there by then."""
    print(f"\n== {system.name}")
    found: dict[str, Any] = {"load": {}}
    with started(system, made) as running:
        points = [(system.image_mode, "600", clients) for clients in CLIENTS]
        if system.text_mode:
            points += [(system.text_mode, "", clients) for clients in ((32,) if short else CLIENTS)]
        points += [(system.image_mode, "4000", clients) for clients in ((8,) if short else (1, 8))]
        if system.image_mode == "image" and not short:
            points += [("both", "600", 32)]
        for mode, photo, clients in points:
            name = f"{kind_of(mode)} {photo} x{clients}".replace("  ", " ")
            sent = picture(system, made, photo)
            # What the last point's callers left behind is answered first: a service that answers
            # one after the other works on for 15 s when 128 callers have gone.
            send_one(running.port, system, made)
            load(running, mode, sent, clients, 2)  # kernels, caches, batches
            send_one(running.port, system, made)
            cpu = running.cpu_s()
            row = load(running, mode, sent, clients, seconds)
            used = running.cpu_s() - cpu
            row["per_s"] = round(row["answered"] / row["seconds"], 2)
            row["cpu_ms"] = round(1000 * used / max(1, row["answered"]), 1)
            found["load"][name] = row
            print(
                f"{name:<16}{row['per_s']:>8.1f}/s  p50 {row['p50_ms']:>7.1f} ms  p99 "
                f"{row['p99_ms']:>7.1f} ms  cpu {row['cpu_ms']:>6.1f} ms  refused "
                f"{row['refused']}  errors {row['broken'] + row['socket_errors']}"
            )
        found["peak_mb"] = round(running.peak_bytes / 1e6)
        if system.name.startswith("ours"):
            found["start_split"] = start_split(running.port)
    print("peak memory:", found["peak_mb"], "MB")
    begun = []
    for _ in range(starts):
        with started(system, made) as running:
            begun.append(running.start_s)
    found["start"] = {
        name: round(float(np.median([start[name] for start in begun])), 2) for name in begun[0]
    }
    print("start:", found["start"])
    return found


def kind_of(mode: str) -> str:
    return {"embeddings": "image", "embed_text": "text"}.get(mode, mode)


def picture(system: System, made: dict[str, Path], photo: str) -> str:
    if not photo:
        return ""
    if not system.base64_picture:
        return str(made[photo])
    data = made[photo].read_bytes()
    data += b"\0" * (-len(data) % 3)  # whole groups, so that more digits can follow
    path = WORK / f"{photo}.base64"
    path.write_bytes(base64.b64encode(data))
    return str(path)


@contextlib.contextmanager
def started(system: System, made: dict[str, Path]) -> Iterator[Running]:
    port = free_port()
    log = WORK / "server.log"
    command = [part.replace("PORT", str(port)) for part in system.command]
    home = WORK / "bentoml-home"
    env = {**os.environ, **system.env, "BENTOML_HOME": str(home)}
    start = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=system.cwd,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(process, port, {}, log)
    watcher = threading.Thread(target=running.watch, daemon=True)
    watcher.start()
    try:
        wait_for(port, system.ready, process, log)
        running.start_s["ready"] = time.perf_counter() - start
        send_one(port, system, made)
        running.start_s["first answer"] = time.perf_counter() - start
        yield running
    finally:
        running._stop.set()
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def wait_for(port: int, path: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.02)
    raise RuntimeError(f"not ready:\n{log.read_text(errors='replace')[-2000:]}")


def load(running: Running, mode: str, photo: str, clients: int, seconds: float) -> dict[str, Any]:
    """`seconds` of wrk with that many connections, each with one request at a time."""
    url = f"http://127.0.0.1:{running.port}"
    how = ["-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "60s"]
    run = subprocess.run(
        ["wrk", *how, "-s", str(HERE / "load.lua"), url, "--", mode, photo],
        capture_output=True,
        text=True,
        timeout=seconds + 120,
    )
    found = re.search(r"^JSON (.*)$", run.stdout, re.M)
    if not found:
        raise RuntimeError(f"wrk failed: {run.stdout[-500:]} {run.stderr[-500:]}")
    row: dict[str, Any] = json.loads(found[1])
    return row


def send_one(port: int, system: System, made: dict[str, Path]) -> None:
    """One picture, sent by hand; returns when it is answered."""
    photo = picture(system, made, "600")
    if system.base64_picture:
        uri = "data:image/jpeg;base64," + Path(photo).read_text()
        body = json.dumps({"model": "clip", "modality": "image", "input": [uri]}).encode()
        path, kind = "/embeddings", "application/json"
    else:
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="p.jpg"\r\n'
        head += b"Content-Type: image/jpeg\r\n\r\n"
        body = head + Path(photo).read_bytes() + b"\r\n--b--\r\n"
        path, kind = "/api/search-by-image?k=5", "multipart/form-data; boundary=b"
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data=body, headers={"Content-Type": kind}
    )
    for _ in range(60):
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                assert answer.status == 200
            return
        except urllib.error.HTTPError as refused:
            # 128 callers left this instant: every place may still be theirs.
            if refused.code != 503:
                raise
            time.sleep(0.5)
    raise RuntimeError(f"{system.name} has had no place for half a minute")


def raw_encoder(artifact: Path) -> float:
    """Pictures a second of the encoder alone, batch 16, in a process of its own."""
    code = (
        "import sys, time, numpy as np\n"
        "from pathlib import Path\n"
        "from engine.covers.artifact import Artifact\n"
        "from engine.covers.search import load_encoder\n"
        "encoder = load_encoder(Artifact.open(Path(sys.argv[1])))\n"
        "size = encoder.preprocessing.size\n"
        "rng = np.random.default_rng(0)\n"
        "pixels = rng.integers(0, 256, (16, size, size, 3), dtype=np.uint8)\n"
        "for _ in range(5): encoder.embed_images(pixels)\n"
        "start, count = time.perf_counter(), 0\n"
        "while time.perf_counter() - start < 5: encoder.embed_images(pixels); count += 16\n"
        "print(count / (time.perf_counter() - start))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(artifact)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return round(float(run.stdout.split()[-1]), 1)


def start_split(port: int) -> dict[str, float]:
    """What the service says of its own start (metric `shazam_start_seconds`), in seconds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    pairs = re.findall(r'^shazam_start_seconds\{.*part="([^"]+)".*\} ([\d.e+-]+)', text, re.M)
    return {part: round(float(value), 3) for part, value in pairs}


def machine() -> dict[str, Any]:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": model[1] if model else "unknown",
        "python": sys.version.split()[0],
    }


def table(results: dict[str, Any]) -> str:
    """Markdown: each figure beside the original plan's of the same run."""
    cores, processor = results["machine"]["cores"], results["machine"]["processor"]
    parts = [
        f"By `python benchmarks/serving.py` on {cores} cores ({processor}). The encoder alone, "
        f"batch 16, all cores: {results['raw_encoder_images_per_s']} pictures/s.",
        "## ViT-B/32, 20,000 albums",
        _rows(results["systems"]),
        _beside(results),
        "## The starter",
        _rows(results["starter"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _rows(systems: dict[str, Any]) -> str:
    base = systems.get("original plan")
    out = io.StringIO()
    out.write("| | " + " | ".join(systems) + " |\n|---|" + "---|" * len(systems) + "\n")
    names = list(dict.fromkeys(name for found in systems.values() for name in found["load"]))
    for name in names:
        out.write(f"| {name} |")
        for found in systems.values():
            row = found["load"].get(name)
            if row is None:
                out.write(" – |")
                continue
            ratio = ""
            if base and found is not base and base["load"].get(name, {}).get("answered"):
                ratio = f" (× {row['per_s'] / base['load'][name]['per_s']:.1f})"
            errors = row["broken"] + row["socket_errors"]
            out.write(
                f" {row['per_s']:.1f}/s{ratio}, p50 {row['p50_ms']:.0f} ms, p99 "
                f"{row['p99_ms']:.0f} ms, {row['cpu_ms']:.0f} CPU-ms"
                + (f", {row['refused']} refused" if row["refused"] else "")
                + (f", **{errors} errors**" if errors else "")
                + " |"
            )
        out.write("\n")
    for what in ("ready", "first answer"):
        out.write(f"| start to {what} |")
        out.write("".join(f" {found['start'][what]:.1f} s |" for found in systems.values()) + "\n")
    out.write("| peak memory |")
    out.write("".join(f" {found['peak_mb']} MB |" for found in systems.values()))
    splits = [
        f"{name}: " + ", ".join(f"{part} {value:.2f}" for part, value in split.items())
        for name, found in systems.items()
        if (split := found.get("start_split"))
    ]
    return out.getvalue() + "\n\nSeconds of a start, " + "; ".join(splits) + "."


def _beside(results: dict[str, Any]) -> str:
    """What was promised of ViT-B/32, as ratios within this run."""
    systems = results["systems"]
    if not {"original plan", "ours"} <= set(systems):
        return ""
    ours, plan = systems["ours"], systems["original plan"]
    peer = systems.get("infinity (embedding alone)")
    many = ours["load"]["image 600 x32"]["per_s"]

    def ratio(value: float, base: float) -> str:
        return f"{value / base:.2f}" if base else "–"

    def of(system: dict[str, Any], point: str, what: str = "per_s") -> float:
        return float(system["load"].get(point, {}).get(what, 0))

    rows = [
        ("32 clients ÷ the original plan", ratio(many, of(plan, "image 600 x32")), "≥ 8"),
        ("32 clients ÷ infinity", ratio(many, of(peer, "image 600 x32")) if peer else "–", "≥ 4.5"),
        (
            "32 clients ÷ the encoder alone",
            ratio(many, results["raw_encoder_images_per_s"]),
            "≥ 0.55",
        ),
        ("128 clients ÷ 32", ratio(of(ours, "image 600 x128"), many), "≥ 0.9"),
        (
            "one client's p50 ÷ the original plan's",
            ratio(of(ours, "image 600 x1", "p50_ms"), of(plan, "image 600 x1", "p50_ms")),
            "≤ 0.30",
        ),
        (
            "texts at 32 clients ÷ the original plan",
            ratio(of(ours, "text x32"), of(plan, "text x32")),
            "≥ 5",
        ),
        (
            "start to first answer ÷ the original plan's",
            ratio(ours["start"]["first answer"], plan["start"]["first answer"]),
            "≤ 0.45",
        ),
        ("peak memory ÷ the original plan's", ratio(ours["peak_mb"], plan["peak_mb"]), "≤ 0.6"),
    ]
    lines = [f"| {what} | {found} | {wanted} |" for what, found, wanted in rows]
    return "\n".join(["| Ours beside | measured | promised |", "|---|---|---|", *lines])


def plot(results: dict[str, Any]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    axes = figure.subplots(1, 3)
    for name, found in results["systems"].items():
        for axis, key, factor in ((axes[0], "per_s", 1), (axes[1], "p50_ms", 1)):
            points = [
                (clients, found["load"][f"image 600 x{clients}"][key] * factor)
                for clients in CLIENTS
                if f"image 600 x{clients}" in found["load"]
            ]
            axis.plot(*zip(*points, strict=True), marker="o", label=name)
    axes[0].axhline(
        results["raw_encoder_images_per_s"], ls=":", color="grey", label="encoder alone"
    )
    axes[0].set(title="pictures a second", xlabel="clients", xscale="log", ylim=0)
    axes[1].set(title="median latency, ms", xlabel="clients", xscale="log", yscale="log")
    names = list(results["systems"])
    axes[2].barh(names, [results["systems"][name]["start"]["first answer"] for name in names])
    axes[2].invert_yaxis()
    axes[2].set(title="start to first answer, s")
    for axis in axes[:2]:
        axis.set_xticks(CLIENTS, [str(clients) for clients in CLIENTS])
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.savefig(HERE / "serving.png", dpi=110)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
