"""A voice → the words in it and when each is sung, by Whisper (faster-whisper).

The stem alone costs words: what separates them takes consonants for music. So a quarter of the
music is left in (`BLEND`); but where the stem holds no voice, nothing is asked at all, because
Whisper hears words in any music. What is voiced goes together into windows, without the silences
between, and these are encoded as long as they are: Whisper's own are of 30 s, mostly of nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from engine.base.needs import need
from engine.library.analysis.blocks import RATE, Samples
from engine.voice.ear import expected
from engine.voice.ear.expected import Heard
from engine.voice.ear.heard import Word
from engine.voice.ear.probable import Probable
from engine.voice.ear.wording import Spelt, plain, spelt

BLEND = 0.25
_LEAST_VOICE_S = 0.8  # in the whole of it: below that nobody sings
# Of the 30 s that Whisper hears at a time, so many are encoded: less than half the work, as its
# attention grows with the square, and no word more is wrong (benchmarks/voice.md). Frames of 10 ms.
_FRAMES = 1_500
_WINDOW_S = 14.0
_VOICED = {
    "threshold": 0.35,
    "min_silence_duration_ms": 1_500,
    "speech_pad_ms": 400,
    "max_speech_duration_s": _WINDOW_S,
}
_LOUD = 0.1  # root mean square to which a voice is brought
_NOISE = 0.01  # its root mean square
_BEAMS = 5  # of prompts at −6 dB 0.22 of the words are wrong; with two beams 0.25
_AT_ONCE = 4  # windows
_MOST_TOKENS = 80  # of 14 s: quick speech has four a second; what is no words is else 220 of one
_DOUBTFUL, _UNLIKELY = 0.8, -1.0  # of a segment: no speech, and what was heard is improbable


@dataclass(frozen=True)
class Transcript:
    """The words in their order, of a language ("en") or None where there are none. `complete`:
    they were heard to the end, before the time was up. `voice_s`: how long somebody sings."""

    words: list[Word]
    language: str | None
    complete: bool
    voice_s: float


class Recogniser:
    """Whisper, loaded from a folder; not for two threads at once."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        whisper = need("faster_whisper", "voice.in", by="Words")
        self._vad = need("faster_whisper.vad", "voice.in", by="Words")
        self._model: Any = whisper.WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=threads
        )
        self._encode = self._model.encode
        self._model.encode = self._shortly
        self._encoded: list[Any] = []
        self._noise: Any = None
        self._windowed: Any = whisper.BatchedInferencePipeline(self._model)

    def words(
        self,
        voice: Samples,
        music: Samples | None,
        *,
        language: str | None = None,
        lyrics: Sequence[str] = (),
        most_s: float = 60.0,
        report: Callable[[float], None] | None = None,
    ) -> Transcript:
        """(N,) float32 at 16 kHz each → words. After `most_s` seconds of processor time what is
        known is given: what is heard must not depend on what else the machine does.

        `language` as "en"; None finds out, which costs as much as some seconds of song. Of
        `lyrics`, line by line, those words that were misheard and are in the sound all the same
        are told in their place. `report` is told how many seconds of the voice are done.
        """
        ends = time.process_time() + most_s
        gain = _gain(voice)
        voice = gain * voice
        spans = self._vad.get_speech_timestamps(voice, self._vad.VadOptions(**_VOICED))
        voice_s = sum(span["end"] - span["start"] for span in spans) / RATE
        if voice_s < _LEAST_VOICE_S:
            return Transcript([], None, True, voice_s)
        windows = _windows(spans)
        sound = voice if music is None else _blended(voice, gain * music)
        segments, told = self._windowed.transcribe(
            np.concatenate([piece.of(sound) for window in windows for piece in window]),
            language=language,
            beam_size=_BEAMS,
            temperature=[0.0],
            word_timestamps=True,
            without_timestamps=True,  # those of words are found by attention
            clip_timestamps=_clips(windows),
            max_new_tokens=_MOST_TOKENS,
            batch_size=_AT_ONCE,
        )
        self._encoded.clear()  # finding out the language has encoded, too
        when = _Times([piece for window in windows for piece in window])
        found: list[tuple[Any, Word]] = []
        late = False
        for segment in segments:
            if late:
                return Transcript([word for _, word in found], told.language, False, voice_s)
            if segment.no_speech_prob < _DOUBTFUL or segment.avg_logprob > _UNLIKELY:
                found += [(word, _word(word, when)) for word in segment.words or ()]
            if report is not None:
                report(when.of(segment.end))
            late = time.process_time() > ends
        words = [word for _, word in found]
        wanted = spelt(lyrics)
        if wanted:
            words = self._expected(wanted, found, windows, told.language)
        return Transcript(words, told.language if words else None, True, voice_s)

    def _shortly(self, features: Any) -> Any:
        encoded = self._encode(features[..., :_FRAMES])
        self._encoded.append(encoded)
        return encoded

    def _expected(
        self,
        wanted: Sequence[Spelt],
        found: Sequence[tuple[Any, Word]],
        windows: Sequence[Sequence[_Piece]],
        language: str,
    ) -> list[Word]:
        heard = [
            Heard(text, word, float(one.start), float(one.end))
            for one, word in found
            for text in plain(word.text)
        ]
        encoded = np.concatenate([np.asarray(one) for one in self._encoded])
        probable = Probable(self._model, language)
        noise = self._noise_encoded()

        def scores(window: int, words: Sequence[str]) -> Any:
            return probable.of(encoded[window], words), probable.of(noise, words)

        return expected.found(wanted, heard, [one["end"] for one in _clips(windows)], scores)

    def _noise_encoded(self) -> Any:
        """What a sound without any word is, kept for the next."""
        if self._noise is None:
            noise = np.random.default_rng(0).normal(0, _NOISE, round(_WINDOW_S * RATE))
            features = self._model.feature_extractor(noise.astype(np.float32))
            [self._noise] = np.asarray(self._shortly(features[None, :, :_FRAMES]))
        return self._noise


