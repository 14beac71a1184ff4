"""What the page says while it waits, when it cannot go on, and where it has been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import until
from .fake_service import Canned, Fake, draw_cover
from .test_ways_in import expect, found


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "cover.jpg"
    draw_cover(5, 400).save(path, quality=90)
    return path


def ask(page: Any, words: str) -> None:
    page.locator("#words").fill(words)
    page.locator("#words").press("Enter")


def panel(page: Any, name: str) -> Any:
    return page.locator(f'[data-panel="{name}"]')


# ---- while it waits ---------------------------------------------------------------------------


def test_waiting_holds_the_place_of_what_comes(visit, fake: Fake) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    before = page.evaluate("shifts")
    fake.held.set()
    ask(page, "boat")
    expect(page.locator("#live")).to_have_text("Searching…")
    expect(page.locator(".best .bone").first).to_be_visible()
    page.wait_for_timeout(600)  # what moves sooner the browser forgives as an answer to the key
    fake.held.clear()
    found(page)
    expect(page.locator("#live")).to_contain_text("13 albums found. Closest:")
    assert page.evaluate("shifts") - before < 0.02


def test_the_first_visit_does_not_jump(visit, fake: Fake) -> None:
    fake.delay = 0.3
    page = visit(locale="fr-FR")
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.wait_for_timeout(300)
    assert page.evaluate("shifts") < 0.02


def test_a_newer_search_wins_over_a_slower_older_one(visit, fake: Fake) -> None:
    page = visit()
    fake.delay = 0.6
    ask(page, "first")
    until(page, lambda: fake.calls("/api/search-by-text"))
    fake.delay = 0.0
    ask(page, "second")
    found(page)
    best = page.locator(".best h3").inner_text()
    page.wait_for_timeout(600)
    expect(page.locator(".best h3")).to_have_text(best)
    assert page.url.endswith("/?q=second")


# ---- no albums --------------------------------------------------------------------------------


def test_nothing_found_says_so_and_leads_on(visit, fake: Fake, screenshot) -> None:
    page = visit()
    fake.empty = True
    ask(page, "boat")
    expect(panel(page, "nothing")).to_contain_text("Nothing found")
    expect(page.locator("#live")).to_contain_text("Nothing found")
    screenshot(page, "nothing")
    fake.empty = False
    page.get_by_role("button", name="Back to the crate").click()
    expect(page.locator("#title")).to_have_text("In the crate")
    expect(page.locator("#words")).to_have_value("")


def test_nothing_in_a_genre_offers_all_of_them(visit, fake: Fake) -> None:
    fake.empty = True
    page = visit("/?q=boat&genre=1")
    expect(panel(page, "nothing")).to_contain_text("No album of this genre")
    fake.empty = False
    page.get_by_role("button", name="Search all genres").click()
    found(page)
    assert page.url.endswith("/?q=boat")


def test_an_empty_catalogue_is_no_error(visit, fake: Fake) -> None:
    fake.empty = True
    page = visit()
    expect(panel(page, "nothing")).to_be_visible()


def test_a_refused_picture_shows_the_services_own_message(
    visit, fake: Fake, photo: Path, screenshot
) -> None:
    # A code the page has words for is told in its own language; any other in the service's words.
    page = visit()
    fake.canned.append(Canned(415, "unreadable_image", "It starts like a PDF."))
    page.set_input_files("#file", photo)
    expect(panel(page, "refused")).to_contain_text("This file is no picture we can read")
    expect(page.locator("#title")).to_have_text("No albums")
    page.get_by_role("button", name="Français").click()
    expect(panel(page, "refused")).to_contain_text("Ce fichier n’est pas une image lisible")
    page.get_by_role("button", name="English").click()
    message = "The picture has 60,000,000 pixels. Send a smaller one."
    fake.canned.append(Canned(413, "upload_too_large", message))
    page.set_input_files("#file", photo)
    page.get_by_role("button", name="Remove the picture").click()
    fake.canned.append(Canned(413, "upload_too_large", message))
    page.set_input_files("#file", photo)
    expect(panel(page, "refused")).to_contain_text(message)
    expect(page.locator("#live")).to_contain_text(message)
    screenshot(page, "refused")
    with page.expect_file_chooser() as chooser:
        panel(page, "refused").get_by_role("button", name="Choose another picture").click()
    chooser.value.set_files(photo)
    found(page)


def test_an_unknown_album_leads_back(visit) -> None:
    page = visit("/?album=999")
    expect(panel(page, "refused")).to_contain_text("There is no such album here.")
    expect(page.locator("#title")).to_have_text("No albums")
    page.get_by_role("button", name="Back to the crate").click()
    expect(page.locator("#shelf a.card")).to_have_count(36)


def test_a_fault_of_the_service_can_be_tried_again(visit, fake: Fake) -> None:
    page = visit()
    fake.canned.append(Canned(500, "internal", "Something broke; quote request r1."))
    ask(page, "boat")
    expect(panel(page, "refused")).to_contain_text("quote request r1")
    page.get_by_role("button", name="Try again").click()
    found(page)


# ---- overloaded, offline, starting ------------------------------------------------------------


def test_an_overloaded_service_is_asked_again_when_it_said(visit, fake: Fake, screenshot) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.clock.install()
    fake.canned.append(Canned(503, "overloaded", "Full.", {"Retry-After": "2"}))
    ask(page, "boat")
    expect(panel(page, "busy")).to_contain_text("Trying again in 2 s.")
    expect(page.locator("#live")).to_have_text("The shop is full")
    screenshot(page, "busy")
    page.clock.run_for(1000)
    expect(panel(page, "busy")).to_contain_text("Trying again in 1 s.")
    assert len(fake.calls("/api/search-by-text")) == 1
    page.clock.run_for(1000)
    found(page)
    assert len(fake.calls("/api/search-by-text")) == 2


def test_a_service_that_stays_overloaded_is_left_alone(visit, fake: Fake) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.clock.install()
    refusal = Canned(429, "overloaded", "Full.", {"Retry-After": "20"})
    fake.canned.extend([refusal] * 50)
    ask(page, "boat")
    run_clock(page, 20, until="#stage .solid")
    expect(panel(page, "busy")).to_contain_text("still too busy")
    assert len(fake.calls("/api/search-by-text")) == 6
    fake.canned.clear()
    page.get_by_role("button", name="Try again").click()
    found(page)


def test_offline_waits_for_the_connection(visit, fake: Fake, screenshot) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.context.set_offline(True)
    ask(page, "boat")
    expect(panel(page, "offline")).to_contain_text("You are offline")
    screenshot(page, "offline")
    page.context.set_offline(False)
    found(page)


def test_a_sleeping_service_is_shown_waking_and_then_asked(visit, fake: Fake, screenshot) -> None:
    fake.ready = False
    page = visit("/?q=boat")
    expect(panel(page, "waking")).to_contain_text("Waking up…")
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("progressbar")).not_to_have_js_property("value", 0)
    screenshot(page, "waking")
    fake.ready = True
    found(page)
    assert len(fake.calls("/readyz")) >= 2


def test_a_service_that_says_that_it_starts_is_waited_for_and_a_lost_part_is_told(
    visit, fake: Fake
) -> None:
    opening = Canned(503, "not_ready", "Covers are being loaded.")
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    fake.canned.append(opening)
    ask(page, "boat")
    found(page)
    fake.canned.extend([opening] * 4)
    ask(page, "tree")
    expect(panel(page, "refused")).to_contain_text("Covers are being loaded.")
    assert not fake.canned


def test_a_service_that_never_wakes_is_no_spinner_for_ever(visit, fake: Fake) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.clock.install()
    fake.ready = False
    ask(page, "boat")
    run_clock(page, 10, until='[data-panel="asleep"]')
    expect(panel(page, "asleep")).to_contain_text("does not answer")
    fake.ready = True
    page.get_by_role("button", name="Try again").click()
    found(page)


def test_a_request_held_by_the_platform_says_so_and_ends(visit, fake: Fake) -> None:
    page = visit(service_workers="block")  # once one has the page, requests pass by `page.route`
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.route("**/api/search-by-text*", lambda route: None)  # never answered
    page.clock.install()
    ask(page, "boat")
    run_clock(page, 5, until='[data-panel="slow"]')
    expect(panel(page, "slow")).to_contain_text("longer than usual")
    run_clock(page, 10, until='[data-panel="asleep"]')
    page.unroute("**/api/search-by-text*")
    page.get_by_role("button", name="Try again").click()
    found(page)


def test_a_dropped_connection_is_tried_again(visit, fake: Fake) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    fake.canned.extend([Canned(0), Canned(502)])
    ask(page, "boat")
    found(page)
    assert len(fake.calls("/api/search-by-text")) >= 3


def test_a_search_that_never_gets_through_ends_with_a_message(visit, fake: Fake) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    fake.canned.extend([Canned(502)] * 20)
    ask(page, "boat")
    expect(panel(page, "cut")).to_contain_text("did not get through")
    assert len(fake.calls("/api/search-by-text")) == 4


def run_clock(page: Any, seconds: int, until: str) -> None:
    """Let the page's own clock run, in steps that leave real requests time to be answered."""
    for _ in range(40):
        page.clock.run_for(seconds * 1000)
        page.wait_for_timeout(40)
        if page.locator(until).count():
            return
    pytest.fail(f"the page still waits after {40 * seconds} s")


