"""`engine/voice/service/`: a process that answers for voice decodes nothing and loads no model."""

from __future__ import annotations

import subprocess
import sys

from conftest import PROJECT

HEARS = (
    "engine.voice.models",
    "engine.voice.pipeline.kit",
    "ctranslate2",
    "faster_whisper",
    "torch",
)


def test_who_answers_imports_nothing_that_hears() -> None:
    code = (
        "import os, sys\n"
        "os.environ['SHAZAM_LIBRARY'] = 'shared'\n"
        "import engine.voice.service.capability\n"
        f"print([name for name in sys.modules if name.startswith({HEARS})\n"
        "       or name.startswith('engine.voice.ear.') and name != 'engine.voice.ear.heard'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_nothing_that_hears_is_loaded_when_a_worker_begins() -> None:
    """Models are for the processes that hear, and those begin with the first recording."""
    code = (
        "import sys\n"
        "import engine.voice.pipeline.extra, engine.voice.pipeline.steps\n"
        "print([name for name in sys.modules if name.startswith(('openvino', 'ctranslate2'))\n"
        "       or name in ('engine.voice.ear.tasks', 'engine.voice.ear.sounds')])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
