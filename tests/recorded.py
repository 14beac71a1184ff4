"""A click in a tone, made on the spot and encoded in every format that is promised."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import av
import numpy as np
import numpy.typing as npt

from engine.sound.audio import encode

SECONDS = 2.0
CLICK_S = 1.25
LEVEL = 0.3


def tone(rate: int, channels: int = 1, seconds: float = SECONDS) -> npt.NDArray[np.float32]:
    """(N, C) float32: silence until `CLICK_S`, then a tone of `LEVEL`."""
    at = np.arange(round(rate * seconds)) / rate
    wave = LEVEL * np.sin(2 * np.pi * 440 * at) * (at >= CLICK_S)
    return np.repeat(wave.astype(np.float32)[:, None], channels, 1)


@dataclass(frozen=True)
class Kind:
    """How a format is written, and what is right of it when it is read."""

    container: str
    codec: str
    rate: int = 48_000
    channels: int = 1
    kbit: int | None = None
    options: dict[str, str] = field(default_factory=dict)
    late_s: float = 0.0
    """What the encoder puts in front and the file does not tell."""
    level: float = 0.03
    """How far the tone's level may be off."""
    pads: bool = False
    """Whether the end is a frame's, not the sound's."""

    def made(self, samples: npt.NDArray[np.float32] | None = None) -> bytes:
        wave = tone(self.rate, self.channels) if samples is None else samples
        return encode(
            wave, self.rate, self.container, self.codec, kbit=self.kbit, options=self.options
        )


_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
KINDS = {
    "WebM Opus": Kind("webm", "libopus", kbit=32),
    "WebM Opus, live": Kind("webm", "libopus", kbit=32, options={"live": "1"}),
    "Ogg Opus": Kind("ogg", "libopus", channels=2, kbit=48),
    "Ogg Opus from 16 kHz": Kind("ogg", "libopus", 16_000, kbit=24),
    "MP4 AAC": Kind("mp4", "aac", 44_100, 2, kbit=96, pads=True),
    "MP4 AAC in fragments": Kind(
        "mp4", "aac", kbit=64, options=_FRAGMENTS, late_s=1024 / 48_000, pads=True
    ),
    "ADTS AAC": Kind("adts", "aac", 44_100, kbit=64, late_s=1024 / 44_100, pads=True),
    "MP3": Kind("mp3", "libmp3lame", 44_100, 2, kbit=128, level=0.1),
    "MP3 without a header": Kind(
        "mp3",
        "libmp3lame",
        44_100,
        kbit=96,
        options={"write_xing": "0"},
        late_s=0.025,
        level=0.1,
        pads=True,
    ),
    "FLAC": Kind("flac", "flac", 44_100, 2),
    "WAV": Kind("wav", "pcm_s16le", 44_100, 2),
    "WAV of 8 bits": Kind("wav", "pcm_u8", 8_000),
    "WAV of 24 bits": Kind("wav", "pcm_s24le", 96_000, 2),
    "WAV of 32 bits": Kind("wav", "pcm_s32le", 22_050),
    "WAV of floats": Kind("wav", "pcm_f32le", 48_000),
    "WAV of doubles": Kind("wav", "pcm_f64le", 48_000),
    "WAV, µ-law": Kind("wav", "pcm_mulaw", 8_000),
    "WAV, A-law": Kind("wav", "pcm_alaw", 8_000),
    "WAV, ADPCM": Kind("wav", "adpcm_ms", 44_100, pads=True),
    "RF64": Kind("wav", "pcm_s16le", 44_100, options={"rf64": "always"}),
    "Wave64": Kind("w64", "pcm_s16le", 44_100),
    "AIFF": Kind("aiff", "pcm_s16be", 44_100, 2),
    "CAF": Kind("caf", "pcm_s24be", 44_100),
    "CAF, ALAC": Kind("caf", "alac", 44_100, pads=True),  # the writer forgets the last frame
    "QuickTime, ALAC": Kind("mov", "alac", 44_100, 2),
    "AMR-NB": Kind("amr", "libopencore_amrnb", 8_000, kbit=12, late_s=0.01, level=0.25, pads=True),
    "3GP, AMR-NB": Kind("3gp", "libopencore_amrnb", 8_000, kbit=12, level=0.25, pads=True),
    # 2,048 samples are lost: the decoder's, not the file's.
    "WMA": Kind("asf", "wmav2", 44_100, kbit=64, late_s=-2048 / 44_100, pads=True),
    "AU": Kind("au", "pcm_s16be", 44_100),
    "WavPack": Kind("wv", "wavpack", 44_100),
    "AVI": Kind("avi", "pcm_s16le", 44_100),
    "FLV": Kind("flv", "aac", 44_100, kbit=64, late_s=1024 / 44_100, pads=True),
    "MPEG-TS": Kind("mpegts", "mp2", 48_000, 2, kbit=128, late_s=0.01, pads=True),
    "Matroska, AC-3": Kind("matroska", "ac3", 48_000, 2, kbit=128, pads=True),
}


