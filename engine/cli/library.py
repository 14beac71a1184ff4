"""What the commands do for the library: its workers."""

from __future__ import annotations

import argparse

from engine.base.errors import SettingsError
from engine.base.needs import refuse_missing
from engine.base.settings import unknown_variables
from engine.cli.terminal import Commands, whole


def offer_work(commands: Commands) -> None:
    made = commands.add(
        "work",
        _work,
        "Work for the library: make tracks of what was sent, until told to stop.",
        "",
        "--concurrency 4",
    )
    made.add_argument(
        "--concurrency",
        type=whole(1, 256),
        metavar="N",
        help="tracks at once, each with a process of its own (default: one per usable core)",
    )


def _work(options: argparse.Namespace) -> int:
    from engine.base.machine import usable_cores
    from engine.library.settings import NONE, LibrarySettings
    from engine.serving.watch.logs import configure_logging
    from engine.sound.service.settings import SoundSettings

    settings = LibrarySettings.from_environment()
    for package in ("dbos", "av"):
        refuse_missing(package, "library.in", by="work", failure=SettingsError)
    artifact = SoundSettings.one("sound_artifact")
    if artifact.lower() == NONE:
        raise SettingsError(
            f"SHAZAM_SOUND_ARTIFACT={NONE}: a worker hears with what is in an artifact. Example: "
            "SHAZAM_SOUND_ARTIFACT=artifacts/starter-sound"
        )
    configure_logging(settings.log_format, settings.log_level, unknown_variables())
    from engine.library.pipeline.worker import Worker

    concurrency = options.concurrency or usable_cores()
    return Worker(settings, concurrency=concurrency, sound_artifact=artifact).run()
