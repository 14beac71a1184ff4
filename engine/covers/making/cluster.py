"""Embedding covers on many machines: `build --ray auto|ADDRESS`.

    names ─Ray Data→ batches ─workers: embed_batch→ rows ─→ the build's own work folder

The workers run the build's own `embed_batch`; nothing else of a build moves. Each batch that comes
back is kept at once, so a build that is killed goes on where it stopped, and a worker that dies
costs the batch it had: Ray gives that to another. Needs `requirements/ray.in`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.base.errors import BuildError
from engine.base.needs import need
from engine.base.places import ENGINE
from engine.covers.making.embedding import BATCH, Embedded, embed_batch
from engine.covers.making.files import Picture


def embed_on_cluster(
    address: str, files: Sequence[Picture], encoder_folder: Path, name: str, known: frozenset[str]
) -> Iterator[list[Embedded]]:
    """What `embed_batch` gives for every batch, in whatever order the workers finish.

    `address` is a cluster's, or `auto`: the one that runs here or that RAY_ADDRESS names, else one
    of this machine's cores. A worker has one core, or one GPU where the cluster has any. `known`
    are digests whose embeddings are there already. Raises `BuildError`.
    """
    ray = need("ray", "ray.in", by="--ray")
    data = need("ray.data", "ray.in", by="--ray")
    ours = not ray.is_initialized()
    if ours:
        _join(ray, address)
    try:
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        most = max(1, gpus or int(resources.get("CPU", 1)))
        encoder = {path.name: path.read_bytes() for path in _plain_files(encoder_folder)}
        batches = -(-len(files) // BATCH)
        rows = data.from_items(
            [{"file": file} for file in files], override_num_blocks=batches
        ).map_batches(
            _Worker,
            fn_constructor_args=(ray.put(encoder), name, ray.put(known)),
            batch_size=None,
            compute=data.ActorPoolStrategy(min_size=1, max_size=min(most, batches)),
            num_gpus=1 if gpus else 0,
            num_cpus=0 if gpus else 1,
        )
        for batch in rows.iter_batches(batch_size=None, prefetch_batches=1):
            yield list(batch["row"])
    finally:
        if ours:
            ray.shutdown()


class _Worker:
    """One process of the cluster, with the encoder loaded once."""

    def __init__(self, encoder: Any, name: str, known: Any) -> None:
        import ray

        from engine.covers.encoder.on_torch import cuda_available, open_torch_encoder

        self._folder = tempfile.TemporaryDirectory(prefix="encoder-")
        for file, data in ray.get(encoder).items():
            (Path(self._folder.name) / file).write_bytes(data)
        runtime = "torch-cuda" if cuda_available() else "torch-cpu"
        # One core is what it was given; beside a GPU, whatever the machine has decodes for it.
        self._threads = 1 if runtime == "torch-cpu" else None
        self._encoder = open_torch_encoder(
            Path(self._folder.name), name, runtime=runtime, threads=self._threads
        )
        self._known = ray.get(known)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        files = list(batch["file"])
        return {"row": embed_batch(files, self._encoder, self._known, threads=self._threads)}


def _join(ray: Any, address: str) -> None:
    # The workers get the code that the driver runs, and no other version of it.
    options = {
        "runtime_env": {"py_modules": [str(ENGINE)]},
        "log_to_driver": False,
        "logging_level": "ERROR",
    }
    try:
        ray.init(address=address, **options)
    except ConnectionError as error:
        if address != "auto":
            raise BuildError(
                f"There is no Ray cluster at {address} ({error}). Start one with "
                "`ray start --head`, or give --ray auto."
            ) from error
        ray.init(**options)


def _plain_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]
