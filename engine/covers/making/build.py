"""Covers + metadata → artifact; also import, add and remove.

Everything here ends in `covers.artifact`: a folder is staged, hashed and renamed. Embedding goes
through the same image, encoder and index modules as serving does.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from engine.artifact.folder import refuse_existing, staging
from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.covers.encoder.encoder import WantedPrecision
from engine.covers.encoder.on_torch import open_torch_encoder
from engine.covers.image import MAX_IMAGE_PIXELS
from engine.covers.making import DEFAULT_ENCODER
from engine.covers.making.assemble import Built, Material, Wish, assemble
from engine.covers.making.embedding import EmbeddedRows, Workspace, embed
from engine.covers.making.encoder import copy_encoder, find_encoder
from engine.covers.making.files import MAX_FILE_BYTES, cover_files
from engine.covers.making.metadata import Planned, read_metadata
from engine.covers.manifest import ENCODER
from engine.vectors.tuning import RECALL


def build(
    covers: Path | str,
    out: Path,
    *,
    ray: str | None = None,
    metadata: Path | None = None,
    encoder: str = DEFAULT_ENCODER,
    index: str = "auto",
    recall: float = RECALL,
    precision: WantedPrecision = "auto",
    card: Path | None = None,
    max_file_bytes: int = MAX_FILE_BYTES,
    max_image_pixels: int = MAX_IMAGE_PIXELS,
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """A folder of covers → an artifact at `out`.

    Files are taken in order of their relative path, which gives the album ids. A file that is no
    picture, or has more than `max_file_bytes` or `max_image_pixels`, is named and skipped. Metadata
    are read and checked whole before anything is embedded. Interrupted, the same command goes on
    where it stopped: finished embeddings wait in a work folder beside `out`. `covers` may be the
    URL of an object store, and `ray` the address of a cluster that embeds. Raises `BuildError`.
    """
    progress = progress or Progress()
    refuse_existing(out, force=force)
    table = read_metadata(metadata, progress) if metadata else None
    found = cover_files(
        covers,
        (metadata, card, out),
        progress,
        most_bytes=max_file_bytes,
        most_pixels=max_image_pixels,
    )
    files = found.files
    planned = Planned([file.name for file in files], table, progress)
    with staging(out, force=force) as folder:
        copy_encoder(find_encoder(encoder), folder / ENCODER)
        loaded = open_torch_encoder(folder / ENCODER, encoder)
        with Workspace(out, folder / ENCODER) as work:
            cluster = None
            if ray is not None:
                from engine.covers.making.cluster import embed_on_cluster

                cluster = partial(embed_on_cluster, ray, files, folder / ENCODER, encoder)
            good, unreadable = embed(files, loaded, work, progress, cluster)
            skipped = (*found.skipped, *unreadable)
            if not good:
                raise BuildError(
                    f"{covers} holds no picture we can read ({len(skipped)} files skipped). Give "
                    "a folder of JPEG, PNG or WebP covers."
                )
            albums = planned.albums(good, progress)
            by_id = sorted(zip((album.album_id for album in albums), good, strict=True))
            material = Material(
                encoder=loaded,
                name=encoder,
                vectors=EmbeddedRows(work, [cover.digest for _, cover in by_id], loaded.dimension),
                albums=sorted(albums, key=lambda album: album.album_id),
                thumbnails=((album_id, work.thumbnail(cover.digest)) for album_id, cover in by_id),
                covers=[(album_id, cover.file) for album_id, cover in by_id],
                card=card,
            )
            manifest = assemble(folder, material, Wish(index, recall, precision), progress)
            embedded = work.embedded
            work.finished = True
    return Built(out, manifest, skipped, embedded)
