"""Commands about a whole artifact: inspect, verify, serve, publish, pack."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from engine.artifact.kinds import COVER, SOUND
from engine.base.needs import is_installed
from engine.cli import sound
from engine.cli.kinds import (
    artifact_of_kind,
    check_options,
    manifest_of_kind,
    only,
    open_artifact,
)
from engine.cli.terminal import (
    Bar,
    Commands,
    add_address,
    add_artifact,
    add_json,
    print_json,
    program,
    refuse_usage,
    tell,
)

if TYPE_CHECKING:
    from engine.services.start import Service

# The setting that names an artifact of a kind, and what is left out of copies of one kind alone.
VARIABLE = {COVER: "SHAZAM_ARTIFACT", SOUND: "SHAZAM_SOUND_ARTIFACT"}
PACK_ONLY = {COVER: ("--without-index",), SOUND: ("--without-audio",)}


def offer_inspect(commands: Commands) -> None:
    made = commands.add("inspect", _inspect, "Print the manifest.", "artifacts/starter")
    add_artifact(made)
    add_json(made)  # which it is, asked for or not


def _inspect(options: argparse.Namespace) -> int:
    from engine.base.places import MANIFEST

    folder, kind = artifact_of_kind(options)
    manifest_of_kind(kind).read(folder)  # refuses what is no manifest, by name
    raw = json.loads((folder / MANIFEST).read_bytes())
    print_json(raw)
    return 0


def offer_verify(commands: Commands) -> None:
    made = commands.add(
        "verify",
        _verify,
        "Check every hash, count and golden query.",
        "artifacts/starter",
        "shazam-visual:latest --json",
    )
    add_artifact(made)
    add_json(made)


def _verify(options: argparse.Namespace) -> int:
    folder, kind = artifact_of_kind(options)
    if kind == SOUND:
        return sound.verify_tracks(options, folder)
    from engine.covers.search import CoverSearch

    search = CoverSearch.open(folder)
    search.artifact.verify_rest()
    manifest = search.artifact.manifest
    files, albums = len(manifest.files), manifest.catalogue.albums
    tell(
        options,
        {"artifact": manifest.id, "files": files, "albums": albums, "verified": True},
        f"{manifest.id}: {files} files, {albums:,} albums and every golden query are as the "
        "manifest says",
    )
    return 0


def offer_serve(commands: Commands) -> None:
    made = commands.add(
        "serve",
        _serve,
        "Serve an artifact: the page, and searches over HTTP.",
        "",
        "artifacts/mine --port 8080",
        "shazam-visual:latest --host 127.0.0.1",
    )
    add_artifact(made, optional=True)
    add_address(made)
    made.add_argument(
        "--root-path",
        type=_path_prefix,
        metavar="/PATH",
        help="the path behind which a proxy shows the service (default: SHAZAM_ROOT_PATH)",
    )


def _path_prefix(text: str) -> str:
    from engine.base.settings import path_prefix

    try:
        return path_prefix(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(f"{text!r} {problem}") from None


def _serve(options: argparse.Namespace) -> int:
    from engine.serving.process.launch import serve

    if not is_installed("bentoml"):  # told here and once, not by every worker
        raise ModuleNotFoundError(name="bentoml")
    service = _service_of(options.artifact)
    _name_artifact(options.artifact, service.variable)
    if options.root_path is not None:
        os.environ["SHAZAM_ROOT_PATH"] = options.root_path  # for the workers, too
    settings = service.read_settings()
    return serve(
        options.host,
        options.port,
        **service.told,
        several=settings.several_processes(),
        traced=bool(settings.traces),
    )


def _service_of(where: str | None) -> Service:
    """What serves an artifact, by the kind that it, or its tag, says it is of; covers and what is
    beside them where that says nothing, as a URL does."""
    from engine.artifact.kinds import seeming_kind
    from engine.base.places import PROJECT
    from engine.services.start import OF_KIND, SOUND, VISUAL

    if where is None:
        return VISUAL
    kinds = (seeming_kind(folder) for folder in (Path(where), PROJECT / where))
    kind = next(filter(None, kinds), None)
    if kind is None and where.startswith(("shazam-sound:", "shazam-sound-serving:")):
        return SOUND
    return OF_KIND.get(kind or "", VISUAL)


def _name_artifact(where: str | None, variable: str) -> None:
    """Put what is to be served into the environment, which the workers read: they run in a folder
    of their own, so one that lies here is named from the root."""
    from engine.base.places import MANIFEST

    where = where or os.environ.get(variable)
    if where is not None:
        here = (Path(where) / MANIFEST).is_file()
        os.environ[variable] = str(Path(where).resolve()) if here else where


def offer_publish(commands: Commands) -> None:
    made = commands.add(
        "publish",
        _publish,
        "Into the BentoML model store, as shazam-visual:<id> or shazam-sound:<id>.",
        "artifacts/mine",
        "artifacts/mine --index lancedb:s3://bucket/covers",
    )
    add_artifact(made)
    add_json(made)
    _add_serving(made)
    made.add_argument(
        "--index",
        type=_engine,
        metavar="lancedb:URL",
        help="its index alone, into LanceDB at a folder or a URL, for SHAZAM_INDEX",
    )


def _publish(options: argparse.Namespace) -> int:
    from engine.artifact.store import publish

    folder, kind = artifact_of_kind(options)
    if options.index:
        only(kind, COVER, "publish --index", folder.name)
        return _publish_index(options, folder)
    tag = publish(open_artifact(folder, kind), serving=options.serving)
    latest = tag.partition(":")[0] + ":latest"
    tell(
        options,
        {"tag": tag, "latest": latest},
        f"published {tag}; serve it with {VARIABLE[kind]}={tag} (or {latest})",
        _next(f"serve {tag}"),
    )
    return 0


def _next(command: str) -> str:
    return f"next: {program()} {command}"


def _publish_index(options: argparse.Namespace, folder: Path) -> int:
    from engine.covers.artifact import Artifact
    from engine.covers.making.publish import publish_index

    artifact = Artifact.open(folder)
    with Bar() as bar:
        told = publish_index(artifact, options.index, bar)
    searched = (
        f"{told.nprobe} of {told.lists:,} lists a search, recall@10 {told.recall:.3f}"
        if told.lists
        else "few enough to compare all"
    )
    tell(
        options,
        asdict(told),
        f"published {told.rows:,} rows as {told.table}, {told.added:,} of them now; {searched}; "
        f"serve it with SHAZAM_INDEX={options.index}",
    )
    return 0


def offer_pack(commands: Commands) -> None:
    made = commands.add(
        "pack",
        _pack,
        "To one file to upload and serve by its URL, or to a folder.",
        "artifacts/mine --serving --out mine.tar",
    )
    add_artifact(made)
    add_json(made)
    _add_serving(made)
    made.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE.tar|DIR",
        help="a tar where the name ends in .tar, else a folder",
    )
    made.add_argument(
        "--without-index",
        action="store_true",
        help="of a serving copy, for SHAZAM_INDEX: its rows are in an engine",
    )
    made.add_argument(
        "--without-audio",
        action="store_true",
        help="of tracks: a copy that plays none of them",
    )
    made.add_argument("--force", action="store_true", help="replace what is at --out")


def _pack(options: argparse.Namespace) -> int:
    from engine.artifact.pack import pack

    if options.without_index and not options.serving:
        refuse_usage("pack --without-index makes a serving copy; add --serving")
    folder, kind = artifact_of_kind(options)
    check_options(options, kind, PACK_ONLY, folder.name)
    artifact = open_artifact(folder, kind)
    digest = pack(
        artifact,
        options.out,
        serving=options.serving,
        without_index=options.without_index,
        without=artifact.manifest.audio_files() if options.without_audio else frozenset(),
        force=options.force,
    )
    if digest is None:
        tell(
            options,
            {"path": str(options.out)},
            f"{options.out}: serve it with {VARIABLE[kind]}={options.out}",
            _next(f"serve {options.out}"),
        )
        return 0
    size = options.out.stat().st_size
    tell(
        options,
        {"path": str(options.out), "bytes": size, "sha256": digest},
        f"{options.out}: {size / 1e6:,.1f} MB",
        f"upload it, and serve it with {VARIABLE[kind]}=URL#sha256={digest}",
    )
    return 0


def _add_serving(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--serving",
        action="store_true",
        help="a serving copy: without the weights that the exported CPU runtime does not need",
    )


def _engine(text: str) -> str:
    from engine.vectors.where import OWN_INDEX, index_place

    try:
        where = index_place(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(f"{text!r} {problem}") from None
    if where == OWN_INDEX:
        raise argparse.ArgumentTypeError("the artifact holds its own index already")
    return where
