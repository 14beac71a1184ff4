"""`engine/sound/audio.py`: bytes of any recording → samples, and nothing else."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from recorded import CLICK_S, KINDS, LEVEL, SECONDS, long_flac, long_opus, recorded, tone, wav

from engine.base.errors import (
    AudioTooLong,
    AudioTooShort,
    InvalidRequest,
    ShazamError,
    UnreadableAudio,
)
from engine.sound.audio import RATE, Samples, decode, encode, read_tags, resample, to_opus
from engine.sound.recording import Budget


def click_s(samples: Samples) -> float:
    return float(np.argmax(np.abs(samples) > LEVEL / 3)) / RATE


def level(samples: Samples) -> float:
    steady = samples[round((CLICK_S + 0.2) * RATE) : round((CLICK_S + 0.6) * RATE)]
    return float(np.sqrt(2 * np.mean(steady.astype(np.float64) ** 2)))


# What is right


@pytest.mark.parametrize("name", KINDS)
def test_every_promised_format_is_read_in_its_length_level_and_place(name: str) -> None:
    kind = KINDS[name]
    samples = decode(recorded(name), max_s=10)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert abs(click_s(samples) - CLICK_S - kind.late_s) < 0.005
    assert abs(level(samples) / LEVEL - 1) < kind.level
    if kind.pads:
        assert abs(len(samples) / RATE - SECONDS) < 0.08
    else:
        assert abs(len(samples) - SECONDS * RATE) <= 1


def test_only_the_first_seconds_are_decoded_where_no_more_are_wanted() -> None:
    assert len(decode(recorded("FLAC"), first_s=0.5)) == RATE // 2
    assert len(decode(recorded("FLAC"), first_s=0.5, max_s=10)) == RATE // 2
    assert len(decode(recorded("FLAC"), first_s=9)) == SECONDS * RATE


def test_a_file_is_read_like_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    path.write_bytes(recorded("Ogg Opus"))
    assert np.array_equal(decode(path), decode(recorded("Ogg Opus")))


def test_a_tone_keeps_its_pitch_whatever_its_rate() -> None:
    for rate in (8_000, 11_025, 22_050, 32_000, 44_100, 44_056, 88_200, 192_000):
        at = np.arange(rate) / rate
        samples = decode(wav((9_000 * np.sin(2 * np.pi * 1000 * at)).astype("<i2")[:, None], rate))
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        assert abs(int(spectrum.argmax()) * RATE / len(samples) - 1000) < 1.5, rate


def test_what_is_above_half_the_rate_is_left_out_and_not_folded() -> None:
    at = np.arange(48_000) / 48_000
    samples = decode(wav((9_000 * np.sin(2 * np.pi * 11_000 * at)).astype("<i2")[:, None], 48_000))
    assert np.abs(samples[500:-500]).max() < 0.002


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [(1, 1, 1), (1, 0, 0.5), (0, 1, 0.5), (1, -1, 1), (0.9, -1, 0.95), (1, 0.2, 0.6)],
    ids=["both", "left", "right", "inverted", "nearly inverted", "wide"],
)
def test_channels_become_one_and_never_cancel(left: float, right: float, expected: float) -> None:
    both = np.concatenate([tone(RATE) * left, tone(RATE) * right], 1)
    samples = decode(wav(both, RATE))
    assert level(samples) / LEVEL == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("channels", [3, 4, 6, 8, 12, 32])
def test_many_channels_become_one(channels: int) -> None:
    # PyAV reads beyond the eight planes of a frame, and FLAC's are planes.
    body = wav(np.repeat(tone(RATE), channels, 1), RATE)
    assert level(decode(body)) / LEVEL == pytest.approx(1, rel=0.02)


def test_eight_channels_in_planes_become_one() -> None:
    written = io.BytesIO()
    with av.open(written, "w", format="matroska") as output:
        stream = output.add_stream("libopus", rate=48_000, layout="7.1")
        frame = av.AudioFrame.from_ndarray(
            np.repeat(tone(48_000), 8, 1).reshape(1, -1), "flt", "7.1"
        )
        frame.sample_rate, frame.pts = 48_000, 0
        for one in (frame, None):
            output.mux(stream.encode(one))  # type: ignore[attr-defined]
    samples = decode(written.getvalue())
    assert 0.5 < level(samples) / LEVEL < 1.1


@pytest.mark.parametrize("mask", [0, 1, 3, 4, 0x33, 0x10000], ids=hex)
def test_extensible_wavs_are_read_whatever_speakers_they_name(mask: int) -> None:
    channels = max(1, mask.bit_count())
    body = wav(np.repeat(tone(RATE), channels, 1), RATE, mask=mask)
    assert level(decode(body)) / LEVEL == pytest.approx(1, rel=0.02)


def test_a_wav_written_to_a_pipe_has_the_length_that_it_has() -> None:
    samples = (tone(RATE) * 32_000).astype("<i2")
    for declared in (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000):
        assert len(decode(wav(samples, RATE, declared=declared), max_s=10)) == SECONDS * RATE


def test_values_that_are_no_numbers_or_too_large_are_held_in_bounds() -> None:
    values = tone(RATE)
    values[100:200] = np.nan
    values[300:400] = np.inf
    values[500:600] = -3e38
    values[10_000:11_000] = 5.0
    samples = decode(wav(values, RATE))
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1
    assert level(samples) / LEVEL == pytest.approx(1, rel=0.02)
    doubled = decode(wav(np.repeat(values, 2, 1), 48_000))
    assert np.isfinite(doubled).all()
    assert np.abs(doubled).max() <= 1


def test_a_large_picture_before_an_mp3_is_passed_over() -> None:
    body = recorded("MP3")
    for size in (300_000, 7_000_000):
        picture = b"\0image/png\0\3\0" + b"\x89PNG\r\n\x1a\n" + bytes(size)
        frame = b"APIC" + len(picture).to_bytes(4, "big") + b"\0\0" + picture
        tag = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
        samples = decode(b"ID3\3\0\0" + tag + frame + body, max_s=10)
        assert abs(click_s(samples) - CLICK_S) < 0.005


def test_the_sound_of_a_video_is_read_and_its_pictures_never(monkeypatch: object) -> None:
    samples = decode(video(), max_s=10)
    assert abs(click_s(samples) - CLICK_S) < 0.005


def video(container: str = "mp4") -> bytes:
    """A video of grey, and the tone beside it."""
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        seen = output.add_stream("mpeg4", rate=10)
        seen.width, seen.height, seen.pix_fmt = 64, 48, "yuv420p"
        heard = output.add_stream("aac", rate=48_000, layout="mono")
        for n in range(20):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8), "rgb24")
            picture.pts = n
            output.mux(seen.encode(picture))
        output.mux(seen.encode(None))
        frame = av.AudioFrame.from_ndarray(tone(48_000).reshape(1, -1), "flt", "mono")
        frame.sample_rate, frame.pts = 48_000, 0
        output.mux([*heard.encode(frame), *heard.encode(None)])
    return written.getvalue()


def silent_video() -> bytes:
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as output:
        seen = output.add_stream("mpeg4", rate=10)
        seen.width, seen.height, seen.pix_fmt = 64, 48, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8), "rgb24")
        output.mux([*seen.encode(picture), *seen.encode(None)])
    return written.getvalue()


def test_what_is_cut_gives_what_is_there() -> None:
    for name in ("WebM Opus, live", "MP3", "FLAC", "WAV", "MP4 AAC in fragments"):
        body = recorded(name)
        samples = decode(body[: len(body) * 9 // 10], max_s=10)
        assert abs(click_s(samples) - CLICK_S - KINDS[name].late_s) < 0.005, name
        assert len(samples) > 1.5 * RATE, name


@pytest.mark.parametrize("ending", ["webm", "mp4"])
def test_what_a_browser_recorded_is_read_before_it_is_finished(ending: str) -> None:
    """Chromium's MediaRecorder, three seconds on: a tone of 50 ms each half second."""
    path = Path(__file__).parent / "recorded" / f"chromium.{ending}"
    samples = decode(path.read_bytes(), max_s=10)
    assert 2.9 < len(samples) / RATE < 3.2
    loud = np.flatnonzero(np.abs(samples) > 0.1) / RATE
    begins = loud[np.flatnonzero(np.diff(loud, prepend=-1) > 0.2)]
    assert len(begins) == 6
    assert np.abs(np.diff(begins) - 0.5).max() < 0.005


