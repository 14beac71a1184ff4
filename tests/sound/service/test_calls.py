"""`sound/service/calls.py`: what the API page shows is what works, beside covers."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from conftest import Server
from shown import runs_as_shown

from engine.sound.audio import encode
from engine.sound.service.calls import CALLS

RATE = 16_000


@pytest.mark.parametrize("route", CALLS)
def test_what_is_shown_runs(both: Server, tmp_path: Path, route: str) -> None:
    from tracks import tune

    (tmp_path / "clip.ogg").write_bytes(encode(tune(1)[: 6 * RATE], RATE, "ogg", "libopus"))
    runs_as_shown(CALLS[route], both.url, tmp_path)


def test_every_operation_of_callers_shows_how_to_call_it(both: Server) -> None:
    document = httpx.get(f"{both.url}/openapi.json").json()
    assert set(CALLS) <= set(document["paths"])
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if operation["tags"] != ["service"]:
                assert "```sh\n" in operation["description"], path
    names = [tag["name"] for tag in document["tags"]]
    assert names == [
        *("search", "identify", "catalogue", "embeddings"),
        *("hear", "tracks", "service"),
    ]