@cache
def recorded(name: str) -> bytes:
    return KINDS[name].made()


def caf(labels: list[int], seconds: float = 1.0) -> bytes:
    """A CAF of 16 bits at 8 kHz that names its channels itself: 1 left, 2 right, 3 centre…"""

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack(">q", len(body)) + body

    count = len(labels)
    sound = struct.pack(">d4sIIIII", 8_000.0, b"lpcm", 0, 2 * count, 1, count, 16)
    named = b"".join(struct.pack(">IIfff", label, 0, 0, 0, 0) for label in labels)
    return (
        b"caff\0\1\0\0"
        + chunk(b"desc", sound)
        + chunk(b"chan", struct.pack(">III", 0, 0, count) + named)
        + chunk(b"data", bytes(4 + 2 * count * round(8_000 * seconds)))
    )


def wav(
    samples: npt.NDArray[np.generic], rate: int, *, mask: int | None = None, declared: int = 0
) -> bytes:
    """(N, C) int16 or float32 → WAV; WAVE_EXTENSIBLE if its speakers have a `mask`."""
    floats = samples.dtype.kind == "f"
    width, channels = samples.dtype.itemsize, samples.shape[1]
    form = struct.pack(
        "<HHIIHH",
        0xFFFE if mask is not None else 3 if floats else 1,
        channels,
        rate,
        rate * channels * width,
        channels * width,
        8 * width,
    )
    if mask is not None:
        kind = bytes((3 if floats else 1, 0)) + bytes.fromhex("000000001000800000aa00389b71")
        form += struct.pack("<HHI", 22, 8 * width, mask) + kind
    body = samples.tobytes()
    length = declared or len(body)
    head = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", length)
    return b"RIFF" + struct.pack("<I", min(len(head) + length, 0xFFFFFFFF)) + head + body


def long_flac(seconds: int, declared: int = 0) -> bytes:
    """Much silence in few bytes: the same second again and again."""
    second = encode(np.zeros(4_096, np.float32), 4_096, "flac", "flac")
    start = second.index(b"\xff\xf8")
    head = bytearray(second[:start])
    head[21] = head[21] & 0xF0 | declared >> 32
    head[22:26] = (declared & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(head) + second[start:] * seconds


def long_opus(seconds: float) -> bytes:
    """Silence in packets of 120 ms, 6 bytes each, whose end no header tells."""
    written = io.BytesIO()
    with av.open(written, "w", format="webm", container_options={"live": "1"}) as output:
        stream = output.add_stream("libopus", rate=48_000, layout="mono")
        stream.codec_context.open()
        for n in range(round(seconds / 0.12)):
            packet = av.Packet(b"\x1b\x02" + bytes(4))
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = 120 * n
            output.mux(packet)
    return written.getvalue()


def many_packets(count: int, length: int) -> bytes:
    """An MP4 of ten kilobytes that says it holds `count` packets, `length` samples each."""
    tables = {
        b"stsz": struct.pack(">III", 0, 1, count),
        b"stsc": struct.pack(">IIIII", 0, 1, 1, count, 1),
        b"stts": struct.pack(">IIII", 0, 1, count, length),
        b"stco": struct.pack(">III", 0, 1, 48),
    }
    holders = (b"moov", b"trak", b"mdia", b"minf", b"stbl")

    def rewritten(boxes: bytes) -> bytes:
        made, at = b"", 0
        while at + 8 <= len(boxes):
            size, name = struct.unpack_from(">I4s", boxes, at)
            body = tables.get(name, boxes[at + 8 : at + size])
            body = rewritten(body) if name in holders else body
            made += struct.pack(">I4s", 8 + len(body), name) + body
            at += size
        return made

    return rewritten(recorded("MP4 AAC"))
