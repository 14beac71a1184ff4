"""What somebody found: kept, removed, brought back, there after a reload, asked for once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .fake_service import Fake, album
from .fake_sound import FakeSound, heard
from .test_first_visit import DEMO
from .test_states import ask
from .test_verdict import decided
from .test_ways_in import expect, found, photo  # noqa: F401

KEPT = [album(number) for number in (3, 4, 5)]
KEEP = f"localStorage['shazam-visual-finds'] ??= {json.dumps(json.dumps(KEPT))};"


def cards(page: Any) -> Any:
    return page.locator("#shelf a.card")


def test_a_find_is_removed_and_brought_back(visit) -> None:
    page = visit("/?finds=", script=KEEP)
    expect(cards(page)).to_have_count(3)
    expect(page.get_by_label("Genre")).to_be_hidden()
    name = f"{KEPT[1]['title']} by {KEPT[1]['artist']}"
    page.get_by_role("button", name=f"Remove {name} from my finds").click()
    expect(cards(page)).to_have_count(2)
    expect(page.get_by_role("button", name="Finds (2)")).to_be_visible()
    expect(page.locator("#live")).to_have_text("1 find removed.")
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(3)
    expect(cards(page).nth(1)).to_contain_text(str(KEPT[1]["title"]))
    expect(page.locator("#title")).to_be_focused()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_all_finds_are_removed_and_brought_back_in_french_too(visit) -> None:
    page = visit("/?finds=", script=KEEP, locale="fr")
    page.get_by_role("button", name="Tout retirer").click()
    expect(page.locator("[data-panel=finds]")).to_contain_text("Aucune trouvaille")
    expect(page.locator("#finds")).to_be_hidden()
    page.get_by_role("button", name="Annuler").click()
    expect(cards(page)).to_have_count(3)
    page.get_by_role("button", name="Tout retirer").click()
    page.get_by_role("button", name="Retour au bac").click()
    expect(cards(page)).to_have_count(36)
    page.go_back()
    expect(page.locator("[data-panel=finds]")).to_be_visible()
    expect(page.get_by_role("button", name="Annuler")).to_have_count(0)


def test_another_tab_that_removes_finds_is_followed(visit) -> None:
    page = visit("/?finds=", script=KEEP)
    expect(cards(page)).to_have_count(3)
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Remove all").click()
    expect(page.locator("[data-panel=finds]")).to_be_visible()
    expect(page.locator("#finds")).to_be_hidden()


def test_a_reload_after_a_photo_shows_the_album_it_was(visit, photo) -> None:  # noqa: F811
    page = visit()
    page.set_input_files("#file", photo)
    decided(page, "match")
    assert page.url.endswith("/?album=59")
    page.reload()
    expect(page.locator(".best h3")).to_have_text(str(album(59)["title"]))
    page.go_back()
    expect(cards(page)).to_have_count(36)
    assert page.url.endswith("/")


def test_a_reload_after_a_recording_shows_the_track_it_was(visit, fake: Fake) -> None:
    fake.sound = FakeSound(heard())
    page = visit()
    page.set_input_files(
        "#file", {"name": "clip.mp3", "mimeType": "audio/mpeg", "buffer": b"ID3" + bytes(5_000)}
    )
    expect(page.locator(".track .kicker")).to_be_visible()
    name = page.locator(".track h3").inner_text()
    assert "/?track=" in page.url
    page.reload()
    expect(page.locator(".track h3")).to_have_text(name)


def test_names_come_first_with_a_picture_too(visit, photo) -> None:  # noqa: F811
    page = visit()
    page.set_input_files("#file", photo)
    decided(page, "match")
    expect(page.get_by_label("and name or describe it, if you like")).to_be_visible()
    ask(page, "velvet marlow")
    found(page)
    names = page.get_by_role("region", name="Called so")
    expect(names.locator("a.row").first).to_contain_text("Velvet")
    box, best = names.bounding_box(), page.locator(".best").bounding_box()
    assert box["y"] < best["y"]


def test_a_sample_tapped_twice_is_asked_about_once(visit, fake: Fake) -> None:
    fake.artifact = DEMO
    page = visit()
    sample = page.get_by_role("button", name="Try sample photo 3")
    expect(sample).to_be_visible()
    length = page.evaluate("history.length")
    sample.dblclick(delay=60)
    decided(page, "match")
    page.wait_for_timeout(300)  # a second would have come by now
    assert len(fake.calls("/api/search-by-image")) == 1
    assert page.evaluate("history.length") == length + 1


@pytest.mark.parametrize("query", ["?album=3&album=5", "?finds=&album=3", "?album=3&track=1"])
def test_the_page_opens_what_is_previewed(visit, query: str) -> None:
    page = visit("/" + query)
    expect(page.locator(".best h3")).to_have_text(str(album(3)["title"]))


def test_an_id_that_is_no_id_is_the_crate(visit) -> None:
    expect(cards(visit("/?album=" + "9" * 21))).to_have_count(36)


def test_without_scripts_the_page_says_so_and_has_nothing_to_fill_in(visit) -> None:
    page = visit(java_script_enabled=False)
    expect(page.locator("noscript .panel")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
