"""An artifact → a new version of it: albums added, removed, the index trained again."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.artifact.folder import refuse_existing, staging
from engine.base.errors import BuildError, ShazamError
from engine.base.files import link
from engine.base.progress import Progress
from engine.covers.artifact import Artifact
from engine.covers.catalogue import (
    UNKNOWN_GENRE,
    Album,
    Catalogue,
    revise_catalogue,
    revise_thumbnails,
    write_thumbnails,
)
from engine.covers.encoder.on_torch import open_torch_encoder
from engine.covers.golden import GoldenQueries
from engine.covers.image import MAX_IMAGE_PIXELS
from engine.covers.making.assemble import Built, digest_of, give_identify, golden_queries
from engine.covers.making.embedding import Workspace, embed
from engine.covers.making.files import MAX_FILE_BYTES, Picture, cover_files
from engine.covers.making.genres import Genres
from engine.covers.making.metadata import Planned, read_metadata
from engine.covers.manifest import (
    CATALOGUE,
    ENCODER,
    GOLDEN,
    INDEX,
    THUMBNAILS,
    CatalogueEntry,
    CoverManifest,
    Inputs,
    Parts,
    write_manifest,
)
from engine.vectors.embeddings import Embeddings
from engine.vectors.making import build_index, revise_index
from engine.vectors.rows import FOLDER as ROWS
from engine.vectors.sources import Stored
from engine.vectors.tuning import RECALL


def add(
    source: Path,
    covers: Path,
    out: Path,
    *,
    metadata: Path | None = None,
    max_file_bytes: int = MAX_FILE_BYTES,
    max_image_pixels: int = MAX_IMAGE_PIXELS,
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """An artifact and a folder of further covers → a new artifact; old ids stay what they were.

    Only the new covers are embedded. A cover whose bytes the artifact holds already is named and
    skipped.
    """
    progress = progress or Progress()
    refuse_existing(out, force=force)
    old = _open_complete(source)
    table = read_metadata(metadata, progress) if metadata else None
    found = cover_files(
        covers,
        (metadata, source, out),
        progress,
        most_bytes=max_file_bytes,
        most_pixels=max_image_pixels,
    )
    catalogue = old.open_catalogue()
    known = {album.digest: album.album_id for album in catalogue if album.digest}
    skipped, fresh = [*found.skipped], []
    for file in found.files:
        digest = _digest_of_file(file)
        if digest in known:
            reason = f"the same bytes are album {known[digest]} already"
            skipped.append((file.name, reason))
            progress.remark(f"skipped {file.name}: {reason}")
        else:
            fresh.append(file)
    genres = Genres()
    for genre in catalogue.genres():
        genres.know(genre.genre_id, genre.genre, str(source))
    planned = Planned(
        [file.name for file in found.files],
        table,
        progress,
        genres=genres,
        fresh={file.name for file in fresh},
        first_id=int(catalogue.ids().max(initial=-1)) + 1,
        taken=set(catalogue.ids().tolist()),
        of=f"{source} already",
    )
    with staging(out, force=force) as folder:
        _keep_encoder(old, folder)
        entry = old.manifest.encoder
        loaded = open_torch_encoder(folder / ENCODER, entry.name)
        with Workspace(out, folder / ENCODER) as work:
            good, unreadable = embed(fresh, loaded, work, progress)
            if not good:
                raise BuildError(f"{covers} holds no new picture, so there is nothing to add.")
            albums = planned.albums(good, progress)
            by_id = sorted(zip((album.album_id for album in albums), good, strict=True))
            golden = golden_queries(loaded, [(album_id, cover.file) for album_id, cover in by_id])
            manifest = _revise(
                old,
                folder,
                gone=(),
                albums=sorted(albums, key=lambda album: album.album_id),
                vectors=np.stack([work.vector(cover.digest) for _, cover in by_id]),
                thumbnails=((album_id, work.thumbnail(cover.digest)) for album_id, cover in by_id),
                golden=golden,
                progress=progress,
            )
            embedded = work.embedded
            work.finished = True
    return Built(out, manifest, (*skipped, *unreadable), embedded)


def remove(
    source: Path,
    album_ids: Sequence[int],
    out: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """An artifact without these albums; nothing is embedded, the other ids stay what they were."""
    refuse_existing(out, force=force)
    old = _open_complete(source)
    ids = old.open_catalogue().ids()
    gone = sorted(set(album_ids))
    unknown = np.setdiff1d(np.array(gone, object), ids)
    if len(unknown):
        raise BuildError(f"There is no album {unknown[0]} in {source}; nothing was removed.")
    if len(gone) == len(ids):
        raise BuildError("That would remove every album; an artifact holds at least one.")
    with staging(out, force=force) as folder:
        _keep_encoder(old, folder)
        golden = old.golden()
        kept = np.where(np.isin(golden.album_ids, gone), -1, golden.album_ids)
        manifest = _revise(
            old,
            folder,
            gone=gone,
            albums=(),
            vectors=np.zeros((0, old.manifest.index.dimension), np.float32),
            thumbnails=(),
            golden=replace(golden, album_ids=kept),
            progress=progress or Progress(),
        )
    return Built(out, manifest)


def compact(
    source: Path,
    out: Path,
    *,
    index: str = "auto",
    recall: float = RECALL,
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """The same albums with their index trained and tuned again, on the rows that are there.

    For a catalogue that `add` has let grow far from the one its index was trained on, or `remove`
    left with rows of nobody. Nothing is embedded, and no id changes.
    """
    refuse_existing(out, force=force)
    old = _open_complete(source)
    old.verify_rest()
    before, ids = old.open_index(), old.open_catalogue().ids()
    with staging(out, force=force) as folder:
        linked = {
            name: entry
            for name, entry in old.manifest.files.items()
            if name != INDEX and not name.startswith(f"{ROWS}/")
        }
        for name in linked:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            link(old.path / name, folder / name)
        searchable = build_index(
            Stored(before, ids), ids, index, recall=recall, folder=folder, progress=progress
        )
        searchable.write(folder / INDEX)
        told = old.manifest
        parts = Parts.with_encoder(told.encoder, searchable, told.catalogue, told.inputs)
        manifest = write_manifest(folder, parts, linked=linked)
    return Built(out, manifest)


def _digest_of_file(file: Picture) -> str | None:
    """sha256 of a cover's bytes; None for what cannot be read, which embedding it will name."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except (ShazamError, OSError, MemoryError):
        return None


