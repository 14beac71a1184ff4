"""Commands that make artifacts and ask them, build to compact, query and identify, and what each
does with covers; what it does with tracks is `sound`'s."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.artifact.kinds import COVER, SOUND
from engine.base.texts import from_terminal, in_one_line
from engine.cli import sound
from engine.cli.kinds import artifact_of_kind, check_options, need_one, only
from engine.cli.terminal import (
    Bar,
    Commands,
    add_artifact,
    add_json,
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
    "--tracks my-music --out artifacts/my-sound",
    "--covers my-covers --metadata my-covers.csv --encoder openai/clip-vit-base-patch32 "
    "--out artifacts/mine",
)
ADDS = (
    "artifacts/mine --covers new-covers --out artifacts/mine-2",
    "artifacts/my-sound --tracks new-music --out artifacts/my-sound-2",
)
REMOVES = ("artifacts/mine --ids 3,17 --out artifacts/mine-2",)
QUERIES = (
    "artifacts/starter --image tests/photos/01-soundtrack-on-planks.jpg",
    'artifacts/starter --text "a red album cover with a guitar" -k 3',
    "artifacts/starter-sound --sound clip.webm",
)
# What can be made of rows; `import` may also keep the index as it is.
KINDS = ("auto", "flat", "hnsw", "ivf")
IMPORT_KINDS = ("auto", "keep", "flat", "hnsw", "ivf")
# `covers.making.files.MAX_FILE_BYTES`, which would load Pillow for the help, as this would:
MAX_FILE_BYTES = 512 << 20
# `covers.encoder.encoder.WantedPrecision`, which would load Pillow for the help.
PRECISIONS = ("auto", "fp32", "bf16", "int8")
# `sound.making.audio.Mode`
AUDIO = ("opus", "copy", "none")
# What each kind is made of, and which options are of one kind alone.
MADE_OF = {COVER: ("--covers",), SOUND: ("--tracks",)}
BUILD_ONLY = {
    COVER: ("--covers", "--ray", "--precision", "--max-file-bytes"),
    SOUND: ("--tracks", "--audio", "--workers"),
}
ADD_ONLY = {
    COVER: ("--covers", "--max-file-bytes"),
    SOUND: ("--tracks", "--audio", "--workers"),
}
ASKED_BY = {COVER: ("--image", "--text"), SOUND: ("--sound", "--text")}
SHOWN = {COVER: ("--image",), SOUND: ("--sound",)}


def offer_build(commands: Commands) -> None:
    made = commands.add("build", _build, "A folder of covers or of music to an artifact.", *BUILDS)
    _add_material(made)
    _add_encoder(made, tracks=True)
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
    kind = SOUND if options.tracks is not None else COVER
    check_options(options, kind, BUILD_ONLY, "the artifact")
    if kind == SOUND:
        return sound.build_tracks(options)
    from engine.covers.making.build import build
    from engine.covers.service.settings import CoverSettings

    with Bar() as bar:
        built = build(
            options.covers,
            options.out,
            ray=options.ray,
            metadata=options.metadata,
            encoder=options.encoder or DEFAULT_ENCODER,
            index=options.index,
            recall=options.recall,
            precision=options.precision or "auto",
            card=options.card,
            max_file_bytes=options.max_file_bytes or MAX_FILE_BYTES,
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
            encoder=options.encoder or DEFAULT_ENCODER,
            genres=options.genres,
            titles=options.titles,
            index=options.index_kind,
            recall=options.recall,
            precision=options.precision or "auto",
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
        "add", _add, "Further covers or tracks to a new version; nothing is embedded twice.", *ADDS
    )
    add_artifact(made)
    _add_material(made)
    _add_out(made)


def _add(options: argparse.Namespace) -> int:
    folder, kind = artifact_of_kind(options)
    need_one(options, kind, MADE_OF, folder.name)
    check_options(options, kind, ADD_ONLY, folder.name)
    if kind == SOUND:
        return sound.add_tracks(options, folder)
    from engine.covers.making.revise import add
    from engine.covers.service.settings import CoverSettings

    with Bar() as bar:
        built = add(
            folder,
            options.covers,
            options.out,
            metadata=options.metadata,
            max_file_bytes=options.max_file_bytes or MAX_FILE_BYTES,
            max_image_pixels=CoverSettings.one("max_image_pixels"),
            force=options.force,
            progress=bar,
        )
    return _report(options, built)


def offer_remove(commands: Commands) -> None:
    made = commands.add("remove", _remove, "A new version without some albums or tracks.", *REMOVES)
    add_artifact(made)
    made.add_argument("--ids", nargs="+", required=True, metavar="ID", help="whose: 3 17 or 3,17")
    _add_out(made)


def _remove(options: argparse.Namespace) -> int:
    from engine.covers.making.revise import remove

    ids = [_id(part) for text in options.ids for part in text.split(",") if part.strip()]
    folder, kind = artifact_of_kind(options)
    if kind == SOUND:
        return sound.remove_tracks(options, folder, ids)
    with Bar() as bar:
        built = remove(folder, ids, options.out, force=options.force, progress=bar)
    return _report(options, built)


def _id(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        refuse_usage(f"--ids {text!r} is not a number; give ids such as 3,17")


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

    folder, kind = artifact_of_kind(options)
    only(kind, COVER, "compact", folder.name)
    with Bar() as bar:
        built = compact(
            folder,
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
    what.add_argument("--sound", type=Path, metavar="FILE", help="a recording, for tracks")
    what.add_argument(
        "--text",
        type=from_terminal,
        metavar="WORDS",
        help="what the cover shows; what the track sounds like, where its encoder knows words",
    )
    made.add_argument(
        "-k",
        type=whole(1, MAX_K),
        default=DEFAULT_K,
        metavar="N",
        help=f"how many albums or tracks, 1 to {MAX_K} (default: {DEFAULT_K})",
    )
    add_json(made)


def _query(options: argparse.Namespace) -> int:
    from engine.covers.search import CoverSearch

    if options.text is not None:
        shown_text(options.text)  # blank words are refused before an artifact is read
    folder, kind = artifact_of_kind(options)
    need_one(options, kind, ASKED_BY, folder.name)
    if kind == SOUND:
        return sound.query_tracks(options, folder)
    search = CoverSearch.open(folder)
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
        "Which album a photo shows, or which track a recording is of.",
        "artifacts/starter --image tests/photos/01-soundtrack-on-planks.jpg",
        "artifacts/starter-sound --sound clip.webm",
        "artifacts/mine --image two-sleeves.jpg --many --json",
    )
    add_artifact(made)
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--image", type=Path, metavar="FILE", help="the photo of a sleeve")
    what.add_argument("--sound", type=Path, metavar="FILE", help="3 s or more of a track")
    made.add_argument("--many", action="store_true", help="every sleeve in the photo")
    add_json(made)


def _identify(options: argparse.Namespace) -> int:
    from engine.covers.identify.identifier import Identifier
    from engine.covers.search import CoverSearch

    folder, kind = artifact_of_kind(options)
    need_one(options, kind, SHOWN, folder.name)
    check_options(options, kind, {COVER: ("--many",)}, folder.name)
    if kind == SOUND:
        return sound.identify_tracks(options, folder)
    search = CoverSearch.open(folder)
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


def _add_material(made: argparse.ArgumentParser) -> None:
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--covers",
        metavar="DIR|s3://…",
        help="the pictures, in folders as they lie; without --metadata a name such as "
        "'Artist - Title (1999).jpg' or 'Artist/Title/cover.jpg' tells what they are",
    )
    what.add_argument(
        "--tracks",
        type=Path,
        metavar="DIR",
        help="recordings, in folders as they lie; without --metadata their own tags tell what "
        "they are, or a name such as 'Artist - Title.flac'",
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
        metavar="N",
        help=f"larger files of covers are named and skipped (default: {MAX_FILE_BYTES})",
    )
    made.add_argument(
        "--audio",
        choices=AUDIO,
        help="of tracks whose licence allows it, into the artifact: as Opus of 0.7 MB a minute, "
        "as it is, or not at all (default: opus)",
    )
    made.add_argument(
        "--workers",
        type=whole(1, 1024),
        metavar="N",
        help="how many tracks are heard at once (default: as many as there are cores)",
    )


def _add_encoder(made: argparse.ArgumentParser, *, tracks: bool = False) -> None:
    of_tracks = (
        "; of tracks musicnn (default), clap:DIR|HUB_ID or mert:DIR|HUB_ID" if tracks else ""
    )
    made.add_argument(
        "--encoder",
        metavar="DIR|HUB_ID",
        help=f"a CLIP folder or hub id (default: {DEFAULT_ENCODER}){of_tracks}",
    )
    made.add_argument(
        "--precision",
        choices=PRECISIONS,
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
