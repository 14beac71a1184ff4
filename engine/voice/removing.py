"""Audio of sessions is removed in time, by whoever runs: each worker and each service does it.

Rows first, so that nothing is added meanwhile; then objects, which are looked for where they lie: a
process that is killed between the two leaves what the next one finds. What a killed process had in
hand on this machine goes too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

from engine.base.errors import ShazamError
from engine.library.objects import Objects
from engine.library.pipeline.scratch import remove_abandoned
from engine.serving.http.uploads import remove_abandoned_uploads
from engine.voice import references, sessions
from engine.voice.references import References
from engine.voice.sessions import Sessions

logger = logging.getLogger("shazam")

EACH_S = 20.0
# So long before its time audio goes, that it is gone then: a look each 20 s, and a slow store.
SOONER_S = 120.0
# What began later than now began by a clock that was wrong: nobody can tell when its time is over.
# Those of several machines differ by less.
AHEAD = timedelta(minutes=10)
# Each so many looks the store itself is listed, for what no row leads to.
LISTED_EACH = 15
# Objects are there before their row is.
YOUNG_S = 1_800.0
LEFT_S = 3_600.0


class Removing:
    """`audio_s`: how long after its start a session's audio is kept; `keep_days`: how long what was
    made of a track is remembered that nobody sings any more."""

    def __init__(
        self,
        known: Sessions,
        remembered: References,
        objects: Objects,
        *,
        audio_s: float,
        keep_days: float,
    ) -> None:
        self._sessions, self._references, self._objects = known, remembered, objects
        self._audio = timedelta(seconds=max(0.0, audio_s - min(SOONER_S, audio_s / 4)))
        self._unused = timedelta(days=keep_days)

    async def run(self) -> None:
        """For ever; at once the first time."""
        look = 0
        while True:
            try:
                await self.remove(listed=look % LISTED_EACH == 0)
            except Exception as error:
                # A database or a store that is away: the next look does what this could not.
                told = error.message if isinstance(error, ShazamError) else repr(error)
                logger.warning("audio that is to be removed stays for now: %s", told)
            look += 1
            await asyncio.sleep(EACH_S)

    async def remove(self, *, listed: bool = True) -> None:
        """All that is past its time. Where `listed`, also what no row leads to."""
        now = datetime.now(UTC)
        expired = await self._sessions.expired(now - self._audio, now + AHEAD)
        for session_id in expired:
            await self._sessions.silence(session_id)
            await self._delete(sessions.folder_of(session_id))
        await self._references.let_go(self._unused)
        for reference_id in await self._references.gone():
            await self._delete(f"{references.FOLDER}/{reference_id}")
            await self._references.forget(reference_id)
        if listed:
            await self._unnamed()
            await asyncio.to_thread(self._left)
        if expired:
            logger.info("removed the audio of %d sessions", len(expired))

    async def _unnamed(self) -> None:
        """Objects of sessions whose audio was removed before, and of those that never were."""
        found = await asyncio.to_thread(self._youngest, sessions.FOLDER)
        living = await self._sessions.living(found)
        for session_id, at in found.items():
            old = abs(time.time() - at) > YOUNG_S
            if not living.get(session_id, not old):
                await self._delete(sessions.folder_of(session_id))
        held = await asyncio.to_thread(self._youngest, references.FOLDER)
        for reference_id in held.keys() - await self._references.known():
            await self._delete(f"{references.FOLDER}/{reference_id}")

    async def _delete(self, folder: str) -> None:
        await asyncio.to_thread(delete_folder, self._objects, folder)

    def _youngest(self, folder: str) -> dict[str, float]:
        """What lies under a folder of keys → when the last of it was written, by the clock."""
        found: dict[str, float] = {}
        for stored in self._objects.list(folder):
            name = stored.key.removeprefix(f"{folder}/").partition("/")[0]
            found[name] = max(found.get(name, 0.0), stored.modified_s)
        return found

    def _left(self) -> None:
        """What killed processes left, half written or in hand."""
        self._objects.tidy(LEFT_S)
        remove_abandoned()
        remove_abandoned_uploads(LEFT_S)


def delete_folder(objects: Objects, folder: str) -> None:
    """All objects under a folder of keys; not for an event loop."""
    for stored in objects.list(folder):
        objects.delete(stored.key)