# ---- the address ------------------------------------------------------------------------------


def test_a_text_search_has_an_address_that_reloads_and_can_be_shared(visit) -> None:
    page = visit()
    ask(page, "blue & boat")
    found(page)
    best = page.locator(".best h3").inner_text()
    assert page.url.endswith("/?q=blue+%26+boat")
    assert page.title() == "blue & boat · Shazam Visual"
    page.reload()
    expect(page.locator(".best h3")).to_have_text(best)
    expect(page.locator("#words")).to_have_value("blue & boat")


def test_back_and_forward_go_through_searches_albums_and_genres(visit, fake: Fake) -> None:
    page = visit("/?q=boat")
    found(page)
    best = page.locator(".best h3").inner_text()
    page.get_by_label("Genre").select_option(label="Dub (12)")
    expect(page.locator("#count")).to_have_text("12 albums")
    page.locator("#shelf a.card").first.click()
    expect(page.locator("#title")).to_have_text("Similar albums")
    expect(page.locator("#shelf a.card")).to_have_count(11)
    assert "album=" in page.url
    assert page.url.endswith("genre=1")
    asked = len(fake.seen)
    page.go_back()
    expect(page.locator("#title")).to_have_text("Closest albums")
    expect(page.get_by_label("Genre")).to_have_value("1")
    page.go_back()
    expect(page.locator(".best h3")).to_have_text(best)
    expect(page.get_by_label("Genre")).to_have_value("")
    page.go_forward()
    expect(page.get_by_label("Genre")).to_have_value("1")
    page.go_forward()
    expect(page.locator("#title")).to_have_text("Similar albums")
    assert [seen.path for seen in fake.seen[asked:] if not seen.path.endswith("/cover")] == []


