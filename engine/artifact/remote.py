"""A packed artifact behind a URL → a folder on this disk.

    URL#sha256=… ─fetch→ FILE.tar ─check→ ─unpack→ CACHE/<sha256>/

The digest is part of the URL because a URL alone says nothing about what it will hand out
tomorrow. It is checked before a byte is parsed, and it is the folder's name in the cache, so a
second start fetches nothing. What was fetched stays on disk when a connection breaks, and the next
attempt goes on behind it.

`https://` is read with the standard library (a presigned URL is enough for a private bucket);
`s3://`, `gs://` and `hf://` by fsspec's own back ends, imported when such a URL is opened, with the
credentials that their makers document (environment, instance metadata).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import ipaddress
import json
import logging
import os
import re
import shutil
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from engine.artifact.pack import unpack
from engine.base.errors import ArtifactUnavailable, DigestMismatch, PackInvalid, SettingsError
from engine.base.needs import need
from engine.base.places import MANIFEST, cache_folder
from engine.base.progress import Progress

logger = logging.getLogger("shazam")

# fsspec's own back ends, by the package that each is.
BACK_ENDS = {"s3": "s3fs", "gs": "gcsfs", "hf": "huggingface_hub"}
SCHEMES = ("https", *BACK_ENDS, "http")
EXAMPLE = "https://example.com/starter.tar#sha256=" + "0123456789abcdef" * 4
BLOCK = 1 << 20
PROGRESS_EVERY_S = 2.0
TIMEOUT_S = 30.0
# Attempts in a row that brought nothing; one that brought bytes starts the count anew.
ATTEMPTS = 4

_stopping = threading.Event()


def stop_fetching() -> None:
    """Make every fetch of this process end soon: a worker that is told to stop must not first
    finish a download of minutes in a thread that nobody can cancel."""
    _stopping.set()


def is_url(where: str) -> bool:
    return "://" in where


@dataclass(frozen=True)
class RemoteArtifact:
    """A parsed URL of a setting: `url` without its fragment, and the digest out of it."""

    url: str
    sha256: str

    @classmethod
    def parse(cls, where: str, setting: str = "SHAZAM_ARTIFACT") -> RemoteArtifact:
        """Check the form of a URL, nothing else; a one-line `SettingsError` names what is wrong
        with the value of `setting`."""
        url, _, fragment = where.partition("#")
        parts = urllib.parse.urlsplit(url)
        shown = f"{setting}={_public(url)!r}"
        problem = None
        digest = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
        if parts.scheme not in SCHEMES:
            problem = f"has a scheme we cannot fetch; there are {', '.join(SCHEMES[:-1])}."
        elif not parts.netloc or not parts.path.strip("/"):
            problem = "names no file: scheme, host or bucket, and path are needed."
        elif parts.scheme in ("https", "http") and parts.username is not None:
            # It would be in every log and process list; a presigned URL expires at least.
            problem = "holds a user name; give a presigned URL instead."
        elif parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            problem = "is plain http, which is accepted from this machine alone; use https."
        elif digest is None:
            problem = (
                "does not end in #sha256= and 64 hex digits, so nobody could tell whether the "
                "right file came; `python -m engine pack` prints them."
            )
        if problem or digest is None:
            raise SettingsError(f"{shown} {problem} Example: {setting}={EXAMPLE}")
        return cls(url, digest[1].lower())

    @property
    def public(self) -> str:
        """The URL as it may be logged: without its query, where presigned ones keep the secret."""
        return _public(self.url)


def fetch(where: RemoteArtifact, progress: Progress | None = None) -> Path:
    """The artifact's folder in the cache; fetched, checked and unpacked if it is not there.

    Of several processes that start at once one fetches, the others wait for it. Raises
    `ArtifactUnavailable`, `DigestMismatch` or `PackInvalid`; what was fetched so far is kept for
    the next attempt, unless it is wrong.
    """
    cache = cache_folder()
    folder = cache / where.sha256
    if _complete(folder):
        return folder
    with _lock(cache / f"{where.sha256}.lock"):
        if _complete(folder):
            return folder
        # Half of an artifact has this name only where a machine lost power.
        shutil.rmtree(folder, ignore_errors=True)
        archive = cache / f"{where.sha256}.tar.partial"
        unpacked = cache / f".{where.sha256}.{os.getpid()}"
        try:
            _download(where, archive, progress or _Log(where.public))
            _check_digest(where, archive)
            unpack(archive, unpacked)
            archive.unlink()
            unpacked.rename(folder)
        except PackInvalid as error:
            archive.unlink(missing_ok=True)
            raise PackInvalid(
                f"{where.public} has the sha256 asked for and cannot be used. {error.message}"
            ) from error
        except OSError as error:
            if error.errno not in _DISK:
                raise
            archive.unlink(missing_ok=True)
            raise ArtifactUnavailable(
                f"{where.public} cannot be kept on this disk: {error.strerror}. It takes twice its "
                "size while it is unpacked. Give the cache folder (XDG_CACHE_HOME) more room."
            ) from error
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
            shutil.rmtree(f"{unpacked}.outer", ignore_errors=True)
    return folder


def _complete(folder: Path) -> bool:
    """Whether every file is there with its size. Contents are `Opened.read`'s to check; a folder
    that lost them to a power cut is fetched anew instead of being refused for ever."""
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        return all((folder / name).stat().st_size == files[name]["size"] for name in files)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One process at a time; the system lets go when a holder dies. The file stays: removing it
    would let a third process lock another file of the same name."""
    with path.open("w", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                _raise_if_stopping()
                _stopping.wait(0.1)
        yield


def _download(where: RemoteArtifact, archive: Path, progress: Progress) -> None:
    """Bring `archive` to its full length, going on behind what is there already."""
    attempts = 0
    archive.touch()
    while True:
        before = archive.stat().st_size
        try:
            total = _continue(where, archive, before, progress)
            if total is None or archive.stat().st_size >= total:
                return
            problem: Exception = EOFError("the connection ended early")
        except ArtifactUnavailable:
            raise
        except Exception as error:
            # Each back end has its own errors, and most of them pass: a reset, a 503, a timeout.
            problem = error
            if isinstance(error, OSError) and error.errno in _DISK:
                raise
        attempts = 1 if archive.stat().st_size > before else attempts + 1
        _raise_if_stopping()
        if attempts >= ATTEMPTS or _is_final(problem):
            raise ArtifactUnavailable(
                f"{where.public} cannot be fetched: {_words(problem)}. {_way_out(where, problem)}"
            ) from problem
        logger.warning("fetching %s broke (%s); going on", where.public, _words(problem))
        _stopping.wait(0.5 * attempts**2)


def _continue(where: RemoteArtifact, archive: Path, offset: int, progress: Progress) -> int | None:
    """One attempt: append from `offset`; returns the full length where the source tells it."""
    opened = _open_http if where.url.startswith("http") else _open_fsspec
    with opened(where.url, offset) as (source, start, total):
        if total is not None and start >= total:
            return total
        with archive.open("r+b") as file:
            # A server that knows no ranges begins at the beginning: so do we.
            file.truncate(start)
            file.seek(start)
            done = start
            while block := source.read(BLOCK):
                _raise_if_stopping()
                file.write(block)
                done += len(block)
                progress.step(done, total or 0, "B")
                if total is not None and done > total:
                    break
            file.flush()
            os.fsync(file.fileno())
    return total


@contextmanager
def _open_http(url: str, offset: int) -> Iterator[tuple[BinaryIO, int, int | None]]:
    """(stream, where it begins, full length). Goes on at `offset` where the server can."""
    # identity: a compressed answer would have other bytes, and another length.
    headers = {"Accept-Encoding": "identity", "User-Agent": "shazam-visual"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    try:
        answer = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S
        )
    except urllib.error.HTTPError as error:
        error.close()
        length = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        if error.code == 416 and length and int(length[1]) == offset:
            yield io.BytesIO(), offset, offset  # nothing is missing: only the check was interrupted
            return
        if error.code == 416:
            # It has become shorter, so what is here belongs to another file.
            with _open_http(url, 0) as whole:
                yield whole
            return
        raise
    with answer:
        there = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
        if answer.status == 206 and there and int(there[1]) == offset:
            yield answer, offset, int(there[2])
        elif answer.status == 206:
            raise EOFError("the server sent another range than the one asked for")
        else:
            length = answer.headers.get("Content-Length")
            yield answer, 0, int(length) if length else None


@contextmanager
def _open_fsspec(url: str, offset: int) -> Iterator[tuple[BinaryIO, int, int | None]]:
    scheme = url.partition("://")[0]
    if scheme == "hf" and os.environ.get("HF_HUB_OFFLINE", "").lower() in (
        "1",
        "true",
        "yes",
        "on",
    ):
        raise ArtifactUnavailable(
            "HF_HUB_OFFLINE=1 keeps this service from asking the hub, and its artifact is behind "
            "an hf:// URL. Set HF_HUB_OFFLINE=0."
        )
    # Off: what finds out over gRPC whether a bucket is zonal. It needs a permission of its own and
    # waits for half a minute where it cannot ask.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    for package in (BACK_ENDS[scheme], "fsspec"):
        fsspec = need(package, "serve.lock", by=f"{scheme}://", failure=ArtifactUnavailable)
    # No caches of listings: a file that appears later must be found by the next attempt.
    system: Any = fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True)
    path = url.partition("://")[2]
    total = int(system.info(path)["size"])
    if offset > total:
        offset = 0
    # Read once from front to back: what fsspec would keep besides is never asked for again.
    with system.open(path, "rb", block_size=8 * BLOCK, cache_type="readahead") as file:
        file.seek(offset)
        yield file, offset, total


