"""Each way to ask: a chosen, dropped, pasted or taken picture, words, both, a cover, a genre."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .fake_service import Fake, Seen, album, draw_cover

MAKE_TRANSFER = """
async (url) => {
  const blob = await (await fetch(url)).blob();
  const transfer = new DataTransfer();
  transfer.items.add(new File([blob], "cover.webp", { type: "image/webp" }));
"""


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(locator)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "cover.jpg"
    draw_cover(5, 400).save(path, quality=90)
    return path


def found(page: Any) -> None:
    expect(page.locator(":is(.best, #verdict) h3").first).to_be_visible()
    expect(page.locator("#shelf a.card")).to_have_count(12)


def settled(page: Any) -> None:
    expect(page.locator("body.searching")).to_have_count(0)


def posted(fake: Fake, path: str = "/api/search-by-image") -> Seen:
    return fake.calls(path)[-1]


def test_a_first_visit_shows_covers_and_every_way_in(visit, fake: Fake) -> None:
    page = visit()
    expect(page.locator("#title")).to_have_text("In the crate")
    expect(page.locator("#count")).to_have_text("60 albums")
    expect(page.locator("#shelf a.card")).to_have_count(36)
    for name in ("Drop, paste or choose a picture", "Take a photo", "Search"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    expect(page.get_by_label("or describe the cover")).to_be_visible()
    expect(page.locator("#shelf img").first).to_have_js_property("naturalWidth", 256)


def test_more_of_the_catalogue_comes_on_demand(visit) -> None:
    page = visit()
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#shelf a.card")).to_have_count(60)
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    expect(page.locator("#shelf a.card").nth(36)).to_be_focused()


def test_a_chosen_picture_finds_albums_and_shows_the_best_one_large(
    visit, fake: Fake, photo: Path, screenshot
) -> None:
    page = visit()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Drop, paste or choose a picture").click()
    chooser.value.set_files(photo)
    found(page)
    best = page.locator("#verdict")
    expect(best.locator("h3")).to_have_text(str(album(59)["title"]))
    expect(best).to_contain_text("Mono Club")
    expect(best).to_contain_text("Punk")
    big, small = best.locator(".photo").bounding_box(), page.locator(".card .cover").first
    assert big["width"] > 2 * small.bounding_box()["width"]
    expect(page.locator("#preview")).to_be_visible()
    assert posted(fake).form["k"] == "13"
    screenshot(page, "picture")


def test_a_small_picture_travels_as_it_is(visit, fake: Fake, photo: Path) -> None:
    page = visit()
    page.set_input_files("#file", photo)
    found(page)
    assert posted(fake).file == photo.read_bytes()


def test_a_dropped_picture_finds_albums(visit, fake: Fake) -> None:
    page = visit()
    page.evaluate(
        MAKE_TRANSFER
        + """
          document.body.dispatchEvent(
            new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        "/api/albums/3/cover",
    )
    found(page)
    assert Image.open(io.BytesIO(posted(fake).file)).size == (256, 256)


def test_a_pasted_picture_finds_albums_even_from_the_words_field(visit, fake: Fake) -> None:
    page = visit()
    page.locator("#words").focus()
    page.evaluate(
        MAKE_TRANSFER
        + """
          document.activeElement.dispatchEvent(
            new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
        }""",
        "/api/albums/3/cover",
    )
    found(page)
    assert Image.open(io.BytesIO(posted(fake).file)).format == "WEBP"


def test_pasted_words_stay_words_even_with_a_picture_of_them(visit, fake: Fake) -> None:
    page = visit()
    page.locator("#words").focus()
    default = page.evaluate(
        MAKE_TRANSFER
        + """
          transfer.setData("text/plain", "boat");
          return document.activeElement.dispatchEvent(
            new ClipboardEvent("paste",
              { clipboardData: transfer, bubbles: true, cancelable: true }));
        }""",
        "/api/albums/3/cover",
    )
    assert default
    expect(page.locator("#preview")).to_be_hidden()


def test_the_camera_sends_the_square_in_its_finder(visit, fake: Fake, screenshot) -> None:
    page = visit()
    page.get_by_role("button", name="Take a photo").click()
    dialog = page.get_by_role("dialog", name="Fill the frame with the sleeve")
    expect(dialog).to_be_visible()
    release = dialog.get_by_role("button", name="Take a photo")
    expect(release).to_be_enabled()
    expect(release).to_be_focused()
    screenshot(page, "camera")
    release.click()
    expect(dialog).to_be_hidden()
    found(page)
    sent = Image.open(io.BytesIO(posted(fake).file))
    assert sent.format == "JPEG"
    assert sent.width == sent.height
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_the_rear_camera_is_asked_for(visit) -> None:
    page = visit(
        script="""
        const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = (want) => { window.want = want; return real(want); };
        """
    )
    page.get_by_role("button", name="Take a photo").click()
    expect(page.locator("#release")).to_be_enabled()
    assert page.evaluate("want.video.facingMode.ideal") == "environment"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#shoot")).to_be_focused()


def test_without_a_camera_for_pages_the_phones_own_camera_opens(
    visit, fake: Fake, photo: Path
) -> None:
    page = visit(script="Object.defineProperty(navigator, 'mediaDevices', { value: undefined });")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take a photo").click()
    assert chooser.value.element.get_attribute("capture") == "environment"
    chooser.value.set_files(photo)
    found(page)


@pytest.mark.parametrize(
    ("error", "says"),
    [("NotAllowedError", "not allowed here"), ("NotFoundError", "No camera was found")],
)
def test_a_camera_that_fails_says_so_and_offers_a_file(
    visit, photo: Path, error: str, says: str
) -> None:
    page = visit(
        script=f"""
        navigator.mediaDevices.getUserMedia = () =>
          Promise.reject(new DOMException("", "{error}"));
        """
    )
    page.get_by_role("button", name="Take a photo").click()
    expect(page.get_by_role("alert")).to_contain_text(says)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="From a file").click()
    chooser.value.set_files(photo)
    found(page)