def test_hundreds_of_threads_share_it() -> None:
    expected = decode(recorded("WebM Opus"))
    with ThreadPoolExecutor(8) as pool:
        for samples in pool.map(lambda _: decode(recorded("WebM Opus")), range(100)):
            assert np.array_equal(samples, expected)


# What is refused


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"%PDF-1.7" + bytes(200),
        b"\xff" * 500,
        bytes(500),
        b"ID3\3\0\0\0\0\0\0",
        recorded("FLAC")[:40],
        recorded("MP4 AAC")[:-2_000],
    ],
    ids=["JSON", "PNG", "PDF", "ones", "zeros", "only a tag", "only a beginning", "no index"],
)
def test_what_is_no_recording_is_refused_with_what_to_send(body: bytes) -> None:
    with pytest.raises(UnreadableAudio) as refused:
        decode(body, name="It")
    assert refused.value.message.startswith("It ")
    assert "Send 3 s or more as WebM" in refused.value.message


def test_nothing_is_refused_as_nothing() -> None:
    with pytest.raises(InvalidRequest):
        decode(b"")
    with pytest.raises(AudioTooShort):
        decode(wav(np.zeros((0, 1), "<i2"), RATE))


def test_a_video_without_sound_is_refused() -> None:
    with pytest.raises(UnreadableAudio, match="no sound in it"):
        decode(silent_video())