def _check_digest(where: RemoteArtifact, archive: Path) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != where.sha256:
        size = archive.stat().st_size
        archive.unlink()
        raise DigestMismatch(
            f"{where.public} has {size:,} bytes with sha256 {found}, and {where.sha256} was asked "
            "for: it was replaced, cut or damaged. Nothing of it was opened. Correct the URL's "
            "#sha256=, or upload the file again."
        )


# This disk's failures, not the network's.
_DISK = {errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG, errno.EIO}


def _status(error: Exception) -> int | None:
    """The HTTP status behind an error of urllib, botocore, gcsfs or the hub, where there is one."""
    response = getattr(error, "response", None)
    for value in (
        getattr(error, "code", None),
        getattr(response, "status_code", None),
        getattr(error, "status", None),
    ):
        if isinstance(value, int | str) and str(value).isdigit():
            return int(value)
    return None


def _is_final(error: Exception) -> bool:
    """Whether asking again now is useless: it is not there, or not for us."""
    status = _status(error)
    if status is not None:
        return 400 <= status < 500 and status not in (408, 425, 429)
    return isinstance(error, FileNotFoundError | PermissionError) or type(error).__name__ in (
        "NoCredentialsError",
        "RepositoryNotFoundError",
        "DefaultCredentialsError",
    )