def _open_complete(source: Path) -> Artifact:
    """The artifact to make another version of. Raises `BuildError` for a serving copy, whose
    weights the new version would lack for good."""
    artifact = Artifact.open(source)
    if artifact.manifest.serving_copy:
        raise BuildError(
            f"{source} is a serving copy, without its encoder's weights. Change the full artifact "
            "and make the copy again with `python -m engine pack --serving`."
        )
    return artifact


def _revise(
    old: Artifact,
    folder: Path,
    *,
    gone: Sequence[int],
    albums: Sequence[Album],
    vectors: Embeddings,
    thumbnails: Iterable[tuple[int, bytes]],
    golden: GoldenQueries,
    progress: Progress,
) -> CoverManifest:
    """Another artifact's files, changed, into a staged folder that holds its encoder already.

    What does not change is linked, and what does is changed in a copy: a million rows take seconds.
    """
    new = np.array([album.album_id for album in albums], np.int64)
    linked = {name for name in old.manifest.files if name.startswith(f"{ENCODER}/")}
    catalogue_file = folder / CATALOGUE
    revise_catalogue(old.path / CATALOGUE, catalogue_file, gone, albums)
    count, covers = 0, old.path / THUMBNAILS
    if covers.is_file():
        count = revise_thumbnails(covers, folder / THUMBNAILS, gone, thumbnails)
    else:
        count = write_thumbnails(folder / THUMBNAILS, thumbnails)
    if not count:
        (folder / THUMBNAILS).unlink()
    catalogue = Catalogue(catalogue_file)
    searchable, segments = revise_index(
        old.open_index(mapped=False), folder, np.array(gone, np.int64), vectors, new, progress
    )
    linked |= segments
    searchable.write(folder / INDEX)
    golden.write(folder / GOLDEN)
    give_identify(folder, count, old.path, progress)
    card = _card_of(old)
    if card:
        shutil.copyfile(card, folder / "README.md")
    genres = {genre.genre_id for genre in catalogue.genres()}
    counts = CatalogueEntry(
        albums=len(catalogue), genres=len(genres - {UNKNOWN_GENRE}), thumbnails=count
    )
    inputs = Inputs(albums=digest_of(catalogue), vectors=old.manifest.inputs.vectors)
    catalogue.close()
    parts = Parts.with_encoder(old.manifest.encoder, searchable, counts, inputs)
    files = {name: old.manifest.files[name] for name in sorted(linked)}
    return write_manifest(folder, parts, linked=files)


def _keep_encoder(old: Artifact, folder: Path) -> None:
    shutil.copytree(old.encoder_folder, folder / ENCODER, copy_function=link)


def _card_of(artifact: Artifact) -> Path | None:
    card = artifact.path / "README.md"
    return card if card.is_file() else None
