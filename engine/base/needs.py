"""Packages that not every installation has → the module, or one sentence that says what to install.

`need` imports one where it is used (`build --ray`, a bucket's back end); `refuse_missing` looks
without importing, for a start that must stay light (`SHAZAM_INDEX`); `is_installed` is for what
can go on without (HEIC pictures).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from engine.base.errors import BuildError, ShazamError
from engine.base.places import INSTALLED, PROJECT


def need(
    module: str, requirements: str, *, by: str, failure: type[ShazamError] = BuildError
) -> ModuleType:
    """`module`, imported; a `failure` that names it and `requirements/<requirements>` where it is
    not here. `by` is what asks for it, as a user wrote it: `--ray`, `s3://`, `SHAZAM_INDEX='…'`."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        itself = error.name is None or f"{module}.".startswith(f"{error.name}.")
        what = "is not installed" if itself else f"needs {error.name}, and that is not installed"
        raise _missing(module, what, requirements, by, failure) from error
    except ImportError as error:
        # It is there and lacks, say, a library of the system: it must not be called absent.
        what = f"cannot be imported ({error})"
        raise _missing(module, what, requirements, by, failure) from error


def refuse_missing(
    package: str, requirements: str, *, by: str, failure: type[ShazamError] = BuildError
) -> None:
    """Raise what `need` would where `package` is not installed; nothing of it is imported."""
    if not is_installed(package):
        raise _missing(package, "is not installed", requirements, by, failure)


def is_installed(package: str) -> bool:
    """Whether a package (not a module inside one) is here; nothing of it is imported."""
    return importlib.util.find_spec(package) is not None


def remedy() -> str:
    """What to do where this Python lacks a package that most installations have."""
    if INSTALLED:
        return f"Run: {how_to_install('build.in')}"
    if Path(sys.prefix) == PROJECT / ".venv":
        return "Run: make install (serving needs less than making artifacts does)"
    first = "" if (PROJECT / ".venv").is_dir() else "make install && "
    return f"Run, in the project's folder: {first}source .venv/bin/activate"


def how_to_install(requirements: str) -> str:
    """The command that installs `requirements/<requirements>`, or the extra of the same name."""
    if INSTALLED:
        name = requirements.partition(".")[0]
        return (
            f"pip install 'shazam-visual[{name}]'"
            if name != "serve"
            else ("pip install --force-reinstall shazam-visual")
        )
    return f"pip install -r requirements/{requirements}"


def _missing(
    module: str, what: str, requirements: str, by: str, failure: type[ShazamError]
) -> ShazamError:
    return failure(f"{by} needs {module}, which {what}. Run: {how_to_install(requirements)}")
