"""What a process that answers for the library does first: its settings, and whether they can be
served.

It imports only when called: a launcher reads it to look whether there is something to serve.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.library.settings import LibrarySettings

# What the library needs besides what sound needs (requirements/library.in), as it is imported.
PACKAGES = ("sqlalchemy", "dbos", "aiosqlite", "httpx")


@functools.cache
def settings() -> LibrarySettings:
    """This process's settings, read once. Raises `SettingsError`."""
    from engine.library.settings import LibrarySettings

    return LibrarySettings.from_environment()


def check() -> None:
    """Raise a one-line `SettingsError` where the library cannot be served as it is set."""
    from engine.base.errors import SettingsError
    from engine.base.needs import refuse_missing
    from engine.library.footing import check_footing

    given = settings()
    named = f"SHAZAM_LIBRARY={given.library!r}"
    for package in PACKAGES:
        refuse_missing(package, "library.in", by=named, failure=SettingsError)
    if given.private and not given.api_keys:
        raise SettingsError(
            f"{named} tells callers apart by their keys, and SHAZAM_API_KEYS is not set. Set it, "
            "or share the library. Example: SHAZAM_LIBRARY=shared"
        )
    check_footing(given)
