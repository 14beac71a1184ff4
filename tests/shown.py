"""What the page of the API shows of a call, run as it stands there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from engine.serving.app.snippets import AT, Call, curl, javascript, python


def runs_as_shown(call: Call, url: str, folder: Path) -> None:
    """Both programs answer, in a folder that holds the file they send."""
    shown = curl(call).replace(AT, url)
    shell = subprocess.run(
        ["bash", "-c", shown.replace("curl", "curl -sf", 1)],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert shell.returncode == 0, (shown, shell.stderr)
    code = "import warnings; warnings.simplefilter('ignore')\n" + python(call)
    program = subprocess.run(
        [sys.executable, "-c", code.replace(AT, url)],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert program.returncode == 0, program.stderr
    assert "error" not in program.stdout
    if call.saved_as:
        assert (folder / call.saved_as).stat().st_size > 500
    assert call.address in javascript(call)
