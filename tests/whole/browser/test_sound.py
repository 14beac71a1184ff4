"""The page's sound: what listens, what it finds, where it plays from, and why it cannot."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from conftest import PROJECT, STARTER

from .conftest import painted, until
from .fake_service import Fake
from .fake_sound import FakeSound, heard, track, unheard
from .test_reach import PHONE, SIZES, TOO_SMALL_TO_HIT
from .test_ways_in import expect

FILE = {"name": "clip.mp3", "mimeType": "audio/mpeg", "buffer": b"ID3" + bytes(5_000)}


@pytest.fixture
def hears(visit: Callable[..., Any], fake: Fake) -> Callable[..., Any]:
    """`hears(path, answers…, **context options)`: the page of a service that knows sound."""

    def open_page(path: str = "/", *answers: dict[str, Any], **options: Any) -> Any:
        fake.sound = FakeSound(*answers)
        return visit(path, **options)

    return open_page


def asked(fake: Fake) -> int:
    return len(fake.calls("/api/identify-sound"))


def listening(page: Any) -> None:
    """The microphone is on, and the page's clock ours."""
    page.clock.install()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#ear .state")).to_have_text("Listening…")


def hurry(page: Any, milliseconds: int) -> None:
    """So much later for the page; what it asked for meanwhile is answered."""
    page.clock.run_for(milliseconds)
    page.wait_for_timeout(300)


def test_a_service_without_sound_shows_none_of_it(visit, fake: Fake) -> None:
    page = visit()
    expect(page.locator("#shelf a.card")).to_have_count(36)
    page.wait_for_load_state("networkidle")
    for name in ("#hear", "#kinds"):
        expect(page.locator(name)).to_be_hidden()
    assert not [seen for seen in fake.seen if "sound" in seen.path]


def test_what_is_heard_is_found_and_plays_from_there(hears, fake: Fake, screenshot) -> None:
    page = hears("/", heard())
    page.get_by_role("button", name="Listen").click()
    dialog = page.locator("#ear")
    expect(dialog.locator(".state")).to_have_text("Listening…")
    page.wait_for_timeout(1_500)
    screenshot(page, "ear")
    expect(page.locator(".track h3")).to_have_text("Night Bus 3")
    expect(dialog).to_be_hidden()
    assert fake.calls("/api/identify-sound")[0].file[:4] == b"\x1aE\xdf\xa3"
    expect(page.locator(".track .kicker")).to_have_text("That’s it: 98% sure, from 0:12 on")
    expect(page.locator(".clock")).to_have_text("0:12 / 0:30")
    expect(page.locator(".wave svg")).to_have_count(2)
    expect(page.locator("#title")).to_be_focused()
    expect(page.locator("#shelf .row")).to_have_count(12)
    expect(page.locator("#shelf .because").first).to_have_text("Both: slow, piano; D minor")
    screenshot(page, "heard")
    page.get_by_role("button", name="Play from 0:12").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator(".clock")).to_have_text(re.compile(r"0:(1[4-9]|2\d) / 0:30"))
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name=re.compile("Play from 0:(1[4-9]|2)"))).to_be_visible()


def test_it_asks_again_with_the_longer_clip_until_it_is_sure(hears, fake: Fake) -> None:
    page = hears("/", unheard(), unheard("too_quiet"), heard())
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#ear .state")).to_have_text("Listening on: not sure yet.")
    expect(page.locator(".track h3")).to_be_visible()
    sizes = [len(seen.file) for seen in fake.calls("/api/identify-sound")]
    assert len(sizes) == 3
    assert sizes == sorted(set(sizes))


# It is never quiet. Chromium's own beeps now and then: too seldom for a page whose clock hurries.
HUMMING = """navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext();
  const heard = context.createMediaStreamDestination();
  const voice = new OscillatorNode(context, { frequency: 220 });
  voice.connect(heard);
  voice.start();
  return heard.stream;
};"""


