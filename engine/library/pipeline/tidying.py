"""What a worker removes, each hour: objects that no row names, rows that nobody tries again, and
what DBOS wrote down of workflows that ended long ago."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

from engine.library.pipeline.bench import Bench
from engine.library.retention import Retention

logger = logging.getLogger("shazam.work")

EACH_S = 3_600.0
# An object is there before its row is: so young it may be about to get one.
YOUNG_S = 3_600.0
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_BLOCK = 500
# The two folders of keys; below each, one of a content's sha256.
_FOLDERS = ("uploads", "audio")


async def let_go_of_derived(bench: Bench, sha256: str) -> None:
    """Remove what was made of a content of which every sample has failed; what was sent stays, to
    be tried again."""

    def remove() -> None:
        for stored in bench.objects.list(f"audio/{sha256}"):
            if not stored.key.rpartition("/")[2].startswith("source"):
                bench.objects.delete(stored.key)

    async with Retention(bench.database).removing(sha256, failed=True) as free:
        if free:
            await asyncio.to_thread(remove)


class Tidying:
    """Each of its deeds may be done by several workers at once, and twice."""

    def __init__(self, bench: Bench, *, young_s: float = YOUNG_S) -> None:
        self._bench, self._young_s = bench, young_s
        self._retention = Retention(bench.database)

    async def tidy(self) -> None:
        before = datetime.now(UTC) - timedelta(days=self._bench.settings.keep_days)
        expired = await self._retention.expire(before)
        contents = [*await self._retention.leavings(), *await self._orphans()]
        for sha256 in contents:
            await self._remove(sha256)
        await asyncio.to_thread(self._bench.objects.tidy)
        workflows = await asyncio.to_thread(self._forget, before)
        if expired or contents or workflows:
            logger.info(
                "removed %d jobs, the files of %d contents and %d workflows",
                *(expired, len(contents), workflows),
            )

    async def _orphans(self) -> list[str]:
        """Contents in the store that no sample names, and that are not young."""
        old = await asyncio.to_thread(self._old)
        if old and not await self._retention.knows_any():
            # More likely the wrong database, or one that was lost, than files of nobody.
            logger.warning("%d contents are stored and no row names any: they stay", len(old))
            return []
        return sorted(await self._retention.unknown(old)) if old else []

    def _old(self) -> set[str]:
        youngest: dict[str, float] = {}
        for folder in _FOLDERS:
            for stored in self._bench.objects.list(folder):
                sha256 = stored.key.split("/")[1]
                youngest[sha256] = max(youngest.get(sha256, 0.0), stored.modified_s)
        now = time.time()
        return {sha256 for sha256, at in youngest.items() if now - at > self._young_s}

    async def _remove(self, sha256: str) -> None:
        async with self._retention.removing(sha256) as free:
            if free:
                await asyncio.to_thread(self._delete, sha256)

    def _delete(self, sha256: str) -> None:
        objects = self._bench.objects
        objects.delete(f"uploads/{sha256}")
        for stored in objects.list(f"audio/{sha256}"):
            objects.delete(stored.key)

    def _forget(self, before: datetime) -> int:
        client, forgotten = self._bench.client, 0
        while found := client.list_workflows(
            status=_ENDED,
            end_time=before.isoformat(),
            limit=_BLOCK,
            load_input=False,
            load_output=False,
        ):
            client.delete_workflows([one.workflow_id for one in found])
            forgotten += len(found)
        return forgotten
