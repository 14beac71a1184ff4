"""YouTube, and every other page that yt-dlp finds sound in.

yt-dlp runs in a process of its own (`apart`) with limits on time, memory, sizes and addresses; it,
and whatever it starts, is killed as one group when the time is over or nobody waits any more.
YouTube's full list of formats needs a JavaScript engine beside it: `deno`, where it is on the PATH
(https://github.com/yt-dlp/yt-dlp/wiki/EJS). Whether a site's terms let its sound be fetched is for
who runs the service to know; without yt-dlp installed this source is absent.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

from engine.base import errors
from engine.base.errors import LinkFailed
from engine.base.needs import how_to_install, is_installed
from engine.library.sources.apart import Asked, question
from engine.library.sources.direct import refuse_page
from engine.library.sources.guard import Guard
from engine.library.sources.source import Creator, Deadline, Fetched, Limits
from engine.library.sources.web import host_of, is_under

logger = logging.getLogger("shazam")

NAME = "youtube"
YOUTUBE = ("youtube.com", "youtu.be", "youtube-nocookie.com")
# Whose pages are never files, so that nobody has to look.
OTHERS = ("soundcloud.com", "bandcamp.com", "vimeo.com", "dailymotion.com", "mixcloud.com")
LOOKS_EVERY_S = 0.2
MOST_ANSWER_BYTES = 1 << 20
KEPT_OF_LOG = 2_000
NAMED = {
    one.code: one
    for one in (
        *(errors.LinkFailed, errors.LinkRefused, errors.LinkTooLarge, errors.SourceRefused),
        *(errors.AudioTooLong, errors.StorageFull, errors.SourceUnavailable),
    )
}


class YouTube:
    """Links of YouTube and of some others by their host; what else yt-dlp knows is asked of it
    where a link turns out to be a page (`Sources.fetch`)."""

    name = NAME

    def __init__(self, guard: Guard, trusted: Collection[str]) -> None:
        self._guard, self._trusted = guard, list(trusted)

    def present(self) -> str | None:
        if is_installed("yt_dlp"):
            return None
        return f"yt-dlp is not installed. Run: {how_to_install('library.lock')}"

    def takes(self, url: str) -> bool:
        return is_under(host_of(url), *YOUTUBE, *OTHERS)

    def fetch(self, url: str, into: Path, limits: Limits) -> Fetched:
        deadline = Deadline(limits.timeout_s, limits.cancelled)
        self._guard.admit(url)
        asked = Asked(
            url=url,
            folder=str(into),
            max_bytes=limits.max_bytes,
            max_s=limits.max_s,
            cpu_s=int(limits.timeout_s) + 1,
            trusted=self._trusted,
        )
        answer = _answered(asked, deadline)
        if "code" in answer:
            raise NAMED.get(answer["code"], LinkFailed)(answer["message"])
        fetched = _fetched(answer, url, into)
        # It takes a server's word for what is sound.
        refuse_page(fetched.path)
        return fetched


def _fetched(answer: dict[str, Any], url: str, into: Path) -> Fetched:
    source, handle = answer["source"], answer["handle"]
    creator = None
    if handle:
        facts = {"followers": answer["followers"]} if answer["followers"] else {}
        creator = Creator(source, str(handle), answer["creator"], answer["creator_url"], facts)
    return Fetched(
        path=into / answer["file"],
        source=source,
        url=answer["url"] or url,
        creator=creator,
        **{
            name: answer[name]
            for name in (
                *("media_type", "title", "artist", "album", "year", "genre", "licence"),
                *("duration_s", "picture_url"),
            )
        },
    )


def _answered(asked: Asked, deadline: Deadline) -> dict[str, Any]:
    """What the process says; it is gone afterwards, with all that it started."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine.library.sources.apart"],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=log,
            env=_environment(asked.folder),
            cwd=asked.folder,
            start_new_session=True,
        )
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                stdin.write(question(asked))
            _wait(process, deadline)
        finally:
            _end(process)
        answer = _read(said)
        if answer is None:
            logger.warning("yt-dlp ended with %d: %s", process.returncode, _last(log))
            raise LinkFailed("The link could not be read. Try again, or upload the file.")
        if "code" in answer:
            logger.info("yt-dlp: %s: %s", answer["code"], _last(log))
        return answer


def _wait(process: subprocess.Popen[bytes], deadline: Deadline) -> None:
    while True:
        try:
            process.wait(min(LOOKS_EVERY_S, deadline.left_s))
            return
        except subprocess.TimeoutExpired:
            continue


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _environment(folder: str) -> dict[str, str]:
    """No keys, no proxies, no home: nothing that a page could ask for."""
    kept = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path),
        "PYTHONUTF8": "1",
        "HOME": folder,
        "TMPDIR": folder,
        "YTDLP_NO_PLUGINS": "1",
        "DENO_NO_UPDATE_CHECK": "1",
    }


def _read(said: IO[bytes]) -> dict[str, Any] | None:
    said.seek(0)
    try:
        answer = json.loads(said.read(MOST_ANSWER_BYTES))
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _last(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(size - KEPT_OF_LOG, 0))
    return log.read().decode("utf-8", "replace").strip()