@pytest.mark.alone
def test_it_gives_up_after_fifteen_seconds_and_says_why(hears, fake: Fake, screenshot) -> None:
    page = hears("/", unheard(), script=HUMMING)
    listening(page)
    for _ in range(4):
        hurry(page, 1_700)
    expect(page.locator("#ear")).to_be_visible()
    while page.locator("#ear").is_visible():
        hurry(page, 1_700)

    def answered() -> bool:
        page.clock.run_for(100)  # it may wait for its clock, which stands still by itself
        return bool(page.locator("[data-panel=unheard]").is_visible())

    until(page, answered)  # its last question, however late
    expect(page.locator("[data-panel=unheard]")).to_contain_text("No track here is this recording")
    assert 2 <= asked(fake) <= 9
    expect(page.locator("#count")).to_have_text("It sounds like these, but is none of them:")
    expect(page.locator("#shelf .row")).to_have_count(12)
    screenshot(page, "unheard")
    page.locator("#stage").get_by_role("button", name="Listen again").click()
    expect(page.locator("#ear")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#ear")).to_be_hidden()
    before = asked(fake)
    hurry(page, 5_000)
    assert asked(fake) == before


REFUSE = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', '%s'); };"
SILENT = """navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext();
  return context.createMediaStreamDestination().stream;
};"""


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (REFUSE % "NotAllowedError", "The microphone is not allowed here."),
        (REFUSE % "NotFoundError", "No microphone was found."),
        ("delete Navigator.prototype.mediaDevices; window.isSecureContext;", "cannot record"),
        ("delete window.MediaRecorder;", "This browser cannot record."),
    ],
    ids=["refused", "none", "without getUserMedia", "without a recorder"],
)
def test_why_it_cannot_listen_is_said_and_a_file_offered(hears, script: str, said: str) -> None:
    page = hears(script=script)
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#ear").get_by_role("alert")).to_contain_text(said)
    with page.expect_file_chooser() as chooser:
        page.locator("#ear").get_by_role("button", name="From a file").click()
    chooser.value.set_files(FILE)
    expect(page.locator(".track h3")).to_be_visible()


def test_that_microphones_need_https_is_said(hears) -> None:
    script = """delete Navigator.prototype.mediaDevices;
      Object.defineProperty(window, 'isSecureContext', { get: () => false });"""
    page = hears(script=script)
    page.get_by_role("button", name="Listen").click()
    trouble = page.locator("#ear").get_by_role("alert")
    expect(trouble).to_contain_text("https:// or localhost alone, and this one is at http://127")


def test_silence_is_told_while_it_listens(hears, fake: Fake) -> None:
    page = hears("/", unheard("too_quiet"), script=SILENT)
    listening(page)
    hurry(page, 3_500)
    expect(page.locator("#ear .state")).to_contain_text("Very quiet.")
    hurry(page, 3_000)
    assert asked(fake) == 0


def test_a_recording_is_taken_where_pictures_are(hears, fake: Fake) -> None:
    page = hears()
    expect(page.locator("#hint")).to_contain_text("a picture or sound")
    page.set_input_files("#file", FILE)
    expect(page.locator(".track h3")).to_have_text("Night Bus 3")
    assert b"ID3" in fake.calls("/api/identify-sound")[0].file
    page.go_back()
    expect(page.locator("#title")).to_have_text("In the crate")
    page.go_forward()
    expect(page.locator(".track h3")).to_have_text("Night Bus 3")
    assert asked(fake) == 1


@pytest.mark.parametrize("code", ["unreadable_audio", "audio_too_long", "audio_too_short"])
def test_a_refused_recording_says_what_to_send(hears, fake: Fake, code: str) -> None:
    page = hears()
    expect(page.locator("#hear")).to_be_visible()
    fake.sound.refusal = code  # type: ignore[union-attr]
    page.set_input_files("#file", FILE)
    expect(page.locator("[data-panel=refused]")).to_contain_text("recording")
    expect(page.get_by_role("button", name="Choose another file")).to_be_visible()


@pytest.mark.alone
def test_the_waveform_goes_anywhere_by_tap_and_by_keyboard(hears) -> None:
    page = hears("/?track=3")
    wave = page.locator(".wave")
    expect(wave.locator("svg")).to_have_count(2)
    wave.click()  # in its middle, once it lies still
    expect(page.locator(".clock")).to_have_text("0:15 / 0:30")
    slider = page.get_by_role("slider", name="Position in Night Bus 3 by The Lanterns")
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "0:30 of 0:30")
    slider.press("Home")
    expect(page.get_by_role("button", name="Play from 0:00")).to_be_visible()


@pytest.mark.alone
def test_one_track_plays_at_once_and_moving_on_ends_it(hears) -> None:
    page = hears("/?track=3")
    page.get_by_role("button", name="Play from 0:00").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.locator("#shelf .row").first.click()
    expect(page.locator(".track h3")).to_have_text("Long Grass 4")
    expect(page.get_by_role("button", name="Play from 0:00")).to_be_visible()
    assert page.url.endswith("/?track=4")


