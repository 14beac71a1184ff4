"""A stranger's recording → what the library keeps of it: WAV of 24 bits, MP3, a preview.

Packet by packet: what it takes does not grow with the length of a recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
from av.audio.resampler import AudioResampler

from engine.base.errors import (
    AudioTooLong,
    AudioTooShort,
    EmptyFile,
    NoSound,
    ShazamError,
    StorageFull,
    UnreadableAudio,
)
from engine.library.stores.folder import FULL
from engine.sound.advice import ADVICE
from engine.sound.recording import Recording, is_rate, opened

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

RATE = 48_000
MP3_KBIT = 320
PREVIEW_S = 30.0
PREVIEW_KBIT = 128
NAME = "The file"
# What a file says of its length is right to a few packets; what is decoded is exact.
_ABOUT_S = 0.5
_MAX_CHANGES = 16  # a stream may change its rate or channels, but not at every packet


@dataclass(frozen=True)
class Transcoded:
    """How long it is, in seconds, and its channels as they are kept: 1 or 2."""

    duration_s: float
    channels: int


def transcode(
    source: Path, wav: Path, mp3: Path, *, max_s: float, report: Callable[[float], None]
) -> Transcoded:
    """A recording, or a video's first sound → `wav` (48 kHz, 24 bits) and `mp3` (320 kbit/s).

    More than two channels are mixed to two. One whose end is missing or damaged gives what could be
    decoded. Raises `EmptyFile`, `NoSound`, `UnreadableAudio`, `AudioTooLong` (over `max_s` seconds,
    as declared, as counted before anything is decoded, or as found), `AudioTooShort` (not one
    sample).
    """
    if not source.stat().st_size:
        raise EmptyFile(f"{NAME} is empty: it has 0 bytes. {ADVICE}")
    try:
        length_s = _length_s(source, max_s + _ABOUT_S)
        if length_s is not None and length_s > max_s + _ABOUT_S:
            raise _too_long(max_s)
        with opened(source, NAME) as recording, told_if_full():
            return _transcode(recording, wav, mp3, max_s, length_s, report)
    except UnreadableAudio as error:
        if error.details.get("streams") == 0:
            raise NoSound(f"{NAME} has pictures and no sound in it. {ADVICE}") from error
        raise


def _length_s(source: Path, most_s: float) -> float | None:
    """How long it seems to be; None where nothing tells, more than `most_s` where it is that.

    Formats that do not say it (MP3, ADTS, AMR, a WebM recorded live) are read once without being
    decoded: what is too long is then refused in a moment, not after ten minutes of work.
    """
    with opened(source, NAME) as recording:
        return recording.declared_s() or recording.counted_s(most_s) or None


def _transcode(
    recording: Recording,
    wav: Path,
    mp3: Path,
    max_s: float,
    length_s: float | None,
    report: Callable[[float], None],
) -> Transcoded:
    channels = min(2, recording.stream.codec_context.channels)
    layout = ("mono", "stereo")[channels - 1]
    written = 0
    with (
        av.open(str(wav), "w", format="wav", options={"rf64": "auto"}) as whole,
        av.open(str(mp3), "w", format="mp3") as small,
    ):
        outputs = [
            (whole, _stream(whole, "pcm_s24le", layout)),
            (small, _stream(small, "libmp3lame", layout, MP3_KBIT)),
        ]
        for frame in _resampled(recording, layout):
            frame.pts, written = written, written + frame.samples
            if written > max_s * RATE:
                raise _too_long(max_s)
            _write(outputs, frame)
            report(written / RATE / length_s if length_s else 0.0)
        _write(outputs, None)
    if not written:
        raise AudioTooShort(f"{NAME} holds no sound at all. {ADVICE}")
    return Transcoded(written / RATE, channels)


def preview(wav: Path, target: Path, duration_s: float) -> None:
    """`PREVIEW_S` seconds from the middle of what `transcode` wrote, or all of less → an MP3."""
    begins_s = max(0.0, (duration_s - PREVIEW_S) / 2)
    with (
        told_if_full(),
        av.open(str(wav)) as source,
        av.open(str(target), "w", format="mp3") as output,
    ):
        stream = source.streams.audio[0]
        outputs = [(output, _stream(output, "libmp3lame", stream.layout.name, PREVIEW_KBIT))]
        source.seek(round(begins_s * RATE), stream=stream)
        written = 0
        for frame in source.decode(stream):
            if written >= PREVIEW_S * RATE:
                break
            frame.pts, written = written, written + frame.samples
            frame.time_base = Fraction(1, RATE)
            _write(outputs, frame)
        _write(outputs, None)


@contextmanager
def told_if_full() -> Iterator[None]:
    """ffmpeg's errors carry the system's numbers: a full disk is no fault of the recording."""
    try:
        yield
    except ShazamError:
        raise
    except Exception as error:
        if getattr(error, "errno", None) in FULL:
            raise StorageFull("The disk of the worker is full. Try again later.") from error
        raise


def _too_long(max_s: float) -> AudioTooLong:
    return AudioTooLong(
        f"{NAME} is longer than {max_s:g} s, the longest track that is added. Send a part of it."
    )


def _stream(
    output: OutputContainer, codec: str, layout: str, kbit: int | None = None
) -> AudioStream:
    stream = cast("AudioStream", output.add_stream(codec, rate=RATE, layout=layout))
    stream.codec_context.thread_count = 1
    stream.time_base = Fraction(1, RATE)
    if kbit is not None:
        stream.bit_rate = 1000 * kbit
    return stream


def _write(outputs: list[tuple[OutputContainer, AudioStream]], frame: AudioFrame | None) -> None:
    for output, stream in outputs:
        output.mux(stream.encode(frame))


def _resampled(recording: Recording, layout: str) -> Iterator[AudioFrame]:
    """Frames one behind the other: gaps and jumps of a file's clock are no sound."""
    resampler: AudioResampler | None = None
    kind, changes = None, 0
    for frame in recording.sound():
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != kind:
            yield from _rest(resampler)
            kind, changes = now, changes + 1
            if changes > _MAX_CHANGES or not is_rate(frame.sample_rate):
                raise ValueError(f"cannot follow {now}")
            resampler = AudioResampler(format="s32", layout=layout, rate=RATE)
        assert resampler is not None
        frame.pts = None
        yield from resampler.resample(frame)
    yield from _rest(resampler)


def _rest(resampler: AudioResampler | None) -> Iterator[AudioFrame]:
    if resampler is not None:
        yield from (part for part in resampler.resample(None) if part is not None and part.samples)
