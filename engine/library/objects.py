"""The library's files: keys → bytes, in a folder or a bucket (`SHAZAM_STORAGE`).

    put ─→ whole or not there at all ─→ get, read, stream, local, link

A store that is away for a moment (503, timeout, reset) is waited for, up to `patience_s` from the
first failure on, with pauses that grow and are drawn by lot; then there is `StorageUnavailable`.
What nobody can wait out is told at once: a full disk is `StorageFull`, wrong credentials
`StorageUnavailable`. Blocking, and safe from several threads. A process that was forked opens its
own: fsspec's thread does not come along.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import random
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from engine.base.errors import (
    ObjectDamaged,
    ObjectNotFound,
    ShazamError,
    StorageFull,
    StorageUnavailable,
)
from engine.base.files import file_sha256
from engine.library.stores.bucket import Bucket
from engine.library.stores.folder import FULL, Folder
from engine.library.stores.store import (
    BLOCK_BYTES,
    Store,
    Stored,
    Trouble,
    checked,
    checked_prefix,
)

logger = logging.getLogger("shazam")

PATIENCE_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 8.0
MEDIA_TYPE = "application/octet-stream"
# So much of both ends of an object tells it from what a failing disk made of it.
SEALED_BYTES = 1 << 20

T = TypeVar("T")


class Objects:
    """The objects of one store. `patience_s` is how long a call waits for one that is away."""

    def __init__(self, store: Store, patience_s: float = PATIENCE_S) -> None:
        self._store, self._patience_s = store, patience_s
        self._stopping = threading.Event()

    @classmethod
    def open(cls, url: str, *, patience_s: float = PATIENCE_S, public_url: str = "") -> Objects:
        """A folder's path, `s3://bucket/prefix`, `gs://…`, or `memory://name` in tests. A folder is
        made where there is none; of a bucket nothing is asked yet. `public_url`: S3's address for
        who gets a link, or "none" (see `Bucket`)."""
        if "://" in url:
            return cls(Bucket(url, public_url), patience_s)
        folder = Folder(Path(url))
        with contextlib.suppress(OSError):  # whoever first uses it is told
            folder.begin()
        return cls(folder, patience_s)

    @property
    def name(self) -> str:
        """Where it is, as it may be shown to who runs the service."""
        return self._store.name

    def put(
        self,
        key: str,
        source: Path | bytes,
        *,
        sha256: str | None = None,
        media_type: str = MEDIA_TYPE,
    ) -> int:
        """Keep a file or bytes under `key`, replacing what was there; returns the size in bytes.

        Readers see all of it or nothing, also when this process is killed. With `sha256`, `source`
        is read once before, and other bytes are refused as `ObjectDamaged`.
        """
        checked(key)
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if sha256 is not None and _sha256_of(source) != sha256:
            raise ObjectDamaged(f"What should be kept as {key} is not what was hashed before.")
        # Named without its key: what is absent where something is put is the bucket.
        self._patiently("", lambda: self._store.write(key, source, media_type))
        return size

    def get(self, key: str, into: Path, *, sha256: str | None = None) -> Path:
        """Bring an object to the file `into`, in pieces; with `sha256` it is checked on the way,
        and a damaged one is not left there."""
        digest = hashlib.sha256()
        try:
            with into.open("wb") as file:
                for block in self.stream(key):
                    digest.update(block)
                    file.write(block)
        except OSError as error:
            into.unlink(missing_ok=True)
            if error.errno not in FULL:
                raise
            raise StorageFull("The disk of this machine is full: free some of it.") from error
        except ShazamError:
            into.unlink(missing_ok=True)
            raise
        if sha256 is not None and digest.hexdigest() != sha256:
            into.unlink(missing_ok=True)
            raise ObjectDamaged(f"The object {key} is damaged: its sha256 has become another.")
        return into

    @contextmanager
    def local(self, key: str, folder: Path | None = None) -> Iterator[Path]:
        """An object as a file on this machine, not to be changed: itself in a folder, else a copy
        (in `folder`) that goes with the block."""
        path = self._store.path(checked(key))
        if path is not None:
            self.size(key)
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="shazam-object-", dir=folder) as made:
            yield self.get(key, Path(made) / key.rpartition("/")[2])

    def path(self, key: str) -> Path | None:
        """The file that an object is in a folder, not to be changed, whether it is there or not;
        None where it is none on this machine."""
        return self._store.path(checked(key))

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Bytes `start` … `end` (exclusive) in memory; all of them by default."""
        return b"".join(self.stream(key, start, end))

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The same in blocks of at most 8 MiB; each is waited for anew."""
        size = self.size(key)
        end = size if end is None else min(end, size)
        while start < end:
            upto = min(start + BLOCK_BYTES, end)
            block = partial(self._whole_block, key, start, upto)
            yield self._patiently(key, block)
            start = upto

    def size(self, key: str) -> int:
        """Bytes of an object, or `ObjectNotFound`."""
        checked(key)
        return self._patiently(key, lambda: self._store.size(key))

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except ObjectNotFound:
            return False
        return True

    def sizes(self, keys: Iterable[str]) -> dict[str, int]:
        """Bytes of each of these objects that is there."""
        found = {}
        for key in keys:
            with contextlib.suppress(ObjectNotFound):
                found[key] = self.size(key)
        return found

    def seals(self, keys: Iterable[str]) -> dict[str, str]:
        """What tells each of these that is there from one that was cut or written over: its size,
        and a digest of its ends, as all of it would be too much to read of a bucket."""
        found = {}
        for key, size in self.sizes(keys).items():
            first = last = self.read(key, 0, SEALED_BYTES)
            if size > SEALED_BYTES:
                last = self.read(key, size - SEALED_BYTES)
            found[key] = f"{size}-{hashlib.sha256(first + last).hexdigest()}"
        return found

    def are_whole(self, keys: Iterable[str], seals: Mapping[str, str] | None = None) -> bool:
        """Whether all of these are there, as they were sealed; where nobody did, larger than
        nothing."""
        wanted = set(keys)
        if seals is None:
            now = self.sizes(wanted)
            return len(now) == len(wanted) and all(now.values())
        return self.seals(wanted) == {key: seals.get(key) for key in wanted}

    def delete(self, key: str) -> None:
        """Gone afterwards, whether it was there or not."""
        checked(key)
        self._patiently(key, lambda: self._store.delete(key))

    def list(self, prefix: str = "") -> list[Stored]:
        """What lies under a folder of keys (`"audio"`, `"audio/<sha256>"`), or everything."""
        under = checked_prefix(prefix)
        return self._patiently(under, lambda: list(self._store.list(under)))

    def link(
        self, key: str, expires_s: int, filename: str, media_type: str = MEDIA_TYPE
    ) -> str | None:
        """A URL by which whoever has it gets the object for `expires_s`, saved as `filename`. None
        where the store hands nothing out itself: the service then signs an address of its own."""
        checked(key)
        return self._patiently(key, lambda: self._store.link(key, expires_s, filename, media_type))

    def check(self) -> None:
        """One attempt; raises `StorageUnavailable` or `StorageFull` where nothing can be kept."""
        self._patiently("", self._store.check, patience_s=0)

    def tidy(self, older_s: float = 3_600) -> int:
        """Remove what killed processes left half written that long ago; how many pieces."""
        return self._patiently("", lambda: self._store.tidy(older_s))

    def stop(self) -> None:
        """Let nobody wait any longer: a worker that is told to stop has no minute for it."""
        self._stopping.set()

    def _whole_block(self, key: str, start: int, end: int) -> bytes:
        block = self._store.read(key, start, end)
        if len(block) != end - start:
            raise ConnectionError(f"{len(block)} bytes came of {end - start}")
        return block

    def _patiently(self, key: str, attempt: Callable[[], T], patience_s: float | None = None) -> T:
        patience_s = self._patience_s if patience_s is None else patience_s
        first_failed: float | None = None
        pause = FIRST_PAUSE_S
        while True:
            try:
                return attempt()
            except ShazamError:
                raise
            except Exception as error:
                trouble = self._store.judge(error)
                now = time.monotonic()
                first_failed = now if first_failed is None else first_failed
                wait = random.uniform(pause / 2, pause)
                over = now + wait > first_failed + patience_s or self._stopping.is_set()
                if trouble not in (Trouble.PASSING, Trouble.GONE) or over:
                    raise self._named(trouble, key, error) from error
                logger.warning("%s does not answer (%s); waiting", self.name, _words(error))
            self._stopping.wait(wait)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _named(self, trouble: Trouble, key: str, error: Exception) -> ShazamError:
        # A key may be shown, an error's own words only in the log: they may hold a signed URL.
        if trouble is Trouble.ABSENT and key:
            return ObjectNotFound(f"There is no object {key} in the store.")
        logger.error("%s cannot be used: %s", self.name, _words(error))
        if trouble is Trouble.FULL:
            return StorageFull("The library's storage is full: free some of it, then try again.")
        if trouble is Trouble.GONE:
            return StorageUnavailable(
                "The folder of the library's files is gone, or another is in its place "
                "(SHAZAM_STORAGE). Bring it back, and start the service and its workers anew.",
                retry_after_s=60,
            )
        if trouble is Trouble.PASSING:
            return StorageUnavailable(
                "The library's storage does not answer. Try again in a while.", retry_after_s=10
            )
        return StorageUnavailable(
            "The library's storage refuses us: its address, credentials or permissions have to be "
            "corrected (SHAZAM_STORAGE).",
            retry_after_s=60,
        )


def _sha256_of(source: Path | bytes) -> str:
    return hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else file_sha256(source)


def _words(error: Exception) -> str:
    text = re.sub(r"\S+://\S+", "…", str(error)).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__
