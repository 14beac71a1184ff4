"""What a newcomer finds to try, finds by name, and can keep: samples, names, an installed page."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from conftest import PROJECT, STARTER
from PIL import Image

from .conftest import until
from .fake_service import Fake, album
from .test_reach import PHONE
from .test_states import ask
from .test_ways_in import expect, found, posted

DEMO = json.loads((STARTER / "manifest.json").read_text())["id"]


def test_the_demo_offers_photos_to_try_and_says_that_it_is_invented(
    visit, fake: Fake, screenshot
) -> None:
    fake.artifact = DEMO
    page = visit()
    samples = page.get_by_role("button", name="Try sample photo")
    expect(samples).to_have_count(4)
    expect(page.locator("#samples")).to_contain_text("The albums here are invented.")
    expect(page.locator("#samples code")).to_contain_text("build --covers")
    expect(samples.first.locator("img")).to_have_js_property("naturalWidth", 112)
    screenshot(page, "samples")
    samples.nth(2).click()
    found(page)
    expect(page.locator("#verdict h3")).to_have_text(str(album(59)["title"]))
    assert Image.open(io.BytesIO(posted(fake).file)).size[0] > 600


def test_a_crate_of_somebodys_own_has_no_samples(visit, fake: Fake) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.wait_for_load_state("networkidle")
    expect(page.locator("#samples")).to_be_hidden()


def test_the_page_knows_the_demo_by_its_id() -> None:
    # Where this fails the starter was built anew: write its id into web/samples.js.
    assert f'"{DEMO}"' in (PROJECT / "web" / "samples.js").read_text()


def test_titles_and_artists_come_before_what_looks_so(visit, fake: Fake, screenshot) -> None:
    page = visit()
    ask(page, "velvet marlow")
    names = page.get_by_role("region", name="Called so")
    expect(names.locator("a.row")).to_have_count(2)
    expect(names.locator("a.row").first).to_contain_text("Velvet")
    expect(names.locator("a.row").first).to_contain_text("Ida Marlow")
    found(page)
    screenshot(page, "names")
    names.locator("a.row").first.click()
    expect(page.locator("#title")).to_have_text("Similar albums")


def test_words_that_name_nothing_show_no_empty_list(visit) -> None:
    page = visit()
    ask(page, "a red boat")
    found(page)
    assert page.locator(".names").count() == 0


def test_a_slash_leads_to_the_words(visit) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.keyboard.press("/")
    expect(page.locator("#words")).to_be_focused()
    expect(page.locator("#words")).to_have_value("")


def test_an_empty_search_says_so_where_it_is_seen(visit) -> None:
    page = visit()
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#missing")).to_have_text("Type a few words, or add a picture.")
    page.locator("#words").press_sequentially("b")
    expect(page.locator("#missing")).to_be_hidden()


def test_the_page_can_be_installed(visit) -> None:
    page = visit()
    path = page.locator("link[rel=manifest]").get_attribute("href")
    reply = page.request.get(page.url + path)
    assert reply.headers["content-type"] == "application/manifest+json"
    manifest = reply.json()
    assert manifest["display"] == "standalone"
    for icon in manifest["icons"]:
        image = page.request.get(page.url + icon["src"])
        assert image.headers["content-type"] == icon["type"]
        if icon["type"] == "image/png":
            side = Image.open(io.BytesIO(image.body())).size[0]
            assert icon["sizes"] == f"{side}x{side}"
    assert page.request.get(page.url + "favicon.ico").ok


def test_an_installed_page_opens_without_a_connection(visit) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
    page.reload()  # its files pass through the worker, which keeps them
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.context.set_offline(True)
    page.goto(page.url)
    expect(page.locator("h1")).to_have_text("Which record is this?")
    expect(page.locator('[data-panel="offline"]')).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#shelf a.card")).to_have_count(36)


@pytest.mark.parametrize("capable", [True, False])
def test_a_camera_with_a_torch_has_a_button_for_it(visit, capable: bool) -> None:
    page = visit(
        script=f"""
        MediaStreamTrack.prototype.getCapabilities = () => ({{ torch: {str(capable).lower()} }});
        MediaStreamTrack.prototype.applyConstraints = async (want) => {{ window.want = want; }};
        """,
        **PHONE,
    )
    page.locator("#shoot").tap()
    expect(page.locator("#release")).to_be_enabled()
    torch: Any = page.locator("#torch")
    if not capable:
        expect(torch).to_be_hidden()
        return
    torch.tap()
    expect(torch).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("want.advanced[0].torch") is True


def test_on_a_phone_the_camera_fills_the_screen(visit, screenshot) -> None:
    page = visit(**PHONE)
    page.locator("#shoot").tap()
    expect(page.locator("#release")).to_be_enabled()
    box = page.locator("#camera").bounding_box()
    assert (box["width"], box["height"]) == (390, 844)
    screenshot(page, "phone-camera")


def test_a_camera_turned_in_haste_leaves_none_running(visit) -> None:
    page = visit(
        script="""
        window.streams = [];
        const ask = MediaDevices.prototype.getUserMedia;
        MediaDevices.prototype.getUserMedia = async function (want) {
          const got = await ask.call(this, want);
          streams.push(got);
          return got;
        };
        """,
        **PHONE,
    )
    page.locator("#shoot").tap()
    expect(page.locator("#release")).to_be_enabled()
    page.evaluate(
        "() => { for (let n = 0; n < 3; n += 1) document.getElementById('turn').click(); }"
    )
    expect(page.locator("#release")).to_be_enabled()
    page.locator("#camera-close").tap()
    tracks = "streams.flatMap((one) => one.getTracks())"
    until(page, lambda: page.evaluate("streams.length") == 4)
    until(page, lambda: page.evaluate(f"{tracks}.every((it) => it.readyState === 'ended')"))


def test_a_shutter_tapped_twice_takes_one_photo(visit, fake: Fake) -> None:
    page = visit(**PHONE)
    page.locator("#shoot").tap()
    expect(page.locator("#release")).to_be_enabled()
    before = page.evaluate("history.length")
    page.evaluate(
        "() => { const it = document.getElementById('release'); it.click(); it.click(); }"
    )
    found(page)
    assert page.evaluate("history.length") == before + 1
