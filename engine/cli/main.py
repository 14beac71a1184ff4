"""`python -m engine COMMAND`: make, check, search and measure artifacts.

Exit status: 0, 1 for a named failure, 2 for bad usage. Progress bars appear on a terminal alone.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from engine.base.errors import ShazamError
from engine.base.version import VERSION
from engine.cli import artifacts, covers, trials
from engine.cli.terminal import Commands, Run

# In the order of the help; each stands beside the function that runs it.
OFFERED = (
    covers.offer_build,
    covers.offer_import,
    covers.offer_add,
    covers.offer_remove,
    covers.offer_compact,
    artifacts.offer_inspect,
    artifacts.offer_verify,
    artifacts.offer_serve,
    covers.offer_query,
    covers.offer_identify,
    trials.offer_evaluate,
    artifacts.offer_publish,
    artifacts.offer_pack,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    # A command that computes on this machine must not stop to ask a hub for news.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    options = _parser().parse_args(arguments)
    run: Run = options.run
    try:
        return run(options)
    except ShazamError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 1
    except OSError as error:
        # A full disk, a folder without permission: named by the system, told without a trace.
        print(f"system: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engine",
        description="Make, check, search and measure artifacts: which album is this?",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = Commands(parser)
    for offer in OFFERED:
        offer(commands)
    return parser
