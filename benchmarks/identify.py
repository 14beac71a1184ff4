"""What an identification costs beside a plain search with the same picture, through HTTP.

    python benchmarks/identify.py [ARTIFACT] [--count 40] [--rounds 5] [--kind mixed …]
    python benchmarks/identify.py ARTIFACT --photos DIR --pairs FILE

Serves the artifact less a fifth of its albums, and sends simulated photos, of settings that nothing
was fitted on, from one caller, each to /api/search-by-image and to /api/identify in turns, so that
whatever else the machine does meets both. Every request's bytes are its own: no answer is
remembered. *mild* and *mixed* are photos of albums that are served, *strangers* mixed photos of
those left out; in *no cover* a poster or a tile lies where a sleeve would. Of the last two nothing
is claimed before everything was tried.

With `--photos` the artifact is served less half of the albums that the real photos in DIR show, as
FILE says (as for `evaluate`): *photos* are of the others, *photos of strangers* of those.

*p50* is the median of all rounds, ms; *ratio* that of the two p50s of a round: the median round,
the least and the greatest. *CPU* is the mean processor time of all the service's threads, ms.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
from endurance import PROJECT, serve

sys.path.insert(0, str(PROJECT))
from engine.covers.artifact import Artifact
from engine.covers.catalogue import Catalogue
from engine.covers.identify.references import cover_of
from engine.covers.making.revise import remove
from engine.covers.photos.photo import simulate_photo
from engine.covers.trials import identify as trial
from engine.covers.trials.photos import read_pairs

KINDS = ("mild", "mixed", "strangers", "no cover")
REAL = ("photos", "photos of strangers")
ROUTES = ("/api/search-by-image", "/api/identify")
WARM_UP = 20


def photos(kind: str, catalogue: Catalogue, left_out: list[int], count: int) -> Iterator[bytes]:
    if kind == "no cover":
        yield from (trial.jpeg(scene) for scene in trial.scenes(count, seed=0))
        return
    known = sorted(set(catalogue.ids().tolist()) - set(left_out))
    of = left_out if kind == "strangers" else known
    for number, album_id in enumerate(np.random.default_rng(0).permutation(of)[:count].tolist()):
        cover = cover_of(catalogue, album_id)
        assert cover is not None
        rng = np.random.default_rng([0, number])
        preset = "mild" if kind == "mild" else "mixed"
        yield trial.jpeg(simulate_photo(cover, rng, preset, held_out=True).image)


def real(folder: Path, table: Path, catalogue: Catalogue) -> tuple[list[int], list[list[bytes]]]:
    """The albums to leave out, and the photos of `REAL`."""
    pairs = read_pairs(folder, table, catalogue)
    shown = np.random.default_rng(0).permutation(sorted({pair.album_id for pair in pairs}))
    left_out = shown[::2].tolist()
    order = [pairs[at] for at in np.random.default_rng(1).permutation(len(pairs))]
    sorts: list[list[bytes]] = [[], []]
    for pair in order:
        sorts[pair.album_id in left_out].append(pair.photo.read_bytes())
    return left_out, sorts


class Caller:
    """One connection to the service, and the processor time of who answers there."""

    def __init__(self, port: int, worker: psutil.Process) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.worker, self.rng = worker, np.random.default_rng(0)

    def ask(self, path: str, photo: bytes) -> tuple[float, float]:
        """Wall and processor time of one request, milliseconds."""
        head = b'--XbX\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        body = head + photo + self.rng.bytes(12) + b"\r\n--XbX--\r\n"
        before, start = self._cpu(), time.perf_counter()
        kind = {"Content-Type": "multipart/form-data; boundary=XbX"}
        self.connection.request("POST", path, body, kind)
        answer = self.connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
        took = time.perf_counter() - start
        return 1000 * took, 1000 * (self._cpu() - before)

    def _cpu(self) -> float:
        times = self.worker.cpu_times()
        return float(times.user + times.system)


def measure(caller: Caller, pictures: list[bytes], rounds: int) -> dict[str, float]:
    caller.connection.close()  # the service has, while the photos were made; it opens again
    taken: list[list[list[tuple[float, float]]]] = []
    for number in range(rounds):
        one: list[list[tuple[float, float]]] = [[], []]
        for picture in pictures[number::rounds]:
            for route, times in zip(ROUTES, one, strict=True):
                times.append(caller.ask(route, picture))
        taken.append(one)
    medians = [[statistics.median(ms for ms, _ in times) for times in one] for one in taken]
    ratios = [identify / search for search, identify in medians]
    every = [[t for one in taken for t in one[route]] for route in range(2)]
    search, identify = (statistics.median(ms for ms, _ in times) for times in every)
    # The kernel counts in steps of 10 ms: only a mean says more than that.
    search_cpu, identify_cpu = (statistics.mean(cpu for _, cpu in times) for times in every)
    return {
        "search p50": search,
        "identify p50": identify,
        "ratio": statistics.median(ratios),
        "least": min(ratios),
        "greatest": max(ratios),
        "search CPU": search_cpu,
        "identify CPU": identify_cpu,
        "CPU ratio": identify_cpu / search_cpu,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("artifact", nargs="?", type=Path, default=Path("artifacts/starter"))
    parser.add_argument("--count", type=int, default=40, help="photos in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this; repeat it")
    parser.add_argument("--photos", type=Path, help="real photos")
    parser.add_argument("--pairs", type=Path, help="which covers they show: photo,cover")
    options = parser.parse_args()
    if (options.photos is None) != (options.pairs is None):
        parser.error("--photos and --pairs belong together")
    catalogue = Artifact.open(options.artifact).open_catalogue()
    sorts: dict[str, Iterable[bytes]]
    if options.photos:
        left_out, found = real(options.photos, options.pairs, catalogue)
        sorts = dict(zip(REAL, found, strict=True))
    else:
        ids = catalogue.ids()
        left_out = np.random.default_rng(5).permutation(ids)[: len(ids) // 5].tolist()
        # Other albums in every round: a service remembers what it prepared to prove one.
        count = options.count * options.rounds
        kinds = options.kind or KINDS
        sorts = {kind: photos(kind, catalogue, left_out, count) for kind in kinds}
    warming = sorts["photos"] if options.photos else photos("mixed", catalogue, left_out, WARM_UP)
    with tempfile.TemporaryDirectory() as home, socket.socket() as any_port:
        remove(options.artifact, left_out, Path(home) / "artifact")
        any_port.bind(("127.0.0.1", 0))
        port = any_port.getsockname()[1]
        any_port.close()
        process = serve(str(Path(home) / "artifact"), port, home)
        try:
            (worker,) = psutil.Process(process.pid).children()
            caller = Caller(port, worker)
            for picture in islice(warming, WARM_UP):
                for route in ROUTES:
                    caller.ask(route, picture)
            for kind, made in sorts.items():
                told = measure(caller, list(made), options.rounds)
                text = ", ".join(f"{name} {value:.2f}" for name, value in told.items())
                print(f"{kind}: {text}", flush=True)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


if __name__ == "__main__":
    main()
