"""Who can use the page: languages, keyboard, screen readers, sizes, slow lines, strict policy."""

from __future__ import annotations

from importlib.resources import files

import pytest

from .conftest import painted
from .fake_service import Canned, Fake
from .test_states import ask, panel
from .test_ways_in import expect, found

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


# ---- languages --------------------------------------------------------------------------------


def test_a_french_browser_gets_french(visit, fake: Fake, screenshot) -> None:
    page = visit("/?q=bateau", locale="fr-CA")
    found(page)
    assert page.evaluate("document.documentElement.lang") == "fr"
    expect(page.locator("h1")).to_have_text("C’est quel disque ?")
    expect(page.locator("#count")).to_have_text("13 albums")
    expect(page.locator("#shelf .rank").first).to_have_text("Rang 22")
    expect(page.locator("#shelf a.card").first).to_be_visible()
    expect(page.get_by_role("button", name="Prendre une photo")).to_be_visible()
    expect(page.get_by_label("Genre")).to_contain_text("Tous les genres")
    screenshot(page, "french")


def test_any_other_browser_gets_english(visit) -> None:
    page = visit(locale="de-DE")
    expect(page.locator("h1")).to_have_text("Which record is this?")
    assert page.evaluate("document.documentElement.lang") == "en"


def test_the_language_can_be_switched_and_stays(visit, fake: Fake) -> None:
    page = visit("/?q=boat")
    found(page)
    asked = len(fake.calls("/api/search"))
    page.get_by_role("button", name="Français").click()
    expect(page.locator("#title")).to_have_text("Albums les plus proches")
    expect(page.locator(".best .kicker")).to_have_text("Le plus proche")
    assert len(fake.calls("/api/search")) == asked
    page.reload()
    expect(page.locator("#title")).to_have_text("Albums les plus proches")
    page.get_by_role("button", name="English").click()
    expect(page.locator("h1")).to_have_text("Which record is this?")


def test_both_languages_say_the_same_things(visit, fake: Fake) -> None:
    page = visit()
    url = f"/web/{fake.page.digest}/strings.js"
    strings = page.evaluate("async (url) => (await import(url)).strings", url)
    assert list(strings["en"]) == list(strings["fr"])
    for key, english in strings["en"].items():
        for value in ("{n}", "{title}", "{id}", "{name}", "{artist}", "{genre}"):
            assert (value in english) == (value in strings["fr"][key]), key


def test_a_message_and_its_buttons_change_language_too(visit, fake: Fake) -> None:
    fake.canned.append(Canned(500, "internal", "Something broke."))
    page = visit("/?q=boat")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.get_by_role("button", name="Français").click()
    expect(page.get_by_role("button", name="Réessayer")).to_be_visible()
    expect(panel(page, "refused")).to_contain_text("Something broke.")
    page.get_by_role("button", name="Réessayer").click()
    found(page)
    expect(page.locator("#title")).to_be_focused()


# ---- keyboard and screen reader ---------------------------------------------------------------