@dataclass(frozen=True)
class _Piece:
    """From one sample to another of a recording at 16 kHz."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def of(self, samples: Samples) -> Samples:
        return samples[self.start : self.end]


def _windows(spans: Sequence[Mapping[str, int]]) -> list[list[_Piece]]:
    """Spans in samples → windows of one or more, together at most `_WINDOW_S`."""
    made: list[list[_Piece]] = []
    room = 0
    for span in spans:
        piece = _Piece(span["start"], span["end"])
        if len(piece) > room:
            made.append([])
            room = round(_WINDOW_S * RATE)
        made[-1].append(piece)
        room -= len(piece)
    return made


def _clips(windows: Sequence[Sequence[_Piece]]) -> list[dict[str, float]]:
    """From where to where each window lies where they follow one another, in seconds."""
    ends = [0, *accumulate(sum(map(len, window)) for window in windows)]
    return [{"start": start / RATE, "end": end / RATE} for start, end in pairwise(ends)]


class _Times:
    """Seconds where pieces follow one another → seconds in the recording."""

    def __init__(self, pieces: Sequence[_Piece]) -> None:
        starts = [0, *accumulate(map(len, pieces))][:-1]
        self._starts = np.array(starts) / RATE
        self._later = np.array([piece.start for piece in pieces]) / RATE - self._starts

    def of(self, seconds: float, beside: float | None = None) -> float:
        """`beside` is a time in the same piece: a word begins and ends in one."""
        known = seconds if beside is None else beside
        at = int(np.searchsorted(self._starts, known, side="right")) - 1
        return seconds + float(self._later[max(at, 0)])


def _word(word: Any, when: _Times) -> Word:
    start, end = float(word.start), float(word.end)
    middle = (start + end) / 2
    return Word(
        str(word.word).strip(),
        round(when.of(start, middle), 2),
        round(when.of(end, middle), 2),
        round(float(word.probability), 3),
    )


def _gain(samples: Samples) -> np.float32:
    """What brings a voice to `_LOUD`; 1 where there is none."""
    power = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0
    return np.float32(_LOUD / power if power > 1e-4 else 1)


def _blended(voice: Samples, music: Samples) -> Samples:
    music = np.pad(music, (0, max(0, len(voice) - len(music))))[: len(voice)]
    return voice + np.float32(BLEND) * music
