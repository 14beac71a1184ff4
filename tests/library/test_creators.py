"""`engine/library/creators.py`: kept for seven days."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.library import creators
from engine.library.creators import Creator, Creators
from engine.library.database import Database
from engine.library.records import now

pytestmark = pytest.mark.anyio


async def test_a_creator_is_asked_for_again_after_seven_days(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Creators(database)
    assert await kept.known("tiktok", "@some") is None
    first = await kept.keep(Creator("tiktok", "@some", "Some", facts={"followers": 3}))
    assert await kept.known("tiktok", "@some") == first
    assert await kept.known("youtube", "@some") is None
    later = now() + timedelta(days=7, seconds=1)
    monkeypatch.setattr(creators, "now", lambda: later)
    assert await kept.known("tiktok", "@some") is None
    assert await kept.last("tiktok", "@some") == first
    await kept.keep(Creator("tiktok", "@some", "Other"))
    again = await kept.known("tiktok", "@some")
    assert again is not None
    assert (again.name, again.facts, again.asked_at) == ("Other", {}, later)
