"""Find an album by its cover or by words, a track by its sound.

Serve:  bytes ─image→ pixels ─encoder→ embedding ─index→ neighbours ─catalogue→ albums ─→ response
Build:  covers + metadata ─build→ (the same image, encoder, index) ─artifact→ a folder, verified

The two flows meet in the artifact alone: one writer, one verifying reader. They are cut at
*pixels*, the last step that can fail for one caller and the first that many callers can share.

The rooms, lowest first; each imports only those before it (contracts in pyproject.toml,
`make lint`), and each tells in its `__init__` what comes in, what goes out, where to begin:

    base/      what every room stands on: errors, settings, this machine, files, places
    vectors/   rows of unit length → neighbours; knows ids and labels, no albums
    artifact/  a folder complete in itself: listed, hashed, renamed into place, packed, fetched,
               stored. It, vectors/ and tables/ know nothing of each other
    tables/    what people hand in, files and a table about them → files, each with its row
    serving/   many callers, whatever they ask: HTTP, threads and batches, metrics, processes
    covers/    a picture or words → albums, and how the artifact for it is made and measured
    sound/     seconds of sound → a track, or tracks alike; knows no covers, and covers/ no sound
    library/   a file or a link → a track that can be found: jobs that survive, on rows and objects
    voice/     singing beside the original → how it was: a number by parts, phrase by phrase
    services/  what BentoML starts: covers and what is beside them on one port, or sound alone
    cli/       `python -m engine COMMAND`; __main__.py is what Python runs

A newcomer starts at `covers/search.py` (`CoverSearch.open`, then `by_image`): the whole of Serve in
one file. Build begins at `covers/making/build.py`, HTTP at `covers/service/routes.py`.
CONTRIBUTING.md says where a new decoder, command, route or setting goes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.base.version import VERSION

if TYPE_CHECKING:
    from engine.covers.artifact import Artifact as Artifact
    from engine.covers.question import Wanted as Wanted
    from engine.covers.search import CoverSearch as CoverSearch
    from engine.covers.search import Hit as Hit
    from engine.sound.search import SoundSearch as SoundSearch

# Where a public name lives; imported when first asked for: `import engine.base.settings` must not
# load FAISS.
HOMES = {
    "Artifact": "engine.covers.artifact",
    "CoverSearch": "engine.covers.search",
    "Hit": "engine.covers.search",
    "SoundSearch": "engine.sound.search",
    "Wanted": "engine.covers.question",
}
__all__ = list(HOMES)
__version__ = VERSION


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
