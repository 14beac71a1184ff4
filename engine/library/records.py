"""What rows of jobs are read as, and what jobs and samples both write in a transaction of theirs.

The order in which rows are held is the same everywhere, so that no two wait for each other: the
name of a library, the name of a content, jobs, samples, the feed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.base.errors import StorageUnavailable
from engine.base.texts import as_one_line, is_blank
from engine.library.database import Database
from engine.library.tables import ChangeRow, FeedRow, LeavingRow, SampleRow, State, Status, WordRow
from engine.library.words import kept_words, writable

Given = TypeVar("Given")
Kind = Literal["ready", "gone"]

# After so long whoever was removing a content's objects is taken for dead.
CLAIM_S = 120
_FREE_WITHIN_S, _PAUSE_S = 30.0, 0.2
NAMES = ("title", "artist", "album", "creator")


@dataclass(frozen=True)
class Failure:
    """Why a job failed, as the caller is told."""

    code: str
    message: str


@dataclass(frozen=True)
class Job:
    """A job as it was when it was asked about."""

    job_id: str
    attempt: int
    state: State
    step: str | None
    progress: float
    track_id: int
    error: Failure | None
    owner: str
    source: str
    url: str | None
    sha256: str | None
    upload_key: str | None
    size: int | None
    fields: dict[str, Any]
    enqueued_attempt: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def workflow_id(self) -> str:
        """What the workers' engine knows this attempt by."""
        return f"{self.job_id}.{self.attempt}"


class BeingRemoved(Exception):
    """The objects of a content are being removed at this moment: ask again in a little."""


def job_of(row: Any) -> Job:
    values = {one.name: getattr(row, one.name) for one in fields(Job) if one.name != "error"}
    return Job(**values, error=failure_of(row))


def failure_of(row: Any) -> Failure | None:
    """Why the job of a row failed; None where it has not."""
    return Failure(row.error_code, row.error_message or "") if row.error_code else None


def now() -> datetime:
    return datetime.now(UTC)


async def hold_library(database: Database, connection: AsyncConnection, scope: str) -> None:
    """Of those who add to a library, merge or delete in it, one at a time."""
    await database.lock(connection, f"library {scope}")


async def hold_content(database: Database, connection: AsyncConnection, sha256: str) -> None:
    """Of those who begin to name a content, or remove its objects, one at a time."""
    await database.lock(connection, f"content {sha256}")


async def announce(connection: AsyncConnection, track_id: int, kind: Kind) -> None:
    """Write down that a track can be found, or no longer, for every process that answers.

    The number is counted up in one row, which stays held until the transaction ends: the next
    number is not given before this one can be seen. So numbers are committed in their order, and
    nobody who has read up to one will find a lower one later. A sequence of PostgreSQL gives
    numbers in the order of asking, which is not that of the commits.
    """
    counted = update(FeedRow).values(revision=FeedRow.revision + 1).returning(FeedRow.revision)
    revision = (await connection.execute(counted)).scalar_one()
    await connection.execute(delete(ChangeRow).where(ChangeRow.track_id == track_id))
    await connection.execute(
        insert(ChangeRow).values(track_id=track_id, revision=revision, kind=kind)
    )


async def keep_words(
    connection: AsyncConnection, track_id: int, names: Iterable[str | None]
) -> None:
    """Let a sample be found by these names, and by no others."""
    await connection.execute(delete(WordRow).where(WordRow.track_id == track_id))
    rows = [{"word": word, "track_id": track_id} for word in sorted(kept_words(names))]
    if rows:
        await connection.execute(insert(WordRow), rows)


async def leave(connection: AsyncConnection, sha256: str | None) -> None:
    """Write down that a content's objects are to be removed, where no sample names it any more."""
    if sha256 is None or await named(connection, sha256):
        return
    await connection.execute(delete(LeavingRow).where(LeavingRow.sha256 == sha256))
    await connection.execute(insert(LeavingRow).values(sha256=sha256, since=now()))


async def named(connection: AsyncConnection, sha256: str, *, but: Status | None = None) -> bool:
    """Whether a sample, of whatever owner and of any status `but` that, is of this content."""
    which = [SampleRow.sha256 == sha256] + ([] if but is None else [SampleRow.status != but])
    return bool(await connection.scalar(select(exists().where(*which))))


async def come_back(connection: AsyncConnection, sha256: str) -> None:
    """A content is about to be named again: its objects stay. Raises `BeingRemoved` where somebody
    is at it."""
    query = select(LeavingRow.claimed_at).where(LeavingRow.sha256 == sha256)
    claimed_at = await connection.scalar(query)
    if claimed_at is not None and now() - claimed_at < timedelta(seconds=CLAIM_S):
        raise BeingRemoved
    await connection.execute(delete(LeavingRow).where(LeavingRow.sha256 == sha256))


async def once_free(call: Callable[[], Awaitable[Given]]) -> Given:
    """What `call` gives, as soon as nobody removes the objects it is about. Raises
    `StorageUnavailable`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _FREE_WITHIN_S
    while True:
        try:
            return await call()
        except BeingRemoved:
            if loop.time() > deadline:
                raise StorageUnavailable(
                    "The files of an earlier upload of the same content are still being removed. "
                    "Try again shortly.",
                    retry_after_s=5,
                ) from None
            await asyncio.sleep(_PAUSE_S)


def named_in(told: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Those of `names` that are told, as they may be shown anywhere; what shows nothing is left
    out."""
    found: dict[str, Any] = {}
    for name in names:
        value = fit(told.get(name))
        value = as_one_line(value) if isinstance(value, str) else value
        if value is not None and not (isinstance(value, str) and is_blank(value)):
            found[name] = value
    return found


def fit(value: Any) -> Any:
    """A value as every database takes it: texts without NUL, inside lists and mappings too."""
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, dict):
        return {writable(str(name)): fit(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [fit(held) for held in value]
    return value
