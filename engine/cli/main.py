"""`python -m engine COMMAND`: make, check, search and measure artifacts.

Exit status: 0, 1 for a named failure, 2 for bad usage. Progress bars appear on a terminal alone.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from engine.base.errors import ShazamError
from engine.base.version import VERSION
from engine.cli import artifacts, completion, covers, library, studio, trials, voice
from engine.cli.terminal import Commands, Run, drop_output, fail, open_terminal, program

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
    studio.offer_studio,
    library.offer_work,
    voice.offer_voice_models,
    covers.offer_query,
    covers.offer_identify,
    trials.offer_evaluate,
    studio.offer_fold,
    studio.offer_rehear,
    artifacts.offer_publish,
    artifacts.offer_pack,
    completion.offer_completion,
)

EXAMPLES = """\
from a folder of covers to a service:
  %(prog)s build --covers my-covers --out artifacts/mine
  %(prog)s serve artifacts/mine

%(prog)s COMMAND --help tells what a command takes, with examples."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    # A command that computes on this machine must not stop to ask a hub for news.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    open_terminal()
    try:
        return _run(arguments)
    except ShazamError as error:
        return fail(f"{error.code}: {error.message}")
    except BrokenPipeError:
        drop_output()
        return 0
    except KeyboardInterrupt:
        return fail("interrupted; the same command goes on where it stopped")
    except UnicodeEncodeError as error:
        # The bytes of a file's name, where they are no UTF-8: no catalogue or manifest holds them.
        return fail(f"system: {error.object!r:.200} is not text in UTF-8; rename it")
    except OSError as error:
        # A full disk, a folder without permission: named by the system, told without a trace.
        drop_output()
        return fail(f"system: {error}")


def _run(arguments: Sequence[str] | None) -> int:
    """The command; all that it printed is written when this returns, or it raises OSError."""
    try:
        arguments = sys.argv[1:] if arguments is None else arguments
        parser, commands = parser_and_commands()
        if arguments:
            commands.refuse_unknown(arguments[0])
        options = parser.parse_args(arguments)
        run: Run = options.run
        return run(options)
    finally:
        sys.stdout.flush()


def parser_and_commands() -> tuple[argparse.ArgumentParser, Commands]:
    parser = _Parser(
        prog=program(),
        description="Make, check, search and measure artifacts: which album, which track is this?",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=VERSION, help="print the version and end"
    )
    commands = Commands(parser)
    for offer in OFFERED:
        offer(commands)
    return parser, commands


class _Parser(argparse.ArgumentParser):
    """argparse passes over a help that could not be written."""

    def _print_message(self, message: str, file: Any = None) -> None:
        print(message, end="", file=file or sys.stderr)
