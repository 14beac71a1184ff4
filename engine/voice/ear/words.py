"""A voice → the words in it and when each is sung, by Whisper (faster-whisper).

The stem alone costs words: what separates them takes consonants for music. So a quarter of the
music is left in (`BLEND`); but where the stem holds no voice, nothing is asked at all, because
Whisper hears words in any music.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.base.needs import need
from engine.library.analysis.blocks import RATE, Samples
from engine.voice.ear.heard import Word

BLEND = 0.25
_LEAST_VOICE_S = 0.8  # in the whole of it: below that nobody sings
# Whisper hears 30 s at a time, however much of it is silence: spans go together as they fit.
_WINDOW_S, _GAP_S = 28.0, 3.0
_VOICED = {
    "threshold": 0.35,
    "min_silence_duration_ms": 1_500,
    "speech_pad_ms": 400,
    "max_speech_duration_s": _WINDOW_S,
}
_LOUD = 0.1  # root mean square to which a voice is brought
_BEAMS = 5  # of prompts at −6 dB 0.22 of the words are wrong; with two beams 0.25
_AT_ONCE = 4  # windows
_MOST_TOKENS = 120  # of 30 s: four a second; what is no words is else heard as 220 of one
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
        self._windowed: Any = whisper.BatchedInferencePipeline(self._model)

    def words(
        self,
        voice: Samples,
        music: Samples | None,
        *,
        language: str | None = None,
        most_s: float = 60.0,
        report: Callable[[float], None] | None = None,
    ) -> Transcript:
        """(N,) float32 at 16 kHz each → words. After `most_s` seconds of processor time what is
        known is given: what is heard must not depend on what else the machine does.

        `language` as "en"; None finds out, which costs as much as some seconds of song. `report` is
        told how many seconds of the voice are done.
        """
        ends = time.process_time() + most_s
        gain = _gain(voice)
        voice = gain * voice
        spans = self._vad.get_speech_timestamps(voice, self._vad.VadOptions(**_VOICED))
        voice_s = sum(span["end"] - span["start"] for span in spans) / RATE
        if voice_s < _LEAST_VOICE_S:
            return Transcript([], None, True, voice_s)
        segments, told = self._windowed.transcribe(
            voice if music is None else _blended(voice, gain * music),
            language=language,
            beam_size=_BEAMS,
            temperature=[0.0],
            word_timestamps=True,
            without_timestamps=True,  # those of words are found by attention
            clip_timestamps=_windows(spans),
            max_new_tokens=_MOST_TOKENS,
            batch_size=_AT_ONCE,
        )
        found: list[Word] = []
        late = False
        for segment in segments:
            if late:
                return Transcript(found, told.language, False, voice_s)
            if segment.no_speech_prob < _DOUBTFUL or segment.avg_logprob > _UNLIKELY:
                found += [_word(word) for word in segment.words or ()]
            if report is not None:
                report(segment.end)
            late = time.process_time() > ends
        return Transcript(found, told.language if found else None, True, voice_s)


def _windows(spans: Sequence[Mapping[str, int]]) -> list[dict[str, float]]:
    """Spans in samples → stretches of at most `_WINDOW_S`, in seconds."""
    made: list[dict[str, float]] = []
    for span in spans:
        start, end = span["start"] / RATE, span["end"] / RATE
        last = made[-1] if made else None
        if last and end - last["start"] <= _WINDOW_S and start - last["end"] <= _GAP_S:
            last["end"] = end
        else:
            made.append({"start": start, "end": end})
    return made


def _word(word: Any) -> Word:
    return Word(
        str(word.word).strip(),
        round(float(word.start), 2),
        round(float(word.end), 2),
        round(float(word.probability), 3),
    )


def _gain(samples: Samples) -> np.float32:
    """What brings a voice to `_LOUD`; 1 where there is none."""
    power = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0
    return np.float32(_LOUD / power if power > 1e-4 else 1)


def _blended(voice: Samples, music: Samples) -> Samples:
    music = np.pad(music, (0, max(0, len(voice) - len(music))))[: len(voice)]
    return voice + np.float32(BLEND) * music
