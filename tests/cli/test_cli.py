"""`engine/cli/`: what the command line takes, prints and exits with."""

from __future__ import annotations

import json
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, get_args

import faiss
import numpy as np
import pytest
from conftest import COVERS, PROJECT, draw_cover

from engine import __version__
from engine.cli.covers import PRECISIONS
from engine.cli.main import main, parser_and_commands
from engine.cli.terminal import Bar
from engine.covers.encoder.encoder import WantedPrecision
from engine.covers.manifest import read_manifest
from engine.vectors.embeddings import unit_rows

pytestmark = pytest.mark.usefixtures("quick_runtime")
COMMANDS = (
    "build",
    "import",
    "add",
    "remove",
    "compact",
    "inspect",
    "verify",
    "serve",
    "studio",
    "work",
    "voice-models",
    "query",
    "identify",
    "evaluate",
    "fold",
    "rehear",
    "publish",
    "pack",
    "completion",
)
# serve and studio answer over HTTP, work writes to a database, and a completion is a script.
WITHOUT_JSON = {"serve", "studio", "work", "completion"}


class Ran:
    """What one command did."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    def __repr__(self) -> str:
        return f"exit {self.status}\n{self.out}\n{self.err}"


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: Any) -> Ran:
        capfd.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            status = stop.code if isinstance(stop.code, int) else 1
        out, err = capfd.readouterr()
        return Ran(status, out, err)

    return call


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    rows = unit_rows(np.random.default_rng(0).normal(size=(300, 32)))
    index = faiss.IndexFlatIP(32)
    index.add(rows)
    faiss.write_index(index, str(tmp_path / "album_covers.index"))
    (tmp_path / "metadata.pkl").write_bytes(pickle.dumps({"labels": [i % 4 for i in range(300)]}))
    return tmp_path / "album_covers.index", tmp_path / "metadata.pkl"


# --- usage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_every_command_explains_itself(command: str | None, run: Any) -> None:
    ran = run(*([command] if command else []), "--help")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("usage: python -m engine")
    if command is None:
        assert all(name in ran.out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example_and_says_what_each_option_is(command: str) -> None:
    _, commands = parser_and_commands()
    assert tuple(commands.parsers) == COMMANDS
    parser = commands.parsers[command]
    examples = parser.format_help().partition("\nexample")[2].splitlines()[1:]
    assert examples
    for example in examples:
        words = shlex.split(example.partition(">")[0].replace("python -m engine ", ""))
        assert parser.parse_args(words[1:])
    assert [action.dest for action in parser._actions if not action.help] == []
    assert ("--json" in parser.format_help()) == (command not in WITHOUT_JSON)


def test_a_misspelt_command_is_told_which_one_may_be_meant(run: Any) -> None:
    ran = run("biuld", "--covers", "x")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "python -m engine: there is no command 'biuld'; did you mean build?\n"
    assert "there are build, import," in run("fly").err


def test_the_version_is_told(run: Any) -> None:
    assert run("--version").out.strip() == __version__


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["build"],
        ["build", "--covers", "x"],
        ["build", "--covers", "x", "--out", "y", "--index", "lsh"],
        ["build", "--covers", "x", "--out", "y", "--precision", "fp8"],
        ["import", "--metadata", "m.pkl", "--out", "y"],
        ["import", "--index", "flat", "--metadata", "m.pkl", "--out", "y"],  # no file
        ["import", "--index", "a", "--out", "y"],
        ["add", "--covers", "x", "--out", "y"],
        ["remove", "x", "--out", "y"],
        ["remove", "x", "--ids", "three", "--out", "y"],
        ["inspect"],
        ["query", "x"],
        ["query", "x", "--text", "a", "--image", "b"],
        ["query", "x", "--text", "a", "-k", "0"],
        ["query", "x", "--text", "a", "-k", "101"],
        ["query", "x", "--text", "a", "-k", "many"],
        ["evaluate", "x", "--sample", "0"],
        ["evaluate", "x", "--seed", "-1"],
        ["publish"],
        ["verify", "x", "--unknown"],
    ],
    ids=" ".join,
)
def test_bad_usage_exits_with_two_and_says_what(arguments: list[str], run: Any) -> None:
    ran = run(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err
    assert "Traceback" not in ran.err


# --- named failures -----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["inspect", "verify", "publish", "evaluate"])
def test_what_is_no_artifact_exits_with_one(command: str, run: Any, tmp_path: Path) -> None:
    ran = run(command, tmp_path)
    assert (ran.status, ran.out) == (1, "")
    assert re.fullmatch(r"artifact_not_found: .*holds no manifest\.json.*\n", ran.err)


def test_a_damaged_artifact_exits_with_one(run: Any, tiny_artifact: Path, tmp_path: Path) -> None:
    here = Path(shutil.copytree(tiny_artifact, tmp_path / "here"))
    (here / "golden.npz").write_bytes(b"junk")
    ran = run("verify", here)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("digest_mismatch: golden.npz has 4 bytes")
    (here / "manifest.json").write_text("{")
    for command in ("inspect", "verify"):
        ran = run(command, here)
        assert (ran.status, ran.out) == (1, "")
        assert ran.err.startswith("manifest_invalid: ")


def test_a_named_failure_is_one_line(run: Any, tmp_path: Path, tiny_clip: Path) -> None:
    ran = run(
        "build", "--covers", tmp_path / "none", "--encoder", tiny_clip, "--out", tmp_path / "o"
    )
    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith("build_failed: ")


def test_offline_the_default_encoder_is_an_error_with_the_way_out(
    run: Any, covers: Path, tmp_path: Path
) -> None:
    ran = run("build", "--covers", covers, "--out", tmp_path / "out")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("encoder_unavailable: The encoder openai/clip-vit-base-patch32")
    assert "--encoder FOLDER" in ran.err


def test_the_systems_own_failures_are_told_without_a_trace(
    run: Any, tiny_artifact: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    ran = run("remove", tiny_artifact, "--ids", "1", "--out", tmp_path / "file" / "out")
    assert ran.status == 1
    assert ran.err.startswith("system: ")


def test_an_interruption_says_that_it_goes_on(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.covers.making.build.build", interrupt)
    ran = run("build", "--covers", "x", "--out", "y")
    assert (ran.status, ran.out) == (1, "")
    assert "goes on where it stopped" in ran.err


# --- commands -----------------------------------------------------------------------------------


def test_build_prints_its_result_and_names_what_it_skipped(
    run: Any, covers: Path, tiny_metadata: Path, tiny_clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["build", "--covers", covers, "--metadata", tiny_metadata, "--encoder", tiny_clip]
    ran = run(*arguments, "--out", out)
    assert ran.status == 0
    assert ran.out == (
        f"{out}: artifact {read_manifest(out).id}, {COVERS} albums in 3 genres, flat index of 32 "
        f"dimensions, {COVERS} covers embedded, 1 files skipped\n"
        f"next: python -m engine serve {out}\n"
    )
    assert "skipped broken.jpg: broken.jpg is damaged" in ran.err
    assert "covers:" not in ran.err  # no progress bar where there is no terminal
    assert "\r" not in ran.err
    again = run(*arguments, "--out", out)
    assert (again.status, again.out) == (1, "")
    assert "add --force" in again.err
    assert run(*arguments, "--out", out, "--force", "--index", "hnsw").status == 0
    assert read_manifest(out).index.kind == "hnsw"


def test_import_takes_a_file_and_a_kind(
    run: Any, pair: tuple[Path, Path], tiny_clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "genres.json").write_text('["a", "b", "c", "d"]')
    common = ["--metadata", pair[1], "--genres", tmp_path / "genres.json", "--encoder", tiny_clip]
    ran = run("import", "--index", pair[0], *common, "--out", tmp_path / "one")
    assert (ran.status, ran.err) == (0, "")
    assert "300 albums in 4 genres, flat index" in ran.out
    ran = run("import", "--index", pair[0], "--index", "ivf", *common, "--out", tmp_path / "two")
    assert "ivf index" in ran.out
    ran = run("import", "--index", "hnsw", *common, "--index", pair[0], "--out", tmp_path / "three")
    assert "hnsw index" in ran.out


def test_import_refuses_a_pickle_that_runs_code(
    run: Any, pair: tuple[Path, Path], tiny_clip: Path, tmp_path: Path
) -> None:
    pair[1].write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    arguments = ["import", "--index", pair[0], "--metadata", pair[1], "--encoder", tiny_clip]
    ran = run(*arguments, "--out", tmp_path / "out")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("unsafe_pickle: The pickle asks for os.system")
    assert not (tmp_path / "ran").exists()


def test_add_and_remove_make_new_versions(run: Any, tiny_artifact: Path, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    draw_cover(77).save(folder / "new.png")
    ran = run("add", tiny_artifact, "--covers", folder, "--out", tmp_path / "added")
    assert ran.status == 0
    assert f"{COVERS + 1} albums" in ran.out
    assert "1 covers embedded" in ran.out
    ran = run("remove", tmp_path / "added", "--ids", "0,1", "30", "--out", tmp_path / "removed")
    assert ran.status == 0
    assert f"{COVERS - 2} albums" in ran.out
    assert "0 covers embedded" in ran.out
    ran = run("remove", tiny_artifact, "--ids", "500", "--out", tmp_path / "x")
    assert (ran.status, ran.err) == (
        1,
        f"build_failed: There is no album 500 in {tiny_artifact}; nothing was removed.\n",
    )


def test_inspect_prints_the_manifest(run: Any, tiny_artifact: Path) -> None:
    ran = run("inspect", tiny_artifact)
    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out) == json.loads((tiny_artifact / "manifest.json").read_text())


def test_verify_says_what_was_checked(run: Any, tiny_artifact: Path) -> None:
    manifest = read_manifest(tiny_artifact)
    ran = run("verify", tiny_artifact)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (
        f"{manifest.id}: {len(manifest.files)} files, 30 albums and every golden query are as the "
        "manifest says\n"
    )


def test_query_by_picture_and_by_words(run: Any, tiny_artifact: Path, covers: Path) -> None:
    ran = run("query", tiny_artifact, "--image", covers / "cover-07.png", "-k", "3")
    lines = ran.out.splitlines()
    assert (ran.status, ran.err, len(lines)) == (0, "", 4)
    assert lines[0].split() == ["similarity", "album"]
    assert lines[1].split() == ["1.000", "7", "Artist", "0", "–", "Title", "7", "(metal,", "1977)"]
    ran = run("query", tiny_artifact, "--text", "a red album cover", "--json")
    rows = json.loads(ran.out)
    assert len(rows) == 5
    assert set(rows[0]) == {
        "album_id",
        "genre_id",
        "similarity_score",
        "title",
        "artist",
        "genre",
    }


def test_query_with_a_bad_picture_is_named(
    run: Any, tiny_artifact: Path, covers: Path, tmp_path: Path
) -> None:
    ran = run("query", tiny_artifact, "--image", covers / "broken.jpg")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("unreadable_image: ")
    ran = run("query", tiny_artifact, "--image", tmp_path / "none.jpg")
    assert (ran.status, ran.out) == (1, "")
    assert (
        ran.err == f"build_failed: {tmp_path}/none.jpg cannot be read: No such file or directory.\n"
    )
    assert run("query", tiny_artifact, "--image", tmp_path).status == 1


def test_evaluate_prints_a_table_or_json(
    run: Any, tiny_artifact: Path, covers: Path, tmp_path: Path
) -> None:
    queries = tmp_path / "queries"
    queries.mkdir()
    for number in (2, 5):
        shutil.copyfile(covers / f"cover-{number:02}.png", queries / f"{number}.png")
    ran = run("evaluate", tiny_artifact, "--queries", queries)
    assert ran.status == 0
    assert re.search(r"^queries +2 +1\.000 +1\.000 +1\.000$", ran.out, re.MULTILINE)
    assert "median latency: decode" in ran.out
    assert re.search(r"^recall@1 is (good|fair|poor): at worst ", ran.out, re.MULTILINE)
    assert "the index is good: 100.0% of what exact search finds\n" in ran.out
    ran = run("evaluate", tiny_artifact, "--queries", queries, "--json")
    assert json.loads(ran.out)["recall"]["queries"]["at_1"] == 1.0


def test_evaluate_records_tracks_and_looks_at_what_is_alike(
    run: Any, tiny_sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.sound.making.calibration import Surroundings
    from engine.sound.trials import identify

    monkeypatch.setattr(identify, "Surroundings", partial(Surroundings, count=1))
    monkeypatch.setattr(identify, "LENGTHS_S", (5.0,))
    ran = run("evaluate", tiny_sound, "--sample", "2", "--plots", tmp_path)
    assert ran.status == 0
    assert re.search(r"^5 s, clean +2 +[01]\.", ran.out, re.MULTILINE)
    assert "expected calibration error over 20 answers" in ran.out
    assert "the nearest other track is of the same album for " in ran.out
    assert (tmp_path / "identified.png").is_file()
    ran = run("evaluate", tiny_sound, "--sample", "1", "--json")
    told = json.loads(ran.out)
    assert told["identify"]["conditions"]["5 s, room"]["clips"] == 1
    assert told["likeness"]["tracks"] == 6


def test_evaluate_of_tracks_takes_no_photos(run: Any, tiny_sound: Path, tmp_path: Path) -> None:
    ran = run("evaluate", tiny_sound, "--queries", tmp_path)
    assert ran.status == 2
    assert "--queries is for covers" in ran.err


def test_publish_prints_the_tag_to_serve(run: Any, tiny_artifact: Path) -> None:
    ran = run("publish", tiny_artifact)
    tag = f"shazam-visual:{read_manifest(tiny_artifact).id}"
    assert (ran.status, ran.err) == (0, "")
    assert f"SHAZAM_ARTIFACT={tag}" in ran.out
    assert run("verify", tag).status == 0


def test_what_a_command_did_can_be_had_as_json(
    run: Any, tiny_artifact: Path, covers: Path, tmp_path: Path
) -> None:
    told = json.loads(run("verify", tiny_artifact, "--json").out)
    assert (told["albums"], told["verified"]) == (COVERS, True)
    out = tmp_path / "without"
    told = json.loads(run("remove", tiny_artifact, "--ids", "3", "--out", out, "--json").out)
    assert told == {
        "path": str(out),
        "artifact": read_manifest(out).id,
        "albums": COVERS - 1,
        "genres": 3,
        "index": "flat",
        "dimension": 32,
        "embedded": 0,
        "skipped": [],
    }
    tar = tmp_path / "packed.tar"
    told = json.loads(run("pack", tiny_artifact, "--out", tar, "--json").out)
    assert told["bytes"] == tar.stat().st_size
    assert re.fullmatch(r"[0-9a-f]{64}", told["sha256"])
    tag = json.loads(run("publish", tiny_artifact, "--json").out)["tag"]
    assert tag == f"shazam-visual:{read_manifest(tiny_artifact).id}"


def test_what_is_served_is_named_from_the_root(
    run: Any, tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[tuple[str, int, str]] = []

    def serve(host: str, port: int, **_: Any) -> int:
        served.append((host, port, os.environ["SHAZAM_ARTIFACT"]))
        return 0

    monkeypatch.setattr("engine.serving.process.launch.serve", serve)
    monkeypatch.chdir(tiny_artifact.parent)
    monkeypatch.setenv("SHAZAM_ARTIFACT", "artifacts/starter")
    assert run("serve", "--port", "4000").status == 0
    assert run("serve", tiny_artifact.name, "--host", "127.0.0.1").status == 0
    assert run("serve", "shazam-visual:latest").status == 0
    assert served == [
        ("0.0.0.0", 4000, "artifacts/starter"),
        ("127.0.0.1", 3000, str(tiny_artifact)),
        ("0.0.0.0", 3000, "shazam-visual:latest"),
    ]


# --- as a process -------------------------------------------------------------------------------


def process(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine", *map(str, arguments)],
        cwd=PROJECT,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def test_as_a_process_results_alone_go_to_stdout(tiny_artifact: Path) -> None:
    ran = process("query", tiny_artifact, "--text", "jazz", "--json", capture_output=True)
    assert ran.returncode == 0
    assert ran.stderr == ""
    assert len(json.loads(ran.stdout)) == 5


def test_as_a_process_bad_usage_and_failures_have_their_status(tmp_path: Path) -> None:
    assert process("fly", capture_output=True).returncode == 2
    ran = process("verify", tmp_path, capture_output=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("artifact_not_found: ")


def test_a_reader_that_leaves_early_causes_no_trace(tiny_artifact: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = process("inspect", tiny_artifact, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr


def test_asking_for_help_is_quick() -> None:
    script = (
        "import sys, engine.cli.main\n"
        "try: engine.cli.main.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'faiss', 'transformers', 'bentoml', 'openvino', 'numpy', 'PIL'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("compact", "--index", "hnsw"), {"rows"}),
        (("remove", "--ids", "3"), {"references"}),
    ],
)
def test_what_can_take_minutes_tells_how_far_it_is(
    command: tuple[str, ...],
    told: set[str],
    tiny_artifact: Path,
    tmp_path: Path,
    run: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[tuple[int, int, str]] = []
    monkeypatch.setattr(Bar, "step", lambda _bar, *step: steps.append(step))
    name, *options = command
    assert run(name, tiny_artifact, *options, "--out", tmp_path / "out").status == 0
    assert told <= {what for _, _, what in steps}
    done, total, _ = steps[-1]
    assert done == total


def test_a_precision_that_can_be_asked_for_is_one_that_an_encoder_has() -> None:
    assert get_args(WantedPrecision) == PRECISIONS


def test_serve_hands_its_path_to_the_workers(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[str] = []

    def serve(host: str, port: int, **_: Any) -> int:
        served.append(os.environ["SHAZAM_ROOT_PATH"])
        return 0

    monkeypatch.setattr("engine.serving.process.launch.serve", serve)
    monkeypatch.setenv("SHAZAM_ROOT_PATH", "/other")
    assert run("serve").status == 0
    assert run("serve", "--root-path", "/records/").status == 0
    assert served == ["/other", "/records"]
    ran = run("serve", "--root-path", "//evil.example")
    assert (ran.status, ran.out) == (2, "")
    assert "'//evil.example' is not a path such as /records" in ran.err
