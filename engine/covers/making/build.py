"""Covers + metadata → artifact; also import, add and remove.

Everything here ends in `covers.artifact`: a folder is staged, hashed and renamed. Embedding goes
through the same image, encoder and index modules as serving does.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from engine.base.errors import BuildError
from engine.base.places import STARTER
from engine.base.progress import Progress
from engine.base.settings import DEFAULT_ENCODER
from engine.covers import artifact as folder_format
from engine.covers.artifact import (
    CATALOGUE,
    ENCODER,
    GOLDEN,
    INDEX,
    MANIFEST,
    THUMBNAILS,
    Artifact,
    CatalogueEntry,
    GoldenQueries,
    Inputs,
    Manifest,
    staging,
    write_manifest,
)
from engine.covers.catalogue import (
    UNKNOWN_GENRE,
    Album,
    Catalogue,
    revise_catalogue,
    revise_thumbnails,
    write_catalogue,
    write_thumbnails,
)
from engine.covers.encoder.on_openvino import OpenVINOEncoder
from engine.covers.encoder.on_torch import (
    Embeddings,
    Encoder,
    TorchEncoder,
    copy_encoder,
    file_sha256,
    find_encoder,
    open_torch_encoder,
    unit_rows,
)
from engine.covers.image import Pixels, decode, to_pixels
from engine.covers.making.embedding import EmbeddedRows, Picture, Workspace, cover_files, embed
from engine.covers.making.metadata import (
    albums_of_columns,
    albums_of_covers,
    read_genres,
    read_metadata,
)
from engine.covers.making.runtimes import give_cpu_runtime
from engine.covers.making.unpickle import read_metadata_pickle
from engine.vectors.index import RECALL, Index, build_index, read_foreign
from engine.vectors.inverted import Source, Stored
from engine.vectors.rows import FOLDER as ROWS
from engine.vectors.rows import link

GOLDEN_TEXTS = ("a red album cover", "a dark cover with a red moon", "jazz", "a guitar on a stage")
GOLDEN_PICTURES = 4
RUNTIME_PICTURES = 160

Precision = Literal["auto", "fp32", "bf16", "int8"]


@dataclass(frozen=True)
class Built:
    """What a build did: the artifact, and the files it skipped with the reason."""

    path: Path
    manifest: Manifest
    skipped: tuple[tuple[str, str], ...] = ()
    embedded: int = 0


def build(
    covers: Path | str,
    out: Path,
    *,
    ray: str | None = None,
    metadata: Path | None = None,
    encoder: str = DEFAULT_ENCODER,
    index: str = "auto",
    recall: float = RECALL,
    precision: Precision = "auto",
    card: Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """A folder of covers → an artifact at `out`.

    Files are taken in order of their relative path, which gives the album ids. A file that is no
    picture is named and skipped. Interrupted, the same command goes on where it stopped: finished
    embeddings wait in a work folder beside `out`. `covers` may be the URL of an object store, and
    `ray` the address of a cluster that embeds. Raises `BuildError`.
    """
    progress = progress or Progress()
    folder_format.refuse_existing(out, force=force)
    columns = read_metadata(metadata) if metadata else {}
    files = cover_files(covers, except_for=metadata)
    with staging(out, force=force) as folder:
        copy_encoder(find_encoder(encoder), folder / ENCODER)
        loaded = open_torch_encoder(folder / ENCODER, encoder)
        with Workspace(out, folder / ENCODER) as work:
            cluster = None
            if ray is not None:
                from engine.covers.making.cluster import embed_on_cluster

                cluster = partial(embed_on_cluster, ray, files, folder / ENCODER, encoder)
            good, skipped = embed(files, loaded, work, progress, cluster)
            if not good:
                raise BuildError(
                    f"{covers} holds no picture we can read ({len(skipped)} files skipped). Give "
                    "a folder of JPEG, PNG or WebP covers."
                )
            albums = albums_of_covers(good, columns, progress)
            by_id = sorted(zip((album.album_id for album in albums), good, strict=True))
            manifest = _assemble(
                folder,
                loaded,
                encoder,
                EmbeddedRows(work, [cover.digest for _, cover in by_id], loaded.dimension),
                sorted(albums, key=lambda album: album.album_id),
                ((album_id, work.thumbnail(cover.digest)) for album_id, cover in by_id),
                index=index,
                recall=recall,
                precision=precision,
                progress=progress,
                covers=[(album_id, cover.file) for album_id, cover in by_id],
                card=card,
            )
            embedded = work.embedded
            work.finished = True
    return Built(out, manifest, tuple(skipped), embedded)


def import_pair(
    index_file: Path,
    metadata_file: Path,
    out: Path,
    *,
    encoder: str = DEFAULT_ENCODER,
    genres: Path | None = None,
    index: str = "auto",
    recall: float = RECALL,
    precision: Precision = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """`album_covers.index` + `metadata.pkl` of the original design → an artifact at `out`.

    Album ids are the ids the index gives (positions, unless it has an id map), and `labels[id]` is
    the album's genre id. Rows that are not of unit length are normalised, and said so; rows
    without a direction are refused. Raises `BuildError`, `UnsafePickle`.
    """
    progress = progress or Progress()
    folder_format.refuse_existing(out, force=force)
    for file in (index_file, metadata_file):
        if not file.is_file():
            raise BuildError(f"{file} does not exist. Give the path of the file you hold.")
    columns = read_metadata_pickle(metadata_file)
    names = read_genres(genres) if genres else {}
    source = find_encoder(encoder)
    rows, ids, kind = read_foreign(index_file)
    if len(np.unique(ids)) != len(ids):
        raise BuildError(f"{index_file.name} holds an id twice; every album needs its own.")
    count = len(rows)
    for name, values in columns.items():
        if len(values) != count:
            raise BuildError(
                f"{metadata_file.name}: the column {name!r} has {len(values):,} values, "
                f"{index_file.name} has {count:,} rows. They are not a pair: look for the "
                "metadata written together with this index."
            )
    if ids.min() < 0 or ids.max() >= count:
        raise BuildError(
            f"{index_file.name} has ids up to {int(ids.max())} for {count:,} rows, so its albums "
            f"cannot be found in the columns of {metadata_file.name} by id."
        )
    norms = np.linalg.norm(rows, axis=1)
    if not np.all(np.isfinite(norms)) or np.any(norms < 1e-6):
        bad = int(np.flatnonzero(~np.isfinite(norms) | (norms < 1e-6))[0])
        raise BuildError(
            f"Row {bad} of {index_file.name} is zero or not finite, so it has no direction to "
            "compare. Embed that cover again."
        )
    if np.abs(norms - 1).max() > 1e-3:
        progress.remark(
            f"{index_file.name}: rows were not of unit length "
            f"({norms.min():.3g} to {norms.max():.3g}); they are normalised, so scores are cosines."
        )
    order = np.argsort(ids)
    with staging(out, force=force) as folder:
        copy_encoder(source, folder / ENCODER)
        loaded = open_torch_encoder(folder / ENCODER, encoder)
        if loaded.dimension != rows.shape[1]:
            raise BuildError(
                f"{index_file.name} has {rows.shape[1]} dimensions, the encoder {encoder} "
                f"{loaded.dimension}: these rows were made by another encoder. Name it with "
                "--encoder."
            )
        manifest = _assemble(
            folder,
            loaded,
            encoder,
            unit_rows(rows[order]),
            albums_of_columns(columns, names, count, metadata_file.name),
            (),
            index=kind if index == "keep" else index,
            recall=recall,
            precision=precision,
            progress=progress,
            vectors_digest=file_sha256(index_file),
        )
    return Built(out, manifest)


def add(
    source: Path,
    covers: Path,
    out: Path,
    *,
    metadata: Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """An artifact and a folder of further covers → a new artifact; old ids stay what they were.

    Only the new covers are embedded. A cover whose bytes the artifact holds already is named and
    skipped.
    """
    progress = progress or Progress()
    folder_format.refuse_existing(out, force=force)
    old = _open_complete(source)
    columns = read_metadata(metadata) if metadata else {}
    files = cover_files(covers, except_for=metadata)
    catalogue = old.open_catalogue()
    known = {album.digest: album.album_id for album in catalogue if album.digest}
    skipped, fresh = [], []
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if digest in known:
            reason = f"the same bytes are album {known[digest]} already"
            skipped.append((file.name, reason))
            progress.remark(f"skipped {file.name}: {reason}")
        else:
            fresh.append(file)
    with staging(out, force=force) as folder:
        _keep_encoder(old, folder)
        entry = old.manifest.encoder
        loaded = open_torch_encoder(folder / ENCODER, entry.name)
        with Workspace(out, folder / ENCODER) as work:
            good, unreadable = embed(fresh, loaded, work, progress)
            if not good:
                raise BuildError(f"{covers} holds no new picture, so there is nothing to add.")
            genres = {genre.genre: genre.genre_id for genre in catalogue.genres() if genre.genre}
            first = int(catalogue.ids().max(initial=-1)) + 1
            albums = albums_of_covers(good, columns, progress, first_id=first, known_genres=genres)
            taken = set(catalogue.ids().tolist())
            for album in albums:
                if album.album_id in taken:
                    raise BuildError(f"album_id {album.album_id} is taken in {source} already.")
            by_id = sorted(zip((album.album_id for album in albums), good, strict=True))
            golden = _golden(loaded, [(album_id, cover.file) for album_id, cover in by_id])
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
) -> Built:
    """An artifact without these albums; nothing is embedded, the other ids stay what they were."""
    folder_format.refuse_existing(out, force=force)
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
            progress=Progress(),
        )
    return Built(out, manifest)


def compact(
    source: Path,
    out: Path,
    *,
    index: str = "auto",
    recall: float = RECALL,
    force: bool = False,
) -> Built:
    """The same albums with their index trained and tuned again, on the rows that are there.

    For a catalogue that `add` has let grow far from the one its index was trained on, or `remove`
    left with rows of nobody. Nothing is embedded, and no id changes.
    """
    folder_format.refuse_existing(out, force=force)
    old = _open_complete(source)
    old.verify_rows()
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
        searchable = build_index(Stored(before, ids), ids, index, recall=recall, folder=folder)
        searchable.write(folder / INDEX)
        entry = old.manifest.encoder
        manifest = write_manifest(
            folder,
            name=entry.name,
            dimension=entry.dimension,
            precision=entry.precision,
            index=searchable,
            catalogue=old.manifest.catalogue,
            inputs=old.manifest.inputs,
            runtimes=entry.runtimes,
            linked=linked,
        )
    return Built(out, manifest)


def _assemble(
    folder: Path,
    encoder: TorchEncoder,
    encoder_name: str,
    vectors: Embeddings | Source,
    albums: Sequence[Album],
    thumbnails: Iterable[tuple[int, bytes]],
    *,
    index: str,
    recall: float,
    precision: Precision,
    covers: Sequence[tuple[int, Picture]] = (),
    vectors_digest: str | None = None,
    card: Path | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Write everything but the encoder into a staged folder, the manifest last.

    `vectors` are (N, D) unit rows in order of `albums`, which are in order of id.
    """
    ids = np.array([album.album_id for album in albums], np.int64)
    searchable = build_index(vectors, ids, index, recall=recall, folder=folder)
    searchable.write(folder / INDEX)
    write_catalogue(folder / CATALOGUE, albums)
    count = write_thumbnails(folder / THUMBNAILS, thumbnails)
    if not count:
        (folder / THUMBNAILS).unlink()
    golden = _golden(encoder, covers)
    golden.write(folder / GOLDEN)
    entry = give_cpu_runtime(
        encoder,
        folder / ENCODER,
        searchable,
        _pictures_for_runtime(encoder, covers),
        golden=golden,
        requested=precision,
        remark=(progress or Progress()).remark,
    )
    served = partial(OpenVINOEncoder, folder / ENCODER, encoder_name, precision=entry.precision)
    _give_identify(folder, count, None, progress or Progress(), (searchable, served))
    if card:
        shutil.copyfile(card, folder / "README.md")
    return write_manifest(
        folder,
        name=_encoder_name(encoder_name),
        dimension=encoder.dimension,
        precision=precision,
        index=searchable,
        catalogue=CatalogueEntry(
            albums=len(albums),
            genres=len({album.genre_id for album in albums} - {UNKNOWN_GENRE}),
            thumbnails=count,
        ),
        inputs=Inputs(albums=_digest_of(albums), vectors=vectors_digest),
        runtimes={"openvino-cpu": entry},
    )


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
) -> Manifest:
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
    if old.manifest.index.kind == "hnsw":
        # A graph cannot lose a row: it is made again.
        before, ids = old.open_index(), catalogue.ids()
        kept = np.setdiff1d(ids, new)
        rows = np.concatenate([before.vectors(kept), vectors])
        order = np.argsort(np.concatenate([kept, new]))
        searchable = build_index(rows[order], ids, "hnsw")
    else:
        searchable, segments = old.open_index(mapped=False).revised(
            folder, np.array(gone, np.int64), vectors, new
        )
        linked |= segments
    searchable.write(folder / INDEX)
    golden.write(folder / GOLDEN)
    _give_identify(folder, count, old.path / "identify" / "calibration.json", progress)
    card = _card_of(old)
    if card:
        shutil.copyfile(card, folder / "README.md")
    entry = old.manifest.encoder
    genres = {genre.genre_id for genre in catalogue.genres()}
    inputs = Inputs(albums=_digest_of(catalogue), vectors=old.manifest.inputs.vectors)
    albums_now = len(catalogue)
    catalogue.close()
    return write_manifest(
        folder,
        name=entry.name,
        dimension=entry.dimension,
        precision=entry.precision,
        index=searchable,
        catalogue=CatalogueEntry(
            albums=albums_now, genres=len(genres - {UNKNOWN_GENRE}), thumbnails=count
        ),
        inputs=inputs,
        runtimes=entry.runtimes,
        linked={name: old.manifest.files[name] for name in sorted(linked)},
    )