def test_words_find_albums(visit, fake: Fake) -> None:
    page = visit()
    page.get_by_label("or describe the cover").fill("  blue boat ")
    page.get_by_role("button", name="Search").click()
    found(page)
    assert fake.calls("/api/search-by-text")[-1].query == {"query": "blue boat", "k": "13"}


def test_nothing_to_search_for_asks_for_something(visit, fake: Fake) -> None:
    page = visit()
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#live")).to_have_text("Type a few words, or add a picture.")
    expect(page.locator("#words")).to_be_focused()
    assert fake.calls("/api/search") == []


def test_a_picture_and_words_go_together_with_their_balance(visit, fake: Fake, photo: Path) -> None:
    page = visit()
    page.get_by_label("or describe the cover").fill("at night")
    page.set_input_files("#file", photo)
    found(page)
    sent = posted(fake, "/api/search")
    assert (sent.form["query"], sent.form["image_weight"]) == ("at night", "0.5")
    assert sent.file == photo.read_bytes()
    slider = page.get_by_label("How much the picture counts")
    with page.expect_response("**/api/search"):
        slider.press("ArrowRight")
    assert posted(fake, "/api/search").form["image_weight"] == "0.6"
    with page.expect_response("**/api/search-by-text*"):
        page.get_by_role("button", name="Remove the picture").click()
    expect(slider).to_be_hidden()


def test_a_large_photo_is_made_small_and_stands_upright(visit, fake: Fake, tmp_path: Path) -> None:
    wide = Image.effect_noise((4000, 3000), 60).convert("RGB")
    wide.paste((220, 30, 30), (0, 0, 2000, 1500))  # top left as stored…
    exif = Image.Exif()
    exif[0x0112] = 6  # …is top right once turned, as the camera asks
    path = tmp_path / "phone.jpg"
    wide.save(path, quality=92, exif=exif)
    assert path.stat().st_size > 2_000_000
    page = visit()
    page.set_input_files("#file", path)
    found(page)
    body = posted(fake).file
    sent = Image.open(io.BytesIO(body)).convert("RGB")
    assert sent.size == (768, 1024)
    assert len(body) < 400_000
    red, green, _ = sent.getpixel((700, 50))
    assert red > 180 > 80 > green
    assert max(sent.getpixel((50, 50))) - min(sent.getpixel((50, 50))) < 60