def test_back_brings_a_picture_search_back(visit, fake: Fake, photo: Path) -> None:
    page = visit()
    page.set_input_files("#file", photo)
    found(page)
    best = page.locator("#verdict h3").inner_text()
    page.get_by_role("button", name="Remove the picture").click()
    expect(page.locator("#title")).to_have_text("In the crate")
    expect(page.locator("#preview")).to_be_hidden()
    page.go_back()
    expect(page.locator("#verdict h3")).to_have_text(best)
    expect(page.locator("#preview")).to_be_visible()
    assert len(fake.calls("/api/search-by-image")) == 1


def test_the_same_search_twice_is_one_step_back(visit) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    for _ in range(2):
        ask(page, "boat")
        found(page)
    page.go_back()
    expect(page.locator("#title")).to_have_text("In the crate")


def test_an_albums_address_can_be_shared(visit) -> None:
    page = visit("/?album=12&genre=2")
    expect(page.locator("#title")).to_have_text("Similar albums")
    expect(page.locator(".best .kicker")).to_have_text("You chose")
    expect(page.get_by_label("Genre")).to_have_value("2")


@pytest.mark.parametrize("address", ["/?q=%20", "/?genre=x&album=-1", "/?q=%E0%A4%A"])
def test_a_broken_address_is_no_error(visit, address: str) -> None:
    page = visit(address)
    expect(page.locator("#shelf a.card").first).to_be_visible()
