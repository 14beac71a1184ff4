"""`making/cluster.py`: a build on a real Ray cluster of two workers, killed in the middle of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.covers.artifact import Artifact
from engine.covers.making.build import build
from engine.covers.making.cluster import embed_on_cluster
from engine.covers.making.files import Picture
from engine.covers.manifest import read_manifest

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements/ray.in")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two cores on this machine."""
    context = ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=100 << 20,
        runtime_env={"env_vars": {"OMP_NUM_THREADS": "1"}},
    )
    yield context.address_info["gcs_address"]
    ray.shutdown()


def test_a_clusters_build_is_the_single_machines(
    cluster: str,
    covers: Path,
    tiny_metadata: Path,
    tiny_clip: Path,
    tiny_artifact: Path,
    quick_runtime: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(covers, tmp_path / "covers")
    (tmp_path / "covers/zz-broken.jpg").write_bytes(b"%PDF-1.7 not a cover")
    monkeypatch.setattr("engine.covers.making.embedding.BATCH", 4)
    monkeypatch.setattr("engine.covers.making.cluster.BATCH", 4)
    built = build(
        tmp_path / "covers",
        tmp_path / "out",
        ray=cluster,
        metadata=tiny_metadata,
        encoder=str(tiny_clip),
        precision="fp32",
    )
    assert "zz-broken.jpg" in [name for name, _ in built.skipped]
    alone = read_manifest(tiny_artifact)
    assert built.manifest.id == alone.id
    assert built.manifest.inputs == alone.inputs
    ids = Artifact.open(tiny_artifact).open_catalogue().ids()
    here = Artifact.open(tiny_artifact).open_index().vectors(ids)
    there = Artifact.open(tmp_path / "out").open_index().vectors(ids)
    assert np.sum(here * there, axis=1).min() > 0.9999


class Stopped(Progress):
    """A driver that dies when so many covers are embedded."""

    def __init__(self, after: int) -> None:
        self._after, self.steps = after, [0]

    def step(self, done: int, total: int, what: str) -> None:
        if what == "covers":
            assert total == 31  # one is no picture
            self.steps.append(done)
            if done >= self._after:
                raise KeyboardInterrupt


def test_a_driver_that_dies_goes_on_where_it_stopped(
    cluster: str,
    covers: Path,
    tiny_clip: Path,
    quick_runtime: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.covers.making.embedding.BATCH", 4)
    monkeypatch.setattr("engine.covers.making.cluster.BATCH", 4)
    progress = Stopped(after=12)
    source = f"file://{covers}"  # as from an object store, through fsspec
    with pytest.raises(KeyboardInterrupt):
        build(source, tmp_path / "out", ray=cluster, encoder=str(tiny_clip), progress=progress)
    assert progress.steps == sorted(progress.steps)
    assert not (tmp_path / "out").exists()
    built = build(source, tmp_path / "out", ray=cluster, encoder=str(tiny_clip))
    assert built.manifest.catalogue.albums == 30
    assert built.embedded <= 30 - 12 + 1  # one of the first batches held the file that is none


DRIVER = """
import sys
from pathlib import Path
import engine.covers.making.build, engine.covers.making.cluster, engine.covers.making.embedding
from engine.base.progress import Progress

engine.covers.making.embedding.BATCH = engine.covers.making.cluster.BATCH = 4

class Told(Progress):
    def step(self, done, total, what):
        print(what, done, flush=True)

covers, out, metadata, encoder, cluster = sys.argv[1:]
engine.covers.making.build.build(
    Path(covers), Path(out), ray=cluster, metadata=Path(metadata), encoder=encoder, progress=Told()
)
"""


def test_a_driver_that_is_killed_leaves_what_its_workers_gave_it(
    cluster: str,
    covers: Path,
    tiny_metadata: Path,
    tiny_clip: Path,
    tiny_artifact: Path,
    quick_runtime: None,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    arguments = [*map(str, (covers, out, tiny_metadata, tiny_clip)), cluster]
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *arguments],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert driver.stdout is not None
    with driver.stdout:
        for line in driver.stdout:
            if line.startswith("covers") and int(line.split()[1]) >= 12:
                break
        driver.kill()
    assert driver.wait() == -signal.SIGKILL
    assert not out.exists()
    built = build(
        covers,
        out,
        ray=cluster,
        metadata=tiny_metadata,
        encoder=str(tiny_clip),
        precision="fp32",
    )
    assert built.embedded <= 30 - 12 + 1
    assert built.manifest.id == read_manifest(tiny_artifact).id


def test_a_worker_that_is_killed_costs_its_own_batch(
    cluster: str, covers: Path, tiny_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.covers.making.cluster.BATCH", 4)
    pictures = sorted(path for path in covers.iterdir() if path.suffix == ".png")
    files = [Picture(f"{i}-{path.name}", str(path)) for i in range(20) for path in pictures]
    rows = embed_on_cluster(cluster, files, tiny_clip, "tiny", frozenset())
    found = next(rows)
    killed = workers()
    assert killed
    os.kill(killed[0], signal.SIGKILL)
    found += [row for batch in rows for row in batch]
    assert sorted(row.file.name for row in found) == sorted(file.name for file in files)
    assert all(row.vector is not None for row in found)


def workers() -> list[int]:
    """Processes of our own cluster that embed."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            title = (folder / "cmdline").read_bytes()
            if b"_Worker" in title and os.getpid() in (
                parent(int(folder.name), 1),
                parent(int(folder.name), 2),
            ):
                found.append(int(folder.name))
        except OSError:  # gone meanwhile
            continue
    return found


def parent(pid: int, generations: int) -> int:
    for _ in range(generations):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid


def test_a_cluster_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tiny_clip: Path
) -> None:
    def refuse(**_: object) -> None:
        raise ConnectionError("nobody listens")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(BuildError, match=r"no Ray cluster at 10\.0\.0\.1:6379"):
        next(embed_on_cluster("10.0.0.1:6379", [], tiny_clip, "tiny", frozenset()))
