"""What Prometheus is told of the library: jobs by their state, for how long one has been queued,
how many workers live. Asked of the rows every few seconds, so that a scrape waits for no database.
"""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass

from engine.base.errors import ShazamError
from engine.library.jobs import Tally
from engine.library.service.opened import Library
from engine.library.tables import ACTIVE, State
from engine.serving.watch.metrics import Metrics

logger = logging.getLogger("shazam")

EVERY_S = 10.0
WITHIN_S = 3.0
JOBS, QUEUED_S, WORKERS = SERIES = (
    "shazam_library_jobs",
    "shazam_library_oldest_queued_seconds",
    "shazam_library_workers",
)
# Workers say every few seconds that they live.
BEAT_WITHIN_S = 30.0


@dataclass(frozen=True)
class Standing:
    """Workers that live, and what waits for them, whoever's it is."""

    workers: int
    jobs: dict[State, Tally]

    @property
    def queued_s(self) -> float:
        """For how many seconds the job has been queued that is so for longest."""
        return self.jobs["queued"].oldest_s

    @property
    def waits_s(self) -> float:
        """For how many seconds nothing has become of what is queued or was begun."""
        return max(self.jobs[state].oldest_s for state in ACTIVE)


async def standing_of(library: Library) -> Standing:
    """Raises `DatabaseUnavailable`."""
    workers = await library.workers.alive(BEAT_WITHIN_S)
    return Standing(len(workers), await library.jobs.tally())


class Figures:
    """The library's series among those of the service."""

    def __init__(self, metrics: Metrics) -> None:
        self._ready = metrics.ready.labels("library")
        self._jobs = metrics.gauge(JOBS, "Jobs by their state", ("state",))
        self._queued_s = metrics.gauge(QUEUED_S, "For how long the oldest queued job waits")
        self._workers = metrics.gauge(WORKERS, "Workers that live")
        self.know_nothing()

    async def keep(self, library: Library) -> None:
        """Tell how it is, until cancelled."""
        while True:
            await self.take(library)
            await asyncio.sleep(EVERY_S)

    async def take(self, library: Library) -> None:
        """Tell how it is now. Never raises."""
        try:
            self._tell(await asyncio.wait_for(standing_of(library), WITHIN_S))
        except (ShazamError, TimeoutError):
            self.know_nothing()
        except Exception:
            logger.exception("the library's jobs cannot be counted")
            self.know_nothing()

    def _tell(self, now: Standing) -> None:
        for state, tally in now.jobs.items():
            self._jobs.labels(state).set(tally.count)
        self._queued_s.set(now.queued_s)
        self._workers.set(now.workers)
        self._ready.set(1)

    def know_nothing(self) -> None:
        """Figures of a moment ago would be read as those of now."""
        self._ready.set(0)
        for gauge in (self._queued_s, self._workers):
            gauge.set(math.nan)
