"""What every command shares: how it is offered, what many take, what it draws and says.

Words on the command line → options, checked; progress → a bar on stderr; a result → lines or JSON.
What is printed fails for no letter: one that the terminal lacks is written otherwise.
"""

from __future__ import annotations

import argparse
import codecs
import difflib
import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.base.texts import in_one_line

Run = Callable[[argparse.Namespace], int]

# How a terminal of another alphabet is shown our signs; other letters it gets as "\\u2260".
_PLAIN = {"→": "->", "…": "...", "–": "-", "×": "x", "’": "'"}
_PLAINLY = "shazam-plainly"


def program() -> str:
    """What the user typed to get here: the installed command, or Python."""
    name = Path(sys.argv[0]).name
    return name if name == "shazam-visual" else "python -m engine"


class Commands:
    """The commands of one parser, in the order of its help."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
        self.parsers: dict[str, argparse.ArgumentParser] = {}

    def add(self, name: str, run: Run, text: str, *examples: str) -> argparse.ArgumentParser:
        """The parser of a new command, which `run` carries out; `text` is its line of help, and
        `examples` are what may stand behind its name."""
        lines = [f"  %(prog)s {example}".rstrip() for example in examples]
        made = self._commands.add_parser(
            name,
            help=text,
            description=text,
            epilog="\n".join(["examples:" if len(lines) > 1 else "example:", *lines]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        self.parsers[name] = made
        return made

    def refuse_unknown(self, name: str) -> None:
        """Bad usage where there is no command of this name, and the one that may be meant."""
        if name in self.parsers or name.startswith("-"):
            return
        near = difflib.get_close_matches(name, self.parsers, 1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.parsers)}"
        refuse_usage(f"there is no command {name!r}; {meant}")


def add_json(made: argparse.ArgumentParser) -> None:
    made.add_argument("--json", action="store_true", help="print the result as JSON, for programs")


def tell(options: argparse.Namespace, result: Mapping[str, Any], *lines: str) -> None:
    """Print a command's result: as JSON where `--json` asks for it, else `lines`."""
    if options.json:
        print_json(result)
    else:
        print("\n".join(lines))


def add_artifact(made: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """`optional`: where none is given, SHAZAM_ARTIFACT names one, or else it is the starter."""
    left_out = " (default: what SHAZAM_ARTIFACT names, else artifacts/starter)" if optional else ""
    made.add_argument(
        "artifact",
        metavar="ARTIFACT",
        nargs="?" if optional else None,
        help="a folder, a tag such as shazam-visual:latest, or a URL with #sha256=…" + left_out,
    )


def add_address(made: argparse.ArgumentParser) -> None:
    made.add_argument("--host", default="0.0.0.0", help="address to listen at (default: all)")
    made.add_argument(
        "--port",
        type=whole(1, 65_535),
        default=3000,
        metavar="N",
        help="port to listen at (default: 3000)",
    )


def artifact_folder(options: argparse.Namespace) -> Path:
    """Where the artifact named by `options.artifact` lies; a URL is fetched."""
    from engine.artifact.remote import is_url
    from engine.artifact.store import find_artifact

    where: str = options.artifact
    if not is_url(where):
        return find_artifact(where)
    with Bar() as bar:
        return find_artifact(where, bar)


def read_picture(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BuildError(f"{path} cannot be read: {error.strerror}.") from error


def open_terminal() -> None:
    """From here on no letter makes printing fail, nor does an output that the caller closed."""
    codecs.register_error(_PLAINLY, _plainly)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_PLAINLY)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    shown = "".join(_PLAIN.get(letter, letter) for letter in error.object[error.start : error.end])
    return shown.encode("ascii", "backslashreplace").decode(), error.end


def drop_output() -> None:
    """What stdout still holds nobody can be given: Python would try once more at its end, and
    trace."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def fail(message: str) -> int:
    """Tell a failure in one line; returns its exit status."""
    print(in_one_line(message), file=sys.stderr)
    return 1


def print_json(value: Any) -> None:
    """JSON that any reader takes: in UTF-8, else in ASCII."""
    in_utf8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    print(json.dumps(value, indent=2, ensure_ascii=not in_utf8))


def refuse_usage(message: str) -> NoReturn:
    """Bad usage that argparse cannot see: exit status 2."""
    print(f"{program()}: {message}", file=sys.stderr)
    raise SystemExit(2)


def whole(low: int, high: int) -> Callable[[str], int]:
    """A type for argparse: a whole number from `low` to `high`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, {low} to {high}")
        return number

    return read


def share(text: str) -> float:
    """A type for argparse: 0.5 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.5 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share, 0.5 to 1")
    return number


class Bar(Progress):
    """Progress drawn on a terminal; elsewhere only the remarks are printed."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._what = ""

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, done: int, total: int, what: str) -> None:
        from tqdm import tqdm

        if self._bar is not None and self._what != what:
            self._bar.close()
            self._bar = None
        if self._bar is None:
            self._what = what
            self._bar = tqdm(total=total, unit=f" {what}", disable=None, file=sys.stderr)
        self._bar.update(done - self._bar.n)

    def remark(self, line: str) -> None:
        line = in_one_line(line)
        if self._bar is not None and not self._bar.disable:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr)
