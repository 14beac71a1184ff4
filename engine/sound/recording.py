"""Bytes that a stranger wrote → packets and frames of sound, by ffmpeg (PyAV) under rules.

- Only the formats and codecs below; of a video, the pictures are never decoded.
- Only what was handed over: a playlist or a reference to another file or address opens nothing.
- So many streams, channels and samples a second; so many bytes read and so much processor time.
- What ends PyAV's process is refused before PyAV does it: see `_is_plain`.

`audio` makes samples of it.
"""

from __future__ import annotations

import ctypes
import io
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import av
from av.stream import Discard

from engine.base.errors import InvalidRequest, Overloaded, ShazamError, UnreadableAudio
from engine.sound.advice import ADVICE

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame
    from av.audio.layout import AudioLayout
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

# ffmpeg's names of what is read. Left out: playlists (hls, concat, dash), which name other files,
# whatever is only raw numbers, and the hundreds that nobody sends, which are fuzzed least.
DEMUXERS = (
    *("aac", "ac3", "aiff", "amr", "asf", "au", "avi", "caf", "flac", "flv", "matroska", "mov"),
    *("mp3", "mpeg", "mpegts", "ogg", "w64", "wav", "wv"),
)
_PCM = (
    *("alaw", "mulaw", "s8", "u8", "s16le", "s16be", "u16le", "u16be", "s24le", "s24be"),
    *("s32le", "s32be", "f32le", "f32be", "f64le", "f64be", "s64le", "s64be"),
    *("s16le_planar", "s16be_planar", "s8_planar", "s24le_planar", "s32le_planar"),
)
DECODERS = (
    *("aac", "ac3", "eac3", "alac", "flac", "opus", "vorbis", "speex", "wavpack"),
    *("mp1float", "mp2float", "mp3float", "amrnb", "amrwb", "gsm", "gsm_ms"),
    *("wmav1", "wmav2", "wmapro", "wmalossless", "wmavoice"),
    *("adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt"),
    *(f"pcm_{kind}" for kind in _PCM),
)
# Their length is ffmpeg's guess from the size and the first bit rate: 17 s of 4 s were seen.
_GUESSED = frozenset({"aac", "ac3", "amr", "mp3", "mpeg", "mpegts"})

MAX_CHANNELS = 32
MAX_DAMAGED = 1_000  # packets that no decoder takes, before the whole is given up
RATES = (4_000, 768_000)
_MAX_STREAMS = 32
_MAX_ALAC_FRAME = 1 << 16  # samples; 4,096 are usual, and a packet of zeros may claim 2³¹
_CPU_S = 10.0  # …and a tenth of what was decoded; a minute of Opus takes 0.2, of a busy core more
_EXTRA_BYTES = 64 << 20  # read more than once, when headers lie at the end

_OPTIONS = {
    "format_whitelist": ",".join(DEMUXERS),
    "codec_whitelist": ",".join(DECODERS),
    "protocol_whitelist": "none",
    "max_streams": str(_MAX_STREAMS),
}