def test_a_transparent_picture_gets_white_paper(visit, fake: Fake, tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    Image.new("RGBA", (1500, 1200), (0, 0, 0, 0)).save(path)
    page = visit()
    page.set_input_files("#file", path)
    found(page)
    sent = Image.open(io.BytesIO(posted(fake).file))
    assert sent.size == (1024, 819)
    assert sent.getpixel((500, 400)) == (255, 255, 255)


def test_what_the_browser_cannot_read_is_left_to_the_service(
    visit, fake: Fake, tmp_path: Path
) -> None:
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(5000))
    page = visit()
    page.set_input_files("#file", path)
    found(page)
    assert posted(fake).file == path.read_bytes()
    expect(page.locator("#choose")).to_contain_text("IMG_1.HEIC: no preview here")


def test_a_huge_file_that_is_no_picture_never_travels(visit, fake: Fake, tmp_path: Path) -> None:
    path = tmp_path / "film.mov"
    with path.open("wb") as file:
        file.truncate(26 * 2**20)
    page = visit()
    page.set_input_files("#file", path)
    expect(page.locator(".panel")).to_contain_text("film.mov is over 25 MB")
    assert fake.calls("/api/search") == []


def test_a_click_on_a_cover_shows_its_similar_albums(visit, fake: Fake) -> None:
    page = visit("/?q=boat")
    found(page)
    third = page.locator("#shelf a.card").nth(2)
    name = third.locator(".name").inner_text()
    third.click()
    expect(page.locator("#title")).to_have_text("Similar albums")
    expect(page.locator(".best h3")).to_have_text(name)
    expect(page.locator("#title")).to_be_focused()
    expect(page.locator("#shelf a.card")).to_have_count(12)
    page.locator("#shelf a.card").first.click()
    expect(page.locator(".best h3")).not_to_have_text(name)


def test_a_genre_narrows_every_view(visit, fake: Fake, photo: Path) -> None:
    page = visit()
    page.get_by_label("Genre").select_option(label="Folk (12)")
    expect(page.locator("#count")).to_have_text("12 albums")
    page.locator("#words").fill("boat")
    page.locator("#words").press("Enter")
    expect(page.locator("#title")).to_have_text("Closest albums")
    settled(page)
    assert fake.calls("/api/search-by-text")[-1].query["genre_id"] == "2"
    page.set_input_files("#file", photo)
    expect(page.locator("#preview")).to_be_visible()
    settled(page)
    assert posted(fake, "/api/search").form["genre_id"] == "2"
    page.locator("#shelf a.card").first.click()
    expect(page.locator("#title")).to_have_text("Similar albums")
    settled(page)
    assert [c for c in fake.seen if c.path.endswith("/similar")][-1].query["genre_id"] == "2"
    page.locator(".best .tag").click()
    expect(page.locator("#title")).to_have_text("Closest albums")


def test_albums_without_cover_title_or_artist_are_still_shown(visit) -> None:
    page = visit()
    cards = page.locator("#shelf a.card")
    for number, initials in ((7, "VH"), (8, "BM")):
        cards.nth(number).scroll_into_view_if_needed()
        expect(cards.nth(number).locator(".drawn")).to_have_text(initials)
    expect(cards.nth(9)).to_contain_text("Album 9")
    expect(cards.nth(9)).to_contain_text("Genre 4")


def test_a_title_with_markup_is_text(visit) -> None:
    page = visit()
    expect(page.locator("#shelf a.card").nth(11)).to_contain_text("<b>Bold</b> & Co")
    assert page.locator("#shelf b").count() == 0
