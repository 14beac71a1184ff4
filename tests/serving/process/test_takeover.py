"""`engine/serving/process/takeover.py`: which `bentoml serve` becomes our launcher."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT

CODE = """
import os, sys
sys.argv[0] = "bentoml"
os.execv = lambda path, told: (print(*told[2:]), os._exit(0))
sys.path.insert(0, os.getcwd())
from bentoml_cli.cli import cli
cli()
"""
OURS = (
    "engine.serving.process.launch {host} {port} service:ShazamVisual "
    "engine.covers.service.start:open_search engine.services.composed:visual"
)


def became(*asked: str, folder: Path = PROJECT, **environment: str) -> str:
    """The arguments of what `bentoml serve` turned into; what stands where BentoML would have
    gone on to start a worker itself."""
    # Instead of BentoML's own start, for which there is no port here.
    stop = "import _bentoml_impl.server as server; server.serve_http = lambda *_, **__: print('on')"
    run = subprocess.run(
        [sys.executable, "-c", f"{stop}\n{CODE}", "serve", *asked],
        cwd=folder,
        env={**os.environ, "SHAZAM_SOUND_ARTIFACT": "none", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()[-1]


@pytest.mark.parametrize("target", ["service:ShazamVisual", "service.py:ShazamVisual", "."])
def test_one_process_is_ours_to_start(target: str) -> None:
    told = became(target, "--port", "4001", "--host", "127.0.0.1")
    assert told == OURS.format(host="127.0.0.1", port=4001)


def test_what_is_not_said_is_what_bentoml_would_take() -> None:
    assert became(BENTOML_PORT="4002") == OURS.format(host="0.0.0.0", port=4002)
    assert became() == OURS.format(host="0.0.0.0", port=3000)


@pytest.mark.parametrize(
    ("asked", "environment"),
    [
        (["--timeout-keep-alive", "9"], {}),
        (["--reload"], {}),
        ([], {"SHAZAM_WORKERS": "2"}),
        ([], {"SHAZAM_ENCODER_PROCESS": "service"}),
        ([], {"SHAZAM_TRACES": "http://127.0.0.1:9/v1/traces"}),
        ([], {"BENTOML_CONFIG_OPTIONS": "api_server.backlog=999"}),
    ],
)
def test_what_only_bentoml_does_is_left_to_it(
    asked: list[str], environment: dict[str, str]
) -> None:
    assert became("service:ShazamVisual", *asked, **environment) == "on"


def test_a_module_around_ours_is_started_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "around.py").write_text("from service import ShazamVisual\n")
    said = became("around:ShazamVisual", folder=tmp_path, PYTHONPATH=str(PROJECT))
    assert said == "on"
