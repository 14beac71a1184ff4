"""Covers + metadata → artifact; also import, add and remove.

Everything here ends in `engine.artifact`: a folder is staged, hashed and renamed. Embedding goes
through the same image, encoder and index modules as serving does.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine import artifact as folder_format
from engine.artifact import (
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
from engine.catalogue import (
    UNKNOWN_GENRE,
    Album,
    Catalogue,
    revise_catalogue,
    revise_thumbnails,
    write_catalogue,
    write_thumbnails,
)
from engine.encoder import (
    DEFAULT_ENCODER,
    Embeddings,
    Encoder,
    TorchEncoder,
    copy_encoder,
    file_sha256,
    find_encoder,
    open_torch_encoder,
    unit_rows,
)
from engine.errors import BuildError, ShazamError
from engine.image import Pixels, decode, thumbnail, to_pixels
from engine.index import RECALL, build_index, read_foreign
from engine.inverted import BLOCK, Source, Stored
from engine.rows import FOLDER as ROWS
from engine.rows import link
from engine.runtimes import give_cpu_runtime
from engine.unpickle import read_metadata_pickle

BATCH = 64
THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 256, 34
GOLDEN_TEXTS = ("a red album cover", "a dark cover with a red moon", "jazz", "a guitar on a stage")
GOLDEN_PICTURES = 4
RUNTIME_PICTURES = 160
STARTER = Path(__file__).resolve().parent.parent / "artifacts" / "starter"

Precision = Literal["auto", "fp32", "bf16", "int8"]


class Progress:
    """Progress and remarks of a long job; the command line draws them, tests and servers do not."""

    def step(self, done: int, total: int, what: str) -> None: ...

    def remark(self, line: str) -> None: ...


@dataclass(frozen=True)
class Picture:
    """A cover's file: its name below the folder, and where its bytes are: a path, or the URL of an
    object store (`s3://…`) that fsspec reads."""

    name: str
    where: str

    def read_bytes(self) -> bytes:
        if "://" not in self.where:
            return Path(self.where).read_bytes()
        import fsspec

        with fsspec.open(self.where, "rb") as file:
            data: bytes = file.read()
            return data


@dataclass(frozen=True)
class Embedded:
    """What became of a file: its digest, vector (D,) and thumbnail, or why it was skipped."""

    file: Picture
    digest: str = ""
    vector: NDArray[np.float32] | None = None
    thumbnail: bytes = b""
    failure: str = ""


@dataclass(frozen=True)
class Cover:
    """One cover on its way into an artifact: its file and what is known of it."""

    path: Picture
    name: str
    digest: str


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
    files = _cover_files(covers, except_for=metadata)
    with staging(out, force=force) as folder:
        copy_encoder(find_encoder(encoder), folder / ENCODER)
        loaded = open_torch_encoder(folder / ENCODER, encoder)
        with _Workspace(out, folder / ENCODER) as work:
            cluster = None
            if ray is not None:
                from engine.cluster import embed_on_cluster

                cluster = partial(embed_on_cluster, ray, files, folder / ENCODER, encoder)
            good, skipped = _embed(files, loaded, work, progress, cluster)
            if not good:
                raise BuildError(
                    f"{covers} holds no picture we can read ({len(skipped)} files skipped). Give "
                    "a folder of JPEG, PNG or WebP covers."
                )
            albums = _albums(good, columns, progress)
            by_id = sorted(zip((album.album_id for album in albums), good, strict=True))
            manifest = _assemble(
                folder,
                loaded,
                encoder,
                _Embedded(work, [cover.digest for _, cover in by_id], loaded.dimension),
                sorted(albums, key=lambda album: album.album_id),
                ((album_id, work.thumbnail(cover.digest)) for album_id, cover in by_id),
                index=index,
                recall=recall,
                precision=precision,
                progress=progress,
                covers=[(album_id, cover.path) for album_id, cover in by_id],
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
            _imported_albums(columns, names, count, metadata_file.name),
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
    files = _cover_files(covers, except_for=metadata)
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
        with _Workspace(out, folder / ENCODER) as work:
            good, unreadable = _embed(fresh, loaded, work, progress)
            if not good:
                raise BuildError(f"{covers} holds no new picture, so there is nothing to add.")
            genres = {genre.genre: genre.genre_id for genre in catalogue.genres() if genre.genre}
            first = int(catalogue.ids().max(initial=-1)) + 1
            albums = _albums(good, columns, progress, first_id=first, known_genres=genres)
            taken = set(catalogue.ids().tolist())
            for album in albums:
                if album.album_id in taken:
                    raise BuildError(f"album_id {album.album_id} is taken in {source} already.")
            by_id = sorted(zip((album.album_id for album in albums), good, strict=True))
            golden = _golden(loaded, [(album_id, cover.path) for album_id, cover in by_id])
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


def read_metadata(path: Path) -> dict[str, dict[str, Any]]:
    """CSV, JSON Lines or Parquet → file name → its row. Raises `BuildError` by name.

    The column that names the file is `file`, `filename`, `path`, `image` or `cover`.
    """
    if not path.is_file():
        raise BuildError(f"The metadata file {path} does not exist.")
    try:
        rows = list(_rows(path))
    except (OSError, ValueError, csv.Error) as error:
        raise BuildError(f"{path.name} cannot be read: {error}") from error
    if not rows:
        raise BuildError(f"{path.name} holds no rows.")
    key = next((name for name in _FILE_COLUMNS if name in rows[0]), None)
    if key is None:
        raise BuildError(
            f"{path.name} has the columns {', '.join(map(str, rows[0]))}; one named 'file' must "
            "give each cover's file name, since rows are joined by name and never by position."
        )
    table: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, start=2):
        name = str(row.get(key) or "").replace("\\", "/")
        if not name:
            raise BuildError(f"{path.name}, row {number}: the column {key!r} is empty.")
        if name in table:
            raise BuildError(f"{path.name}, row {number}: {name} has a row already.")
        table[name] = {column: value for column, value in row.items() if column != key}
    return table


def read_genres(path: Path) -> dict[int, str]:
    """Genre names by id: a JSON list or object, or a text file with one name a line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() != ".json":
            return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
        raw = json.loads(text)
        pairs = raw.items() if isinstance(raw, dict) else enumerate(raw)
        return {int(number): str(name) for number, name in pairs}
    except (OSError, ValueError, TypeError) as error:
        raise BuildError(f"{path} is not a list of genres: {error}") from error