def _keep_encoder(old: Artifact, folder: Path) -> None:
    shutil.copytree(old.encoder_folder, folder / ENCODER, copy_function=link)


def _give_identify(
    folder: Path,
    covers: int,
    kept: Path | None,
    progress: Progress,
    seen_with: tuple[Index, Callable[[], Encoder]] | None = None,
) -> None:
    """What identify reads: references to the covers and a calibration of their evidence, which is
    `kept` where there was one. Without index and encoder, a new one is of proofs alone."""
    if covers < 2:
        return
    from engine.covers.identify import (
        calibration,  # OpenCV: an import that brings no covers never pays for it
    )
    from engine.covers.identify.references import CALIBRATION, FOLDER, write_references
    from engine.covers.identify.sight import Sight

    catalogue = Catalogue(folder / CATALOGUE, folder / THUMBNAILS)
    references = write_references(folder, catalogue, progress.step)
    if references is not None and kept is not None and kept.is_file():
        shutil.copyfile(kept, folder / FOLDER / CALIBRATION)
    elif references is not None and covers >= calibration.FEWEST_COVERS:
        sight = None
        if seen_with is not None:
            index, open_encoder = seen_with
            encoder = open_encoder()
            sight = partial(Sight, index, encoder.preprocessing, encoder.embed_images)
        observed = calibration.observe(catalogue, step=progress.step, sight=sight)
        calibration.fit(observed).write(folder / FOLDER / CALIBRATION)
    catalogue.close()


