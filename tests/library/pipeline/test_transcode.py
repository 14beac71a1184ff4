from __future__ import annotations

import errno
import io
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from recorded import KINDS, tone

from engine.base.errors import (
    AudioTooLong,
    AudioTooShort,
    EmptyFile,
    NoSound,
    StorageFull,
    UnreadableAudio,
)
from engine.library.pipeline import transcode as module
from engine.library.pipeline.transcode import RATE, Transcoded, preview, told_if_full, transcode
from engine.sound.audio import decode, encode
from engine.sound.recording import Recording


def _made(folder: Path, data: bytes, max_s: float = 60.0) -> Transcoded:
    source = folder / "source"
    source.write_bytes(data)
    told: list[float] = []
    made = transcode(source, folder / "a.wav", folder / "a.mp3", max_s=max_s, report=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0, abs=0.1)
    return made


def _stream(path: Path) -> tuple[str, int, int, int]:
    """Codec, rate, channels, bits a second."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        context = stream.codec_context
        return context.name, context.sample_rate, context.channels, stream.bit_rate or 0


@pytest.mark.parametrize(
    "kind",
    [
        "FLAC",
        "MP4 AAC",
        "AMR-NB",
        "ADTS AAC",
        "MP3 without a header",
        "WebM Opus, live",
        "WAV of 8 bits",
    ],
)
def test_any_recording_becomes_wav_of_24_bits_and_mp3_of_320_kbit(
    kind: str, tmp_path: Path
) -> None:
    made = _made(tmp_path, KINDS[kind].made())
    assert made.duration_s == pytest.approx(2.0, abs=0.05)
    assert made.channels == min(2, KINDS[kind].channels)
    bits = RATE * 24 * made.channels
    assert _stream(tmp_path / "a.wav") == ("pcm_s24le", RATE, made.channels, bits)
    assert _stream(tmp_path / "a.mp3") == ("mp3float", RATE, made.channels, 320_000)
    before, after = decode(KINDS[kind].made()), decode(tmp_path / "a.wav")
    length = min(len(before), len(after))
    assert np.abs(before[:length] - after[:length]).max() < 0.02


def test_a_preview_is_of_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PREVIEW_S", 0.5)
    silent_but_in_the_middle = np.zeros((48_000 * 3, 1), np.float32)
    silent_but_in_the_middle[60_000:84_000] = tone(48_000, 1, 1.75)[60_000:84_000]
    made = _made(tmp_path, encode(silent_but_in_the_middle, 48_000, "wav", "pcm_s16le"))
    preview(tmp_path / "a.wav", tmp_path / "p.mp3", made.duration_s)
    heard = decode(tmp_path / "p.mp3")
    assert len(heard) / 16_000 == pytest.approx(0.5, abs=0.06)
    assert np.sqrt(np.mean(heard[1_600:-1_600] ** 2)) == pytest.approx(0.3 / 2**0.5, rel=0.05)


def test_of_less_than_a_preview_all_is_in_it(tmp_path: Path) -> None:
    made = _made(tmp_path, KINDS["FLAC"].made())
    preview(tmp_path / "a.wav", tmp_path / "p.mp3", made.duration_s)
    assert len(decode(tmp_path / "p.mp3")) / 16_000 == pytest.approx(2.0, abs=0.06)


def test_five_channels_and_one_become_two(tmp_path: Path) -> None:
    assert _made(tmp_path, _surround(tmp_path)).channels == 2


def _surround(folder: Path) -> bytes:
    path = folder / "surround.wav"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=48_000, layout="5.1")
        samples = np.full((1, 6 * 4_800), 3_000, np.int16)
        frame = av.AudioFrame.from_ndarray(samples, "s16", "5.1")
        frame.sample_rate = 48_000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path.read_bytes()


def test_what_lacks_its_end_gives_what_is_there(tmp_path: Path) -> None:
    whole = KINDS["Ogg Opus"].made()
    made = _made(tmp_path, whole[: len(whole) * 3 // 4])
    assert 0.5 < made.duration_s < 2.0


@pytest.mark.parametrize(
    "kind", ["FLAC", "MP3 without a header", "ADTS AAC", "AMR-NB", "WebM Opus, live"]
)
def test_too_long_is_refused_before_anything_is_decoded(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recording, "frames", None)
    with pytest.raises(AudioTooLong, match="longer than 1 s"):
        _made(tmp_path, KINDS[kind].made(), max_s=1.0)


def test_what_is_longer_than_it_says_is_refused_where_that_is_found(tmp_path: Path) -> None:
    whole = bytearray(KINDS["FLAC"].made())
    samples = int.from_bytes(whole[21:26], "big") & ~((1 << 36) - 1) | 24_000  # of 96,000
    whole[21:26] = samples.to_bytes(5, "big")
    with pytest.raises(AudioTooLong, match="longer than 1 s"):
        _made(tmp_path, bytes(whole), max_s=1.0)


def test_what_is_no_sound_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(EmptyFile):
        _made(tmp_path, b"")
    with pytest.raises(UnreadableAudio):
        _made(tmp_path, b"GIF89a" + bytes(500))
    with pytest.raises(NoSound):
        _made(tmp_path, _film(tmp_path))
    with pytest.raises(AudioTooShort):
        _made(tmp_path, _without_samples())


def _without_samples() -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
    return written.getvalue()


def _film(folder: Path) -> bytes:
    path = folder / "film.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        black = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        output.mux(stream.encode(black))
        output.mux(stream.encode(None))
    return path.read_bytes()


def test_a_full_disk_is_no_fault_of_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise av.error.FFmpegError(errno.ENOSPC, "No space left on device", "a.wav")

    monkeypatch.setattr(module, "_write", no_room)
    with pytest.raises(StorageFull):
        _made(tmp_path, KINDS["FLAC"].made())
    with pytest.raises(ValueError, match="other"), told_if_full():
        raise ValueError("other")
