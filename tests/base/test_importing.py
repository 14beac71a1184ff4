"""What opens in threads beside one another imports in turn."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from engine.base.importing import one_thread
from engine.base.places import PROJECT

OPENING = {
    "covers": "engine.covers.service.start:open_search",
    "sound": "engine.sound.service.start:open_search",
    "the decoder": "engine.sound.service.asking:AsyncSound._open_decoder",
}
# What this module would import may not be there while another thread is at its own imports.
SCRIPT = """
import importlib, sys, threading
from engine.base.importing import one_thread
module, _, path = sys.argv[1].partition(":")
opened = importlib.import_module(module)
for name in path.split("."):
    opened = getattr(opened, name)
thread = threading.Thread(target=lambda: opened(None), daemon=True)
with one_thread:
    thread.start()
    thread.join(1)
    print(thread.is_alive(), "av" in sys.modules, "faiss" in sys.modules)
thread.join(60)
print(thread.is_alive())
"""


def test_another_thread_waits() -> None:
    seen: list[str] = []

    def other() -> None:
        with one_thread:
            seen.append("other")

    thread = threading.Thread(target=other)
    with one_thread, one_thread:
        thread.start()
        thread.join(0.1)
        seen.append("first")
    thread.join()
    assert seen == ["first", "other"]


@pytest.mark.parametrize("opening", OPENING.values(), ids=OPENING)
def test_an_opening_imports_while_no_other_thread_does(opening: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, opening],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        env={"SHAZAM_ARTIFACT": "nowhere", "SHAZAM_SOUND_ARTIFACT": "nowhere"},
    )
    assert ran.stdout.split() == ["True", "False", "False", "False"]
