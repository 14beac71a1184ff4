"""An opened artifact → what `evaluate` tells of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.base.errors import AudioNotFound, AudioNotShared
from engine.base.progress import Progress
from engine.sound.audio import Samples, decode
from engine.sound.search import SoundSearch
from engine.sound.trials.identify import Trial, run_trial, table
from engine.sound.trials.likeness import Likeness, likeness

# Cosines of more tracks than this are not all compared: 4,000 are 64 MB.
MOST_COMPARED = 4_000


@dataclass(frozen=True)
class SoundReport:
    artifact: str
    encoder: str
    identify: Trial
    likeness: Likeness

    def as_dict(self) -> dict[str, Any]:
        return {
            "artifact": self.artifact,
            "encoder": self.encoder,
            "identify": self.identify.as_dict(),
            "likeness": self.likeness.as_dict(),
        }


def evaluate_sound(
    search: SoundSearch, *, sample: int = 60, seed: int = 0, progress: Progress | None = None
) -> SoundReport:
    """Record `sample` tracks that the artifact has the audio of, and look at which tracks are near
    to each other. Raises `BuildError` where it has no audio."""
    trial = run_trial(
        search.identifier, audible(search), sample=sample, seed=seed, progress=progress
    )
    ids = search.catalogue.ids()[:MOST_COMPARED]
    tracks = search.catalogue.get(ids.tolist())
    # An album without an id is one by its name and artist.
    albums = [
        (track.album_id, track.album, track.artist) if track.album else track.album_id
        for track in (tracks[track_id] for track_id in ids.tolist())
    ]
    genres = [tracks[track_id].genre for track_id in ids.tolist()]
    alike = likeness(search.index.vectors(ids), albums, genres)
    return SoundReport(search.artifact_id, search.encoder_name, trial, alike)


def audible(search: SoundSearch) -> dict[int, Callable[[], Samples]]:
    """The tracks whose audio lies in the artifact, each with what decodes it."""
    found: dict[int, Callable[[], Samples]] = {}
    for track_id in search.catalogue.ids().tolist():
        try:
            audio = search.audio(track_id)
        except (AudioNotFound, AudioNotShared):
            continue
        if isinstance(audio, Path):
            found[track_id] = partial(decode, audio)
    return found


def tell(report: SoundReport, say: Callable[[str], None] = print) -> None:
    """The report as text."""
    say(f"artifact {report.artifact}, encoder {report.encoder}")
    table(report.identify, say)
    one = report.likeness
    say(
        f"the nearest other track is of the same album for {one.same_album:.3f} (by chance "
        f"{one.album_chance:.3f}), of the same genre for {one.same_genre:.3f} (by chance "
        f"{one.genre_chance:.3f}); mean cosine of different tracks {one.mean_cosine:+.3f}"
    )
