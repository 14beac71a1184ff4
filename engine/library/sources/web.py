"""One request over HTTP, within bounds: a file to disk, or a small answer of an API.

Redirects are followed here, each by the guard's leave (at most five). Nothing is inflated: what a
server compresses all the same is refused, so that bytes on the wire are bytes on disk. What passes
(a 5xx, a 429, a reset) is asked for again a few times, within the time there is.
"""

from __future__ import annotations

import errno
import json
import logging
import random
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import httpcore
import httpx

from engine.base.errors import LinkFailed, LinkRefused, LinkTooLarge, ShazamError, StorageFull
from engine.base.version import VERSION
from engine.library.sources.guard import Guard, GuardedBackend
from engine.library.sources.source import Deadline, Limits

logger = logging.getLogger("shazam")

MOST_REDIRECTS = 5
ATTEMPTS = 4
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
MOST_API_BYTES = 4 << 20
PASSING = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
REDIRECTS = {301, 302, 303, 307, 308}
T = TypeVar("T")
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
AGENT = f"shazam-visual/{VERSION}"


class WebPage(LinkFailed):
    """A link that leads to a page, not to a file: yt-dlp may find one in it."""


class Unanswered(LinkFailed):
    """No answer of use, also when asked again: `status` where there was one."""

    def __init__(self, message: str, *, answer_status: int | None = None) -> None:
        super().__init__(message)
        self.answer_status = answer_status


class _Passing(Exception):
    """An answer after which it is worth to ask again."""

    def __init__(self, status: int, retry_after_s: float | None) -> None:
        super().__init__(f"the server answers {status}")
        self.status, self.retry_after_s = status, retry_after_s