def test_what_is_longer_than_allowed_is_refused_before_it_is_decoded() -> None:
    for name in ("WAV", "FLAC", "MP3 without a header", "WebM Opus, live", "AMR-NB", "ADTS AAC"):
        with pytest.raises(AudioTooLong, match="longer than 1 s"):
            decode(recorded(name), max_s=1)
        with pytest.raises(AudioTooLong, match="longer than 1 s"):
            decode(recorded(name), first_s=0.5, max_s=1)
        assert len(decode(recorded(name), first_s=0.5, max_s=3)) == RATE // 2


@pytest.mark.parametrize("rate", [0, 1, 3_999, 800_000, 0xFFFFFFFF])
def test_rates_that_nobody_uses_are_refused(rate: int) -> None:
    body = bytearray(wav((tone(RATE) * 9_000).astype("<i2"), RATE))
    body[24:28] = rate.to_bytes(4, "little")
    with pytest.raises(UnreadableAudio):
        decode(bytes(body))


# What is hostile


def test_channels_of_a_files_own_order_end_no_process() -> None:
    """PyAV frees such a list twice; eight kilobytes ended the worker."""
    program = (
        "import gc, sys\n"
        "from recorded import caf\n"
        "from engine.base.errors import UnreadableAudio\n"
        "from engine.sound.audio import decode\n"
        "for labels in ([2, 1], [1, 1], [131073, 2], [3, 2, 1], [0] * 9, [200, 201]):\n"
        "    for _ in range(5):\n"
        "        try: decode(caf(labels))\n"
        "        except UnreadableAudio: pass\n"
        "        gc.collect()\n"
        "for labels in ([1, 2], [3], [1, 2, 3]):\n"
        "    assert len(decode(caf(labels))) == 16_000\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == b""


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    other = tmp_path / "other.wav"
    other.write_bytes(recorded("WAV"))
    lists = [
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{other}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile {other}\n",
        f"<?xml version='1.0'?><MPD><Period><BaseURL>file://{other}</BaseURL></Period></MPD>",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n{other}\n",
    ]
    for text in lists:
        with pytest.raises(UnreadableAudio):
            decode(text.encode())
        (tmp_path / "list.m3u8").write_text(text)
        with pytest.raises(UnreadableAudio):
            decode(tmp_path / "list.m3u8")


def bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that are long, or say that they are."""
    yield "half an hour of silence, FLAC", long_flac(1800)
    yield "eleven minutes of silence, Opus", long_opus(660)
    yield "FLAC that declares 36 bits of samples", long_flac(5, 2**36 - 1)


def test_bombs_are_refused_in_little_time_and_memory() -> None:
    for name, body in bombs():
        assert len(body) < 400_000
        since = time.thread_time()
        with pytest.raises(AudioTooLong):
            decode(body, max_s=600)
        assert time.thread_time() - since < 2, name
        since = time.thread_time()
        with contextlib.suppress(AudioTooLong):  # where its packets tell their length
            assert len(decode(body, first_s=60, max_s=600)) == 60 * RATE, name
        assert time.thread_time() - since < 0.5, name


def test_a_strangers_bytes_have_a_bound_of_processor_time_and_a_file_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.sound.recording._CPU_S", -1.0)
    with pytest.raises(UnreadableAudio):
        decode(recorded("FLAC"))
    path = tmp_path / "own.flac"
    path.write_bytes(recorded("FLAC"))
    assert len(decode(path)) == SECONDS * RATE


def test_what_was_decoded_adds_to_the_bound_also_when_more_is_read() -> None:
    budget = Budget(1_000, 0.0)
    budget.spend(1e9)
    budget.read(10)
    with pytest.raises(Exception, match="too long"):
        budget.spend(0)
    with pytest.raises(Exception, match="too long"):
        budget.read(10)


def test_nothing_is_said_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("MP3", "MP4 AAC", "Ogg Opus"):
        body = recorded(name)
        for cut in (len(body) // 2, 100):
            with pytest.raises(ShazamError) if cut == 100 else pytest.MonkeyPatch.context():
                decode(body[:cut] + bytes(99) + body[cut + 99 :] if cut > 100 else body[:cut])
    assert capfd.readouterr() == ("", "")


# Tags, encoding, rates


TAGGED = [
    ("MP3", {"TBPM": "128", "TKEY": "Am", "date": "1999-05-02", "copyright": "CC-BY-4.0"}),
    ("Ogg Opus", {"BPM": "128.0", "initialkey": "Am", "date": "1999", "license": "CC-BY-4.0"}),
    ("FLAC", {"BPM": "128", "key": "Am", "date": "1999", "LICENSE": "CC-BY-4.0"}),
]


@pytest.mark.parametrize(("name", "more"), TAGGED, ids=[name for name, _ in TAGGED])
def test_tags_are_read_by_the_names_that_each_format_has(
    name: str, more: dict[str, str], tmp_path: Path
) -> None:
    kind = KINDS[name]
    said = {"title": "A\x1b[31m", "artist": "Bé", "album": " C ", "genre": "Dub", **more}
    path = tmp_path / "track"
    path.write_bytes(
        encode(tone(kind.rate, kind.channels), kind.rate, kind.container, kind.codec, tags=said)
    )
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.album) == ("A\\x1b[31m", "Bé", "C")
    assert (tags.genre, tags.year, tags.bpm) == ("Dub", 1999, 128.0)
    assert (tags.key, tags.licence) == ("Am", "CC-BY-4.0")
    assert tags.duration_s == pytest.approx(SECONDS, abs=0.05)


def test_tags_that_say_nothing_are_none_and_lengths_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "track"
    path.write_bytes(
        encode(tone(44_100), 44_100, "flac", "flac", tags={"BPM": "fast", "title": " "})
    )
    tags = read_tags(path)
    assert {tags.title, tags.artist, tags.year, tags.bpm, tags.key} == {None}
    path.write_bytes(recorded("ADTS AAC"))
    assert read_tags(path).duration_s == pytest.approx(SECONDS, abs=0.08)
    path.write_bytes(b"nothing")
    with pytest.raises(UnreadableAudio, match="track is not"):
        read_tags(path)


def test_a_rate_is_changed_in_place() -> None:
    for rate, to in ((16_000, 8_000), (44_100, 16_000), (16_000, 48_000), (48_000, 16_320)):
        samples = resample(tone(rate)[:, 0], rate, to)
        assert samples.dtype == np.float32
        assert abs(len(samples) - SECONDS * to) <= 1
        assert abs(float(np.argmax(np.abs(samples) > LEVEL / 3)) / to - CLICK_S) < 0.001
        steady = samples[round(1.4 * to) : round(1.8 * to)]
        assert np.sqrt(2 * np.mean(steady**2)) == pytest.approx(LEVEL, rel=0.01)


def test_a_track_is_written_as_opus_of_any_rate(tmp_path: Path) -> None:
    for rate, channels in ((16_000, 1), (44_100, 2)):
        path = tmp_path / "track.opus"
        to_opus(tone(rate, channels), rate, path, 48)
        assert path.read_bytes()[:4] == b"OggS"
        assert path.stat().st_size < 30_000
        samples = decode(path)
        assert abs(click_s(samples) - CLICK_S) < 0.005
        assert abs(len(samples) / RATE - SECONDS) < 0.001
