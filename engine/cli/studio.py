"""What the commands do with a library: all of it on one machine, or folded into an artifact."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from engine.base.needs import is_installed
from engine.cli.terminal import Bar, Commands, add_address, add_json, program, tell

DATA = Path("build/studio")


def offer_studio(commands: Commands) -> None:
    made = commands.add(
        "studio",
        _studio,
        "Serve covers, sound and a library that grows, with its worker: no other server.",
        "",
        "--port 8080 --data ~/my-library",
    )
    add_address(made)
    made.add_argument(
        "--data",
        type=Path,
        default=DATA,
        metavar="DIR",
        help=f"where rows and files are kept (default: {DATA}), unless SHAZAM_DATABASE and "
        "SHAZAM_STORAGE say otherwise",
    )


def _studio(options: argparse.Namespace) -> int:
    from engine.services.start import VISUAL
    from engine.serving.process.companion import Companion
    from engine.serving.process.launch import address_of, listen, serve

    if not is_installed("bentoml"):  # told here and once, not by every worker
        raise ModuleNotFoundError(name="bentoml")
    _settle(options.data.expanduser().resolve())
    listen(address_of(options.host), options.port).close()  # or a worker is started for nothing
    with Companion("engine", ["work"]):
        traced = bool(VISUAL.read_settings().traces)
        return serve(options.host, options.port, **VISUAL.told, traced=traced)


def _settle(data: Path) -> None:
    """The environment of the service and its worker, which run in a folder of their own. Raises
    `SettingsError` where they could not start."""
    from engine.library.service import start
    from engine.services.present import LIBRARY

    data.mkdir(parents=True, exist_ok=True)
    if os.environ.get(LIBRARY.variable, "").strip().lower() in ("", "none"):
        os.environ[LIBRARY.variable] = "shared"
    for variable, where in (
        ("SHAZAM_DATABASE", f"sqlite:///{data / 'library.sqlite'}"),
        ("SHAZAM_STORAGE", str(data / "objects")),
    ):
        if not os.environ.get(variable, "").strip():
            os.environ[variable] = where
    os.environ["SHAZAM_WORKERS"] = "1"  # several are BentoML's to start, and would be alone
    LIBRARY.is_present()
    start.check()


def offer_fold(commands: Commands) -> None:
    made = commands.add(
        "fold",
        _fold,
        "The library's tracks into a new version of the artifact they are found beside.",
        "--out artifacts/mine-2",
        "artifacts/mine --out artifacts/mine-2 --audio none",
    )
    made.add_argument(
        "artifact",
        metavar="ARTIFACT",
        nargs="?",
        help="what they are held beside (default: what SHAZAM_SOUND_ARTIFACT names, else the demo)",
    )
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    made.add_argument("--force", action="store_true", help="replace what is there")
    made.add_argument(
        "--audio",
        choices=("opus", "copy", "none"),
        default="opus",
        help="how their audio goes in, where it may be handed out (default: opus)",
    )
    add_json(made)


def _fold(options: argparse.Namespace) -> int:
    from engine.library.folding import fold
    from engine.library.settings import LibrarySettings
    from engine.sound.service.settings import SoundSettings

    where = options.artifact or SoundSettings.one("sound_artifact")
    settings = LibrarySettings.from_environment()
    with Bar() as bar:
        done = fold(
            where, options.out, settings, audio=options.audio, force=options.force, progress=bar
        )
    manifest = done.built.manifest
    tell(
        options,
        {
            "path": str(options.out),
            "artifact": manifest.id,
            "tracks": manifest.catalogue.tracks,
            "added": done.added,
            "removed": done.removed,
            "waiting": done.waiting,
        },
        f"{options.out}: artifact {manifest.id}, {manifest.catalogue.tracks:,} tracks: "
        f"{done.added:,} added, {done.removed:,} taken out, {done.waiting:,} left out",
        f"next: SHAZAM_SOUND_ARTIFACT={shlex.quote(str(options.out))} {program()} studio",
    )
    return 0


def offer_rehear(commands: Commands) -> None:
    made = commands.add(
        "rehear",
        _rehear,
        "The library's tracks, heard again by the networks of another artifact.",
        "",
        "artifacts/with-another-encoder",
    )
    made.add_argument(
        "artifact",
        metavar="ARTIFACT",
        nargs="?",
        help="whose networks (default: what SHAZAM_SOUND_ARTIFACT names, else the demo)",
    )
    add_json(made)


def _rehear(options: argparse.Namespace) -> int:
    from engine.library.rehearing import rehear
    from engine.library.settings import LibrarySettings
    from engine.sound.service.settings import SoundSettings

    where = options.artifact or SoundSettings.one("sound_artifact")
    with Bar() as bar:
        done = rehear(where, LibrarySettings.from_environment(), bar)
    tell(
        options,
        {"heard": done.heard, "as_before": done.as_before, "failed": done.failed},
        f"{done.heard:,} tracks heard again, {done.as_before:,} were heard by these networks "
        f"already, {done.failed:,} could not be heard",
    )
    return 0