_FILE_COLUMNS = ("file", "filename", "file_name", "path", "image", "cover")
_KNOWN_COLUMNS = ("album_id", "genre_id", "title", "artist", "genre", "year")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    kind = path.suffix.lower()
    if kind == ".csv":
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                if None in row:
                    raise ValueError(f"the row of {next(iter(row.values()))!r} has too many values")
                yield row
    elif kind in (".jsonl", ".ndjson"):
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("each line must be a JSON object")
                    yield row
    elif kind == ".parquet":
        import pyarrow.parquet

        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
    else:
        raise ValueError(f"{kind or 'a file without an ending'} is not .csv, .jsonl or .parquet")


def _cover_files(covers: Path | str, except_for: Path | None) -> list[Picture]:
    if "://" in str(covers):
        return _objects(str(covers))
    covers = Path(covers)
    if not covers.is_dir():
        raise BuildError(f"{covers} is not a folder. Give --covers a folder of pictures.")
    skip = except_for.resolve() if except_for else None
    found = [
        Picture(path.relative_to(covers).as_posix(), str(path.absolute()))
        for path in covers.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(covers).parts)
        and path.resolve() != skip
    ]
    return sorted(found, key=lambda file: file.name)


def _objects(url: str) -> list[Picture]:
    import fsspec

    try:
        store, root = fsspec.core.url_to_fs(url)
        keys = store.find(root)
    except Exception as error:  # every store has errors of its own
        raise BuildError(f"{url} cannot be listed ({type(error).__name__}: {error}).") from error
    names = ((key[len(root) :].lstrip("/"), key) for key in keys)
    found = [
        Picture(name, store.unstrip_protocol(key))
        for name, key in names
        if name and not any(part.startswith(".") for part in name.split("/"))
    ]
    if not found:
        raise BuildError(f"{url} holds no files. Give --covers a folder of pictures.")
    return sorted(found, key=lambda file: file.name)


