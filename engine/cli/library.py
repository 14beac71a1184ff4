"""What the commands do for the library: its workers."""

from __future__ import annotations

import argparse
from typing import NoReturn

from engine.base.errors import SettingsError
from engine.base.needs import refuse_missing
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


def _work(options: argparse.Namespace) -> NoReturn:
    for package in ("dbos", "av"):
        refuse_missing(package, "library.in", by="work", failure=SettingsError)
    from engine.library.pipeline.worker import work

    work(options.concurrency)
