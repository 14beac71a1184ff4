"""A lock file → what it names in an environment, by uv: a fifth of pip's time, and of its work.

uv reads no setting of pip's. Those that lead to packages (a mirror, a folder of wheels, a
certificate) are handed to it in its own words; where one has no such word, or uv fails, it is not
used, and pip does the work. By any Python, as install.py is.
"""

import ast
import os
import re
import subprocess
from pathlib import Path

from telling import Line, say

# The versions of uv and of pip itself.
TOOLS = Path(__file__).with_name("tools.lock")

# pip's settings in uv's words; several values are separated by white space.
_WORDS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "constraint": "--constraint",
    "trusted-host": "--allow-insecure-host",
}
# pip's settings that do not change what is installed, or from where.
_IDLE = {
    *("break-system-packages", "cache-dir", "default-timeout", "disable-pip-version-check"),
    *("no-cache-dir", "no-color", "no-input", "no-warn-script-location", "progress-bar", "quiet"),
    *("require-virtualenv", "retries", "root-user-action", "timeout", "user", "verbose"),
}
_SIZE = re.compile(r"Downloading (\S+) \(([\d.]+)([KMG])iB\)")
_MB = {"K": 0.001024, "M": 1.048576, "G": 1073.741824}


def install(python, pip, lock, compiled):
    """Whether `lock` is in the environment of `python` now; `pip` is the command of a pip that
    reaches it. `compiled`: all files, not each when it is first imported."""
    listing = subprocess.Popen(
        [*pip, "config", "list"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    uv = fetched(python, pip)
    listed = listing.communicate()[0]
    asked = None if listing.returncode else options(settings(listed))
    if uv is None or asked is None:
        return False
    command = [uv, "pip", "install", "--no-progress", "--python", python, *asked]
    command += ["--compile-bytecode"] if compiled else []
    pip_itself = pinned("pip")
    return run([*command, "-r", lock, pip_itself], environment(settings(listed)))


def fetched(python, pip):
    """The environment's own uv, by pip where it has none; None where there is none for this
    machine."""
    uv = Path(python).with_name("uv")
    if not uv.exists():
        quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile"]
        subprocess.run(
            [*pip, "install", *quiet, "--only-binary=:all:", pinned("uv")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    return str(uv) if uv.exists() else None


def pinned(name):
    """`name==version`, as TOOLS has it."""
    return next(line for line in TOOLS.read_text().split() if line.startswith(name + "=="))


def settings(listed):
    """What `pip config list` says → what holds for `pip install`, by name; the environment's
    outdo the files'."""
    found = {}
    for section in ("global", "install", ":env:"):
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(section + "."):
                found[key[len(section) + 1 :]] = ast.literal_eval(value)
    return found


def options(found):
    """pip's settings as options of uv; None where one has no word there."""
    if set(found) - set(_WORDS) - _IDLE - {"cert", "proxy"}:
        return None
    given = [
        part for name, word in _WORDS.items() for value in found.get(name, "").split()
        for part in (word, value)
    ]  # fmt: skip
    # As pip does: whichever index has the version.
    return given + (["--index-strategy=unsafe-best-match"] if "extra-index-url" in found else [])


def environment(found):
    """The variables that uv is run with."""
    extra = {"SSL_CERT_FILE": found.get("cert"), "ALL_PROXY": found.get("proxy")}
    return {**{name: value for name, value in extra.items() if value}, **os.environ}


def run(command, variables):
    """Run uv and tell how far it is; whether it ended well."""
    line, sizes, here, last = Line(), {}, 0.0, ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables
    ) as process:
        for text in process.stdout:
            last = text.strip() or last
            found = _SIZE.search(text)
            if found is not None:
                sizes[found.group(1)] = float(found.group(2)) * _MB[found.group(3)]
            elif text.split()[:1] == ["Downloaded"]:
                name = text.split()[1]
                here += sizes.get(name, 0.0)
                line.write(f"{here:,.0f} of {sum(sizes.values()):,.0f} MB: {name}")
            elif text.startswith("Prepared"):
                line.write("all are here; unpacking", now=True)
    line.close()
    if process.returncode != 0:
        say(f"uv could not ({last}): pip does it, which takes longer")
    return process.returncode == 0