def test_everything_works_by_keyboard_alone(visit, fake: Fake) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    # The list of genres arrives after the albums; until then there is nothing to choose from.
    expect(page.locator("#genre")).to_be_enabled()

    def tab_to(selector: str) -> None:
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("(s) => document.activeElement.matches(s)", selector):
                outline = page.evaluate(
                    "(s) => getComputedStyle(document.activeElement.closest('.field') ??"
                    " document.activeElement).outlineStyle"
                )
                assert outline != "none", selector
                return
        pytest.fail(f"Tab never reaches {selector}")

    tab_to(".skip")
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_be_focused()
    tab_to("#genre")
    page.reload()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    expect(page.locator("#genre")).to_be_enabled()
    tab_to("#language")
    tab_to("#choose")
    tab_to("#shoot")
    tab_to("#words")
    page.keyboard.type("boat")
    page.keyboard.press("Enter")
    found(page)
    expect(page.locator("#words")).to_be_focused()
    tab_to("#genre")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#count")).to_have_text("12 albums")
    tab_to(".best a")
    tab_to(".best .tag")
    tab_to(".best .more")
    tab_to("#shelf a.card")
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text("Similar albums")
    expect(page.locator("#title")).to_be_focused()
    page.go_back()
    expect(page.locator("#title")).to_have_text("Closest albums")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_at_level_a_or_aa(visit, fake: Fake, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe-core comes with it")
    source = (files(axe) / "axe.min.js").read_text()
    # The page forbids what axe is injected with; that it does is tested below.
    page = visit(color_scheme=scheme, bypass_csp=True)
    page.evaluate(source)

    def check(where: str) -> None:
        report = page.evaluate(
            "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })"
        )
        problems = [
            (problem["id"], node["html"][:90], node["failureSummary"][:300])
            for problem in report["violations"]
            for node in problem["nodes"]
        ]
        assert problems == [], where
        assert len(report["passes"]) > 10

    expect(page.locator("#shelf a.card")).to_have_count(36)
    check("the crate")
    page.set_input_files(
        "#file", {"name": "x.heic", "mimeType": "image/heic", "buffer": b"no picture"}
    )
    ask(page, "boat")
    found(page)
    check("results for words and a picture without preview")
    fake.canned.append(Canned(500, "internal", "Something broke."))
    ask(page, "again")
    expect(panel(page, "refused")).to_be_visible()
    check("a refusal")
    fake.ready = False
    ask(page, "asleep")
    expect(panel(page, "waking")).to_be_visible()
    check("waking")
    fake.ready = True
    found(page)
    page.locator("#shoot").click()
    expect(page.locator("#release")).to_be_enabled()
    check("the camera")


# ---- sizes ------------------------------------------------------------------------------------


SIZES = [
    ("320", 320, 568, "light"),
    ("phone-landscape", 740, 360, "dark"),
    ("tablet", 820, 1180, "light"),
    ("laptop", 1366, 768, "light"),
    ("laptop-dark", 1366, 768, "dark"),
    ("4k", 3840, 2160, "light"),
]
TOO_SMALL_TO_HIT = """() => [...document.querySelectorAll("a, button, input, select")]
  .filter((node) => node.checkVisibility() && !node.matches(".skip"))
  .filter((node) => {
    const { width, height } = node.getBoundingClientRect();
    return width < 24 || height < 24;
  })
  .map((node) => node.id || node.className || node.textContent)"""


def test_the_page_fits_every_screen(visit, screenshot) -> None:
    page = visit("/?q=sea", locale="fr")
    found(page)
    for name, width, height, scheme in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        painted(page)
        screenshot(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate(TOO_SMALL_TO_HIT) == [], name


def test_on_a_phone_the_albums_come_into_view(visit, screenshot) -> None:
    page = visit(**PHONE)
    expect(page.locator("#shelf a.card")).to_have_count(36)
    for selector in ("#shoot", "#pick", "#words"):
        expect(page.locator(selector)).to_be_in_viewport()
    # A phone has nothing to drop or paste, and one button that is larger than the rest.
    expect(page.locator("#choose")).to_be_hidden()
    sizes = [page.locator(name).bounding_box()["height"] for name in ("#shoot", "#pick")]
    assert sizes[0] > 1.2 * sizes[1]
    screenshot(page, "phone")
    page.locator("#words").fill("boat")
    page.get_by_role("button", name="Search").tap()
    found(page)
    expect(page.locator("#title")).to_be_in_viewport()
    expect(page.locator(".best .cover")).to_be_in_viewport(ratio=0.9)
    expect(page.get_by_role("button", name="Scan another")).to_be_in_viewport()
    screenshot(page, "phone-found")


# ---- what travels -----------------------------------------------------------------------------


def test_the_page_is_light(visit, fake: Fake) -> None:
    page = visit()
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    kinds: dict[str, str] = {}
    sizes: dict[str, float] = {}
    wire.on(
        "Network.responseReceived", lambda e: kinds.update({e["requestId"]: e["response"]["url"]})
    )
    wire.on(
        "Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]})
    )
    page.reload()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.wait_for_load_state("networkidle")
    own = {url: sizes[key] for key, url in kinds.items() if "/api/" not in url and key in sizes}
    assert len(own) >= 10
    assert sum(own.values()) < 80_000


def test_covers_below_the_fold_wait(visit, fake: Fake) -> None:
    page = visit(**{**PHONE, "viewport": {"width": 390, "height": 400}})
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.wait_for_load_state("networkidle")
    lazy = page.evaluate("document.querySelectorAll('#shelf img[loading=lazy]').length")
    assert lazy >= 25
    assert len([seen for seen in fake.seen if seen.path.endswith("/cover")]) < 33


def test_a_second_visit_loads_no_file_of_the_page_again(visit, fake: Fake) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.wait_for_load_state("networkidle")
    before = len(fake.calls("/web/"))
    assert before >= 10
    page.goto(fake.url + "/?q=boat")
    found(page)
    assert len(fake.calls("/web/")) == before


def test_the_policy_forbids_inline_code_and_other_hosts(visit) -> None:
    page = visit()
    policy = page.request.get(page.url, headers={"Accept": "text/html"}).headers[
        "content-security-policy"
    ]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'; trusted-types worker" in policy


def test_the_api_page_lists_routes_without_inline_code(visit, screenshot) -> None:
    page = visit("/docs")
    expect(page.locator(".opblock").first).to_contain_text("/api/search-by-text")
    page.locator(".opblock-summary-control").first.click()
    page.get_by_role("button", name="Execute").wait_for()
    page.locator(".opblock input").first.fill("boat")
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    screenshot(page, "docs")
