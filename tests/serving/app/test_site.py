"""`engine/serving/app/site.py`: several capabilities, one application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from engine.base.errors import NotReady
from engine.base.settings import MEBI
from engine.covers.service.settings import CoverSettings
from engine.serving.app import site as module
from engine.serving.app.capability import Capability, make_router
from engine.serving.app.site import Site
from engine.serving.http.bodies import BodyLimit
from engine.serving.watch.metrics import Metrics, Subject


class Told(BaseModel):
    status: str = "healthy"


class Running:
    """Opens when a test says so; `open` is whether that went well."""

    artifact_id = "none"
    failed = False

    def __init__(self, *, at_once: bool) -> None:
        self.begun, self.open, self._tried = False, False, asyncio.Event()
        if at_once:
            self.end(well=True)

    def start(self, metrics: Metrics) -> None:
        self.begun = True

    def end(self, *, well: bool) -> None:
        self.open = well
        self._tried.set()

    async def settled(self) -> None:
        await self._tried.wait()

    async def stop(self) -> None: ...

    def look_into(self, error: Exception) -> None: ...

    def check_ready(self) -> None:
        if not (self.begun and self.open):
            raise NotReady("It is being opened.")

    def health(self) -> Told:
        return Told()

    part = health


def capability(name: str, running: Running, **more: Any) -> Capability:
    return Capability(
        name=name,
        running=running,
        router=make_router({}),
        subject=Subject(name=name, stages=(), items=f"{name}s", uploads="files"),
        summary="",
        invitation="",
        tags={},
        endpoints={},
        calls={},
        french={},
        health=Told,
        part=Told,
        body=BodyLimit(MEBI, lambda: NotReady("")),
        **more,
    )


@pytest.fixture
def late() -> Running:
    return Running(at_once=False)


@pytest.fixture
def client(late: Running) -> Iterator[TestClient]:
    """A service whose own capability is open, as is one beside it; another is opened later."""
    site = Site(
        [
            capability("own", Running(at_once=True)),
            capability("beside", Running(at_once=True), probes=("/ready/beside",)),
            capability("late", late),
        ],
        CoverSettings(),
    )
    with TestClient(site.api) as client:
        yield client


PROBES = ["/readyz", "/ready/beside"]


def end(client: TestClient, late: Running, *, well: bool) -> None:
    """`late` has tried to open."""

    async def tried() -> None:
        late.end(well=well)
        await asyncio.sleep(0.01)

    assert client.portal is not None
    client.portal.call(tried)


@pytest.mark.parametrize("probe", PROBES)
def test_ready_waits_for_all_that_is_being_opened(
    client: TestClient, late: Running, probe: str
) -> None:
    answer = client.get(probe)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
    end(client, late, well=True)
    assert client.get(probe).json() == {"status": "ready"}


@pytest.mark.parametrize("probe", PROBES)
def test_what_could_not_be_opened_is_named_and_keeps_nobody_waiting(
    client: TestClient, late: Running, probe: str
) -> None:
    end(client, late, well=False)
    assert client.get(probe).json() == {"status": "ready", "without": ["late"]}


def test_of_two_one_that_failed_is_not_waited_for_and_the_other_is(late: Running) -> None:
    site = Site(
        [
            capability("own", Running(at_once=True)),
            capability("failed", failed := Running(at_once=False)),
            capability("late", late),
        ],
        CoverSettings(),
    )
    with TestClient(site.api) as client:
        end(client, failed, well=False)
        assert client.get("/readyz").status_code == 503
        end(client, late, well=True)
        assert client.get("/readyz").json() == {"status": "ready", "without": ["failed"]}


def test_nobody_is_waited_for_for_ever(
    client: TestClient, late: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/readyz").status_code == 503
    hours = module.time.monotonic() + 2 * module.READY_WITHOUT_S
    monkeypatch.setattr(module, "time", type("", (), {"monotonic": lambda: hours}))
    assert client.get("/readyz").json() == {"status": "ready", "without": ["late"]}
