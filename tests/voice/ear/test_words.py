"""What Whisper is asked, and what of its answers counts; with one that says what it is told to."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engine.voice.ear import words as module
from engine.voice.ear.heard import Word
from engine.voice.ear.words import BLEND, Recogniser

SECOND = 16_000


class Whisper:
    """Stands for faster_whisper: `segments` are what it hears, `spans` where there is a voice."""

    def __init__(self) -> None:
        self.segments: list[Any] = [segment("by the sea", 0.1)]
        self.spans = [{"start": SECOND, "end": 4 * SECOND}]
        self.asked: dict[str, Any] = {}
        self.VadOptions = dict
        self.encoded: list[tuple[int, ...]] = []

    def encode(self, features: Any) -> None:
        self.encoded.append(features.shape)

    def WhisperModel(self, *_: Any, **__: Any) -> Any:
        return self

    def BatchedInferencePipeline(self, _: Any) -> Any:
        return self

    def get_speech_timestamps(self, audio: Any, _: Any) -> list[dict[str, int]]:
        return self.spans

    def transcribe(self, audio: Any, **asked: Any) -> tuple[Iterator[Any], Any]:
        self.asked = {"audio": audio, **asked}
        return iter(self.segments), types.SimpleNamespace(language="en")


def segment(text: str, no_speech: float, logprob: float = -0.3, from_s: float = 0.0) -> Any:
    """A word a second, half a second long."""
    return types.SimpleNamespace(
        no_speech_prob=no_speech,
        avg_logprob=logprob,
        end=from_s + 2.0,
        words=[
            types.SimpleNamespace(
                word=f" {one}", start=np.float64(from_s + at), end=from_s + at + 0.5, probability=1
            )
            for at, one in enumerate(text.split())
        ],
    )


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch) -> Whisper:
    made = Whisper()
    monkeypatch.setattr(module, "need", lambda *_, **__: made)
    return made


def recogniser(tmp_path: Any) -> Recogniser:
    return Recogniser(tmp_path, threads=1)


VOICE = np.sin(np.arange(5 * SECOND)).astype(np.float32)


def test_words_come_with_their_times_from_where_there_is_a_voice(
    whisper: Whisper, tmp_path: Any
) -> None:
    told = recogniser(tmp_path).words(VOICE, None, language="en")
    assert told.words[0] == Word("by", 1.0, 1.5, 1.0)
    assert (told.language, told.complete, told.voice_s) == ("en", True, 3.0)
    assert whisper.asked["clip_timestamps"] == [{"start": 0.0, "end": 3.0}]
    assert len(whisper.asked["audio"]) == 3 * SECOND
    assert type(told.words[0].start_s) is float


def test_spans_are_heard_together_without_the_silence_between(
    whisper: Whisper, tmp_path: Any
) -> None:
    ends = [(1, 6), (11, 17), (22, 25), (40, 45)]
    whisper.spans = [{"start": a * SECOND, "end": b * SECOND} for a, b in ends]
    voice = np.repeat(np.arange(45, dtype=np.float32), SECOND)  # each second is its number
    told: list[float] = []
    whisper.segments = [
        segment("on and on and on", 0.1, from_s=3.0),
        segment("end", 0.1, from_s=14.0),
    ]
    found = recogniser(tmp_path).words(voice, None, report=told.append)
    # Three are 14 s together; the fourth has a window of its own.
    windows = [(one["start"], one["end"]) for one in whisper.asked["clip_timestamps"]]
    assert windows == [(0, 14), (14, 19)]
    heard = whisper.asked["audio"][::SECOND] / whisper.asked["audio"][SECOND] * 2
    assert heard.round().tolist() == [second for a, b in ends for second in range(a, b)]
    assert [word.start_s for word in found.words] == [4, 5, 11, 12, 13, 40]
    assert told == [11, 42]  # where in the recording it is


def test_a_word_ends_in_the_piece_in_which_it_begins(whisper: Whisper, tmp_path: Any) -> None:
    whisper.spans = [{"start": a * SECOND, "end": (a + 2) * SECOND} for a in (0, 10)]
    whisper.segments = [segment("long", 0.1, from_s=1.7)]  # to 2.2, beyond the first piece
    [word] = recogniser(tmp_path).words(np.tile(VOICE, 3), None).words
    assert (word.start_s, word.end_s) == (1.7, 2.2)


def test_no_more_is_encoded_than_a_window_holds(whisper: Whisper, tmp_path: Any) -> None:
    recogniser(tmp_path)
    whisper.encode(np.zeros((4, 80, 3_000)))
    assert whisper.encoded == [(4, 80, 1_500)]


def test_a_quarter_of_the_music_is_left_in(whisper: Whisper, tmp_path: Any) -> None:
    whisper.spans = [{"start": 0, "end": 5 * SECOND}]
    music = np.ones(4 * SECOND, np.float32)
    recogniser(tmp_path).words(VOICE, music)
    gain = 0.1 / np.sqrt(np.mean(VOICE**2))  # to one level, both by as much
    added = whisper.asked["audio"] - gain * VOICE
    np.testing.assert_allclose(added[: 4 * SECOND], gain * BLEND, atol=1e-3)


def test_where_nobody_sings_nothing_is_asked(whisper: Whisper, tmp_path: Any) -> None:
    whisper.spans = [{"start": 0, "end": SECOND // 2}]
    told = recogniser(tmp_path).words(VOICE, np.ones_like(VOICE))
    assert told.words == []
    assert told.language is None
    assert whisper.asked == {}


def test_what_is_likely_no_speech_and_unlikely_as_words_is_left_out(
    whisper: Whisper, tmp_path: Any
) -> None:
    whisper.segments = [
        segment("thank you", 0.9, -1.5),
        segment("by the", 0.9, -0.3),
        segment("sea", 0.1, -1.5),
    ]
    found = recogniser(tmp_path).words(VOICE, None).words
    assert [word.text for word in found] == ["by", "the", "sea"]


def test_when_the_time_is_up_what_is_known_is_given(whisper: Whisper, tmp_path: Any) -> None:
    whisper.segments = [segment("by the sea", 0.1)] * 3
    told = recogniser(tmp_path).words(VOICE, None, most_s=0)
    assert len(told.words) == 3
    assert not told.complete


def test_what_was_heard_to_the_end_is_whole_however_long_it_took(
    whisper: Whisper, tmp_path: Any
) -> None:
    told = recogniser(tmp_path).words(VOICE, None, most_s=0)
    assert (len(told.words), told.complete) == (3, True)
