"""The music, the rooms and the recordings of `benchmarks/sound.py`: none of it is in any training.

Music is installed from Debian's packages below build/sound, MIDI rendered by FluidSynth with
TimGM6mb. Rooms are pyroomacoustics' (image sources), voices French prompts of Asterisk, five at
once: nothing of them is shared with `engine.sound.hearing`, which trains and calibrates.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
from engine.sound.audio import RATE, Samples, decode, encode  # noqa: E402

# Package → the files of it that are music. Those indexed, and those that nothing has.
KNOWN = {
    "singularity-music": "usr/share/games/singularity/music/**/*.ogg",
    "asc-music": "usr/share/games/asc/music/*.mp3",
    "planetblupi-music-ogg": "usr/share/planetblupi/music/*.ogg",
    "openttd-openmsx": "usr/share/games/openttd/baseset/openmsx/*.mid",
}
STRANGERS = {
    "drascula-music": "usr/share/scummvm/drascula/audio/*.ogg",
    "frozen-bubble-data": "usr/share/games/frozen-bubble/snd/*.ogg",
}
VOICES = ("asterisk-core-sounds-fr-g722", "usr/share/asterisk/sounds/fr_CA_f_June/*.g722")
SOUNDFONT = ("timgm6mb-soundfont", "usr/share/sounds/sf2/TimGM6mb.sf2")
# Jingles of a game are no music to be found; of a long piece this much is taken.
SHORTEST_S, LONGEST_S = 30.0, 150.0
CONDITIONS = ("clean", "room", "10 dB", "5 dB", "0 dB")
_ROOMS = """
import numpy, pyroomacoustics as p, sys
rng = numpy.random.default_rng(0)
made = []
for _ in range(24):
    size = rng.uniform((3, 2.5, 2.4), (8, 6, 3.2))
    absorbs, order = p.inverse_sabine(rng.uniform(0.35, 0.6), size)
    room = p.ShoeBox(size, fs=16000, materials=p.Material(absorbs), max_order=min(order, 24))
    places = rng.uniform(0.4, size - 0.4, (3, 3))
    room.add_source(places[0]); room.add_source(places[1]); room.add_microphone(places[2])
    room.compute_rir()
    for response in room.rir[0]:
        start = int(numpy.abs(response).argmax())  # a clip begins when its sound arrives
        made.append(numpy.pad(response[start:], (0, 16000))[:16000])
numpy.save(sys.argv[1], numpy.array(made, numpy.float32).reshape(24, 2, -1))
"""


@dataclass(frozen=True)
class Clip:
    """What is asked: `track` is its place among the known tracks, or −1 − its place among the
    strangers; it begins `offset_s` into it."""

    track: int
    offset_s: float
    length_s: float
    condition: str
    speed: float = 1.0


class Recorder:
    """Recordings of excerpts, the same for the same seed."""

    def __init__(self, work: Path, python: Path) -> None:
        voices = (install(work, VOICES[0]) / ".").glob(VOICES[1])
        parts = [_kept(work, path) for path in sorted(voices)[:300]]
        self._voices = np.concatenate(parts).astype(np.float32) / 32768
        responses = work / "rooms.npy"
        if not responses.exists():
            subprocess.run([python, "-c", _ROOMS, responses], check=True)
        self._rooms = np.load(responses)

    def record(self, samples: np.ndarray, clip: Clip, seed: int) -> Samples:
        """(N,) int16 of the whole track → what the phone sends of the clip, float32."""
        rng = np.random.default_rng([seed, 9])
        lead = min(clip.offset_s, 1.0)  # the room is already full of the music
        first = round((clip.offset_s - lead * clip.speed) * RATE)
        count = round((lead + clip.length_s) * clip.speed * RATE)
        music = samples[first : first + count].astype(np.float32) / 32768
        if clip.speed != 1:
            at = np.arange(round((lead + clip.length_s) * RATE)) * clip.speed
            music = np.interp(at, np.arange(len(music)), music).astype(np.float32)
        if clip.condition != "clean":
            music = self._in_a_room(music, clip, rng)
        music = music[round(lead * RATE) :]
        music = music * (0.1 / max(1e-6, float(np.sqrt(np.square(music).mean()))))
        sent = encode(np.clip(music, -1, 1), RATE, "webm", "libopus", kbit=24)
        return decode(sent)

    def _in_a_room(self, music: Samples, clip: Clip, rng: np.random.Generator) -> Samples:
        responses = self._rooms[int(rng.integers(len(self._rooms)))]
        heard = _band(_through(music, responses[0]))
        if clip.condition != "room":
            snr_db = float(clip.condition.split()[0])
            around = _band(_through(self._noise(len(music), rng), responses[1]))
            gain = np.sqrt(np.square(heard).mean() / np.square(around).mean())
            heard = heard + around * gain * 10 ** (-snr_db / 20)
        return heard.astype(np.float32)

    def _noise(self, count: int, rng: np.random.Generator) -> Samples:
        """Five people at once, and pink noise 6 dB below them."""
        total = np.zeros(count, np.float32)
        for start in rng.integers(0, len(self._voices) - count, 5).tolist():
            voice = self._voices[start : start + count]
            total += voice / max(1e-4, float(np.sqrt(np.square(voice).mean())))
        hz = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20)
        pink = np.fft.irfft(np.fft.rfft(rng.normal(size=count)) / np.sqrt(hz), count)
        pink *= np.sqrt(np.square(total).mean() / np.square(pink).mean()) / 2
        return (total + pink).astype(np.float32)


def _through(samples: Samples, response: Samples) -> Samples:
    size = 1 << (len(samples) + len(response)).bit_length()
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
    return np.fft.irfft(spectrum, size)[: len(samples)]


def _band(samples: Samples) -> Samples:
    """What a small loudspeaker leaves: 12 dB an octave off below 250 Hz, and above 5.5 kHz."""
    hz = np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE), 1)
    gain = 1 / np.sqrt(1 + (250 / hz) ** 4) / np.sqrt(1 + (hz / 5500) ** 8)
    return np.fft.irfft(np.fft.rfft(samples) * gain, len(samples))


def environment(work: Path, wanted: list[str]) -> Path:
    """A Python of its own with these packages: rivals of ours, and what they need."""
    python = work / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", work / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
    return python


def install(work: Path, package: str) -> Path:
    """A Debian package's files below `work`, without installing it."""
    root = work / "debian" / package
    if not root.exists():
        folder = work / "packages"
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=True)
        [file] = folder.glob(f"{package}_*.deb")
        root.parent.mkdir(exist_ok=True)
        subprocess.run(["dpkg-deb", "-x", file, root], check=True)
    return root


