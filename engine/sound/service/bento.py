"""Sound as BentoML sees it: typed APIs, whose answers are those of the routes.

A service that answers for sound (`engine.services`) is a class that inherits `APIS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import bentoml
from pydantic import Field

from engine.sound.service.forms import DEFAULT_K, MAX_K, WantedTracks
from engine.sound.service.schemas import IdentifySoundResponse, SoundSearchResponse

if TYPE_CHECKING:
    from engine.sound.service.answers import SoundAnswers


class SoundApis:
    """Which track is this? What BentoML's typed clients call."""

    @bentoml.api
    async def identify_sound(self, file: Path) -> IdentifySoundResponse:
        """Which track is this recording of, and from when on?"""
        return await _answers().identify(file.read_bytes())

    @bentoml.api
    async def search_by_sound(
        self,
        file: Path,
        k: Annotated[int, Field(ge=1, le=MAX_K)] = DEFAULT_K,
        genre: str | None = None,
        min_score: float | None = None,
    ) -> SoundSearchResponse:
        """The tracks that sound most like a recording."""
        return await _answers().alike(file.read_bytes(), WantedTracks(k, genre, min_score))


APIS = SoundApis


def _answers() -> SoundAnswers:
    from engine.sound.service.running import answers

    return answers()
