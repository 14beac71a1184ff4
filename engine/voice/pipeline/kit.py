"""What voice's steps work with, besides what the library's have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from engine.library.pipeline.bench import Bench
from engine.library.pipeline.pool import Pool
from engine.library.quota import Quota
from engine.voice.jobs import VoiceJobs
from engine.voice.jury.jury import Jury
from engine.voice.lyrics.found import LyricsSources
from engine.voice.models import Part, present
from engine.voice.references import References
from engine.voice.sessions import Sessions
from engine.voice.settings import VoiceSettings

TASKS = "engine.voice.pipeline.tasks"
# Networks map more than they use: what recognises words alone maps 2 GB.
MEMORY_BYTES = 8 << 30


@dataclass(frozen=True)
class Kit:
    """`bench` is the library's with processes of voice's own."""

    bench: Bench
    settings: VoiceSettings
    sessions: Sessions
    references: References
    jobs: VoiceJobs
    lyrics: LyricsSources
    jury: Jury
    models: Path
    quota: Quota

    @classmethod
    def of(cls, bench: Bench, settings: VoiceSettings, concurrency: int) -> Kit:
        own = replace(bench, pool=Pool(concurrency, memory_bytes=MEMORY_BYTES, tasks=TASKS))
        return cls(
            own,
            settings,
            Sessions(bench.database),
            References(bench.database),
            VoiceJobs(bench.database),
            lyrics_of(settings, bench.settings.trusted_hosts),
            Jury.of(
                (settings.jury_url, settings.jury_key, settings.jury_model),
                (
                    settings.jury_fallback_url,
                    settings.jury_fallback_key,
                    settings.jury_fallback_model,
                ),
            ),
            Path(settings.voice_models),
            Quota.of(bench.database, bench.settings),
        )

    def absent(self, part: Part) -> str | None:
        """Why a part does not hear here: its models are not there. None where they are."""
        return present(self.models)[part]


def lyrics_of(settings: VoiceSettings, trusted: tuple[str, ...]) -> LyricsSources:
    return LyricsSources.of(
        settings.lrclib_url, settings.genius_url, settings.genius_token, trusted
    )