def embed_batch(
    files: Sequence[Picture], encoder: Encoder, known: Container[str]
) -> list[Embedded]:
    """Some files → what they are, in their order; what cannot be read says why.

    Contents in `known`, by sha256, are not embedded again: their vector is None. This is what a
    build does with covers, in this process or on a cluster's workers (`engine.cluster`).
    """

    def prepare(file: Picture) -> tuple[Embedded, Pixels | None]:
        try:
            data = file.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            if digest in known:
                return Embedded(file, digest), None
            image = decode(data, name=file.name)
            small = thumbnail(image, THUMBNAIL_SIDE, THUMBNAIL_QUALITY)
            return Embedded(file, digest, None, small), to_pixels(image, encoder.preprocessing)
        except ShazamError as error:
            return Embedded(file, failure=error.message), None
        except OSError as error:
            return Embedded(file, failure=str(error)), None

    with ThreadPoolExecutor() as pool:  # Pillow decodes and resizes outside the interpreter lock
        prepared = list(pool.map(prepare, files))
    rows = [row for row, _ in prepared]
    # The same bytes twice in a batch are embedded once.
    fresh = {row.digest: i for i, (row, pixels) in enumerate(prepared) if pixels is not None}
    if fresh:
        pixels = np.stack([prepared[i][1] for i in fresh.values()])  # type: ignore[misc]
        for i, vector in zip(fresh.values(), encoder.embed_images(pixels), strict=True):
            rows[i] = replace(rows[i], vector=vector)
    return rows


def _embed(
    files: Sequence[Picture],
    encoder: Encoder,
    work: _Workspace,
    progress: Progress,
    cluster: Callable[[Container[str]], Iterable[list[Embedded]]] | None = None,
) -> tuple[list[Cover], list[tuple[str, str]]]:
    """Embed what the work folder does not hold yet; returns good covers and skipped files, each in
    order of `files`. `cluster` embeds all of them elsewhere, given the digests there are."""

    def here(known: Container[str]) -> Iterator[list[Embedded]]:
        for start in range(0, len(files), BATCH):
            yield embed_batch(files[start : start + BATCH], encoder, known)

    found: dict[str, Embedded] = {}
    for batch in here(work.known) if cluster is None else cluster(frozenset(work.known)):
        work.keep((r.digest, r.vector, r.thumbnail) for r in batch if r.vector is not None)
        for row in batch:
            if row.failure:
                progress.remark(f"skipped {row.file.name}: {row.failure}")
            found[row.file.name] = replace(row, vector=None, thumbnail=b"")
        progress.step(len(found), len(files), "covers")
    rows = [found[file.name] for file in files]
    # A file name that is not UTF-8 fits into no catalogue.
    good = [
        Cover(row.file, row.file.name.encode(errors="replace").decode(), row.digest)
        for row in rows
        if not row.failure
    ]
    return good, [(row.file.name, row.failure) for row in rows if row.failure]


