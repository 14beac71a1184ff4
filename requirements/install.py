"""A lock file → an environment that holds what it names, told as it goes.

    python3 requirements/install.py .venv requirements/serve.lock "about 220 MB"

`make serve` and `make install` run this by any Python, before anything is installed: hence the
standard library alone, and no syntax that an old one lacks. Which Pythons will do, pyproject.toml
says.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import with_uv
from telling import Line, say

PROJECT = Path(__file__).resolve().parents[1]
_SIZE = re.compile(r"Downloading (\S+?)-\d\S*(?: \(([\d.]+) (kB|MB|GB)\))?")
_MB = {"kB": 0.001, "MB": 1.0, "GB": 1000.0}


def main(venv, lock, size):
    """Make or renew `venv`, a folder, by the file `lock`; returns the exit status."""
    python = str(Path(venv) / "bin" / "python")
    if not os.access(python, os.X_OK):
        refusal = unsuitable(sys.version_info[:3])
        if refusal:
            return refusal
        say("making {} with Python {}.{}.{}".format(venv, *sys.version_info[:3]))
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    started = time.monotonic()
    count = sum(1 for line in Path(lock).read_text().splitlines() if "==" in line)
    say(f"installing {count} packages of {lock}: {size} to download, once")
    pip = reaching(venv)
    # Tests start services by the hundred; `make serve` needs only what it imports, then and there.
    done = with_uv.install(python, pip, lock, compiled=Path(lock).name == "all.lock")
    status = 0 if done else install(pip, lock, count)
    if status == 0:
        say(f"installed in {time.monotonic() - started:.0f} s")
    return status


def reaching(venv):
    """The command of a pip that installs into `venv`: its own, or this Python's; where neither has
    one, `venv` is given its own, which takes seconds."""
    python = str(Path(venv) / "bin" / "python")
    own = Path(venv) / "bin" / "pip"
    if not own.exists():
        if importlib.util.find_spec("pip") is not None:
            return [sys.executable, "-m", "pip", "--python", python]
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    return [python, "-m", "pip"]


def supported():
    """What pyproject.toml asks for: (3, 11), (3, 13) are the first that will do and the first not
    to."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', text)
    if found is None:
        raise SystemExit("pyproject.toml names no range of Pythons")
    return (3, int(found.group(1))), (3, int(found.group(2)))


def unsuitable(version):
    """One line that says why a Python of this version will not do, and what will; else ""."""
    first, end = supported()
    if first <= tuple(version[:2]) < end:
        return ""
    names = [f"python3.{minor}" for minor in range(first[1], end[1])]
    here = [name for name in reversed(names) if shutil.which(name)]
    way = (
        f"name the one you have: make serve PYTHON={here[0]}"
        if here
        else f"install one, and name it: make serve PYTHON={names[0]}"
    )
    return "Python 3.{} to 3.{} is needed, and this is {}: {}".format(
        first[1], end[1] - 1, ".".join(map(str, version)), way
    )


def install(pip, lock, count):
    """Run pip, which says a line or three a package, and tell how far it is; 0, or the end of what
    it said."""
    command = [*pip, "install", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["-r", lock, with_uv.pinned("pip")]
    said, told, seen, megabytes, spoken = [], Line(), 0, 0.0, None
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for text in process.stdout:
            said.append(text)
            collected = text.startswith(("Collecting ", "Requirement already satisfied"))
            seen += collected
            found = _SIZE.search(text)
            if found is not None and ".metadata" not in text:
                megabytes += float(found.group(2) or 0) * _MB.get(found.group(3), 0)
                spoken = found.group(1)
            if text.startswith("Installing collected packages"):
                told.write(f"{megabytes:,.0f} MB are here; unpacking", now=True)
            elif collected or spoken:
                what = f": {spoken}" if spoken else ""
                told.write(f"{min(seen, count)} of {count} packages, {megabytes:,.0f} MB{what}")
    told.close()
    if process.returncode == 0:
        return 0
    wrong = [text for text in said if text.startswith(("ERROR", "error"))] or said[-15:]
    return "pip could not install {}:\n{}".format(lock, "".join(wrong).rstrip())


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