class Budget:
    """What one recording may cost, asked whenever ffmpeg reads and whenever a packet was seen."""

    def __init__(self, size: int, cpu_s: float) -> None:
        self._bytes = 4 * size + _EXTRA_BYTES
        self._cpu_s = cpu_s
        self._decoded_s = 0.0
        self._since = time.thread_time()

    def read(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise _Exhausted("it is read again and again")
        self.spend(self._decoded_s)

    def spend(self, decoded_s: float) -> None:
        self._decoded_s = decoded_s
        if time.thread_time() - self._since > self._cpu_s + decoded_s / 10:
            raise _Exhausted("it takes too long")


class _Exhausted(Exception):
    pass


@dataclass(frozen=True)
class Recording:
    """An opened file and its first stream of sound, the only one that is read."""

    container: InputContainer
    stream: AudioStream
    budget: Budget

    def declared_s(self) -> float | None:
        """How long it says it is, in seconds; None where it says nothing."""
        if self.container.format.name in _GUESSED:
            return None
        if self.stream.duration is not None and self.stream.time_base is not None:
            return float(self.stream.duration * self.stream.time_base)
        return None if self.container.duration is None else self.container.duration / av.time_base

    def counted_s(self, most_s: float) -> float | None:
        """How long its packets say it is, in seconds, none of them decoded; counted no further than
        just past `most_s`. None where they say nothing. It is read by that: open it anew."""
        found_s = 0.0
        for packet in self.packets():
            if packet.duration and packet.time_base is not None:
                found_s += float(packet.duration * packet.time_base)
            if found_s > most_s:
                break
        return found_s or None

    def packets(self) -> Iterator[Packet[AudioStream]]:
        """Its packets; an end that is damaged is an end."""
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                return
            if packet is None:
                return
            yield packet

    def frames(self, packet: Packet[AudioStream]) -> list[AudioFrame]:
        """What a packet holds; `av.error.FFmpegError` or `EOFError` where it is damaged."""
        for extra in packet.iter_sidedata():
            if extra.data_type == "new_extradata":
                _check_setup(self.stream.codec_context, bytes(extra))
        frames = cast("list[AudioFrame]", packet.decode())
        plain = [_is_plain(frame.layout) for frame in frames]
        if not all(plain):
            raise ValueError("its channels are in no order")
        return frames

    def sound(self) -> Iterator[AudioFrame]:
        """All that can be decoded of it, damaged packets passed over. Raises ValueError where that
        is nothing, `av.error.FFmpegError` or `EOFError` past `MAX_DAMAGED` of them."""
        damaged = found = 0
        for packet in self.packets():
            try:
                frames = self.frames(packet)
            except (av.error.FFmpegError, EOFError):
                damaged += 1
                if damaged > MAX_DAMAGED:
                    raise
                continue
            found += len(frames)
            yield from frames
        if damaged and not found:
            raise ValueError("no packet could be decoded")


@contextmanager
def opened(source: bytes | Path, name: str) -> Iterator[Recording]:
    """A recording; whatever goes wrong within the block is translated.

    Raises `InvalidRequest` (empty), `UnreadableAudio`, `Overloaded` (no memory).
    """
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if not size:
        raise InvalidRequest(f"{name} is empty. Send the bytes of a recording in the field 'file'.")
    # A file on this machine is its owner's, and may be hours long; bytes are a stranger's.
    budget = Budget(size, _CPU_S if isinstance(source, bytes) else math.inf)
    file = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    try:
        with file, _container(file, budget) as container:
            yield Recording(container, _stream(container, name), budget)
    except ShazamError:
        raise
    except MemoryError:
        raise Overloaded(
            f"There is no memory to decode {name[0].lower()}{name[1:]} now. Try again later.",
            retry_after_s=2,
        ) from None
    except Exception as error:
        # ffmpeg's own errors, and through PyAV nearly any other (EOFError, ValueError, KeyError…).
        raise UnreadableAudio(f"{name} is not a recording we can read. {ADVICE}") from error


class _Source:
    """The one file that ffmpeg may read."""

    def __init__(self, file: BinaryIO, budget: Budget) -> None:
        self._file, self._budget = file, budget
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int) -> bytes:
        found = self._file.read(count)
        self._budget.read(len(found))
        return found


def _container(file: BinaryIO, budget: Budget) -> InputContainer:
    def refuse(*_: Any) -> Any:
        raise PermissionError("a recording may not refer to other files")

    return av.open(
        _Source(file, budget), "r", options=_OPTIONS, io_open=refuse, metadata_errors="replace"
    )


def _stream(container: InputContainer, name: str) -> AudioStream:
    """The first stream of sound, its decoder ready; the others discarded."""
    if not container.streams.audio:
        raise UnreadableAudio(f"{name} has no sound in it. {ADVICE}", streams=0)
    stream = container.streams.audio[0]
    context = stream.codec_context
    if context is None or context.name not in DECODERS:
        raise UnreadableAudio(f"{name} is coded in a way we do not read. {ADVICE}")
    _check_setup(context, context.extradata or b"")
    context.thread_count = 1
    context.open()  # some decoders have an order of channels only now
    if not (_is_plain(context.layout) and is_rate(context.sample_rate)):
        raise UnreadableAudio(f"{name} claims a rate or channels that nobody uses. {ADVICE}")
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    return stream


def is_rate(rate: int) -> bool:
    """Whether so many samples a second are heard of."""
    return RATES[0] <= rate <= RATES[1]


def _check_setup(context: AudioCodecContext, setup: bytes) -> None:
    """What tells a decoder how to decode; `ValueError` where that costs too much or ends badly."""
    if context.name == "alac" and int.from_bytes(setup[12:16], "big") > _MAX_ALAC_FRAME:
        raise ValueError("its packets hold too much")
    # Object types from 32 on, USAC among them, bring an order of channels of their own.
    if context.name == "aac" and setup[:1] >= b"\xf8":
        raise ValueError("it is coded by a rare kind of AAC")


# The order in which ffmpeg knows channels.
_CHANNELS = (
    *("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TC", "TFL", "TFC"),
    *("TFR", "TBL", "TBC", "TBR", "DL", "DR", "WL", "WR", "SDL", "SDR", "LFE2"),
)
_NAMED = re.compile(r"[\w.]+(\([\w-]+\))?|\d+ channels")
_LISTED = re.compile(r"\d+ channels \(([A-Z0-9+]+)\)")


def _is_plain(layout: AudioLayout) -> bool:
    """Whether channels are few, and as ffmpeg orders them or in no order.

    PyAV 18 frees the list of channels of any other layout twice, which ends the process: a CAF of
    eight kilobytes is enough. So what holds the list besides its owner must never be freed.
    """
    name = layout.name
    listed = _LISTED.fullmatch(name)
    if listed:
        known = [_CHANNELS.index(one) for one in listed[1].split("+") if one in _CHANNELS]
        plain = len(known) == layout.nb_channels and sorted(set(known)) == known
    else:
        plain = _NAMED.fullmatch(name) is not None
    if not plain:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return plain and layout.nb_channels <= MAX_CHANNELS
