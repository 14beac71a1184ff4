"""Bytes of any recording → mono samples at 16 kHz; and samples → bytes, for making and tests.

`decode` is the part of a question by sound that can fail because of one caller: it is bounded
before anything is decoded where a file tells of itself, and while it is decoded where it lies.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler

from engine.base.errors import AudioTooLong, AudioTooShort
from engine.base.texts import in_one_line, is_blank, without_unseen_ends
from engine.sound.advice import ADVICE
from engine.sound.mixing import RATE, Mixer, Samples
from engine.sound.recording import MAX_DAMAGED, Recording, opened

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.packet import Packet

__all__ = ["RATE", "Samples", "Tags", "decode", "encode", "read_tags", "resample", "to_opus"]


def decode(
    source: bytes | Path,
    *,
    first_s: float | None = None,
    max_s: float | None = None,
    name: str = "The upload",
) -> Samples:
    """A recording, or a video's first sound → (N,) float32 mono at `RATE`, −1…1, N ≥ 1.

    `first_s`: not more than its first seconds are decoded. `max_s`: longer recordings are refused,
    whatever part is decoded. What an encoder put before the first sample is left out where the file
    tells of it (Opus, AAC, MP3). Channels are averaged; two that cancel each other are subtracted.

    A recording whose end is missing or damaged gives what could be decoded.

    Raises `InvalidRequest` (empty), `UnreadableAudio` (no sound, not a promised format),
    `AudioTooLong` (as declared or as found), `AudioTooShort` (not one sample), `Overloaded`.
    """
    with opened(source, name) as recording:
        if max_s is not None and (recording.declared_s() or 0) > max_s:
            raise _too_long(name, max_s)
        samples, more_s = _heard(recording, first_s, max_s)
    if max_s is not None and len(samples) / RATE + more_s > max_s:
        raise _too_long(name, max_s)
    if not len(samples):
        raise AudioTooShort(f"{name} holds no sound at all. {ADVICE}")
    return samples


def _too_long(name: str, max_s: float) -> AudioTooLong:
    return AudioTooLong(
        f"{name} is longer than {max_s:g} s, the most that is accepted. Send a part of it: 10 s "
        f"are plenty."
    )


def _heard(
    recording: Recording, first_s: float | None, max_s: float | None
) -> tuple[Samples, float]:
    """Its samples, and how many seconds follow that were not decoded (counted up to `max_s`)."""
    # One second above `max_s` tells that it is longer.
    most_s = first_s if first_s is not None else max_s + 1 if max_s is not None else math.inf
    mixer, damaged, more_s = Mixer(), 0, 0.0
    for packet in recording.packets():
        recording.budget.spend(mixer.count / RATE)
        if mixer.count >= most_s * RATE:
            if max_s is None or most_s + more_s > max_s:
                break
            more_s += _length_s(packet)
            continue
        try:
            for frame in recording.frames(packet):
                mixer.add(frame)
        except (av.error.FFmpegError, EOFError):
            damaged += 1
            if damaged > MAX_DAMAGED:
                raise
    if damaged and not mixer.count:
        raise ValueError("no packet could be decoded")
    return mixer.mixed(None if math.isinf(most_s) else round(most_s * RATE)), more_s


def _length_s(packet: Packet[AudioStream]) -> float:
    return max(0.0, float((packet.duration or 0) * (packet.time_base or 0)))


@dataclass(frozen=True)
class Tags:
    """What a file says of itself; None where it does not."""

    title: str | None
    artist: str | None
    album: str | None
    genre: str | None
    year: int | None
    bpm: float | None
    key: str | None
    licence: str | None
    duration_s: float | None


# By many names, after ffmpeg has made those of ID3, Vorbis, MP4 and ASF alike as far as it does.
_NAMES = {
    "artist": ("artist", "album_artist", "composer"),
    "year": ("date", "year", "originaldate", "tyer", "tdrc"),
    "bpm": ("bpm", "tbpm", "tmpo", "wm/beatsperminute"),
    "key": ("initialkey", "initial_key", "key", "tkey", "wm/initialkey"),
    "licence": ("license", "licence", "copyright"),
}
_TAG_LETTERS = 500
_LEAST_BPM, _MOST_BPM = 10, 1000


def read_tags(path: Path) -> Tags:
    """A file's tags, none longer than 500 letters; raises as `decode` does."""
    with opened(path, path.name) as recording:
        found: dict[str, str] = {}
        for tags in (recording.container.metadata, recording.stream.metadata):
            for name, value in tags.items():
                text = without_unseen_ends(in_one_line(value[:_TAG_LETTERS]))
                if not is_blank(text):
                    found.setdefault(name.casefold(), text)

        def said(what: str) -> str | None:
            return next((found[one] for one in _NAMES.get(what, (what,)) if one in found), None)

        year = re.search(r"(?<!\d)[12]\d{3}(?!\d)", said("year") or "")
        bpm = re.fullmatch(r"\d{1,4}(\.\d{1,6})?", said("bpm") or "")
        return Tags(
            title=said("title"),
            artist=said("artist"),
            album=said("album"),
            genre=said("genre"),
            year=int(year[0]) if year else None,
            bpm=float(bpm[0]) if bpm and _LEAST_BPM <= float(bpm[0]) <= _MOST_BPM else None,
            key=said("key"),
            licence=said("licence"),
            duration_s=_told_s(recording),
        )


