"""Commands that make artifacts of covers and ask them: build to compact, query, identify."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.base.texts import from_terminal, in_one_line
from engine.cli.terminal import (
    Bar,
    Commands,
    add_artifact,
    add_json,
    artifact_folder,
    print_json,
    program,
    read_picture,
    refuse_usage,
    share,
    tell,
    whole,
)
from engine.covers.making import DEFAULT_ENCODER
from engine.covers.question import DEFAULT_K, MAX_K, Wanted, shown_text
from engine.vectors.tuning import RECALL

if TYPE_CHECKING:
    from engine.covers.catalogue import Album
    from engine.covers.identify.identifier import Identification
    from engine.covers.making.assemble import Built
    from engine.covers.search import Hit

BUILDS = (
    "--covers my-covers --out artifacts/mine",
    "--covers my-covers --metadata my-covers.csv --encoder openai/clip-vit-base-patch32 "
    "--out artifacts/mine",
)
ADDS = ("artifacts/mine --covers new-covers --out artifacts/mine-2",)
REMOVES = ("artifacts/mine --ids 3,17 --out artifacts/mine-2",)
QUERIES = (
    "artifacts/starter --image tests/photos/01-soundtrack-on-planks.jpg",
    'artifacts/starter --text "a red album cover with a guitar" -k 3',
)
# What can be made of rows; `import` may also keep the index as it is.
KINDS = ("auto", "flat", "hnsw", "ivf")
IMPORT_KINDS = ("auto", "keep", "flat", "hnsw", "ivf")
# `covers.encoder.encoder.WantedPrecision`, which would load Pillow for the help.
PRECISIONS = ("auto", "fp32", "bf16", "int8")


def offer_build(commands: Commands) -> None:
    made = commands.add("build", _build, "A folder of covers to an artifact.", *BUILDS)
    _add_covers(made)
    _add_encoder(made)
    _add_index(made)
    _add_recall(made)
    made.add_argument(
        "--ray",
        metavar="auto|ADDRESS",
        help="embed on a Ray cluster; auto: the one there is, else this machine's cores",
    )
    made.add_argument("--card", type=Path, metavar="FILE.md", help="a text kept as its README.md")
    _add_out(made)


def _build(options: argparse.Namespace) -> int:
    from engine.covers.making.build import build
    from engine.covers.service.settings import CoverSettings

    with Bar() as bar:
        built = build(
            options.covers,
            options.out,
            ray=options.ray,
            metadata=options.metadata,
            encoder=options.encoder,
            index=options.index,
            recall=options.recall,
            precision=options.precision,
            card=options.card,
            max_file_bytes=options.max_file_bytes,
            max_image_pixels=CoverSettings.one("max_image_pixels"),
            force=options.force,
            progress=bar,
        )
    return _report(options, built)


def offer_import(commands: Commands) -> None:
    made = commands.add(
        "import",
        _import,
        "An existing FAISS index and metadata.pkl to an artifact.",
        "--index album_covers.index --metadata metadata.pkl --out artifacts/mine",
    )
    made.set_defaults(index_file=None, index_kind="auto")
    made.add_argument(
        "--index",
        action=_IndexOption,
        required=True,
        metavar="FILE|KIND",
        help="your index file; given a second time, the kind to make: " + ", ".join(IMPORT_KINDS),
    )
    made.add_argument(
        "--metadata",
        type=Path,
        required=True,
        metavar="FILE.pkl",
        help="your pickle: a dict or a list of dicts",
    )
    _add_recall(made)
    made.add_argument(
        "--genres",
        type=Path,
        metavar="FILE",
        help="genre names by id: JSON, a table with the columns id and name, or lines",
    )
    made.add_argument(
        "--titles",
        type=Path,
        metavar="FILE",
        help=".csv, .jsonl or .parquet with a column 'album_id' (or 'row', from 0) and any of "
        "title, artist, year, genre",
    )
    _add_encoder(made)
    _add_out(made)


def _import(options: argparse.Namespace) -> int:
    from engine.covers.making.import_pair import import_pair

    if options.index_file is None:
        refuse_usage("import needs --index FILE, the FAISS index you hold")

    with Bar() as bar:
        built = import_pair(
            options.index_file,
            options.metadata,
            options.out,
            encoder=options.encoder,
            genres=options.genres,
            titles=options.titles,
            index=options.index_kind,
            recall=options.recall,
            precision=options.precision,
            force=options.force,
            progress=bar,
        )
    return _report(options, built)


class _IndexOption(argparse.Action):
    """`import` takes --index twice: the file that is read, and the kind that is made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.default = argparse.SUPPRESS

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, value: Any, _option: str | None = None
    ) -> None:
        if value in IMPORT_KINDS and not Path(value).is_file():
            namespace.index_kind = value
        else:
            namespace.index_file = Path(value)


