"""What sounds alike, on real music: `python benchmarks/likeness.py [--music DIR]`.

Albums are Debian's packages of music (fetched by `apt-get download`, unpacked, not installed), or
the folders of DIR. Nothing of ours was trained on anything for this: musicnn's weights are its
authors'. Writes likeness.json and likeness.md beside itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.sound.audio import RATE, decode
from engine.sound.encoder.encoder import Standard
from engine.sound.encoder.musicnn import WINDOWS, MusicnnEncoder
from engine.sound.trials.likeness import likeness

HERE = Path(__file__).parent
FETCHED = HERE.parent / "build" / "likeness"
PACKAGES = (
    *("asc-music", "drascula-music", "frozen-bubble-data", "hyperrogue-music"),
    *("planetblupi-music-ogg", "singularity-music", "supertux-data", "warzone2100-music"),
    "wesnoth-1.16-music",
)
ENDINGS = {".ogg", ".mp3", ".opus", ".flac"}
SHORTEST_S = 40
MOST = 20  # windows of 3 s, taken for all of a track
COUNTS = (2, 4, 6, 8, 10, 12, 16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--music", type=Path, help="a folder with a folder an album")
    parser.add_argument("--tracks", type=int, default=12, help="of an album, at most")
    given = parser.parse_args()
    folder = given.music or fetch()
    begun = time.perf_counter()
    encoder = MusicnnEncoder(threads=1)
    opened_s = time.perf_counter() - begun
    encoder.embed(np.zeros(30 * RATE, np.float32))
    memory = resident_mb()
    heard = [hear(encoder, path, album) for album, path in recordings(folder, given.tracks)]
    found = measure([track for track in heard if track])
    found["open_s"] = round(opened_s, 2)
    found["resident_mb"] = memory
    (HERE / "likeness.json").write_text(json.dumps(found, indent=2) + "\n")
    (HERE / "likeness.md").write_text(table(found))
    print(table(found))


def resident_mb() -> int:
    """What this process holds, of Python, numpy, PyAV and OpenVINO too."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20


def fetch() -> Path:
    """The packages' files, a folder each; what is there is not fetched again."""
    for package in PACKAGES:
        target = FETCHED / package
        if target.is_dir():
            continue
        FETCHED.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", package], cwd=FETCHED, check=True)
        (archive,) = FETCHED.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, target], check=True)
        archive.unlink()
    return FETCHED


def recordings(folder: Path, most: int) -> Iterator[tuple[str, Path]]:
    """(album, file), drawn the same each time; a file that is in several places, once."""
    seen = set()
    for album in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = [
            path for path in sorted(album.rglob("*")) if path.suffix in ENDINGS and path.is_file()
        ]
        music = [path for path in files if path.stat().st_size > 500_000]
        random.Random(1).shuffle(music)
        kept = 0
        for path in music:
            digest = hashlib.sha256(path.read_bytes()).digest()
            if kept < most and digest not in seen:
                seen.add(digest)
                kept += 1
                yield album.name, path


def hear(encoder: MusicnnEncoder, path: Path, album: str) -> dict[str, Any] | None:
    """A track's windows, each for itself, or None where it is too short to be music."""
    begun = time.process_time()
    try:
        samples = decode(path)
    except Exception as error:
        print(f"{path.name} is left out: {error}")
        return None
    if len(samples) < SHORTEST_S * RATE:
        return None
    decoded = time.process_time()
    layers, _, last = encoder.hear(samples, MOST)
    done = time.process_time()
    return {
        "album": album,
        "layers": layers,
        "last": last,
        "decode_s": decoded - begun,
        "embed_s": (done - decoded) / len(layers),
    }


