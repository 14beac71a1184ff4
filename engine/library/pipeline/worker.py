"""A process that works: `python -m engine work`, or, where there is no command line,

    python -m engine.library.pipeline.worker [CONCURRENCY]

It answers nobody: it takes what rows and DBOS's queue say is to be done, and writes down what it
did. Any number may run, beside each other and one after another; killed at any moment, nothing is
lost and nothing that was finished is repeated.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn, TypeVar

from dbos import DBOS, DBOSConfig
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from engine.artifact.store import find_artifact
from engine.base.errors import DatabaseUnavailable, SettingsError, ShazamError
from engine.base.machine import usable_cores
from engine.base.settings import unknown_variables
from engine.library.creators import Creators
from engine.library.database import Database
from engine.library.footing import check_footing
from engine.library.jobs import Jobs
from engine.library.objects import Objects
from engine.library.pipeline import durable
from engine.library.pipeline.bench import Bench, Loop
from engine.library.pipeline.client import prepare
from engine.library.pipeline.keeping import Keeper
from engine.library.pipeline.lease import Lease
from engine.library.pipeline.line import extras
from engine.library.pipeline.places import Places
from engine.library.pipeline.pool import Pool
from engine.library.pipeline.running import Running
from engine.library.pipeline.scratch import Scratch
from engine.library.pipeline.stepping import Quiet
from engine.library.pipeline.tidying import EACH_S, Tidying
from engine.library.pipeline.workflow import library_line, work_at
from engine.library.quota import Quota
from engine.library.samples import Samples
from engine.library.settings import NONE, LibrarySettings
from engine.library.sources.sources import Sources
from engine.serving.watch.logs import configure_logging
from engine.sound.service.settings import SoundSettings

logger = logging.getLogger("shazam.work")

# Exit status: another worker took this one for dead, or what it worked by is gone.
DECLARED_DEAD = 75
POLL_S = 0.5  # how often the queue is looked at
_AGAIN_S = 2.0
_STOP_S = 10.0
T = TypeVar("T")


def work(concurrency: int | None = None) -> NoReturn:
    """Work as the environment says, at so many tracks at once (one per usable core), until told to
    stop; that ends this process. Raises `SettingsError`."""
    settings = LibrarySettings.from_environment()
    artifact = SoundSettings.one("sound_artifact")
    if artifact.lower() == NONE:
        raise SettingsError(
            f"SHAZAM_SOUND_ARTIFACT={NONE}: a worker hears with what is in an artifact. Example: "
            "SHAZAM_SOUND_ARTIFACT=artifacts/starter-sound"
        )
    check_footing(settings)
    configure_logging(settings.log_format, settings.log_level, unknown_variables())
    concurrency = concurrency or usable_cores()
    Worker(settings, concurrency=concurrency, sound_artifact=artifact).run()


class Worker:
    """`concurrency` tracks at once, each with a process of its own for what costs a core."""

    def __init__(self, settings: LibrarySettings, *, concurrency: int, sound_artifact: str) -> None:
        self._settings, self._concurrency = settings, concurrency
        self._loop = Loop()
        self._running = Running()
        self._stopping = threading.Event()
        self._scratch = Scratch()
        artifact = find_artifact(sound_artifact)
        self._engine = durable.engine_for(
            settings.database, connections=concurrency + durable.LINKS_AT_ONCE + 8
        )
        asking = durable.engine_for(settings.database, connections=4)
        database = self._patiently(lambda: self._loop.wait(self._open))
        self._bench = Bench(
            settings,
            self._loop,
            database,
            Jobs(database, private=settings.private, quota=Quota.of(database, settings)),
            Samples(database, private=settings.private),
            Creators(database),
            Sources.of(settings),
            Objects.open(settings.storage, public_url=settings.storage_public_url),
            Pool(concurrency),
            Places(concurrency),
            durable.client_for(asking, patient=False),
            artifact,
            self._scratch.folder,
        )
        self._extras = extras(self._bench, self._running, concurrency)
        self._lines = [
            library_line(self._bench),
            *(one for extra in self._extras for one in extra.lines),
        ]
        facts = {"concurrency": concurrency, "pipeline": durable.PIPELINE}
        self._lease = Lease(database, self._told_of_extras, **facts)

    def run(self) -> NoReturn:
        """Work until SIGTERM or SIGINT, and end this process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_signal)
        self._patiently(lambda: self._loop.wait(self._lease.take))
        work_at(self._lines[0], self._running)
        self._patiently(lambda: self._launch(self._engine))
        self._keeper = Keeper(
            self._bench.client,
            self._lines,
            self._running,
            self._lease,
            durable.file_of(self._settings.database),
            self._end_at_once,
        )
        keeping = asyncio.run_coroutine_threadsafe(self._keep(), self._loop.loop)
        logger.info("%s works, at %d at once", self._lease.worker, self._concurrency)
        self._stopping.wait()
        keeping.cancel()
        self._stop()
        logging.shutdown()
        os._exit(0)  # a thread may be in a call that nobody can end

    def _told_of_extras(self) -> dict[str, Any]:
        return {name: fact for extra in self._extras for name, fact in extra.facts().items()}

    async def _open(self) -> Database:
        return await Database.open(self._settings.database)

    def _launch(self, engine: Engine) -> None:
        prepare(self._settings.database)
        DBOS(
            config=DBOSConfig(
                name=durable.APPLICATION,
                system_database_engine=engine,
                application_version=durable.PIPELINE,
                executor_id=self._lease.worker,
                serializer=durable.SERIALIZER,
                use_listen_notify=False,  # nobody here waits for DBOS's messages
                log_level="WARNING",
                scheduler_polling_interval_sec=3_600,
            )
        )
        logging.getLogger("dbos").addFilter(Quiet())
        queues: dict[str, tuple[int, int | None]] = {
            line.named.queue: (self._concurrency, None) for line in self._lines
        }
        for shared in (line.shared for line in self._lines if line.shared is not None):
            queues[shared.named.queue] = (shared.at_once, shared.of_one)
        DBOS.listen_queues([*queues])
        try:
            DBOS.launch()
            for queue, (at_once, of_one) in queues.items():
                DBOS.register_queue(
                    queue,
                    worker_concurrency=at_once,
                    partition_worker_concurrency=of_one,
                    polling_interval_sec=POLL_S,
                    on_conflict="always_update",
                )
        except Exception:
            DBOS.destroy()
            raise

    async def _keep(self) -> None:
        beside = (extra.beside() for extra in self._extras)
        await asyncio.gather(self._keeper.keep(), self._tidy(), *beside)

    async def _tidy(self) -> None:
        tidying = Tidying(self._bench)
        while True:
            try:
                await tidying.tidy()
            except Exception as error:  # the next hour does what this one could not
                logger.warning("what is to be removed stays for now: %r", error)
            await asyncio.sleep(EACH_S)

    def _patiently(self, do: Callable[[], T]) -> T:
        """A worker may be started before its database."""
        while True:
            try:
                return do()
            except (DatabaseUnavailable, SQLAlchemyError) as error:
                if self._stopping.is_set():
                    raise
                logger.warning("the database does not answer yet: %s", type(error).__name__)
                time.sleep(_AGAIN_S)

    def _stop_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def _stop(self) -> None:
        """Let go of what is in hand, at once: it is taken up by another, which begins with the step
        that it is in."""
        self._running.stop()
        leaving = threading.Thread(target=self._leave, daemon=True)
        leaving.start()
        leaving.join(_STOP_S)
        self._bench.objects.stop()
        for line in self._lines:
            line.bench.pool.close()
        self._scratch.remove()

    def _leave(self) -> None:
        DBOS.destroy()  # the queue is looked at no more
        self._loop.wait(self._lease.leave)

    def _end_at_once(self) -> None:
        """What runs here may run elsewhere by now; children end with their parent."""
        os._exit(DECLARED_DEAD)


if __name__ == "__main__":
    try:
        work(int(sys.argv[1]) if sys.argv[1:] else None)
    except ShazamError as error:
        sys.exit(f"{error.code}: {error.message}")
