"""The library's settings, where those of every service are looked for."""

from __future__ import annotations

from engine.library.settings import VARIABLES as VARIABLES
from engine.library.settings import LibrarySettings as LibrarySettings