def measure(tracks: list[dict[str, Any]]) -> dict[str, Any]:
    albums = [track["album"] for track in tracks]
    whole = means(tracks, "layers")
    own = Standard.fit(whole)
    rows = own.apply(whole)
    return {
        "tracks": len(tracks),
        "albums": len(set(albums)),
        "kept": together(whole, albums),
        "layer_before_tags": together(means(tracks, "last"), albums),
        "raw_mean_cosine": raw_cosine(whole),
        "other_half_nearest": halves(tracks),
        "windows": {count: fewer(tracks, albums, rows, count) for count in COUNTS},
        "served_windows": WINDOWS,
        "decode_cpu_s": round(float(np.median([track["decode_s"] for track in tracks])), 2),
        "window_cpu_ms": round(1000 * float(np.median([track["embed_s"] for track in tracks])), 1),
    }


def means(tracks: list[dict[str, Any]], name: str, part: Any = slice(None)) -> np.ndarray:
    """(N, D) float32: the mean over windows of each track."""
    return np.stack([track[name][part].mean(axis=0) for track in tracks])


def together(raw: np.ndarray, albums: list[str]) -> dict[str, Any]:
    found = likeness(Standard.fit(raw).apply(raw), albums, [None] * len(albums)).as_dict()
    return {name: round(found[name], 3) for name in ("same_album", "album_chance", "mean_cosine")}


def raw_cosine(raw: np.ndarray) -> float:
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return round(float((unit @ unit.T)[~np.eye(len(raw), dtype=bool)].mean()), 3)


def halves(tracks: list[dict[str, Any]]) -> float:
    """How often the nearest second half is that of the same track."""
    first = means(tracks, "layers", slice(0, MOST // 2))
    second = means(tracks, "layers", slice(MOST // 2, None))
    standard = Standard.fit((first + second) / 2)
    nearest = (standard.apply(first) @ standard.apply(second).T).argmax(axis=1)
    return round(float((nearest == np.arange(len(tracks))).mean()), 3)


def fewer(
    tracks: list[dict[str, Any]], albums: list[str], rows: np.ndarray, count: int
) -> dict[str, Any]:
    """What is lost when `count` windows are heard of each track, and not all."""
    raw = np.stack(
        [
            track["layers"][
                np.linspace(0, len(track["layers"]) - 1, count).round().astype(int)
            ].mean(axis=0)
            for track in tracks
        ]
    )
    found = Standard.fit(raw).apply(raw)
    pairs = zip(nearest_ten(rows), nearest_ten(found), strict=True)
    return {
        "cosine": round(float((found * rows).sum(axis=1).mean()), 3),
        "overlap_at_10": round(float(np.mean([len(one & other) / 10 for one, other in pairs])), 3),
        "same_album": together(raw, albums)["same_album"],
    }


def nearest_ten(rows: np.ndarray) -> list[set[int]]:
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -2)
    return [set(np.argsort(-line)[:10].tolist()) for line in cosines]


def table(found: dict[str, Any]) -> str:
    kept, last = found["kept"], found["layer_before_tags"]
    lines = [
        f"{found['tracks']} tracks of {found['albums']} albums, {MOST} windows of 3 s each.",
        "",
        "| | nearest is of the same album | by chance | mean cosine of different tracks |",
        "|---|---|---|---|",
        f"| three middle layers, mean and largest (384, kept) | {kept['same_album']:.3f} | "
        f"{kept['album_chance']:.3f} | {kept['mean_cosine']:+.3f} |",
        f"| layer before the tags (200, usual) | {last['same_album']:.3f} | "
        f"{last['album_chance']:.3f} | {last['mean_cosine']:+.3f} |",
        "",
        f"Before standardising, the mean cosine is {found['raw_mean_cosine']:+.3f}. The nearest "
        f"second half is of the same track in {found['other_half_nearest']:.3f}.",
        "",
        f"| windows heard | cosine with {MOST} | same ten nearest | same album |",
        "|---|---|---|---|",
        *(
            f"| {count}{' (served)' if count == found['served_windows'] else ''} | "
            f"{one['cosine']:.3f} | {one['overlap_at_10']:.3f} | {one['same_album']:.3f} |"
            for count, one in found["windows"].items()
        ),
        "",
        f"Processor time: {found['window_cpu_ms']} ms a window, {found['decode_cpu_s']} s to "
        f"decode a track (medians). {found['open_s']} s to open, and the process holds "
        f"{found['resident_mb']} MB after a first recording.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