def offer_add(commands: Commands) -> None:
    made = commands.add(
        "add", _add, "Further covers to a new version; nothing is embedded twice.", *ADDS
    )
    add_artifact(made)
    _add_covers(made)
    _add_out(made)


def _add(options: argparse.Namespace) -> int:
    from engine.covers.making.revise import add
    from engine.covers.service.settings import CoverSettings

    with Bar() as bar:
        built = add(
            artifact_folder(options),
            options.covers,
            options.out,
            metadata=options.metadata,
            max_file_bytes=options.max_file_bytes,
            max_image_pixels=CoverSettings.one("max_image_pixels"),
            force=options.force,
            progress=bar,
        )
    return _report(options, built)


def offer_remove(commands: Commands) -> None:
    made = commands.add("remove", _remove, "A new version without some albums.", *REMOVES)
    add_artifact(made)
    made.add_argument(
        "--ids", nargs="+", required=True, metavar="ID", help="the albums': 3 17 or 3,17"
    )
    _add_out(made)


def _remove(options: argparse.Namespace) -> int:
    from engine.covers.making.revise import remove

    ids = [_album_id(part) for text in options.ids for part in text.split(",") if part.strip()]
    with Bar() as bar:
        built = remove(
            artifact_folder(options), ids, options.out, force=options.force, progress=bar
        )
    return _report(options, built)


