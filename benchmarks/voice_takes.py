"""What `voice.py` sings and records: melodies of MIDI files, a synthetic voice, words on a melody,
spoken prompts, rooms. Nothing of it is kept in the repository."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sound_clips import SOUNDFONT, environment, install

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]
from singing import RATE, VOWELS, Note, Sung, sing  # noqa: E402

from engine.sound.audio import resample  # noqa: E402

Array = npt.NDArray[np.float32]
PIECES = ("openttd-openmsx", "usr/share/games/openttd/baseset/openmsx/*.mid")
PROMPTS = "asterisk-core-sounds-en-g722", "usr/share/asterisk/sounds/en_US_f_Allison"
TEXTS = "asterisk-core-sounds-en", "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
LINES = (
    "the river runs beside the road and carries all our songs to the sea",
    "morning light is falling slowly over fields of gold and silver rain",
    "tell me where the summer goes when winter comes to steal the day",
    "i have walked a thousand miles to find the house where you were born",
)
# Words of as many syllables, to sing in place of others.
OTHERS = (
    *("candle", "window", "mountain", "paper", "yellow", "garden"),
    *("button", "seven", "table", "monkey", "purple", "water"),
)

# The highest part that hardly ever sounds twice at once is the melody; twenty seconds full of it.
_NOTES = """
import json, mido, sys
from collections import defaultdict
made = []
for number, path in enumerate(sys.argv[2:]):
    file, time, on, parts = mido.MidiFile(path), 0, {}, defaultdict(list)
    for message in file:
        time += message.time
        key = getattr(message, "channel", 9), getattr(message, "note", 0)
        if message.type in ("note_on", "note_off") and key in on:
            begins = on.pop(key)
            parts[key[0]].append((begins, time - begins, key[1]))
        if message.type == "note_on" and message.velocity and key[0] != 9:
            on[key] = time
    best = None
    for channel, notes in parts.items():
        notes.sort()
        twice = sum(a[0] + a[1] > b[0] + 0.05 for a, b in zip(notes, notes[1:]))
        mean = sum(n[2] for n in notes) / len(notes)
        usual = sorted(n[1] for n in notes)[len(notes) // 2]
        if len(notes) >= 60 and twice < 0.1 * len(notes) and usual >= 0.12 and mean >= 50:
            best = max(best or (0, 0, []), (mean, channel, notes))
    if best is None:
        continue
    for track in file.tracks:
        for message in track:
            if message.type == "note_on" and message.channel == best[1]:
                message.velocity = 0
    file.save(f"{sys.argv[1]}/{number}.mid")
    last = max(2, int(best[2][-1][0]) - 24)
    full = lambda at: sum(n[1] for n in best[2] if at <= n[0] < at + 24)
    made.append([number, max(range(0, last, 2), key=full), best[2]])
json.dump(made, open(f"{sys.argv[1]}/notes.json", "w"))
"""
# flite's words on other tones: WORLD takes a voice apart and puts it together.
_WORDS = """
import json, numpy, pyworld, sys, wave
wav, asked, made = sys.argv[1:]
with wave.open(wav) as file:
    rate = file.getframerate()
    x = numpy.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
f0, t = pyworld.harvest(x, rate)
shape, breath = pyworld.cheaptrick(x, f0, t, rate), pyworld.d4c(x, f0, t, rate)
midi = numpy.zeros(len(t))
for begins, tone in json.loads(asked):
    midi[t >= begins] = tone
midi = numpy.convolve(numpy.pad(midi, 6, "edge"), numpy.ones(12) / 12, "same")[6:-6]
midi = midi + 0.4 * numpy.sin(2 * numpy.pi * 5.5 * t)
hz = numpy.where(f0 > 0, 440 * 2 ** ((midi - 69) / 12), 0)
numpy.savez(made, x=pyworld.synthesize(hz, shape, breath, rate), rate=rate, hz=hz, t=t)
"""
# How high a person speaks, each 5 ms; 0 where that is no tone.
_TONES = """
import numpy, pyworld, sys
pressed = numpy.load(sys.argv[1]).astype(float)
numpy.save(sys.argv[2], pyworld.harvest(pressed, int(sys.argv[3]))[0])
"""
_TONES_S = 0.005


@dataclass(frozen=True)
class Song:
    """A melody and the music behind it, (N, 2) at 44.1 kHz."""

    name: str
    notes: list[Note]
    music: Array
    length_s: float


def songs(work: Path, count: int, length_s: float) -> list[Song]:
    """Pieces whose melody can be told, sung at the height of a voice; without that melody they are
    the music behind it."""
    folder = work / "songs"
    paths = sorted(install(work, PIECES[0]).glob(PIECES[1]))
    if not (folder / "notes.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([_python(work), "-c", _NOTES, folder, *paths], check=True)
    made: list[Song] = []
    for number, begins, notes in json.loads((folder / "notes.json").read_text()):
        music = _excerpt(work, folder / f"{number}.mid", begins, length_s)
        if len(music) < round(length_s * RATE) or _rms(music) < 0.01:
            continue
        sung = _singable(notes, begins, length_s, number)
        if sum(note.length_s for note in sung) < 0.25 * length_s:
            continue
        made.append(Song(paths[number].stem, sung, music, length_s))
        if len(made) == count:
            break
    return made


def _singable(
    notes: Sequence[tuple[float, float, int]], begins: float, length_s: float, seed: int
) -> list[Note]:
    random = np.random.default_rng(seed)
    middle = float(np.median([tone for _, _, tone in notes]))
    shift = -12 * round((middle - 60) / 12)
    kept = [n for n in notes if begins + 0.1 <= n[0] < begins + length_s - 0.5]
    made = []
    for (at, length, tone), following in zip(kept, [*kept[1:], (1e9, 0, 0)], strict=True):
        length = min(length, following[0] - at - 0.01)
        if length >= 0.08:
            made.append(Note(at - begins, length, tone + shift, str(random.choice([*VOWELS]))))
    return made


def _excerpt(work: Path, midi: Path, begins_s: float, length_s: float) -> Array:
    """(N, 2) at 44.1 kHz, rendered by FluidSynth once."""
    kept = midi.with_name(f"{midi.stem}-{begins_s:g}-{length_s:g}.npy")
    if not kept.exists():
        first = round(begins_s * RATE)
        np.save(kept, _rendered(work, midi)[first : first + round(length_s * RATE)])
    made: Array = np.load(kept)
    return made


def _rendered(work: Path, midi: Path) -> Array:
    wav = midi.with_suffix(".wav")
    if not wav.exists():
        font = install(work, SOUNDFONT[0]) / SOUNDFONT[1]
        told = ["fluidsynth", "-ni", "-q", "-r", f"{RATE}", "-F", str(wav), str(font), str(midi)]
        subprocess.run(told, check=True, capture_output=True)
    from engine.voice.ear.sounds import stereo

    return np.concatenate([*stereo(wav)])


def _python(work: Path) -> Path:
    return environment(work, ["setuptools<81", "mido", "pyworld"])


def sung_words(
    work: Path, text: str, seed: int, *, stretch: float = 1.6, cents: float = 0
) -> tuple[Array, npt.NDArray[np.float64]]:
    """A line on a melody: (N,) at 44.1 kHz, and its pitch at each sample, 0 where it has none."""
    folder = work / "words"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{abs(hash_of(text))}-{seed}-{stretch}-{cents}"
    kept = folder / f"{name}.npz"
    if not kept.exists():
        spoken = folder / f"{name}.wav"
        how = ["-voice", "slt", "--setf", f"duration_stretch={stretch}"]
        subprocess.run(["flite", *how, "-t", text, "-o", spoken], check=True)
        asked = json.dumps(_tones(seed, 20, cents))
        subprocess.run([_python(work), "-c", _WORDS, spoken, asked, kept], check=True)
    with np.load(kept) as held:
        samples = resample(held["x"].astype(np.float32), int(held["rate"]), RATE)
        time = np.arange(len(samples)) / RATE
        voiced = np.interp(time, held["t"], (held["hz"] > 0).astype(float)) > 0.99
        return samples, np.where(voiced, np.interp(time, held["t"], held["hz"]), 0)


def _tones(seed: int, length_s: float, cents: float = 0) -> list[list[float]]:
    """A tone each 0.45 s, from G3 to G4: when it begins, and its MIDI number."""
    random = np.random.default_rng(seed)
    scale, at, tones = [0, 2, 4, 5, 7, 9, 11, 12], 3, []
    for begins in np.arange(0, length_s, 0.45):
        at = int(np.clip(at + random.choice([-2, -1, 0, 1, 2]), 0, 7))
        tones.append([float(begins), 55 + scale[at] + cents / 100])
    return tones


def sung_prompt(work: Path, samples: Array, seed: int) -> Array:
    """What a person said on a melody, (N,) at 44.1 kHz each: by TD-PSOLA (Moulines and Charpentier,
    1990), so that each period of the voice is that of the person and no vocoder's."""
    folder = work / "words"
    folder.mkdir(parents=True, exist_ok=True)
    name = hash_of(samples.tobytes().hex())
    given, kept = folder / f"{name}.in.npy", folder / f"{name}.f0.npy"
    if not kept.exists():
        np.save(given, samples)
        told = [_python(work), "-c", _TONES, given, kept, f"{RATE}"]
        subprocess.run(told, check=True)
    spoken = np.load(kept)
    begins, tones = np.array(_tones(seed, len(samples) / RATE + 1)).T
    at = np.arange(len(spoken)) * _TONES_S
    midi = tones[np.searchsorted(begins, at, side="right") - 1]
    midi = np.convolve(np.pad(midi, 6, "edge"), np.ones(12) / 12, "same")[6:-6]
    midi += 0.4 * np.sin(2 * np.pi * 5.5 * at)  # vibrato
    return _retuned(samples, spoken, 440 * 2 ** ((midi - 69) / 12))


def _retuned(samples: Array, hz: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> Array:
    """Periods of a voice, set as far apart as `wanted` says; what has no tone stays as it is."""
    places, periods = _periods(samples, hz)
    padded = np.pad(samples, RATE // 10)
    made, at = np.zeros(len(padded)), 0.0
    while at < len(samples):
        nearest = int(np.abs(places - at).argmin())
        period = periods[nearest]
        half = round(period or RATE * _TONES_S)
        first = RATE // 10 - half
        grain = padded[first + places[nearest] :][: 2 * half] * np.hanning(2 * half + 1)[:-1]
        made[first + int(at) :][: 2 * half] += grain
        at += RATE / wanted[_frame(at, wanted)] if period else RATE * _TONES_S
    return made[RATE // 10 : -RATE // 10].astype(np.float32)


def _periods(
    samples: Array, hz: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Where each period of a voice has its peak, and how long it is: 0 where there is no tone, and
    then each 5 ms."""
    places, periods = [0], [0.0]
    while places[-1] < len(samples) - 1:
        last = places[-1]
        tone = hz[_frame(last, hz)]
        period = RATE / tone if tone else 0.0
        # The first of a tone is wherever it is; each other a period after the one before.
        reach = (0.8, 1.2) if period and periods[-1] else (0.1, 1.1)
        first, end = (last + max(1, round(share * period)) for share in reach)
        peak = first + int(samples[first : end + 1].argmax()) if first < len(samples) - 1 else first
        places.append(peak if period else last + round(RATE * _TONES_S))
        periods.append(period)
    return np.minimum(places, len(samples) - 1), np.array(periods)


def _frame(at: float, frames: npt.NDArray[np.float64]) -> int:
    return min(len(frames) - 1, int(at / RATE / _TONES_S))


def hash_of(text: str) -> int:
    import hashlib

    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)


def prompts(work: Path, count: int) -> list[tuple[Array, str]]:
    """What a person said: (N,) at 44.1 kHz, 6 to 12 s each, and the words."""
    told = gzip.decompress((install(work, TEXTS[0]) / TEXTS[1]).read_bytes()).decode()
    texts = dict(line.split(":", 1) for line in told.splitlines() if ":" in line[1:])
    root = install(work, PROMPTS[0]) / PROMPTS[1]
    found = []
    for path in sorted(root.rglob("*.g722")):
        name = path.relative_to(root).with_suffix("").as_posix()
        text = texts.get(name, "").strip()
        long_enough = 6 * 8_000 < path.stat().st_size < 12 * 8_000
        if long_enough and text and not set(text) & set("*#[]0123456789") and text.isascii():
            found.append((path, text))
    step = max(1, len(found) // count)
    return [(_spoken(path), text) for path, text in found[::step][:count]]


def _spoken(path: Path) -> Array:
    told = ["ffmpeg", "-v", "error", "-f", "g722", "-i", str(path), "-ac", "1"]
    ran = subprocess.run([*told, "-ar", f"{RATE}", "-f", "f32le", "-"], capture_output=True)
    return np.frombuffer(ran.stdout, "<f4")


def sang(song: Song, *, seed: int = 0, notes: Sequence[Note] | None = None) -> Sung:
    return sing(notes if notes is not None else song.notes, song.length_s, seed=seed)


def in_a_room(samples: Array, seed: int, *, fade_s: float = 0.35, wet: float = 0.3) -> Array:
    """(N,) → (N, 2): with a room's tail of noise that fades by 60 dB in `fade_s`, `wet` of its
    level."""
    random = np.random.default_rng(seed)
    count = round(fade_s * RATE)
    tail = random.normal(size=(count, 2)) * 10 ** (-3 * np.arange(count) / count)[:, None]
    around = np.stack([_through(samples, one) for one in tail.T], 1)
    around *= wet * _rms(samples) / max(_rms(around), 1e-9)
    return (np.stack([samples] * 2, 1) + around).astype(np.float32)


def _through(samples: Array, response: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    size = 1 << (len(samples) + len(response)).bit_length()
    made = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)
    return np.asarray(made[: len(samples)])


def mixed(voice: Array, music: Array, db: float, peak: float = 0.7) -> tuple[Array, Array]:
    """(N, 2) each → both, the voice `db` over the music where it sounds, and the voice in it."""
    count = min(len(voice), len(music))
    voice, music = voice[:count], music[:count]
    gain = 10 ** (db / 20) * _rms(music) / max(_rms(voice), 1e-9)
    both = gain * voice + music
    level = peak / max(float(np.abs(both).max()), 1e-9)
    return (level * both).astype(np.float32), (level * gain * voice).astype(np.float32)


def microphone(samples: Array) -> Array:
    """(N, 2) → as a small one hears it: less below 200 Hz, a hill at 3 kHz, nothing above 8 kHz."""
    hz = np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE), 1)
    gain = 1 / np.sqrt(1 + (200 / hz) ** 4) / np.sqrt(1 + (hz / 8_000) ** 8)
    gain *= 1 + np.exp(-(((hz - 3_000) / 1_000) ** 2))
    made = np.fft.irfft(np.fft.rfft(samples, axis=0) * gain[:, None], len(samples), axis=0)
    return made.astype(np.float32)


def _rms(samples: npt.NDArray[np.floating]) -> float:
    """Of the parts that sound: silences say nothing of how loud a voice is."""
    power = np.square(samples, dtype=np.float64).reshape(len(samples), -1).mean(1)
    heard = power[power > 1e-4 * power.max()] if len(power) else power
    return float(np.sqrt(heard.mean())) if len(heard) else 0.0