def _words(error: Exception) -> str:
    """A foreign error in some words that hold no URL: a presigned one is a secret."""
    status = _status(error)
    if status is not None:
        return f"the server answers {status}"
    text = re.sub(r"\S+://\S+", "…", str(error)).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def _way_out(where: RemoteArtifact, error: Exception) -> str:
    if isinstance(error, FileNotFoundError) or _status(error) == 404:
        return "Check the URL: there is no such file."
    if _is_final(error):
        return "Check the credentials, or that a presigned URL has not expired."
    return "What was fetched is kept; the next attempt goes on behind it."


def _raise_if_stopping() -> None:
    if _stopping.is_set():
        raise ArtifactUnavailable("The service is stopping; fetching the artifact was given up.")


def _public(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:300]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Log(Progress):
    """Progress as log lines: one every two seconds, and the end. Each has the name: a worker begins
    to fetch before its logging is set up, so a line at the beginning would be lost."""

    def __init__(self, name: str) -> None:
        self._name, self._began = name, time.monotonic()
        self._last, self._first_done = self._began, -1

    def step(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if self._first_done < 0:
            self._first_done = done
        if now - self._last < PROGRESS_EVERY_S and done != total:
            return
        self._last = now
        rate = (done - self._first_done) / max(now - self._began, 1e-3)
        share = f"of {total / 1e6:,.1f} MB ({done / total:.0%})" if total else "so far"
        logger.info(
            "fetching artifact %s: %.1f MB %s, %.1f MB/s",
            *(self._name, done / 1e6, share, rate / 1e6),
        )
