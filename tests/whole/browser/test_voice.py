"""The page's voice: a song is chosen and sung into a microphone made of an oscillator; what came of
it is told, heard and passed on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest
from PIL import Image

from .conftest import until
from .fake_service import Fake
from .fake_sound import FakeSound
from .fake_voice import SESSION, FakeVoice, judged, reference
from .test_reach import PHONE, TOO_SMALL_TO_HIT
from .test_sound import FILE, REFUSE
from .test_ways_in import expect

# A microphone that hears one note for ever, and what is played where `window.loudspeaker` is set.
SINGER = """
const connect = AudioNode.prototype.connect;
navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext();
  const heard = context.createMediaStreamDestination();
  const voice = new OscillatorNode(context, { frequency: 220 });
  connect.call(connect.call(voice, new GainNode(context, { gain: 0.2 })), heard);
  voice.start();
  window.room = { context, heard };
  return heard.stream;
};
AudioNode.prototype.connect = function (to, ...others) {
  if (window.loudspeaker && window.room && to === this.context.destination) {
    const bridge = this.context.createMediaStreamDestination();
    connect.call(this, bridge);
    connect.call(window.room.context.createMediaStreamSource(bridge.stream), window.room.heard);
  }
  return connect.call(this, to, ...others);
};
"""
LOUD = SINGER + "window.loudspeaker = true;"
MUTED = SINGER.replace("gain: 0.2", "gain: 0")
DEAF = REFUSE % "NotFoundError"


@pytest.fixture
def sings(visit: Callable[..., Any], fake: Fake) -> Callable[..., Any]:
    """`sings(path, voice, **context options)`: the page of a service that knows sound and voice."""

    def open_page(path: str = "/?sing=", voice: FakeVoice | None = None, **options: Any) -> Any:
        fake.sound, fake.voice = FakeSound(), voice or FakeVoice()
        return visit(path, script=options.pop("script", SINGER), **options)

    return open_page


@pytest.fixture(scope="module")
def module(chromium: Any, _fake_service: Fake) -> Iterator[Callable[..., Any]]:
    """`module(name, script, *values)`: what a script makes of one of the page's modules, on the
    page of a service that has no voice."""
    _fake_service.reset()
    page = chromium.new_page()
    page.goto(_fake_service.url, wait_until="networkidle")

    def run(name: str, script: str, *values: Any) -> Any:
        url = f"/web/{_fake_service.page.digest}/{name}.js"
        return page.evaluate(script, [url, *values])

    yield run
    page.close()


def done(**result: Any) -> FakeVoice:
    """A session that has its results."""
    voice = FakeVoice(state="done")
    voice.result = judged(**result)
    return voice


def front(page: Any, at: str) -> Any:
    return page.locator(f'.booth-front[data-at="{at}"]')


LOADED = """() => [
  performance.getEntriesByType("resource").length,
  performance.getEntriesByType("resource").filter(({ name }) => name.includes("voice")).length,
  document.querySelector("[data-kind=voice]").checkVisibility(),
]"""


def test_where_there_is_no_voice_nothing_is_said_or_loaded_of_it(module) -> None:
    loaded, of_voice, shown = module("app", LOADED)
    assert loaded > 20
    assert (of_voice, shown) == (0, False)


def press(page: Any, name: str) -> None:
    """By keyboard: what is to be pressed next has the focus."""
    button = page.locator("#booth").get_by_role("button", name=name, exact=True)
    expect(button).to_be_focused()
    page.keyboard.press("Enter")


def test_a_song_is_chosen_sung_judged_and_passed_on(sings, fake: Fake, screenshot) -> None:
    voice = FakeVoice(state="preparing", step="fetch", reference=None)
    voice.working = {"state": "running", "step": "separate_user", "progress": 0.2}
    page = sings("/", voice)
    page.get_by_role("link", name="Sing", exact=True).click()
    expect(page.locator(".songs li")).to_have_count(3)
    assert page.url.endswith("/?sing=")
    moved = page.evaluate("window.shifts")
    page.get_by_role("searchbox", name="Title or artist").fill("low tide 5")
    page.keyboard.press("Enter")
    expect(page.locator(".songs li")).to_have_count(1)
    page.get_by_role("button", name="Sing Low Tide 5 by The Lanterns").press("Enter")
    expect(front(page, "preparing")).to_contain_text("Fetching the song")
    assert fake.calls("/api/session/start")[0].form == {"track_id": "5"}
    voice.told |= {"state": "ready", "reference": reference()}
    page.locator("#stage").get_by_role("button", name="Sing", exact=True).press("Enter")
    booth = page.locator("#booth")
    press(page, "Play the tones")
    expect(booth.locator(".state")).to_have_text("The microphone hears only you. Good.")
    expect(booth.locator(".note")).to_have_text("A 3")
    press(page, "Start")
    expect(booth.locator(".state")).to_have_text("Your take, 0:03")  # the song is over
    expect(booth.locator("[aria-current]")).to_have_text("Carry me home")
    expect(booth.locator(".elapsed")).to_have_text("0:03 / 0:03")  # the notes stay where it ended
    screenshot(page, "booth-sung")
    press(page, "To the jury")
    expect(front(page, "judging")).to_contain_text("Taking your voice out of the recording")
    take = fake.calls(f"/api/session/{SESSION}/upload-recording")[0]
    assert take.file[:4] == b"\x1aE\xdf\xa3"
    assert len(take.file) > 10_000
    assert len(fake.calls(f"/api/session/{SESSION}/analyze")) == 1
    voice.working = {"state": "done", "step": None, "progress": 1.0}
    expect(page.locator(".dial .score")).to_contain_text("78 of 100")
    expect(page.locator("#title")).to_be_focused()
    expect(page.locator("#live")).to_have_text("Low Tide 5: 78 of 100.")
    screenshot(page, "judged")
    with page.expect_download() as download:
        page.get_by_role("button", name="Share as a picture").click()
    with Image.open(download.value.path()) as picture:
        assert picture.size == (1080, 1080)
        assert len(picture.getcolors(2_000_000)) > 50
    page.get_by_role("button", name="Another song").click()
    page.get_by_role("link", name="Paper Moon 7: 64 of 100").click()
    expect(page.locator(".dial .score")).to_contain_text("78")
    page.go_back()
    expect(page.locator(".songs li")).to_have_count(3)
    assert page.evaluate("window.shifts") - moved < 0.02


@pytest.mark.alone
def test_a_microphone_that_hears_the_music_is_told(sings, fake: Fake) -> None:
    page = sings(script=LOUD, **PHONE)
    page.locator(".songs button").first.tap()
    page.locator(".start").tap()
    page.get_by_role("button", name="Play the tones").tap()
    expect(page.locator("#booth .state")).to_contain_text("hears the music too")
    expect(page.get_by_role("button", name="Play the tones")).to_be_visible()
    fake.voice.mute = True  # type: ignore[union-attr]
    page.get_by_role("button", name="Start", exact=True).tap()
    expect(page.locator("#booth").get_by_role("alert")).to_contain_text("cannot be played")
    fake.voice.mute = False  # type: ignore[union-attr]
    page.get_by_role("button", name="Try again").tap()
    expect(page.locator("#booth .state")).to_have_text("Recording")
    page.keyboard.press("Escape")  # ends the take, and keeps it
    expect(page.locator("#booth .state")).to_contain_text("too short")
    expect(page.get_by_role("button", name="To the jury")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#booth")).to_be_hidden()
    page.locator(".start").tap()
    expect(page.locator("#booth .state")).to_contain_text("too short")
    page.go_back()
    expect(page.locator("#booth")).to_be_hidden()


@pytest.mark.alone
def test_a_microphone_that_is_muted_is_not_called_good(sings) -> None:
    page = sings(script=MUTED)
    page.locator(".songs button").first.click()
    page.locator(".start").click()
    page.get_by_role("button", name="Play the tones").click()
    expect(page.locator("#booth .state")).to_contain_text("is it muted")
    expect(page.get_by_role("button", name="Play the tones")).to_be_visible()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()


def test_without_a_microphone_a_recording_is_sent(sings, fake: Fake) -> None:
    page = sings("/?track=3", script=DEAF)
    page.locator(".track").get_by_role("button", name="Sing").click()
    page.locator(".start").click()
    assert fake.calls("/api/session/start")[0].form == {"track_id": "3"}
    assert page.url.endswith(f"/?sing={SESSION}")
    expect(page.locator("#booth").get_by_role("alert")).to_contain_text("No microphone was found")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="From a file").click()
    chooser.value.set_files(FILE)
    expect(page.locator("#booth .state")).to_have_text("Your take, clip.mp3")
    fake.voice.refusal = 415, "unreadable_audio", "No."  # type: ignore[union-attr]
    page.get_by_role("button", name="To the jury").click()
    expect(page.locator("#booth").get_by_role("alert")).to_contain_text("no recording we can read")
    fake.voice.refusal = None  # type: ignore[union-attr]
    page.get_by_role("button", name="To the jury").click()
    expect(page.locator(".dial")).to_be_visible()
    assert fake.calls(f"/api/session/{SESSION}/upload-recording")[-1].file[:3] == b"ID3"


def test_a_song_of_ones_own_is_given_by_link_or_file(sings, fake: Fake) -> None:
    failed = {"code": "link_failed", "message": "Nobody answers at that link."}
    told = {"state": "failed", "error": failed, "reference": {"state": "failed"}}
    page = sings(voice=FakeVoice(**told))
    page.get_by_text("Another song").click()
    page.get_by_label("Link to the song").fill("ftp://a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("A link begins with https:// or http://")
    page.get_by_label("Title", exact=True).fill("Low Tide")
    page.get_by_label("Lyrics").fill("Low the tide\nand slow")
    page.get_by_label("Link to the song").fill("https://a.example/song.mp3")
    page.keyboard.press("Enter")
    expect(front(page, "failed")).to_contain_text("Nobody answers at that link.")
    assert fake.calls("/api/session/start")[0].form == {
        "url": "https://a.example/song.mp3",
        "title": "Low Tide",
        "lyrics": "Low the tide\nand slow",
    }
    fake.voice.told |= {"state": "ready", "error": None, "reference": reference()}  # type: ignore[union-attr]
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files(FILE)
    expect(front(page, "ready")).to_be_visible()
    assert fake.calls(f"/api/session/{SESSION}/fallback-source")[0].file[:3] == b"ID3"


def test_lyrics_that_may_come_yet_are_not_called_unknown(sings, fake: Fake) -> None:
    page = sings(
        f"/?sing={SESSION}", FakeVoice(state="preparing", reference=reference(lyrics=None))
    )
    page.locator(".start").click()
    expect(page.locator("#booth .verses")).to_have_text("The lyrics are being looked for…")
    fake.voice.told |= {"state": "ready", "reference": reference(lyrics=None)}  # type: ignore[union-attr]
    expect(page.locator("#booth .verses")).to_have_text("No lyrics of this song are known here.")


def test_who_went_elsewhere_is_not_called_back(sings, fake: Fake) -> None:
    page = sings(f"/?sing={SESSION}", FakeVoice(state="preparing", reference=None))
    expect(front(page, "preparing")).to_be_visible()
    page.get_by_role("link", name="Tracks").click()
    expect(page.locator("#shelf .row")).to_have_count(30)
    fake.voice.told |= {"state": "ready", "reference": reference()}  # type: ignore[union-attr]
    page.wait_for_timeout(2_500)  # longer than from one question about it to the next
    expect(page.locator("#shelf .row")).to_have_count(30)
    expect(page.locator(".booth-front")).to_have_count(0)


# What is pressed for less than two seconds is written down: nobody needs to look in time.
PRESSED = """(it) => {
  it.told = [];
  const note = () => it.told.push(it.getAttribute("aria-pressed"));
  new MutationObserver(note).observe(it, { attributeFilter: ["aria-pressed"] });
}"""


def test_results_say_what_was_measured_and_play_any_phrase(sings, fake: Fake) -> None:
    missing = {"not_measured": ["lyrics"], "lyrics": None}
    page = sings(f"/?sing={SESSION}", done(transposition={"offered": -3, "accepted": 0}, **missing))
    parts = page.locator(".parts")
    expect(parts).to_contain_text("12 cents low, 74% of it within half a semitone")
    expect(parts).to_contain_text("85 ms late")
    expect(parts.locator(".missing")).to_contain_text("Not measured")
    expect(page.locator(".jury blockquote").nth(1)).to_have_text(
        "<b>Warm</b>, a little late, and honest."
    )
    expect(page.locator(".jury .by").first).to_have_text("Written by rules, from the numbers")
    expect(page.locator(".phrases polyline")).to_have_count(6)
    for name in ("Play phrase 2 of the original", "Play phrase 2 as you sang it"):
        button = page.get_by_role("button", name=name)
        button.evaluate(PRESSED)
        with page.expect_request(re.compile(r"/api/audio/")):
            button.click()
        until(page, lambda: button.evaluate("(it) => it.told")[:1] == ["true"])  # noqa: B023
    expect(button).to_have_attribute("aria-pressed", "false")  # the phrase is over
    expect(page.locator(".key")).to_contain_text("You sang 3 semitones lower")
    fake.voice.result = judged(transposition={"offered": -3, "accepted": -3})  # type: ignore[union-attr]
    page.get_by_role("button", name="Judge it in my key").click()
    expect(page.locator(".key")).to_have_text("Judged in your own key.")
    assert fake.calls(f"/api/session/{SESSION}/analyze")[0].form == {"transposition": "-3"}
    said = {"comment": "Une ligne sûre.", "by": "template", "language": "fr"}
    fake.voice.result["jury"][0] |= said  # type: ignore[union-attr]
    with page.expect_request(re.compile(r"/results$")) as asked:
        page.get_by_role("button", name="Français").click()
    assert asked.value.headers["accept-language"] == "fr"
    expect(page.locator(".key")).to_have_text("Jugé dans votre tonalité.")
    expect(page.locator(".jury blockquote").first).to_have_text(said["comment"])
    of = page.locator(".jury blockquote").evaluate_all("all => all.map((one) => one.lang)")
    assert of == ["fr", "en", "en"], "a server's stay as they were said"


def test_what_was_not_heard_is_not_called_in_tune(sings, fake: Fake) -> None:
    unheard = judged(reason="part", coverage={"recorded": 0.4})
    unheard["pitch"] |= {"score": 0, "median_cents": None, "within_50_cents": 0}
    unheard["rhythm"] |= {"score": 0, "median_ms": None}
    page = sings(f"/?sing={SESSION}", done(**unheard))
    for part in ("Pitch", "Rhythm"):
        told = page.locator(".parts > div", has_text=part).first
        expect(told).to_contain_text("Nothing of it was heard")


def test_who_is_early_and_late_by_turns_is_not_called_on_time(sings, fake: Fake) -> None:
    uneven = judged(coverage={"recorded": 1.0, "sung": 0.97})
    uneven["rhythm"] |= {"score": 46, "median_ms": 16}
    page = sings(f"/?sing={SESSION}", done(**uneven))
    told = page.locator(".parts > div", has_text="Rhythm").first
    expect(told).to_contain_text("early and late by turns")


@pytest.mark.parametrize(
    ("reason", "score", "says", "next_step"),
    [
        ("silence", 0.0, "nothing was heard of your voice", "Sing it again"),
        (None, None, "Too little of your voice was heard", "Sing it again"),
        ("no_original_voice", None, "No voice was heard in the original", "Another song"),
    ],
)
def test_that_nothing_was_heard_is_said_once_with_a_next_step(
    sings, fake: Fake, reason: str | None, score: float | None, says: str, next_step: str
) -> None:
    page = sings(f"/?sing={SESSION}", done(reason=reason, score=score))
    expect(page.locator(".key")).to_contain_text(says)
    for again in (".parts", ".jury", ".phrases"):
        expect(page.locator(again)).to_have_count(0)
    expect(page.locator(".actions button").first).to_have_text(next_step)
    expect(page.locator(".dial .score")).to_contain_text("No score" if score is None else "of 100")
    with page.expect_request(re.compile(r"/user/original$")):
        page.get_by_role("button", name="Hear your take").click()


def test_how_much_of_the_song_a_number_is_of_stands_beside_it(sings, fake: Fake) -> None:
    coverage = {"recorded": 0.4, "recorded_s": 65.2, "reference_s": 200.0, "sung": 1.0}
    voice = done(reason="part", coverage=coverage)
    voice.past = [
        {**voice.past[0], "recorded": 0.4, "reason": "part"},
        {**voice.past[0], "recorded": 1.0, "reason": None, "title": "Low Tide 5", "analysis": 1},
        {
            **voice.past[0],
            "session_id": "take-0",
            "recorded": None,
            "reason": "another_song",
            "score": 0.0,
        },
    ]
    unheard = {"score": None, "cents": [], "user_from_s": None, "user_to_s": None}
    voice.result["phrases"][-1] |= unheard
    page = sings(f"/?sing={SESSION}", voice)
    expect(page.locator(".judged .kicker")).to_have_text("You sang 40% of the song")
    expect(page.locator(".key")).to_have_text(
        "You recorded 1:05 of 3:20. The number is of that part alone."
    )
    last = page.locator(".phrases li").last
    expect(last).to_contain_text("Not recorded")
    assert last.get_by_role("button").all_inner_texts() == ["Original"]
    page.get_by_role("link", name="Sing", exact=True).click()
    expect(page.locator(".past li").nth(0)).to_contain_text("40% of the song")
    expect(page.locator(".past li").nth(1)).not_to_contain_text("of the song")
    expect(page.locator(".past li").nth(2)).to_contain_text("another song")
    expect(page.locator(".past a").nth(0)).to_have_attribute("href", re.compile(rf"={SESSION}$"))
    voice.result["take"] = {"is_last": False}
    with page.expect_request(re.compile(r"/results\?analysis=1$")):
        page.locator(".past a").nth(1).click()
    expect(page.locator(".key").last).to_contain_text("an earlier take")
    assert page.locator(".phrases .plays").first.get_by_role("button").all_inner_texts() == [
        "Original"
    ]


def test_results_outlive_the_recordings_until_they_are_deleted(sings, fake: Fake) -> None:
    voice = done()
    voice.parts = {"user": [], "ref": []}
    page = sings(f"/?sing={SESSION}", voice)
    expect(page.locator(".phrases")).to_contain_text("deleted, as all are within two hours")
    expect(page.locator(".phrases button")).to_have_count(0)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator(".songs li")).to_have_count(3)
    assert [seen.method for seen in fake.calls(f"/api/session/{SESSION}")][-1] == "DELETE"
    voice.told |= {"state": "ready", "audio_removed": True}
    page.locator(".past a").click()
    expect(front(page, "gone")).to_contain_text("deleted, as all are within two hours")
    voice.told["audio_removed"] = False
    page.get_by_role("button", name="Sing it again").click()
    expect(front(page, "ready")).to_be_visible()
    assert fake.calls("/api/session/start")[0].form == {"track_id": "5"}
    page.goto(fake.url + "/?sing=another")
    expect(page.locator("[data-panel=refused]")).to_contain_text("There is no such session here.")


# The tallest row of what came of a take.
TALLEST = (
    """Math.max(0, ...[...document.querySelectorAll(".phrases li")].map((it) => it.offsetHeight))"""
)


# ---- who can use it ---------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen_and_axe_finds_nothing(sings, fake: Fake, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe-core comes with it")
    locale = "en" if scheme == "light" else "fr"
    page = sings("/?sing=", done(), color_scheme=scheme, bypass_csp=True, locale=locale)
    page.evaluate((files(axe) / "axe.min.js").read_text())

    def check(where: str) -> None:
        report = page.evaluate(
            "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })"
        )
        assert [
            (problem["id"], node["html"][:90], node["failureSummary"][:300])
            for problem in report["violations"]
            for node in problem["nodes"]
        ] == [], where
        if scheme == "dark":
            return
        for width, height in ((320, 568), (768, 900), (2560, 1440)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (where, width)
            assert page.evaluate(TOO_SMALL_TO_HIT) == [], (where, width)
            assert page.evaluate(TALLEST) < 400, (where, width)

    expect(page.locator(".songs li")).to_have_count(3)
    page.locator("summary").click()
    check("choosing")
    page.locator(".past a").click()
    expect(page.locator(".dial")).to_be_visible()
    check("judged")
    fake.voice.told["state"] = "ready"  # type: ignore[union-attr]
    page.locator(".judged .solid").click()  # once more, in a session of its own
    page.locator(".start").click()
    expect(page.locator("#booth .sun")).to_be_focused()
    check("booth")


def test_both_languages_say_the_same_things_of_voice(module) -> None:
    strings = module("voice-strings", "async ([url]) => (await import(url)).sentences")
    assert list(strings["en"]) == list(strings["fr"])
    for key, english in strings["en"].items():
        for value in re.findall(r"\{\w+\}", english + strings["fr"][key]):
            assert (value in english) == (value in strings["fr"][key]), key
    assert len(strings["en"]["booth_notes"].split()) == 12
    assert len(strings["fr"]["booth_notes"].split()) == 12


# A tone of eight partials, as a voice has, from a bass's lowest to a soprano's highest note.
WORST = """async ([url, rates]) => {
  const { WINDOW, pitchOf } = await import(url);
  let worst = 0;
  for (const rate of rates) for (let hz = 70; hz < 1050; hz *= 1.03) {
    const voice = (n) => [1, 2, 3, 4, 5, 6, 7, 8].filter((part) => part * hz < rate / 2)
      .reduce((sum, part) => sum + Math.sin((2 * Math.PI * part * hz * n) / rate + part) / part, 0);
    const found = pitchOf(Float32Array.from({ length: WINDOW }, (_, n) => 0.05 * voice(n)), rate);
    worst = Math.max(worst, found === null ? 1200 : Math.abs(1200 * Math.log2(found / hz)));
  }
  let seed = 1;
  const next = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const noise = Float32Array.from({ length: WINDOW }, () => next() / 5 - 0.1);
  return [worst, pitchOf(noise, rates[0]), pitchOf(new Float32Array(WINDOW), rates[0])];
}"""


def test_a_note_is_read_to_a_tenth_of_a_semitone_and_noise_is_none(module) -> None:
    worst, *nothing = module("voice-pitch", WORST, [16_000, 14_700])
    assert worst < 11
    assert nothing == [None, None]


ROLL = """async ([url]) => {
  const { Octaves, noteAt, rangeOf } = await import(url);
  const curve = [[0, 60], [0.1, 60], [0.2, null], [0.3, 72], [5, 62]];
  const sung = Array.from({ length: 40 }, (_, n) => [n / 10, 60 + n / 8]);
  const octaves = new Octaves();
  for (const [song, voice] of [[60, 48], [60, 49], [60, 61], [null, 30]]) octaves.add(song, voice);
  return {
    notes: [0.05, 0.25, 0.4, 2, 5].map((at) => noteAt(curve, at)),
    octaves: octaves.most,
    range: rangeOf(sung),
    stray: rangeOf([...sung, [4, 96], [4.1, 24], [4.2, null], [4.3, 30]]),
    unknown: [rangeOf(null), rangeOf(curve), noteAt(null, 1), new Octaves().most],
  };
}"""


def test_a_voice_is_drawn_in_the_octave_of_the_song(module) -> None:
    told = module("voice-roll", ROLL)
    assert told["notes"] == [60, None, 72, None, 62]
    assert told["octaves"] == 1
    low, high = told["range"]
    assert 54 < low <= 60 - 3
    assert 65 + 3 - 0.5 <= high < 72
    assert high - low >= 13.9
    assert told["stray"] == told["range"], "a frame by itself sets no scale"
    assert told["unknown"] == [[45, 72], [45, 72], None, 0]


FOLLOWS = """async ([url, late, other, loud]) => {
  const { follows } = await import(url);
  const pattern = [1, 0, 1, 1, 0, 0, 1, 0];
  const seen = [];
  for (let at = 0; at < 2.1; at += 0.015) {
    const which = pattern[Math.floor((at - late) / 0.2)] ?? null;
    const noise = 2 * Math.sin(at * 977);
    seen.push([at, [0, 1].map((one) => (which === one ? loud : other) + noise)]);
  }
  return follows(seen, 0.043);
}"""


@pytest.mark.parametrize(
    ("late", "other", "loud", "heard"),
    [
        (0.02, -90, -50, True),
        (0.31, -62, -45, True),
        (0.1, -50, -50, False),
        (0.1, -99, -88, False),
    ],
    ids=["near", "late, in noise", "a voice", "too faint"],
)
def test_tones_are_heard_by_their_pattern(
    module, late: float, other: float, loud: float, heard: bool
) -> None:
    assert module("voice-check", FOLLOWS, late, other, loud) is heard
