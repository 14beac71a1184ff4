"""`engine/cli/completion.py`: the script that a shell is given, run by the shell."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from engine.cli.main import main

# A shell on a terminal, on a machine that is busy.
SHELL_WITHIN_S = 30


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"no {shell} here")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The script of each shell, in a file named after it."""
    folder = tmp_path_factory.mktemp("completion")
    with pytest.MonkeyPatch.context() as patch:
        for shell in ("bash", "zsh", "fish"):
            said: list[str] = []
            patch.setattr("builtins.print", lambda *words, said=said: said.append(" ".join(words)))
            assert main(["completion", shell]) == 0
            (folder / shell).write_text("\n".join(said) + "\n")
    return {path.name: path for path in folder.iterdir()}


@needs("bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["rem"], ["remove"]),
        (["build", "--prec"], ["--precision"]),
        (["build", "--precision", "b"], ["bf16"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["serve", "arti"], []),  # then bash completes files
        (["nonsense", "--"], []),
    ],
    ids=lambda words: " ".join(words),
)
def test_bash_completes_commands_options_and_choices(
    scripts: dict[str, Path], typed: list[str], offered: list[str]
) -> None:
    code = (
        'source "$1"; shift; COMP_WORDS=(shazam-visual "$@"); COMP_CWORD=$#; '
        '_shazam_visual; echo "${COMPREPLY[@]}"'
    )
    ran = subprocess.run(
        ["bash", "-c", code, "bash", str(scripts["bash"]), *typed],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == offered


@needs("fish")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("rem", ["remove"]),
        ("build --prec", ["--precision"]),
        ("build --precision b", ["bf16"]),
        ("completion ", ["bash", "fish", "zsh"]),
        ("serve arti", ["artifacts/"]),
        ("nonsense --", []),
    ],
)
def test_fish_completes_commands_options_choices_and_files(
    scripts: dict[str, Path], tmp_path: Path, typed: str, offered: list[str]
) -> None:
    (tmp_path / "artifacts").mkdir()
    ran = subprocess.run(
        ["fish", "-c", f"source {scripts['fish']}; complete -C 'shazam-visual {typed}'"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert [line.split("\t")[0] for line in ran.stdout.splitlines()] == offered


@needs("zsh")
@pytest.mark.parametrize(
    "first", ["", "autoload -Uz compinit && compinit -u; "], ids=["bare", "own"]
)
def test_zsh_completes_on_a_terminal(scripts: dict[str, Path], tmp_path: Path, first: str) -> None:
    (tmp_path / "artifacts").mkdir()
    with Terminal(["zsh", "-f", "-i"], tmp_path) as zsh:
        zsh.says(f"{first}source {scripts['zsh']}; echo so''urced\n", "sourced\r\n")
        zsh.says("shazam-visual rem\t", "shazam-visual remove ")
        zsh.says("\x15shazam-visual build --prec\tb\t", " bf16 ")
        zsh.says("\x15shazam-visual serve arti\t", "serve artifacts/")


class Terminal:
    """A command on a terminal of its own, in an empty home."""

    def __init__(self, command: list[str], home: Path) -> None:
        self._process, self._file = pty.fork()
        if self._process == 0:
            os.chdir(home)
            os.execvpe(command[0], command, {**os.environ, "HOME": str(home), "TERM": "dumb"})

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._file)

    def says(self, typed: str, awaited: str) -> None:
        """Type, and read until what is awaited is there."""
        os.write(self._file, typed.encode())
        read, deadline = "", time.monotonic() + SHELL_WITHIN_S
        while awaited not in read:
            assert time.monotonic() < deadline, read
            if select.select([self._file], [], [], 0.1)[0]:
                read += os.read(self._file, 4096).decode(errors="replace")


def test_zsh_reads_the_script_of_bash_and_fish_has_its_own(scripts: dict[str, Path]) -> None:
    assert scripts["zsh"].read_text().endswith("bashcompinit\n" + scripts["bash"].read_text())
    lines = scripts["fish"].read_text().splitlines()
    assert all(line.startswith("complete -c shazam-visual -n ") for line in lines)
    assert any("-l precision -x -a 'auto fp32 bf16 int8'" in line for line in lines)
