"""`covers/service/calls.py`, `serving/app/snippets.py`: what the API page shows is what works."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import PROJECT, Server
from shown import runs_as_shown

from engine.covers.service.calls import CALLS

PHOTO = PROJECT / "tests" / "photos" / "01-soundtrack-on-planks.jpg"


@pytest.fixture(scope="module")
def document(server: Server) -> Any:
    return httpx.get(f"{server.url}/openapi.json").json()


def operations(document: Any) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_the_page_begins_with_search_and_ends_with_the_service(document: Any) -> None:
    names = [tag["name"] for tag in document["tags"]]
    assert names == ["search", "identify", "catalogue", "embeddings", "service"]
    assert {tag for one in operations(document) for tag in one["tags"]} == set(names)


def test_every_summary_says_more_than_the_name_of_its_function(document: Any) -> None:
    for operation in operations(document):
        name = operation["operationId"].split("_api_")[0].replace("_", " ")
        assert operation["summary"].lower() != name, operation["summary"]
        assert len(operation["summary"]) >= 8


def test_every_operation_of_callers_shows_how_to_call_it(document: Any) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if operation["tags"] != ["service"]:
                for tag in ("```sh\n", "```python\n", "```js\n"):
                    assert tag in operation["description"], path
    assert set(CALLS) <= set(document["paths"])


@pytest.mark.parametrize("route", CALLS)
def test_what_is_shown_runs(server: Server, tmp_path: Path, route: str) -> None:
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    runs_as_shown(CALLS[route], server.url, tmp_path)
