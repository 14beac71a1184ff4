"""An artifact → its encoder and its index, opened as this process wants them."""

from __future__ import annotations

import contextlib

from engine.base.errors import EncoderMismatch, SettingsError, ShazamError
from engine.base.inference import import_openvino, kernel_cache
from engine.covers.artifact import Artifact
from engine.covers.encoder.encoder import Encoder
from engine.covers.encoder.on_torch import cuda_available, open_torch_encoder
from engine.vectors.neighbours import VectorIndex
from engine.vectors.where import OWN_INDEX


def open_index(artifact: Artifact, where: str, *, timeout_s: float = 30.0) -> VectorIndex:
    """The artifact's own index, or its rows in the engine that `SHAZAM_INDEX` names."""
    if where == OWN_INDEX:
        return artifact.open_index()
    from engine.vectors.lance import LanceIndex

    entry = artifact.manifest.index
    return LanceIndex.open(
        where, artifact.id, rows=entry.rows, dimension=entry.dimension, limit_s=timeout_s
    )


def import_openvino_ahead() -> None:
    """For a thread beside what is read from disks: nothing where it is not installed."""
    with contextlib.suppress(ImportError):
        import_openvino()


def load_encoder(
    artifact: Artifact,
    *,
    runtime: str = "auto",
    precision: str | None = None,
    threads: int | None = None,
) -> Encoder:
    """The encoder of an artifact on the runtime a setting names.

    `auto` is CUDA where there is a GPU, else the runtime the artifact was given for CPUs, else
    torch. `precision` overrides the manifest's on torch. Raises `SettingsError` where the runtime
    asked for is not there.
    """
    entry = artifact.manifest.encoder
    exported = entry.runtimes.get("openvino-cpu")
    if runtime == "auto":
        # A serving copy has nothing that torch could load, GPU or not.
        gpu = not artifact.manifest.serving_copy and cuda_available()
        runtime = "torch-cuda" if gpu else "openvino-cpu" if exported else "torch-cpu"
    if runtime == "openvino-cpu" and exported is None:
        raise SettingsError(
            "SHAZAM_RUNTIME='openvino-cpu' but this artifact was made without it; build it again "
            "with this version. Example: SHAZAM_RUNTIME=torch-cpu"
        )
    folder = artifact.encoder_folder
    try:
        if runtime == "openvino-cpu" and exported is not None:
            from engine.covers.encoder.on_openvino import OpenVINOEncoder

            return OpenVINOEncoder(
                folder,
                entry.name,
                precision=exported.precision,
                threads=threads,
                cache=kernel_cache(),
            )
        precision = precision or entry.precision
        return open_torch_encoder(
            folder, entry.name, runtime=runtime, precision=precision, threads=threads
        )
    except ShazamError:
        raise
    except Exception as error:
        # Files that are what the manifest says and no encoder: every library has its own word.
        raise EncoderMismatch(
            f"The encoder cannot be loaded ({type(error).__name__}: {str(error)[:300]}). "
            "Rebuild the artifact."
        ) from error
