"""A track's file → its audio in the artifact: as it is, as Opus, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

from engine.base.errors import ShazamError
from engine.sound.catalogue import Track
from engine.sound.manifest import AUDIO
from engine.sound.recording import Recording, opened

Mode = Literal["opus", "copy", "none"]
# 0.7 MB a minute of stereo; few can tell it from the original.
_RATE, _BITS = 48_000, 96_000
# Opus in MP4, its index in front: Safari plays it since 17, in Ogg since 18.4 alone; others play
# both.
_MP4, _INDEX_FIRST = "mp4", {"movflags": "faststart"}
_ENDING = ".m4a"
# What a browser is told of a file goes by its ending. ffmpeg's names of containers → endings.
_ENDINGS = {
    "aac": ".aac",
    "ac3": ".ac3",
    "aiff": ".aiff",
    "amr": ".amr",
    "asf": ".wma",
    "au": ".au",
    "avi": ".avi",
    "caf": ".caf",
    "flac": ".flac",
    "flv": ".flv",
    "mp3": ".mp3",
    "mpeg": ".mpg",
    "mpegts": ".ts",
    "ogg": ".ogg",
    "w64": ".w64",
    "wav": ".wav",
    "wv": ".wv",
}


def goes_in(track: Track, mode: Mode) -> bool:
    """Whether the audio of a track is put into the artifact: not where its licence forbids to hand
    it out, nor where it has an address elsewhere."""
    return mode != "none" and track.audio_shared and track.url is None


def put_audio(source: Path, track_id: int, folder: Path, mode: Mode) -> str:
    """Write a track's audio below `folder`, the artifact's; its name there, `audio/17.m4a`.

    Raises what `engine.sound.audio.decode` raises.
    """
    (folder / AUDIO).mkdir(exist_ok=True)
    with opened(source, source.name) as recording:
        container = recording.container.format.name.split(",")[0]
        codec = recording.stream.codec_context.name
        video = bool(recording.container.streams.video)
    is_opus = codec == "opus" and not video
    if is_opus or mode == "copy":
        ending = ".opus" if is_opus and container == "ogg" else _ending(container, source, video)
        name = f"{AUDIO}/{track_id}{ending}"
        shutil.copyfile(source, folder / name)
        return name
    name = f"{AUDIO}/{track_id}{_ENDING}"
    try:
        _to_opus(source, folder / name)
    except ShazamError:  # heard before, and yet: a stream may change its rate on its way
        (folder / name).unlink(missing_ok=True)
        return put_audio(source, track_id, folder, "copy")
    return name


def _ending(container: str, source: Path, video: bool) -> str:
    if container in ("mov", "matroska"):
        own = source.suffix.casefold()
        usual = (".mp4", ".mkv") if video else (".m4a", ".mka")
        known = {"mov": (".m4a", ".m4b", ".mp4", ".mov"), "matroska": (".webm", ".mka", ".mkv")}
        return own if own in known[container] else usual[container == "matroska"]
    return _ENDINGS.get(container, ".bin")


def _to_opus(source: Path, target: Path) -> None:
    """A recording → Opus in stereo, or in mono where it is; without its tags or pictures."""
    with (
        opened(source, source.name) as recording,
        av.open(target, "w", format=_MP4, container_options=_INDEX_FIRST) as output,
    ):
        channels = recording.stream.codec_context.channels
        layout = "mono" if channels == 1 else "stereo"
        resampler = AudioResampler(format="flt", layout=layout, rate=_RATE)
        made = cast("AudioStream", output.add_stream("libopus", rate=_RATE, layout=layout))
        made.bit_rate = _BITS * min(2, channels) // 2
        made.time_base = Fraction(1, _RATE)
        for frame in _resampled(recording, resampler):
            output.mux(made.encode(frame))
        output.mux(made.encode(None))


def _resampled(recording: Recording, resampler: AudioResampler) -> Iterator[AudioFrame]:
    """Frames one behind the other: gaps and jumps of a file's clock are no sound."""
    written = 0
    for packet in recording.packets():
        try:
            frames = recording.frames(packet)
        except (av.error.FFmpegError, EOFError):
            continue  # damaged; what decodes is taken, as `decode` takes it
        for frame in frames:
            frame.pts = None
            for part in resampler.resample(frame):
                part.pts, written = written, written + part.samples
                yield part
    for part in resampler.resample(None):
        if part is not None and part.samples:
            part.pts, written = written, written + part.samples
            yield part
