"""Which index answers: the file of ours in the artifact, or a table in an engine."""

from __future__ import annotations

import importlib.util

from engine.base.errors import SettingsError
from engine.base.settings import OWN_INDEX


def check_installed(index: str) -> None:
    """Raise a one-line `SettingsError` where `SHAZAM_INDEX` names an engine that is not here."""
    if index != OWN_INDEX and importlib.util.find_spec("lancedb") is None:
        raise SettingsError(
            f"SHAZAM_INDEX={index!r} needs LanceDB, which is not installed. Run: "
            "pip install -r requirements/lancedb.in"
        )