def _pictures_for_runtime(encoder: Encoder, covers: Sequence[tuple[int, Picture]]) -> Pixels:
    """(N, S, S, 3) uint8 to calibrate and compare a runtime on: the artifact's own covers, else
    those of the starter, else drawn patterns."""
    step = max(1, len(covers) // RUNTIME_PICTURES)
    images = [decode(path.read_bytes()) for _, path in covers[::step][:RUNTIME_PICTURES]]
    if not images and (STARTER / MANIFEST).is_file():
        catalogue = Artifact.open(STARTER).open_catalogue()
        ids = catalogue.ids()
        for album_id in ids[:: max(1, len(ids) // RUNTIME_PICTURES)][:RUNTIME_PICTURES].tolist():
            small = catalogue.thumbnail(album_id)
            if small is not None:
                images.append(decode(small))
    if not images:
        return np.stack([_pattern(encoder.preprocessing.size, i) for i in range(32)])
    return np.stack([to_pixels(image, encoder.preprocessing) for image in images])


def _golden(encoder: Encoder, covers: Sequence[tuple[int, Picture]]) -> GoldenQueries:
    """Golden queries: some covers that must find themselves, or drawn pictures where none came."""
    size = encoder.preprocessing.size
    chosen = covers[:: max(1, len(covers) // GOLDEN_PICTURES)][:GOLDEN_PICTURES]
    pictures = [
        to_pixels(decode(path.read_bytes()), encoder.preprocessing) for _, path in chosen
    ] or [_pattern(size, i) for i in range(GOLDEN_PICTURES)]
    album_ids = [album_id for album_id, _ in chosen] or [-1] * len(pictures)
    pixels = np.stack(pictures)
    return GoldenQueries(
        GOLDEN_TEXTS,
        encoder.embed_texts(GOLDEN_TEXTS),
        pixels,
        encoder.embed_images(pixels),
        np.array(album_ids, np.int64),
    )


def _pattern(size: int, number: int) -> Pixels:
    """(S, S, 3) uint8: smooth colour waves, a different picture for each number."""
    y, x = np.mgrid[0:size, 0:size] / size
    waves = [np.sin(6.28 * ((number + 1) * x * (c + 1) / 2 + (c - number) * y)) for c in range(3)]
    return ((np.stack(waves, axis=-1) + 1) * 127.5).astype(np.uint8)


def _digest_of(albums: Iterable[Album]) -> str:
    digest = hashlib.sha256()
    # The encoder made once: a third less time than json.dumps, which counts at a million albums.
    line = json.JSONEncoder(sort_keys=True).encode
    for album in albums:
        row = [
            album.album_id,
            album.genre_id,
            album.genre,
            album.title,
            album.artist,
            album.year,
            album.source,
            album.digest,
            dict(album.extra),
        ]
        digest.update(line(row).encode() + b"\n")
    return digest.hexdigest()


def _card_of(artifact: Artifact) -> Path | None:
    card = artifact.path / "README.md"
    return card if card.is_file() else None


def _encoder_name(encoder: str) -> str:
    """A hub id stays what it is; of a folder only its last name goes into the manifest."""
    return Path(encoder).resolve().name if Path(encoder).exists() else encoder
