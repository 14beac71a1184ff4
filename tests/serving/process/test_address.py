"""`engine/serving/process/address.py`: the line that says what to open."""

from __future__ import annotations

import pytest

from engine.serving.process.address import VARIABLE, announce, invitation


@pytest.mark.parametrize(
    ("host", "line"),
    [
        ("127.0.0.1", "open http://localhost:3417"),
        ("::1", "open http://localhost:3417"),
        ("192.0.2.7", "open http://192.0.2.7:3417"),
        ("2001:db8::1", "open http://[2001:db8::1]:3417"),
    ],
)
def test_one_address_is_told_as_a_browser_takes_it(
    host: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    announce(host, 3417)
    assert invitation(keys=False) == line


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_service_that_all_may_reach_says_so_and_whether_keys_are_asked_for(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    announce(host, 3000)
    told = invitation(keys=False)
    assert told is not None
    assert told.startswith("open http://localhost:3000 (other machines reach it, too; no key is ")
    assert "SHAZAM_API_KEYS" in told
    assert invitation(keys=True) == (
        "open http://localhost:3000 (other machines reach it, too; a key is asked for)"
    )


def test_who_was_not_started_by_our_launcher_tells_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert invitation(keys=False) is None
