"""Commands about a whole artifact: inspect, verify, serve, publish, pack."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from engine.cli.terminal import (
    Bar,
    Commands,
    add_artifact,
    artifact_folder,
    print_json,
    refuse_usage,
    whole,
)


def offer_inspect(commands: Commands) -> None:
    made = commands.add("inspect", _inspect, "Print the manifest.")
    add_artifact(made)


def _inspect(options: argparse.Namespace) -> int:
    from engine.artifact.folder import MANIFEST
    from engine.covers.manifest import read_manifest

    folder = artifact_folder(options)
    read_manifest(folder)  # refuses what is no manifest, by name
    raw = json.loads((folder / MANIFEST).read_bytes())
    print_json(raw)
    return 0


def offer_verify(commands: Commands) -> None:
    made = commands.add("verify", _verify, "Check every hash, count and golden query.")
    add_artifact(made)


def _verify(options: argparse.Namespace) -> int:
    from engine.covers.search import CoverSearch

    search = CoverSearch.open(artifact_folder(options))
    search.artifact.verify_rest()
    manifest = search.artifact.manifest
    print(
        f"{manifest.id}: {len(manifest.files)} files, {manifest.catalogue.albums:,} albums and "
        "every golden query are as the manifest says"
    )
    return 0


def offer_serve(commands: Commands) -> None:
    made = commands.add("serve", _serve, "Serve the artifact that SHAZAM_ARTIFACT names.")
    made.add_argument("--host", default="0.0.0.0", help="address to listen at (default: all)")
    made.add_argument(
        "--port", type=whole(1, 65_535), default=3000, metavar="N", help="default: 3000"
    )


def _serve(options: argparse.Namespace) -> int:
    from engine.covers.service.settings import CoverSettings
    from engine.covers.service.start import OPENER, SERVICE
    from engine.serving.process.launch import serve

    several = CoverSettings.from_environment().several_processes()
    return serve(options.host, options.port, service=SERVICE, opener=OPENER, several=several)


def offer_publish(commands: Commands) -> None:
    made = commands.add("publish", _publish, "Into the BentoML model store, as shazam-visual:<id>.")
    add_artifact(made)
    _add_serving(made)
    made.add_argument(
        "--index",
        type=_engine,
        metavar="lancedb:URL",
        help="its index alone, into LanceDB at a folder or a URL, for SHAZAM_INDEX",
    )


def _publish(options: argparse.Namespace) -> int:
    from engine.artifact.store import publish
    from engine.covers.artifact import Artifact

    if options.index:
        return _publish_index(options)
    tag = publish(Artifact.open(artifact_folder(options)), serving=options.serving)
    latest = tag.partition(":")[0] + ":latest"
    print(f"published {tag}; serve it with SHAZAM_ARTIFACT={tag} (or {latest})")
    return 0


def _publish_index(options: argparse.Namespace) -> int:
    from engine.covers.artifact import Artifact
    from engine.covers.making.publish import publish_index

    artifact = Artifact.open(artifact_folder(options))
    with Bar() as bar:
        told = publish_index(artifact, options.index, bar)
    searched = (
        f"{told.nprobe} of {told.lists:,} lists a search, recall@10 {told.recall:.3f}"
        if told.lists
        else "few enough to compare all"
    )
    print(
        f"published {told.rows:,} rows as {told.table}, {told.added:,} of them now; {searched}; "
        f"serve it with SHAZAM_INDEX={options.index}"
    )
    return 0


def offer_pack(commands: Commands) -> None:
    made = commands.add(
        "pack", _pack, "To one file for SHAZAM_ARTIFACT=URL#sha256=…, or to a folder."
    )
    add_artifact(made)
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
    made.add_argument("--force", action="store_true", help="replace what is at --out")


def _pack(options: argparse.Namespace) -> int:
    from engine.artifact.pack import pack
    from engine.covers.artifact import Artifact

    if options.without_index and not options.serving:
        refuse_usage("pack --without-index makes a serving copy; add --serving")
    digest = pack(
        Artifact.open(artifact_folder(options)),
        options.out,
        serving=options.serving,
        without_index=options.without_index,
        force=options.force,
    )
    if digest is None:
        print(f"{options.out}: serve it with SHAZAM_ARTIFACT={options.out}")
        return 0
    print(f"{options.out}: {options.out.stat().st_size / 1e6:,.1f} MB")
    print(f"upload it, and serve it with SHAZAM_ARTIFACT=URL#sha256={digest}")
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