def _kept(work: Path, path: Path) -> np.ndarray:
    """(N,) int16 at 16 kHz of a file, decoded or rendered once."""
    kept = work / "decoded" / f"{path.parent.name}-{path.name}.npy"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        source = path
        if path.suffix == ".mid":
            source = kept.with_suffix(".wav")
            font = install(work, SOUNDFONT[0]) / SOUNDFONT[1]
            told = ["fluidsynth", "-ni", "-q", "-r", "16000", "-F", str(source), str(font)]
            subprocess.run([*told, str(path)], check=True, capture_output=True)
        samples = _voice(path) if path.suffix == ".g722" else decode(source, first_s=LONGEST_S)
        if path.suffix == ".mid":
            source.unlink()
        np.save(kept, np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16))
    samples: np.ndarray = np.load(kept, mmap_mode="r")
    return samples


def _voice(path: Path) -> Samples:
    """(N,) at 16 kHz of a file without a head."""
    with av.open(str(path), format="g722") as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768


def tracks(work: Path, packages: dict[str, str]) -> dict[str, np.ndarray]:
    """Name → (N,) int16 at 16 kHz of every piece of these packages, none twice."""
    found: dict[str, np.ndarray] = {}
    seen: set[bytes] = set()
    for package, pattern in packages.items():
        for path in sorted(install(work, package).glob(pattern)):
            samples = _kept(work, path)
            middle = samples[len(samples) // 2 :][:RATE].tobytes()
            if len(samples) >= SHORTEST_S * RATE and middle not in seen:
                seen.add(middle)
                found[f"{package}/{path.name}"] = samples
    return found


def ask(
    pieces: dict[str, int], count: int, conditions: tuple[str, ...], seconds: tuple[float, ...]
) -> Iterator[Clip]:
    """`count` clips of each track (name → samples), length and condition; the same excerpts for
    each condition."""
    for number, (name, samples) in enumerate(pieces.items()):
        for turn in range(count):
            rng = np.random.default_rng([number, turn, len(name)])
            where = rng.uniform(0.02, 0.98)
            for length_s in seconds:
                last = len(samples) / RATE - length_s * 1.03 - 2
                offset_s = _sounding(samples, where * last, length_s)
                for condition in conditions:
                    yield Clip(number, offset_s, length_s, condition)


def _sounding(samples: np.ndarray, offset_s: float, length_s: float) -> float:
    """The place, or one before it, from which on the piece sounds: some end in silence."""
    while offset_s > 2 * length_s:
        part = samples[round(offset_s * RATE) :][: round(length_s * RATE)].astype(np.float32)
        if np.sqrt(np.square(part).mean()) > 100:  # of 32,768: 50 dB below full scale
            break
        offset_s -= length_s
    return offset_s
