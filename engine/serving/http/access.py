"""Who may ask, and how often: API keys and a rate a caller.

Keys are held as their sha256, never as they are. That is enough for keys a machine made (32 random
bytes): a slow hash defends words that people choose, and would cost each request its time.

A browser sends no header of ours for a picture, for sound or for an address that is opened. For
those the page keeps the key in a cookie, too, which is taken where something is only read: what
another site's page can make a browser send changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from engine.base.errors import Overloaded, Unauthorized

COOKIE = "shazam_key"
# Callers whose rate is remembered; of more, the one who has been quiet longest is forgotten.
REMEMBERED_CALLERS = 10_000


class Access:
    """Checks one request at a time, on the event loop; each worker process counts for itself."""

    def __init__(
        self,
        key_digests: tuple[str, ...],
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key_digests` are sha256 in hex, none: all may ask; `per_minute` 0: as often as they
        like."""
        self._digests = [bytes.fromhex(digest) for digest in key_digests]
        self._per_minute = per_minute
        self._clock = clock
        # Token buckets: caller → (requests left, when that was so).
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def check_key(self, headers: Headers, *, reads: bool = False) -> bytes | None:
        """The digest of the key that was sent, None where none is needed; `reads`: by a request
        that changes nothing. Raises `Unauthorized`."""
        if not self._digests:
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")
        if not key and reads:
            key = unquote(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))
        if not key:
            raise Unauthorized(
                "This service needs a key: send 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."
            )
        sent = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        # Every key is compared, and by digest: the time taken tells nothing of any key.
        matches = [hmac.compare_digest(sent, known) for known in self._digests]
        if not any(matches):
            raise Unauthorized(
                "This key is not known. Ask the operator for a current one.", known_caller=True
            )
        return sent

    def check_rate(self, caller: bytes) -> None:
        """Count one request of a caller. Raises `Overloaded` (429) past the rate.

        A token bucket: a minute's requests may come at once, and then as they are regained.
        """
        if not self._per_minute:
            return
        now, regained_a_second = self._clock(), self._per_minute / 60
        left, then = self._buckets.pop(caller, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - then) * regained_a_second)
        self._buckets[caller] = (left - 1 if left >= 1 else left, now)
        if len(self._buckets) > REMEMBERED_CALLERS:
            self._buckets.popitem(last=False)
        if left < 1:
            raise Overloaded(
                f"More than {self._per_minute} requests a minute came from this caller. Wait a "
                "little.",
                retry_after_s=math.ceil((1 - left) / regained_a_second),
                own_rate=True,
            )
