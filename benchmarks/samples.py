"""What the library's questions cost at 100,000 samples, on SQLite and on PostgreSQL.

    python benchmarks/samples.py            # writes samples.md; the second with Debian's postgresql

Names are of 30,000 words, as frequent as words are (the n-th a fraction 1/n of the time). Each
question is asked twenty times, by one caller, with the rows in the system's cache; told are the
median and the slowest. A job is written down, or told to go on, in one transaction that is on the
disk before it answers; PostgreSQL is as Debian configures it.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from postgres import Postgres  # noqa: E402
from sqlalchemy import insert, text  # noqa: E402

from engine.library.database import Database  # noqa: E402
from engine.library.jobs import Jobs, Submission  # noqa: E402
from engine.library.records import now  # noqa: E402
from engine.library.samples import Samples  # noqa: E402
from engine.library.tables import ChangeRow, FeedRow, JobRow, SampleRow, WordRow  # noqa: E402
from engine.library.words import kept_words  # noqa: E402

SAMPLES, WORDS, TIMES, AT_ONCE = 100_000, 30_000, 20, 2_000
FIRST = 1_000_000_001
KEYS = [f"{note} {mode}" for note in "CDEFGAB" for mode in ("major", "minor")]
LETTERS = "abcdefghijklmnoprstuvwyz"


def vocabulary(dice: random.Random) -> tuple[list[str], list[float]]:
    """Words, the most frequent first, and how frequent each and those before it are together."""
    words: dict[str, None] = {}
    while len(words) < WORDS:
        words["".join(dice.choices(LETTERS, k=dice.randint(2, 9)))] = None
    return list(words), list(accumulate(1 / rank for rank in range(1, WORDS + 1)))


async def fill(database: Database) -> list[str]:
    """`SAMPLES` tracks that can be found; the words, the most frequent first."""
    dice = random.Random(1)
    words, weights = vocabulary(dice)
    at = now()
    for begin in range(0, SAMPLES, AT_ONCE):
        rows: dict[Any, list[dict[str, Any]]] = {
            t: [] for t in (SampleRow, WordRow, JobRow, ChangeRow)
        }
        for number in range(begin, begin + AT_ONCE):
            names = [" ".join(dice.choices(words, cum_weights=weights, k=k)) for k in (3, 2, 2, 1)]
            track_id, job_id = FIRST + number, f"{number:032x}"
            shared = {"owner": "", "scope": "", "source": "upload", "sha256": f"{number:064x}"}
            sample = dict(zip(("title", "artist", "album", "creator"), names, strict=True)) | shared
            sample |= {"track_id": track_id, "job_id": job_id, "status": "ready", "details": {}}
            sample |= {"objects": {}, "matches": [], "audio_shared": True, "downloads": 0}
            sample |= {"created_at": at, "bpm": dice.uniform(60, 180), "key": dice.choice(KEYS)}
            rows[SampleRow].append(sample | {"creator_plain": names[3]})
            rows[WordRow] += [{"word": w, "track_id": track_id} for w in sorted(kept_words(names))]
            job = {"job_id": job_id, "attempt": 1, "state": "done", "progress": 1.0, "fields": {}}
            job |= {"track_id": track_id, "enqueued_attempt": 1, "created_at": at, "updated_at": at}
            rows[JobRow].append(job | shared)
            rows[ChangeRow].append({"track_id": track_id, "revision": number + 1, "kind": "ready"})
        async with database.writing() as connection:
            for table, those in rows.items():
                await connection.execute(insert(table), those)
    async with database.writing() as connection:
        await connection.execute(text(f"UPDATE {FeedRow.__tablename__} SET revision = {SAMPLES}"))
        await connection.execute(text("ANALYZE"))
    return words


async def timed(call: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    """The median and the longest of `TIMES`, in milliseconds."""
    await call()
    took = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        await call()
        took.append((time.perf_counter() - begun) * 1_000)
    return statistics.median(took), max(took)


async def measured(url: str) -> dict[str, tuple[float, float]]:
    database = await Database.open(url)
    if not database.is_sqlite:
        # Given by the row's own numbers, not by the column's.
        async with database.writing() as connection:
            await connection.execute(
                text(f"ALTER TABLE samples ALTER track_id RESTART WITH {FIRST + SAMPLES}")
            )
    words = await fill(database)
    samples, jobs = Samples(database), Jobs(database)
    counted = iter(range(10**9))

    async def submit() -> None:
        number = next(counted)
        await jobs.submit(
            Submission("", "upload", sha256=f"f{number:063x}", fields={"title": "x y"})
        )

    job = await jobs.submit(Submission("", "upload", sha256="e" * 64))
    await jobs.begin(job.job_id, 1, "decode")
    asked: dict[str, Callable[[], Awaitable[Any]]] = {
        "the newest 20": lambda: samples.page(),
        "… far back (offset 50,000)": lambda: samples.page(offset=50_000),
        f"the most frequent word ({words[0]!r})": lambda: samples.page(q=words[0]),
        "a rare word": lambda: samples.page(q=words[20_000]),
        "three frequent words": lambda: samples.page(q=" ".join(words[:3])),
        "a frequent and a rare word": lambda: samples.page(q=f"{words[0]} {words[20_000]}"),
        "one letter": lambda: samples.page(q="b"),
        "a word, a tempo and a key": lambda: samples.page(q=words[5], bpm="92", key="Am"),
        "a tempo": lambda: samples.page(bpm="90-100"),
        "a key": lambda: samples.page(key="Am"),
        "a creator": lambda: samples.page(creator=words[50]),
        "a status that few have": lambda: samples.page(status="processing"),
        "one sample": lambda: samples.get(FIRST + 500),
        "no changes": lambda: samples.changes_since(SAMPLES),
        "the next 1,000 changes": lambda: samples.changes_since(5_000),
        "one job": lambda: jobs.get(job.job_id),
        "how many jobs in each state": lambda: jobs.counts(),
        "a job written down": submit,
        "a job told to go on": lambda: jobs.progress(job.job_id, 1, "decode", 0.5),
    }
    told = {name: await timed(call) for name, call in asked.items()}
    await database.close()
    return told


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        on_sqlite = asyncio.run(measured(f"sqlite:///{folder}/library.sqlite"))
        size = (Path(folder) / "library.sqlite").stat().st_size
    server = Postgres(durable=True)
    try:
        on_postgresql = asyncio.run(measured(server.create()))
    finally:
        server.close()
    lines = [
        f"# The library's questions at {SAMPLES:,} samples",
        "",
        "`python benchmarks/samples.py`; median (slowest of twenty), in milliseconds.",
        f"The file of SQLite has {size / 1e6:.0f} MB.",
        "",
        "| Asked | SQLite | PostgreSQL |",
        "|---|---|---|",
    ]
    for name, (median, slowest) in on_sqlite.items():
        other, longest = on_postgresql[name]
        lines.append(f"| {name} | {median:.1f} ({slowest:.1f}) | {other:.1f} ({longest:.1f}) |")
    (HERE / "samples.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