@pytest.mark.alone
def test_a_track_plays_on_when_the_service_has_said_what_it_is(hears, fake: Fake) -> None:
    fake.silent.set()
    page = hears("/?track=3")
    page.get_by_role("button", name="Play from 0:00").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    fake.silent.clear()
    expect(page.locator("#hear")).to_be_visible()
    page.wait_for_timeout(300)
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_a_recording_chosen_before_the_service_has_said_what_it_is(hears, fake: Fake) -> None:
    fake.silent.set()
    page = hears()
    page.set_input_files("#file", FILE)
    page.wait_for_timeout(300)
    assert fake.calls("/api/identify") == []
    fake.silent.clear()
    expect(page.locator(".track .kicker")).to_contain_text("That’s it:")
    assert asked(fake) == 1


def test_what_may_not_be_heard_says_so(hears) -> None:
    page = hears("/?track=7")
    expect(page.locator(".player")).to_contain_text("may not be heard here")
    expect(page.get_by_role("button", name="Play from")).to_be_disabled()


def test_tracks_are_listed_by_name_and_genre(hears, fake: Fake, screenshot) -> None:
    page = hears()
    page.get_by_role("link", name="Tracks").click()
    expect(page.locator("#count")).to_have_text("40 tracks")
    expect(page.locator("#shelf .row")).to_have_count(30)
    screenshot(page, "tracks")
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#shelf .row")).to_have_count(40)
    page.locator("#genre").select_option(label="Dub (12)")
    expect(page.locator("#count")).to_have_text("8 tracks")
    page.get_by_role("searchbox", name="Title, artist or album").fill("bell 11")
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_have_text("1 track")
    page.locator("#shelf .row").click()
    expect(page.locator(".track h3")).to_have_text("Iron Bell 11")
    page.go_back()
    expect(page.locator("#count")).to_have_text("1 track")
    page.get_by_role("searchbox", name="Title, artist or album").fill("nothing is called so")
    page.keyboard.press("Enter")
    expect(page.locator(".none")).to_have_text("No track is called so.")
    page.get_by_role("link", name="Albums", exact=True).click()
    expect(page.locator("#shelf a.card")).to_have_count(36)


def test_an_album_plays_its_track_and_a_found_cover_too(hears, fake: Fake, screenshot) -> None:
    page = hears("/?album=5")
    expect(page.locator(".best .playable .name")).to_have_text("Low Tide 5")
    page.get_by_role("button", name="Play from 0:00").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.set_input_files("#file", {"name": "x.heic", "mimeType": "image/heic", "buffer": b"no"})
    fake.sound._page = lambda options: {"total": 1, "tracks": [track(59, album_id=59)]}  # type: ignore
    expect(page.locator("#verdict .playable .name")).to_be_visible()
    screenshot(page, "cover-plays")


def test_a_track_that_is_gone_is_told(hears) -> None:
    page = hears("/?track=77")
    expect(page.locator("[data-panel=refused]")).to_contain_text("There is no such track here.")


def test_a_track_without_words_or_album_is_shown(hears) -> None:
    page = hears("/?track=9")
    expect(page.locator(".track h3")).to_have_text("Track 9")
    page.locator("#shelf .row", has_text="Iron Bell 11").click()
    expect(page.locator(".track h3")).to_have_text("Iron Bell 11")
    expect(page.locator(".track .drawn")).to_be_visible()


def test_a_service_of_sound_alone_begins_with_its_tracks(visit, fake: Fake, screenshot) -> None:
    sound = FakeSound()
    sound.alone = True
    fake.sound = sound
    page = visit()
    expect(page.locator("#count")).to_have_text("40 tracks")
    expect(page.locator("#hear")).to_be_visible()
    for name in ("#shoot", "#words", "#kinds", "#genre"):
        expect(page.locator(name)).to_be_hidden()
    page.wait_for_load_state("networkidle")
    screenshot(page, "sound-alone")
    page.set_input_files("#file", FILE)
    expect(page.locator(".track h3")).to_have_text("Night Bus 3")
    expect(page.locator(".track .drawn, .track .cover img").first).to_be_visible()
    page.get_by_role("link", name="Shazam Visual").click()
    expect(page.locator("#count")).to_have_text("40 tracks")


SAMPLES = (PROJECT / "web" / "samples.js").read_text()


def test_three_recordings_can_be_tried_without_a_microphone(visit, fake: Fake, screenshot) -> None:
    found = re.search(r'DEMO_SOUND = "(\w*)"', SAMPLES)
    assert found
    fake.artifact = json.loads((STARTER / "manifest.json").read_text())["id"]
    sound = FakeSound()
    sound.artifact = found[1]
    fake.sound = sound
    page = visit()
    expect(page.locator("#clips button")).to_have_count(3)
    screenshot(page, "clips")
    page.get_by_role("button", name="Recording 2").click()
    expect(page.locator(".track h3")).to_have_text("Night Bus 3")
    assert b"ftyp" in fake.calls("/api/identify-sound")[0].file[:16]
    page.get_by_role("button", name="Français").click()
    expect(page.get_by_role("button", name="Enregistrement 2")).to_be_visible()