def _albums(
    covers: Sequence[Cover],
    columns: Mapping[str, Mapping[str, Any]],
    progress: Progress,
    *,
    first_id: int = 0,
    known_genres: Mapping[str, int] | None = None,
) -> list[Album]:
    """Join covers and metadata by file name. Genre ids are given in order of name where missing."""
    rows = [_row_of(cover.name, columns) for cover in covers]
    unused = len(columns) - sum(row is not None for row in rows)
    if columns and unused:
        progress.remark(f"{unused} metadata rows name a file that is not among the covers")
    missing = [cover.name for cover, row in zip(covers, rows, strict=True) if row is None]
    if columns and missing:
        progress.remark(f"{len(missing)} covers have no metadata row, the first is {missing[0]}")
    genres = dict(known_genres or {})
    given = {
        str(row["genre"]): _integer(row["genre_id"], "genre_id")
        for row in rows
        if row and row.get("genre") and row.get("genre_id") not in (None, "")
    }
    genres.update(given)
    names = sorted({str(row["genre"]) for row in rows if row and row.get("genre")} - set(genres))
    free = max(genres.values(), default=-1) + 1
    genres.update({name: free + i for i, name in enumerate(names)})
    albums, seen = [], set()
    for position, (cover, found) in enumerate(zip(covers, rows, strict=True)):
        row: Mapping[str, Any] = found or {}
        given_id = row.get("album_id")
        album_id = first_id + position if given_id in (None, "") else _integer(given_id, "album_id")
        if album_id in seen or album_id < 0:
            raise BuildError(f"album_id {album_id} ({cover.name}) is negative or used twice.")
        seen.add(album_id)
        genre = _text(row.get("genre"))
        genre_id = row.get("genre_id")
        albums.append(
            Album(
                album_id,
                genres[genre]
                if genre
                else UNKNOWN_GENRE
                if genre_id in (None, "")
                else _integer(genre_id, "genre_id"),
                _text(row.get("title")),
                _text(row.get("artist")),
                genre,
                _year(row.get("year")),
                cover.name,
                cover.digest,
                {
                    key: value
                    for key, given in row.items()
                    if key not in _KNOWN_COLUMNS and (value := _plain(given)) not in (None, "")
                },
            )
        )
    return albums


def _row_of(name: str, columns: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """A cover's row by relative path, by file name, or by file name without its ending."""
    path = Path(name)
    return next(
        (columns[key] for key in (name, path.name, path.stem) if key in columns),
        None,
    )


def _imported_albums(
    columns: Mapping[str, Sequence[Any]], genres: Mapping[int, str], count: int, name: str
) -> list[Album]:
    def column(*names: str) -> Sequence[Any]:
        return next((columns[key] for key in names if key in columns), [None] * count)

    labels, titles = column("labels"), column("titles", "title")
    artists, years = column("artists", "artist"), column("years", "year")
    genre_names = column("genres", "genre")
    used = {"labels", "titles", "title", "artists", "artist", "years", "year", "genres", "genre"}
    rest = [key for key in columns if key not in used]
    ids: dict[str, int] = {}
    albums = []
    for i in range(count):
        label = labels[i]
        if isinstance(label, str) and not label.lstrip("-").isdigit():
            # Labels that are names become ids in order of appearance.
            genre_id, genre = ids.setdefault(label, len(ids)), label
        else:
            genre_id = UNKNOWN_GENRE if label is None else _integer(label, f"{name}: labels")
            genre = genres.get(genre_id) or _text(genre_names[i])  # type: ignore[assignment]
        extra = {key: _plain(columns[key][i]) for key in rest}
        albums.append(
            Album(
                i,
                genre_id,
                _text(titles[i]),
                _text(artists[i]),
                genre,
                _year(years[i]),
                extra=extra,
            )
        )
    return albums


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
    _give_identify(folder, count, None, progress or Progress())
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


def _give_identify(folder: Path, covers: int, kept: Path | None, progress: Progress) -> None:
    """What identify reads: references to the covers and a calibration of their evidence."""
    if covers < 2:
        return
    from engine import calibration  # OpenCV: an import that brings no covers never pays for it
    from engine.references import CALIBRATION, FOLDER, write_references

    catalogue = Catalogue(folder / CATALOGUE, folder / THUMBNAILS)
    references = write_references(folder, catalogue, progress.step)
    if references is not None and kept is not None and kept.is_file():
        shutil.copyfile(kept, folder / FOLDER / CALIBRATION)
    elif references is not None and covers >= calibration.FEWEST_COVERS:
        observed = calibration.observe(catalogue, step=progress.step)
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


class _Workspace:
    """Finished embeddings and thumbnails beside `out`, by content: what lets a build resume.

    Belongs to one encoder: with another the rows would be of another space, so they are dropped.
    """

    def __init__(self, out: Path, encoder_folder: Path) -> None:
        self._path = out.parent / f".{out.name}.work.sqlite"
        self._encoder = folder_format.digest_of_folder(encoder_folder)
        self.embedded = 0
        self.finished = False

    def __enter__(self) -> _Workspace:
        self._db = sqlite3.connect(self._path, check_same_thread=False)
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "CREATE TABLE IF NOT EXISTS encoder (digest TEXT);"
            "CREATE TABLE IF NOT EXISTS done"
            " (digest TEXT PRIMARY KEY, vector BLOB NOT NULL, thumbnail BLOB NOT NULL);"
        )
        if self._db.execute("SELECT digest FROM encoder").fetchone() != (self._encoder,):
            self._db.executescript("DELETE FROM done; DELETE FROM encoder;")
            self._db.execute("INSERT INTO encoder VALUES (?)", (self._encoder,))
            self._db.commit()
        self._known = {row[0] for row in self._db.execute("SELECT digest FROM done")}
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        if self.finished:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    @property
    def known(self) -> Set[str]:
        """Digests of what is finished."""
        return self._known

    def keep(self, rows: Iterable[tuple[str, NDArray[np.float32], bytes]]) -> None:
        kept = [(digest, vector.tobytes(), small) for digest, vector, small in rows]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO done VALUES (?,?,?)", kept)
        self._known.update(digest for digest, _, _ in kept)
        self.embedded += len(kept)

    def vector(self, digest: str) -> NDArray[np.float32]:
        return np.frombuffer(self._column("vector", digest), np.float32)

    def thumbnail(self, digest: str) -> bytes:
        return self._column("thumbnail", digest)

    def _column(self, name: str, digest: str) -> bytes:
        sql = f"SELECT {name} FROM done WHERE digest = ?"
        return bytes(self._db.execute(sql, (digest,)).fetchone()[0])