def _told_s(recording: Recording) -> float | None:
    """How long it is by its header, or by its packets where that only guesses; seconds."""
    declared = recording.declared_s()
    if declared is not None and declared > 0:
        return declared
    told = 0.0
    for packet in recording.packets():
        told += _length_s(packet)
    return told or None


def resample(samples: Samples, rate: int, to: int) -> Samples:
    """(N,) float32 at `rate` Hz → the same seconds at `to` Hz, band-limited (swresample)."""
    if rate == to:
        return samples
    resampler = AudioResampler(format="flt", rate=to)
    frames = [*resampler.resample(_frame(samples[:, None], rate)), *resampler.resample(None)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames if frame is not None])


def _frame(samples: npt.NDArray[np.float32], rate: int) -> AudioFrame:
    """(N, 1 or 2) → a frame that begins at 0."""
    packed = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, "flt", ("mono", "stereo")[samples.shape[1] - 1])
    frame.sample_rate = rate
    frame.pts = 0
    return frame


def encode(
    samples: Samples,
    rate: int,
    container: str,
    codec: str,
    *,
    kbit: int | None = None,
    tags: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> bytes:
    """(N,) or (N, 2) float32 at `rate` Hz, −1…1 → a file of ffmpeg's `container` and `codec`.

    `kbit` a second; `options` are the container's. A codec that does not know a rate raises: AMR-NB
    takes 8,000 Hz, AMR-WB 16,000, Opus 48,000, 24,000, 16,000, 12,000 and 8,000.
    """
    written = io.BytesIO()
    with av.open(written, "w", format=container, container_options=options or {}) as output:
        output.metadata.update(tags or {})
        wide = samples if samples.ndim == 2 else samples[:, None]
        layout = ("mono", "stereo")[wide.shape[1] - 1]
        stream = cast("AudioStream", output.add_stream(codec, rate=rate, layout=layout))
        if kbit is not None:
            stream.bit_rate = 1000 * kbit
        stream.codec_context.thread_count = 1
        for frame in (_frame(wide, rate), None):
            output.mux(stream.encode(frame))
    return written.getvalue()


def to_opus(samples: Samples, rate: int, path: Path, kbit: int) -> None:
    """(N,) or (N, 2) float32 → an Ogg Opus file of `kbit` kbit a second, at 48 kHz."""
    wide = samples if samples.ndim == 2 else samples[:, None]
    whole = np.stack([resample(np.ascontiguousarray(one), rate, 48_000) for one in wide.T], 1)
    path.write_bytes(encode(whole, 48_000, "ogg", "libopus", kbit=kbit))