def test_the_recordings_belong_to_the_embedded_artifact() -> None:
    manifest = STARTER.with_name("starter-sound") / "manifest.json"
    if not manifest.is_file():
        pytest.skip("artifacts/starter-sound is not there yet")
    # Where this fails it was built anew: write its id into web/samples.js.
    assert f'DEMO_SOUND = "{json.loads(manifest.read_text())["id"]}"' in SAMPLES


# ---- who can use it ---------------------------------------------------------------------------


def test_both_languages_say_the_same_things_of_sound(hears, fake: Fake) -> None:
    page = hears(locale="fr")
    expect(page.get_by_role("button", name="Écouter")).to_be_visible()
    url = f"/web/{fake.page.digest}/sound-strings.js"
    strings = page.evaluate("async (url) => (await import(url)).sentences", url)
    assert list(strings["en"]) == list(strings["fr"])
    for key, english in strings["en"].items():
        for value in ("{n}", "{title}", "{time}", "{end}", "{s}", "{address}", "{speed}", "{id}"):
            assert (value in english) == (value in strings["fr"][key]), key


def test_the_language_changes_what_was_heard_too(hears, fake: Fake) -> None:
    page = hears()
    page.set_input_files("#file", FILE)
    expect(page.locator(".track .kicker")).to_contain_text("That’s it:")
    page.get_by_role("button", name="Français").click()
    expect(page.locator(".track .kicker")).to_contain_text("C’est lui :")
    assert asked(fake) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_at_level_a_or_aa(hears, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe-core comes with it")
    page = hears("/?tracks=", unheard(), color_scheme=scheme, bypass_csp=True)
    page.evaluate((files(axe) / "axe.min.js").read_text())

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

    expect(page.locator("#shelf .row")).to_have_count(30)
    check("tracks")
    page.locator("#shelf .row").nth(3).click()
    expect(page.locator(".wave svg")).to_have_count(2)
    check("a track")
    page.set_input_files("#file", FILE)
    expect(page.locator("[data-panel=unheard]")).to_be_visible()
    check("nothing heard")
    page.locator("#hear").click()
    expect(page.locator("#ear .state")).to_have_text("Listening…")
    check("the ear")


@pytest.mark.alone
def test_it_is_used_by_keyboard_alone(hears) -> None:
    page = hears("/", heard())
    expect(page.locator("#hear")).to_be_visible()
    page.locator("#shoot").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#hear")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#ear")).to_be_visible()
    expect(page.locator("#title")).to_be_focused()  # found
    page.wait_for_load_state("networkidle")
    for _ in range(8):
        if page.evaluate("document.activeElement.matches('.play')"):
            break
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_it_fits_every_screen(hears, screenshot) -> None:
    page = hears("/", heard(), locale="fr")
    page.set_input_files("#file", FILE)
    expect(page.locator(".wave svg")).to_have_count(2)
    for name, width, height, scheme in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        painted(page)
        screenshot(page, f"heard-{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate(TOO_SMALL_TO_HIT) == [], name


def test_on_a_phone_the_microphone_is_beside_the_camera(hears, screenshot) -> None:
    page = hears("/", heard(), **PHONE)
    for selector in ("#shoot", "#hear", "#words"):
        expect(page.locator(selector)).to_be_in_viewport()
    screenshot(page, "phone-ways")
    page.locator("#hear").tap()
    page.wait_for_timeout(1_500)
    screenshot(page, "phone-ear")
    expect(page.locator(".track h3")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Play from 0:12")).to_be_in_viewport()
    expect(page.locator(".sticky").get_by_role("button", name="Listen again")).to_be_in_viewport()
    screenshot(page, "phone-heard")


def test_sound_weighs_nothing_until_it_is_asked_for(hears, fake: Fake) -> None:
    page = hears()
    expect(page.locator("#hear")).to_be_visible()
    page.wait_for_load_state("networkidle")
    late = ("sound.js", "listen.js", "player.js", "sound.css", "sound-strings.js")
    assert not [seen.path for seen in fake.seen if seen.path.endswith(late)]
    page.locator("#hear").click()
    expect(page.locator("#ear")).to_be_visible()
    until(page, lambda: {seen.path.split("/")[-1] for seen in fake.seen} >= set(late))
