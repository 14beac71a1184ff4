"""A service with keys and its page: a key is entered once, and all of the page is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from conftest import Serve, Server

from .conftest import sync_api, until

expect = sync_api.expect
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def locked(serve: Serve, tiny_artifact: Path) -> Iterator[Server]:
    made = serve(tiny_artifact, SHAZAM_API_KEYS="the key; of one")
    yield made
    serve.end(made)  # type: ignore[attr-defined]


# Asked for again and again from here: the page's policy lets no text become a script in it.
COVERS = "[...document.querySelectorAll('#shelf img')].filter((one) => one.naturalWidth).length"


def test_a_key_is_entered_once_and_can_be_forgotten(
    visitor: Callable[..., Any], locked: Server, screenshot: Any
) -> None:
    page = visitor(locked.url, **PHONE)
    dialog = page.get_by_role("dialog", name="This service needs a key")
    expect(dialog.get_by_label("Key")).to_be_focused()
    screenshot(page, "key-phone")
    dialog.get_by_label("Key").fill("another")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text(
        "This key is not known here. Enter a current one."
    )
    dialog.get_by_label("Key").fill("the key; of one")
    dialog.get_by_role("button", name="Open").click()
    expect(page.locator("#shelf li").first).to_be_visible()
    until(page, lambda: page.evaluate(COVERS) > 3)  # pictures are asked for without a header
    page.reload()
    until(page, lambda: page.evaluate(COVERS) > 3)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Forget the key").click()
    expect(dialog).to_be_visible()


def test_who_has_no_key_is_told_so(
    visitor: Callable[..., Any], locked: Server, screenshot: Any
) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe-core comes with it")
    page = visitor(locked.url, locale="fr-FR", bypass_csp=True)
    dialog = page.get_by_role("dialog", name="Ce service demande une clé")
    expect(dialog).to_be_visible()
    screenshot(page, "key-laptop-fr")
    page.evaluate((files(axe) / "axe.min.js").read_text())
    found = page.evaluate("axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] })")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_contain_text("Ce service demande une clé")
    page.locator(".panel button").first.click()  # again
    expect(dialog).to_be_visible()