class _Embedded:
    """The embeddings of a work folder, in order of `digests`, as rows to build an index from."""

    def __init__(self, work: _Workspace, digests: Sequence[str], dimension: int) -> None:
        self._work, self._digests, self.dimension = work, digests, dimension

    def __len__(self) -> int:
        return len(self._digests)

    def blocks(self) -> Iterator[tuple[int, Embeddings]]:
        for start in range(0, len(self), BLOCK):
            yield start, self._rows(range(start, min(start + BLOCK, len(self))))

    def sample(self, count: int, seed: int) -> tuple[NDArray[np.int64], Embeddings]:
        positions = np.random.default_rng(seed).permutation(len(self))[:count]
        return positions, self._rows(positions.tolist())

    def _rows(self, positions: Iterable[int]) -> Embeddings:
        return np.stack([self._work.vector(self._digests[i]) for i in positions])


def _card_of(artifact: Artifact) -> Path | None:
    card = artifact.path / "README.md"
    return card if card.is_file() else None


def _encoder_name(encoder: str) -> str:
    """A hub id stays what it is; of a folder only its last name goes into the manifest."""
    return Path(encoder).resolve().name if Path(encoder).exists() else encoder


def _text(value: Any) -> str | None:
    value = _plain(value)
    # A lone surrogate (half an emoji, a file name that is not UTF-8) fits into no database.
    return None if value is None or value == "" else str(value).encode(errors="replace").decode()


def _year(value: Any) -> int | None:
    text = _text(value)
    try:
        year = int(float(text)) if text else None
        return None if year is None or abs(year) > 9999 else year
    except (ValueError, OverflowError):
        return None


def _integer(value: Any, what: str) -> int:
    plain = _plain(value)
    try:
        if isinstance(plain, float) and not plain.is_integer():
            raise ValueError
        number = int(plain)
        if not -(2**63) <= number < 2**63:
            raise ValueError
        return number
    except (TypeError, ValueError, OverflowError):
        raise BuildError(f"{what}: {plain!r} is not a whole number of 64 bits.") from None


def _plain(value: Any, depth: int = 3) -> Any:
    """Any value of a row → what JSON can hold: NaN → None, a date and the like → its text.

    Containers more than `depth` deep are left out: a pickle's may hold themselves.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if depth == 0 or len(value) > 1000:
            return None
        if isinstance(value, Mapping):
            return {str(key)[:200]: _plain(item, depth - 1) for key, item in value.items()}
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [_plain(item, depth - 1) for item in items]
    return str(value)
