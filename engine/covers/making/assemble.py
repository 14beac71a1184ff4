"""Parts → an artifact: encoder, index, catalogue, golden queries, what identify needs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from engine.base.places import MANIFEST, STARTER
from engine.base.progress import Progress
from engine.covers.artifact import Artifact
from engine.covers.catalogue import (
    UNKNOWN_GENRE,
    Album,
    Catalogue,
    write_catalogue,
    write_thumbnails,
)
from engine.covers.encoder.encoder import Encoder, WantedPrecision
from engine.covers.encoder.on_openvino import OpenVINOEncoder
from engine.covers.encoder.on_torch import TorchEncoder
from engine.covers.golden import GoldenQueries
from engine.covers.image import Pixels, decode, to_pixels
from engine.covers.making.files import Picture
from engine.covers.making.runtimes import give_cpu_runtime
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
from engine.vectors.index import Index
from engine.vectors.making import build_index
from engine.vectors.sources import Source
from engine.vectors.tuning import RECALL

GOLDEN_TEXTS = ("a red album cover", "a dark cover with a red moon", "jazz", "a guitar on a stage")
GOLDEN_PICTURES = 4
RUNTIME_PICTURES = 160


@dataclass(frozen=True)
class Built:
    """What a build did: the artifact, and the files it skipped with the reason."""

    path: Path
    manifest: CoverManifest
    skipped: tuple[tuple[str, str], ...] = ()
    embedded: int = 0


@dataclass(frozen=True)
class Material:
    """What an artifact is assembled of, beside the encoder's folder that is staged already.

    `name` is the hub id or the folder that the encoder was named by. `vectors` are (N, D) unit
    rows in order of `albums`, which are in order of id; `covers` the pictures that are there to
    calibrate on, with the ids of their albums; `vectors_digest` is that of an imported index.
    """

    encoder: TorchEncoder
    name: str
    vectors: Embeddings | Source
    albums: Sequence[Album]
    thumbnails: Iterable[tuple[int, bytes]] = ()
    covers: Sequence[tuple[int, Picture]] = ()
    vectors_digest: str | None = None
    card: Path | None = None


@dataclass(frozen=True)
class Wish:
    """What was asked for: a kind of index or `auto`, the recall@10 of one that is trained, and the
    precision of the runtime for CPUs."""

    index: str = "auto"
    recall: float = RECALL
    precision: WantedPrecision = "auto"


def assemble(folder: Path, material: Material, wish: Wish, progress: Progress) -> CoverManifest:
    """Write everything but the encoder into a staged folder, the manifest last."""
    encoder, albums, covers = material.encoder, material.albums, material.covers
    ids = np.array([album.album_id for album in albums], np.int64)
    index = build_index(
        material.vectors, ids, wish.index, recall=wish.recall, folder=folder, progress=progress
    )
    index.write(folder / INDEX)
    write_catalogue(folder / CATALOGUE, albums)
    count = write_thumbnails(folder / THUMBNAILS, material.thumbnails)
    if not count:
        (folder / THUMBNAILS).unlink()
    golden = golden_queries(encoder, covers)
    golden.write(folder / GOLDEN)
    entry = give_cpu_runtime(
        encoder,
        folder / ENCODER,
        index,
        _pictures_for_runtime(encoder, covers),
        golden=golden,
        requested=wish.precision,
        progress=progress,
    )
    served = partial(OpenVINOEncoder, folder / ENCODER, material.name, precision=entry.precision)
    give_identify(folder, count, None, progress, (index, served))
    if material.card:
        shutil.copyfile(material.card, folder / "README.md")
    parts = Parts(
        name=_encoder_name(material.name),
        dimension=encoder.dimension,
        precision=wish.precision,
        runtimes={"openvino-cpu": entry},
        index=index,
        catalogue=CatalogueEntry(
            albums=len(albums),
            genres=len({album.genre_id for album in albums} - {UNKNOWN_GENRE}),
            thumbnails=count,
        ),
        inputs=Inputs(albums=digest_of(albums), vectors=material.vectors_digest),
    )
    return write_manifest(folder, parts)


def give_identify(
    folder: Path,
    covers: int,
    old: Path | None,
    progress: Progress,
    seen_with: tuple[Index, Callable[[], Encoder]] | None = None,
) -> None:
    """What identify reads: references to the covers and a calibration of their evidence, which is
    that of the `old` artifact where it has one. Without index and encoder, a new one is of proofs
    alone."""
    if covers < 2:
        return
    # OpenCV: an import that brings no covers never pays for it.
    from engine.covers.identify.references import CALIBRATION, FOLDER
    from engine.covers.identify.sight import Sight
    from engine.covers.making import calibrating
    from engine.covers.making.references import write_references

    catalogue = Catalogue(folder / CATALOGUE, folder / THUMBNAILS)
    references = write_references(folder, catalogue, progress, old)
    kept = old / FOLDER / CALIBRATION if old is not None else None
    if references is not None and kept is not None and kept.is_file():
        shutil.copyfile(kept, folder / FOLDER / CALIBRATION)
    elif references is not None and covers >= calibrating.FEWEST_COVERS:
        sight = None
        if seen_with is not None:
            index, open_encoder = seen_with
            encoder = open_encoder()
            sight = partial(Sight, index, encoder.preprocessing, encoder.embed_images)
        observed = calibrating.observe(catalogue, progress=progress, sight=sight)
        calibrating.fit(observed).write(folder / FOLDER / CALIBRATION)
    catalogue.close()


def _pictures_for_runtime(encoder: Encoder, covers: Sequence[tuple[int, Picture]]) -> Pixels:
    """(N, S, S, 3) uint8 to calibrate and compare a runtime on: the artifact's own covers, else
    those of the starter, else drawn patterns."""
    step = max(1, len(covers) // RUNTIME_PICTURES)
    images = [file.image() for _, file in covers[::step][:RUNTIME_PICTURES]]
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


def golden_queries(encoder: Encoder, covers: Sequence[tuple[int, Picture]]) -> GoldenQueries:
    """Golden queries: some covers that must find themselves, or drawn pictures where none came."""
    size = encoder.preprocessing.size
    chosen = covers[:: max(1, len(covers) // GOLDEN_PICTURES)][:GOLDEN_PICTURES]
    pictures = [to_pixels(file.image(), encoder.preprocessing) for _, file in chosen] or [
        _pattern(size, i) for i in range(GOLDEN_PICTURES)
    ]
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


def digest_of(albums: Iterable[Album]) -> str:
    """The digest of the albums' rows, in order of id: see artifacts/README.md, Identity."""
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


def _encoder_name(encoder: str) -> str:
    """A hub id stays what it is; of a folder only its last name goes into the manifest."""
    return Path(encoder).resolve().name if Path(encoder).exists() else encoder
