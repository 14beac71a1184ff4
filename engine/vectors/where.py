"""`SHAZAM_INDEX` → which index answers: the artifact's own file, or a table in an engine.

Read when settings are, by the process that starts the service: it must not load FAISS or NumPy.
"""

from __future__ import annotations

import re

from engine.base.errors import SettingsError
from engine.base.needs import refuse_missing

# What SHAZAM_INDEX may say: the artifact's own file, or an engine and where it keeps its tables.
OWN_INDEX, LANCEDB = "artifact", "lancedb:"


def index_place(text: str) -> str:
    """`SHAZAM_INDEX` as it was set → `OWN_INDEX`, or `LANCEDB` and a folder or a URL.

    Raises `ValueError` with the end of a sentence that begins with the value.
    """
    where = text.strip()
    if where != OWN_INDEX and not re.fullmatch(rf"{LANCEDB}\S+", where):
        raise ValueError(f"is neither {OWN_INDEX!r} nor {LANCEDB!r} and a folder or a URL")
    return where


def check_installed(where: str) -> None:
    """Raise a one-line `SettingsError` where `SHAZAM_INDEX` names an engine that is not here."""
    if where != OWN_INDEX:
        refuse_missing("lancedb", "lancedb.in", by=f"SHAZAM_INDEX={where!r}", failure=SettingsError)
