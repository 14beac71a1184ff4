"""`engine/serving/http/access.py`: keys and rates."""

from __future__ import annotations

import hashlib

import pytest
from starlette.datastructures import Headers

from engine.base.errors import Overloaded, Unauthorized
from engine.serving.http.access import REMEMBERED_CALLERS, Access


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_any_of_several_keys_opens_and_a_hash_is_no_key() -> None:
    access = Access((digest("old"), digest("new")), 0)
    for headers in ({"authorization": "Bearer new"}, {"x-api-key": "old"}):
        assert access.check_key(Headers(headers)) is not None
    for key in ("", "older", digest("old"), "sha256:" + digest("old")):
        with pytest.raises(Unauthorized):
            access.check_key(Headers({"x-api-key": key}))
    with pytest.raises(Unauthorized):
        access.check_key(Headers({"authorization": "Basic new"}))
    assert "old" not in repr(vars(access))


def test_a_cookie_opens_what_is_read_and_nothing_else() -> None:
    access = Access((digest("a key; of one"),), 0)
    sent = Headers({"cookie": "other=1; shazam_key=a%20key%3B%20of%20one"})
    assert access.check_key(sent, reads=True) == hashlib.sha256(b"a key; of one").digest()
    with pytest.raises(Unauthorized) as refused:
        access.check_key(sent)
    assert refused.value.status == 401
    with pytest.raises(Unauthorized) as wrong:
        access.check_key(Headers({"cookie": "shazam_key=another"}), reads=True)
    assert wrong.value.status == 403
    both = Headers({"cookie": "shazam_key=another", "x-api-key": "a key; of one"})
    assert access.check_key(both, reads=True) is not None


def test_without_keys_all_may_ask() -> None:
    assert Access((), 0).check_key(Headers()) is None


def test_a_minutes_requests_may_come_at_once_and_are_regained() -> None:
    now = [0.0]
    access = Access((), 30, clock=lambda: now[0])
    for _ in range(30):
        access.check_rate(b"one")
    with pytest.raises(Overloaded) as refusal:
        access.check_rate(b"one")
    assert (refusal.value.status, refusal.value.headers()) == (429, {"Retry-After": "2"})
    access.check_rate(b"another")
    now[0] += 2
    access.check_rate(b"one")
    with pytest.raises(Overloaded):
        access.check_rate(b"one")
    # Asking in vain costs nothing more.
    now[0] += 2
    access.check_rate(b"one")


def test_callers_without_number_are_held_in_bounded_memory() -> None:
    access = Access((), 1)
    for number in range(REMEMBERED_CALLERS + 500):
        access.check_rate(str(number).encode())
    assert len(access._buckets) == REMEMBERED_CALLERS
