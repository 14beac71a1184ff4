"""`engine/cli/completion.py`: the script that a shell is given, run by the shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from engine.cli.main import main

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "bash.sh"
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("builtins.print", lambda *words, **_: said.append(" ".join(words)))
        assert main(["completion", "bash"]) == 0
    path.write_text("\n".join(said) + "\n")
    return path


@needs_bash
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["re"], ["remove"]),
        (["build", "--prec"], ["--precision"]),
        (["build", "--precision", "b"], ["bf16"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["serve", "arti"], []),  # then bash completes files
        (["nonsense", "--"], []),
    ],
    ids=lambda words: " ".join(words),
)
def test_bash_completes_commands_options_and_choices(
    script: Path, typed: list[str], offered: list[str]
) -> None:
    code = (
        'source "$1"; shift; COMP_WORDS=(shazam-visual "$@"); COMP_CWORD=$#; '
        '_shazam_visual; echo "${COMPREPLY[@]}"'
    )
    ran = subprocess.run(
        ["bash", "-c", code, "bash", str(script), *typed],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == offered


def test_zsh_reads_the_script_of_bash_and_fish_has_its_own(
    script: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "zsh"]) == 0
    first, rest = capfd.readouterr().out.split("\n", 1)
    assert "bashcompinit" in first
    assert rest == script.read_text()
    assert main(["completion", "fish"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert all(line.startswith("complete -c shazam-visual -n ") for line in lines)
    assert any("-l precision -x -a 'auto fp32 bf16 int8'" in line for line in lines)