@dataclass(frozen=True)
class Answer:
    """What came: where from in the end, and as what."""

    url: str
    status: int
    headers: Mapping[str, str]  # names in small letters

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Web:
    """Requests by a guard's leave."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def download(
        self,
        url: str,
        into: Path,
        limits: Limits,
        deadline: Deadline,
        check: Callable[[Answer], None],
    ) -> Answer:
        """What lies behind `url` in the file `into`; `check` may refuse it before its body is
        read."""

        def once() -> Answer:
            with self._opened("GET", url, {}, b"", deadline) as (answer, body):
                _refuse_status(answer)
                check(answer)
                _refuse_encoding(answer)
                _keep(body, answer, into, limits)
                return answer

        return _asked_again(once, deadline)

    def json(
        self,
        url: str,
        deadline: Deadline,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: Any = None,
        attempts: int = ATTEMPTS,
    ) -> tuple[Answer, Any]:
        """An API's answer, whatever its status but for those that pass, and its JSON (None where
        it is none). A `form`, or a `body` as JSON, is posted."""
        where = f"{url}?{urlencode(query)}" if query else url
        sent = json.dumps(body).encode() if body is not None else urlencode(form or {}).encode()
        told = {"Accept": "application/json", **(headers or {})}
        if form is not None:
            told["Content-Type"] = "application/x-www-form-urlencoded"
        if body is not None:
            told["Content-Type"] = "application/json"

        def once() -> tuple[Answer, Any]:
            method = "GET" if form is None and body is None else "POST"
            with self._opened(method, where, told, sent, deadline) as (answer, blocks):
                _refuse_passing(answer)
                data = bytearray()
                for block in blocks:
                    data += block
                    if len(data) > MOST_API_BYTES:
                        raise LinkFailed("The source's answer is far too long.")
                return answer, _parsed(bytes(data))

        return _asked_again(once, deadline, attempts)

    @contextmanager
    def _opened(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes, deadline: Deadline
    ) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        backend = GuardedBackend(self._guard, deadline)
        with httpcore.ConnectionPool(_certificates(), network_backend=backend) as pool:
            for _ in range(MOST_REDIRECTS + 1):
                self._guard.admit(url)
                told = {"User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
                with _sent(pool, method, url, told, content) as response:
                    answer = Answer(url, response.status, _headers(response))
                    if response.status not in REDIRECTS or not answer.headers.get("location"):
                        yield answer, response.iter_stream()
                        return
                if content or "Authorization" in headers or "X-RapidAPI-Key" in headers:
                    # What an API is told goes to nobody else.
                    raise LinkFailed("The source's API sends us elsewhere: correct its address.")
                url = _joined(url, answer.headers["location"])
        raise LinkFailed(f"The link leads on and on: more than {MOST_REDIRECTS} redirects.")


def _joined(url: str, location: str) -> str:
    """Where a redirect leads to; whether one may go there is for the guard to say."""
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise LinkRefused("The link leads on to what is no link.") from error


@contextmanager
def _sent(
    pool: httpcore.ConnectionPool, method: str, url: str, headers: Mapping[str, str], content: bytes
) -> Iterator[httpcore.Response]:
    try:
        parsed = httpx.URL(url)
        where = httpcore.URL(
            scheme=parsed.raw_scheme,
            host=parsed.raw_host,
            port=parsed.port,
            target=parsed.raw_path,
        )
    except (httpx.InvalidURL, UnicodeError) as error:
        raise LinkRefused("This is not a link. Send one that begins with https://.") from error
    named = {"Host": parsed.netloc.decode("ascii"), **headers}
    sent = [(name.encode("ascii"), value.encode("latin-1")) for name, value in named.items()]
    with pool.stream(method, where, headers=sent, content=content) as response:
        yield response


_NETWORK = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


def _asked_again(once: Callable[[], T], deadline: Deadline, attempts: int = ATTEMPTS) -> T:
    """What `once` gives; several attempts where it fails by what passes."""
    pause = FIRST_PAUSE_S
    for attempt in range(1, attempts + 1):
        try:
            return once()
        except (_Passing, OSError, *_NETWORK) as error:
            _refuse_lasting(error)
            told_s = (error.retry_after_s or 0.0) if isinstance(error, _Passing) else 0.0
            wait = max(random.uniform(pause / 2, pause), told_s)
            if attempt == attempts or wait >= deadline.left_s:
                raise _given_up(error) from error
            logger.info("a link fails (%s), attempt %d", type(error).__name__, attempt)
            deadline.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE_S)
    raise AssertionError("unreachable")


def _given_up(error: Exception) -> ShazamError:
    if isinstance(error, _Passing):
        return Unanswered(
            f"The link's server answers {error.status}, also when asked again. Try again later.",
            answer_status=error.status,
        )
    return Unanswered(
        "The link's server cannot be reached, or ends the connection. Check the link, or try again "
        "later."
    )


def _refuse_lasting(error: Exception) -> None:
    """What no second attempt can mend."""
    if isinstance(error, OSError) and error.errno in FULL:
        raise StorageFull("The disk of this machine is full: free some of it.") from error
    if isinstance(error, httpcore.LocalProtocolError):
        raise LinkFailed("The link cannot be asked for. Check it.") from error
    if isinstance(error, httpcore.ConnectError) and "CERTIFICATE" in str(error).upper():
        raise LinkFailed("The link's server shows a certificate that is not good.") from error


def _refuse_status(answer: Answer) -> None:
    _refuse_passing(answer)
    if answer.status in (401, 403, 407, 451):
        raise LinkFailed(
            f"The link's server does not let us have it (it answers {answer.status}). Give a link "
            "that is open to all, or upload the file."
        )
    if answer.status in (404, 410):
        raise LinkFailed(f"There is nothing behind the link (it answers {answer.status}).")
    if answer.status != 200:
        raise LinkFailed(f"The link's server answers {answer.status}, and no file.")


def _refuse_passing(answer: Answer) -> None:
    if answer.status in PASSING:
        told = answer.headers.get("retry-after", "")
        seconds = float(told) if re.fullmatch(r"\d{1,6}", told) else None
        raise _Passing(answer.status, seconds)


def _refuse_encoding(answer: Answer) -> None:
    if answer.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise LinkFailed("The link's server sends the file compressed, which was not asked for.")


def _keep(body: Iterator[bytes], answer: Answer, into: Path, limits: Limits) -> None:
    declared = answer.headers.get("content-length", "")
    length = int(declared[:20]) if declared.isdigit() else 0
    if length > limits.max_bytes:
        raise too_large(limits)
    size = 0
    with into.open("wb") as file:
        for block in body:
            size += len(block)
            if size > limits.max_bytes:
                raise too_large(limits)
            file.write(block)
            if length:
                limits.report(min(size / length, 1.0))


def too_large(limits: Limits) -> LinkTooLarge:
    return LinkTooLarge(
        f"What lies behind the link has more than {limits.max_bytes / 1e6:,.0f} MB. Give a shorter "
        "or smaller one."
    )


def _headers(response: httpcore.Response) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


@cache
def _certificates() -> ssl.SSLContext:
    """The system's and certifi's authorities; nothing of the environment."""
    return httpx.create_ssl_context(trust_env=False)


def host_of(url: str) -> str:
    """The server that a link names, in small letters; "" where it is no link."""
    try:
        return (urlsplit(url.strip()).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def is_under(host: str, *domains: str) -> bool:
    """Whether a host is one of these domains, or below one."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
