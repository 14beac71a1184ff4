"""`engine/cli/terminal.py`: whatever a terminal is, nothing said to it ends in a trace."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, draw_cover

from engine.base.files import file_sha256
from engine.cli.main import main

# Terminals that cannot show every letter, by what they can.
NARROW = {
    "latin-1": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0"},
}
NO_UTF8 = os.fsdecode(b"caf\xe9")


def run(
    *arguments: object, terminal: str | None = None, at_once: str = "", **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """One command as a process; on a terminal of `NARROW` where one is named. What it prints is
    written line by line where `at_once` says so, as platforms set it."""
    ran = subprocess.run(
        [sys.executable, "-m", "engine", *(os.fsencode(str(argument)) for argument in arguments)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONUNBUFFERED": at_once, **NARROW.get(terminal or "", {})},
        timeout=120,
        check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )
    assert b"Traceback" not in ran.stderr
    assert b"Exception ignored" not in ran.stderr
    return ran


@pytest.fixture(scope="module")
def named(tiny_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact whose albums are named in letters that Latin-1 lacks, and in a terminal's own."""
    here = Path(shutil.copytree(tiny_artifact, tmp_path_factory.mktemp("named") / "named"))
    catalogue, manifest = here / "catalogue.sqlite", here / "manifest.json"
    database = sqlite3.connect(catalogue)
    database.execute("UPDATE albums SET title = 'Björk → 日本\x1b[31m'")
    database.commit()
    database.close()
    told = json.loads(manifest.read_text())
    size = catalogue.stat().st_size
    told["files"][catalogue.name] = {"sha256": file_sha256(catalogue), "size": size}
    manifest.write_text(json.dumps(told))
    return here


@pytest.mark.parametrize("terminal", NARROW)
def test_help_is_shown_on_every_terminal(terminal: str) -> None:
    ran = run("build", "--help", terminal=terminal)
    assert ran.returncode == 0
    assert "DIR|s3://..." in ran.stdout.decode(terminal)


@pytest.mark.parametrize("terminal", NARROW)
def test_titles_are_shown_as_far_as_a_terminal_has_letters(terminal: str, named: Path) -> None:
    ran = run("query", named, "--text", "red", "-k", "1", terminal=terminal)
    shown = ran.stdout.decode(terminal)
    letter = "ö" if terminal == "latin-1" else "\\xf6"
    assert f"- Bj{letter}rk -> \\u65e5\\u672c\\x1b[31m (" in shown  # which colours no terminal
    assert (ran.returncode, shown.count("\n")) == (0, 2)  # of which the first names the columns


@pytest.mark.parametrize("terminal", [None, *NARROW])
def test_json_is_json_on_every_terminal(terminal: str | None, named: Path) -> None:
    ran = run("query", named, "--text", "red", "-k", "1", "--json", terminal=terminal)
    assert json.loads(ran.stdout.decode("utf-8"))[0]["title"] == "Björk → 日本\x1b[31m"


def test_words_are_read_as_utf8_whatever_the_locale(tiny_artifact: Path) -> None:
    """The bytes of a UTF-8 terminal, in a locale that knows ASCII alone."""
    asked = ("query", tiny_artifact, "--text", "Björk 日本", "--json")
    assert run(*asked, terminal="ascii").stdout == run(*asked).stdout


@pytest.mark.parametrize("at_once", ["", "1"])
@pytest.mark.parametrize("arguments", [["--help"], ["inspect", "artifacts/starter"]], ids=" ".join)
def test_a_full_device_is_told_in_one_line(arguments: list[str], at_once: str) -> None:
    with open("/dev/full", "wb") as full:
        ran = run(*arguments, stdout=full, at_once=at_once)
    assert (ran.returncode, ran.stderr) == (1, b"system: [Errno 28] No space left on device\n")


@pytest.mark.parametrize("at_once", ["", "1"])
@pytest.mark.parametrize("arguments", [["--help"], ["inspect", "artifacts/starter"]], ids=" ".join)
def test_who_has_stopped_reading_causes_no_trace(arguments: list[str], at_once: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = run(*arguments, stdout=writing, at_once=at_once)
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_what_is_closed_is_not_written_to(closed: str) -> None:
    line = f"{sys.executable} -m engine inspect artifacts/starter {closed}"
    ran = subprocess.run(["sh", "-c", line], cwd=PROJECT, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")


# --- in this process ----------------------------------------------------------------------------


@pytest.fixture
def called(capfd: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, *capfd.readouterr()

    return call


@pytest.mark.parametrize("words", ["", "  ", "\u200b\u200d", "\u3164", "\x01", "\ufe0f"], ids=ascii)
def test_blank_words_are_refused_as_over_http(words: str, called: Any, tmp_path: Path) -> None:
    status, out, err = called("query", tmp_path, "--text", words)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("invalid_request: The words are blank.")


def test_words_that_are_no_utf8_are_answered_as_over_http(called: Any, tiny_artifact: Path) -> None:
    status, out, _ = called("query", tiny_artifact, "--text", NO_UTF8, "--json")
    assert (status, len(json.loads(out))) == (0, 5)
    assert called("query", tiny_artifact, "--text", "caf\ufffd", "--json")[1] == out


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", NO_UTF8],
        ["inspect", f"{NO_UTF8}:latest"],
        ["inspect", f"https://example.org/{NO_UTF8}#sha256=00"],
        ["query", "artifacts/starter", "--image", NO_UTF8],
        ["build", "--covers", NO_UTF8, "--out", "x"],
        ["build", "--covers", "tests/photos", "--encoder", NO_UTF8, "--out", "x"],
        ["build", "--covers", "tests/photos", "--metadata", NO_UTF8, "--out", "x"],
        ["import", "--index", NO_UTF8, "--metadata", "x", "--out", "x"],
        ["inspect", "a\nb\x1b[31m"],
    ],
    ids=lambda arguments: ascii(" ".join(arguments)),
)
def test_a_name_that_is_no_text_is_told_in_one_line(arguments: list[str], called: Any) -> None:
    status, out, err = called(*arguments)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "\x1b" not in err


@pytest.mark.usefixtures("quick_runtime")
def test_covers_whose_names_are_no_text_cause_no_trace(
    called: Any, tiny_clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / NO_UTF8
    folder.mkdir()
    for number in range(3):
        draw_cover(number).save(folder / f"{number}.png")
    build = ("build", "--covers", folder, "--encoder", tiny_clip)
    status, out, err = called(*build, "--out", tmp_path / "out")
    assert (status, "embedded" in out) == (0, True), err
    (folder / "0.png").rename(folder / f"{NO_UTF8}.png")
    status, out, err = called(*build, "--out", tmp_path / "other")
    assert (status, "embedded" in out) == (0, True), err
    status, out, err = called(*build, "--out", tmp_path / NO_UTF8 / "other")
    assert (status, out) == (1, "")  # the tokenizer's library reads no such path
    assert err.splitlines()[-1].startswith("system: ")