def _album_id(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        refuse_usage(f"--ids {text!r} is not a number; give album ids such as 3,17")


def offer_compact(commands: Commands) -> None:
    made = commands.add(
        "compact",
        _compact,
        "Train and tune the index again, on the rows it holds.",
        "artifacts/mine --recall 0.99 --out artifacts/mine-2",
    )
    add_artifact(made)
    _add_index(made)
    _add_recall(made)
    _add_out(made)


def _compact(options: argparse.Namespace) -> int:
    from engine.covers.making.revise import compact

    with Bar() as bar:
        built = compact(
            artifact_folder(options),
            options.out,
            index=options.index,
            recall=options.recall,
            force=options.force,
            progress=bar,
        )
    return _report(options, built)


def offer_query(commands: Commands) -> None:
    made = commands.add("query", _query, "Search without a server.", *QUERIES)
    add_artifact(made)
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--image", type=Path, metavar="FILE", help="a picture of a cover")
    what.add_argument("--text", type=from_terminal, metavar="WORDS", help="what the cover shows")
    made.add_argument(
        "-k",
        type=whole(1, MAX_K),
        default=DEFAULT_K,
        metavar="N",
        help=f"how many albums, 1 to {MAX_K} (default: {DEFAULT_K})",
    )
    add_json(made)


def _query(options: argparse.Namespace) -> int:
    from engine.covers.search import CoverSearch

    if options.text is not None:
        shown_text(options.text)  # blank words are refused before an artifact is read
    search = CoverSearch.open(artifact_folder(options))
    wanted = Wanted(k=options.k)
    if options.image:
        hits = search.by_image(read_picture(options.image), wanted)
    else:
        hits = search.by_text(options.text, wanted)
    if options.json:
        print_json([_row_of(hit) for hit in hits])
        return 0
    print(f"{'similarity':>10}  {'album':>8}")
    for hit in hits:
        album = hit.album
        about = ", ".join(str(part) for part in (album.genre, album.year) if part)
        words = (_words(album) or album.source or "untitled") + (f" ({about})" if about else "")
        print(f"{hit.similarity:10.3f}  {album.album_id:>8}  {in_one_line(words)}")
    return 0


def _row_of(hit: Hit) -> dict[str, Any]:
    return {
        "album_id": hit.album.album_id,
        "genre_id": hit.album.genre_id,
        "similarity_score": hit.similarity,
        "title": hit.album.title,
        "artist": hit.album.artist,
        "genre": hit.album.genre,
    }


def offer_identify(commands: Commands) -> None:
    made = commands.add(
        "identify",
        _identify,
        "Which album a photo shows: match, ambiguous, no_match.",
        "artifacts/starter --image tests/photos/01-soundtrack-on-planks.jpg",
        "artifacts/mine --image two-sleeves.jpg --many --json",
    )
    add_artifact(made)
    made.add_argument("--image", type=Path, required=True, metavar="FILE", help="the photo")
    made.add_argument("--many", action="store_true", help="every sleeve in the photo")
    add_json(made)


def _identify(options: argparse.Namespace) -> int:
    from engine.covers.identify.identifier import Identifier
    from engine.covers.search import CoverSearch

    search = CoverSearch.open(artifact_folder(options))
    data = read_picture(options.image)
    answers = Identifier.open(search).by_image(data, many=options.many)
    if options.json:
        print_json([_row_of_answer(answer) for answer in answers])
        return 0
    for answer in answers:
        known = search.catalogue.albums([near.id for near in answer.candidates])
        _tell(answer, known)
    if not answers:
        print("no sleeve found")
    return 0


def _row_of_answer(answer: Identification) -> dict[str, Any]:
    return {
        "decision": answer.decision,
        "confidence": answer.confidence,
        "album_id": answer.album_id,
        "inliers": answer.inliers,
        "quad": None if answer.quad is None else answer.quad.tolist(),
        "mirrored": None if answer.quad is None else answer.mirrored,
        "candidates": [near.id for near in answer.candidates],
    }


def _tell(answer: Identification, known: Mapping[int, Album]) -> None:
    """One sleeve of a photo; `known` are the albums of its candidates."""
    shown = [answer.album_id] if answer.album_id is not None else list(known)
    words = {
        "match": "",
        "ambiguous": "one of: ",
        "no_match": "not in the catalogue; most alike: ",
        "unsure": "",
    }[answer.decision]
    names = "; ".join(f"{i} {_words(known[i])}" for i in shown[:3])
    print(f"{answer.decision:<9}  {answer.confidence:.3f}  {words}{in_one_line(names)}")
    if answer.quad is not None:
        corners = ", ".join(f"({x:.0f}, {y:.0f})" for x, y in answer.quad)
        way = "mirrored; " if answer.mirrored else ""
        print(f"           {answer.inliers} inliers; {way}its corners lie at {corners}")


def _words(album: Album) -> str:
    return " – ".join(part for part in (album.artist, album.title) if part)


def _report(options: argparse.Namespace, built: Built) -> int:
    manifest = built.manifest
    albums, genres = manifest.catalogue.albums, manifest.catalogue.genres
    result = {
        "path": str(built.path),
        "artifact": manifest.id,
        "albums": albums,
        "genres": genres,
        "index": manifest.index.kind,
        "dimension": manifest.index.dimension,
        "embedded": built.embedded,
        "skipped": [{"file": file, "reason": reason} for file, reason in built.skipped],
    }
    tell(
        options,
        result,
        f"{built.path}: artifact {manifest.id}, {albums:,} albums in {genres} genres, "
        f"{manifest.index.kind} index of {manifest.index.dimension} dimensions, "
        f"{built.embedded:,} covers embedded, {len(built.skipped):,} files skipped",
        f"next: {program()} serve {shlex.quote(str(built.path))}",
    )
    return 0


def _add_covers(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--covers",
        required=True,
        metavar="DIR|s3://…",
        help="the pictures, in folders as they lie; without --metadata a name such as "
        "'Artist - Title (1999).jpg' or 'Artist/Title/cover.jpg' tells what they are",
    )
    made.add_argument(
        "--metadata",
        type=Path,
        metavar="FILE",
        help=".csv, .jsonl or .parquet with a column 'file'; joined by file name",
    )
    made.add_argument(
        "--max-file-bytes",
        type=whole(1, 1 << 40),
        default=512 << 20,
        metavar="N",
        help="larger files are named and skipped (default: %(default)s)",
    )


def _add_encoder(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--encoder",
        default=DEFAULT_ENCODER,
        metavar="DIR|HUB_ID",
        help="a CLIP folder or hub id (default: %(default)s)",
    )
    made.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="of the encoder when it serves (default: what agrees with fp32 and is fastest)",
    )


def _add_index(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--index",
        choices=KINDS,
        default="auto",
        help="its kind (default: %(default)s, by how many albums there are)",
    )


def _add_recall(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--recall",
        type=share,
        default=RECALL,
        metavar="R",
        help="what an inverted file is tuned to find of the exact ten nearest, 0.5 to 1 "
        "(default: %(default)s)",
    )


def _add_out(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where the artifact is to be"
    )
    made.add_argument("--force", action="store_true", help="replace the artifact at --out")
    add_json(made)
