"""Ambient, chiptune, electronic, hip hop, industrial, synthwave: played by voltage and numbers."""

from __future__ import annotations

import numpy as np

from training.music import effects
from training.music.score import Note, Part, Section, Song
from training.music.theory import Key, ladder
from training.music.waves import Rng


def _tonic(rng: Rng, *tonics: int) -> int:
    return int(rng.choice(tonics if tonics else range(12)))


def _length(rng: Rng) -> float:
    return float(rng.uniform(42, 47))


# ambient


def ambient(rng: Rng, style: int) -> Song:
    """Glass over pads, a choir in fog, a piano and the sea, slow strings of a synthesiser."""
    song = Song(
        rng,
        Key(_tonic(rng), ("lydian", "dorian", "major", "minor")[style]),
        rng.uniform(54, 64),
        drift=0.03,
        room_s=4.5,
        fade_s=4.0,
    )
    song.squeeze = 2
    song.form(
        "intro:2 verse chorus verse", 4, _length(rng), {"intro": 0.5, "verse": 0.7, "chorus": 0.85}
    )
    rows = (
        ("Imaj9 II", "vim9 Imaj9"),
        ("im9 IV", "bVIImaj7 im9"),
        ("Imaj7 IVmaj7", "vim9 Vsus4"),
        ("i bVImaj7", "iv bIII"),
    )[style]
    song.harmonise({"intro": rows[0], "verse": rows[0], "chorus": rows[1]}, beats=8)
    pad = song.part(
        "pad",
        ("warm pad", "choir", "warm pad", "strings")[style],
        0,
        wet=0.6,
        jitter_s=0.08,
        effects=(effects.sweep(500, 3500, 16),),
    )
    deep = song.part("deep", "warm pad", -4, wet=0.3, jitter_s=0.05)
    air = song.part("air", "wind", -9, wet=0.5)
    drops = song.part(
        "drops",
        ("bell", "flute", "felt piano", "vibraphone")[style],
        -3,
        wet=0.7,
        jitter_s=0.05,
        effects=(effects.echo(1.5, 0.55, 0.45, 3000),),
    )
    for section in song.sections:
        song.hold(pad, section, 64, force=0.6)
        for at, beats, now in song.chords_in(section):
            deep.notes.append(Note(at, beats, now.near(40), 0.7))
            air.notes.append(
                Note(
                    at + float(rng.uniform(0, 2)),
                    beats,
                    float(rng.uniform(80, 100)),
                    0.6 * section.energy,
                )
            )
        _drops(song, drops, section, 79 if style != 1 else 74)
    return song


def _drops(song: Song, part: Part, section: Section, centre: int) -> None:
    """Single notes when they feel like it, seldom two together."""
    at, end = section.at, section.at + section.bars * song.metre
    rungs = ladder(song.key.scale(), centre - 10, centre + 10)
    here = len(rungs) // 2
    while at < end:
        here = int(np.clip(here + song.rng.choice([-3, -2, -1, 1, 2, 3]), 0, len(rungs) - 1))
        force = float(song.rng.uniform(0.35, 0.8)) * section.energy
        part.notes.append(Note(at, float(song.rng.uniform(1, 2.5)), rungs[here], force))
        at += float(song.rng.choice([0.5, 1.0, 1.5, 2.0, 3.0]))


# chiptune


def chiptune(rng: Rng, style: int) -> Song:
    """Two pulses, a stepped triangle and noise, as a console had: level, dungeon, title, chase."""
    tempo = ((144, 160), (112, 124), (128, 140), (172, 188))[style]
    song = Song(
        rng,
        Key(_tonic(rng), ("major", "harmonic", "lydian", "minor")[style]),
        rng.uniform(*tempo),
        drift=0.0,
        room_s=0.3,
        fade_s=0.4,
    )
    song.form(
        "intro:2 verse chorus verse bridge:4 chorus",
        8,
        _length(rng),
        {"intro": 0.9, "verse": 0.9, "bridge": 0.8},
    )
    minor = style in (1, 3)
    song.harmonise(
        {
            "intro": "i bVI" if minor else "I bVII",
            "verse": "i bVI bVII i iv bVI V V" if minor else "I vi IV V I iii IV V",
            "chorus": "bVI bVII i bIII" if minor else "IV V iii vi ii V I bVII",
            "bridge": "iv V" if minor else "vi V",
        }
    )
    lead = song.part(
        "lead",
        ("pulse 25", "pulse 12", "pulse 50", "pulse 25")[style],
        0,
        wet=0,
        jitter_s=0,
        effects=(effects.echo(0.5, 0.2, 0.25, 9000),),
    )
    second = song.part("arpeggios", "pulse 50" if style != 2 else "pulse 12", -5, wet=0, jitter_s=0)
    bass = song.part("bass", "chip bass", 0, wet=0, jitter_s=0)
    kit = song.part("kit", "", -3, wet=0, jitter_s=0)
    for section in song.sections:
        fast = (
            ["123123123123123123123123" + "12341234", "12321232123212321232123212321232"]
            if section.name != "bridge"
            else ["1.2.3.2.1.2.3.4."]
        )
        song.arpeggio(second, section, fast, 67, held=0.95)
        song.melody(
            lead,
            section,
            ["x.xxx.x.xx.xx---", "xxx.x.xxx.x.x-x-", "x-.xx-.xx-x-xxxx", "xxxx....x.x.x---"],
            79,
            leap=0.3,
            plan="abac",
        )
        song.bass(
            bass,
            section,
            ["R.8.R.8.R.8.R.a.", "R.RR8.RRR.RR8.5.", "R.R.5.5.8.8.5.a."],
            45,
            held=0.7,
        )
        song.drum(
            kit,
            section,
            {
                "chip kick": "x...x..xx...x...",
                "chip snare": "....x.......x..?",
                "chip hat": "x.xxx.xxx.xxx.xx",
            },
            vary=0.03,
            fill=("chip snare", "chip kick"),
        )
    return song


# electronic


def electronic(rng: Rng, style: int) -> Song:
    return (_house, _techno, _drum_and_bass, _downtempo)[style](rng)


def _house(rng: Rng) -> Song:
    song = Song(rng, Key(_tonic(rng), "minor"), rng.uniform(122, 127), drift=0, room_s=1.4)
    song.form(
        "intro:4 verse chorus bridge:2 chorus", 8, _length(rng), {"intro": 0.8, "verse": 0.85}
    )
    song.harmonise(
        {
            "intro": "im9",
            "verse": "im9 im9 ivm9 bVIImaj7",
            "chorus": "bVImaj7 bVII im9 im9",
            "bridge": "bVImaj7",
        }
    )
    pump = effects.duck(0.75)
    stabs = song.part(
        "stabs",
        "supersaw",
        -3,
        wet=0.3,
        jitter_s=0.002,
        effects=(effects.sweep(400, 7000, 24), pump, effects.echo(0.75, 0.4, 0.25)),
    )
    pad = song.part("pad", "pad", -7, wet=0.3, effects=(pump,))
    bass = song.part("bass", "synth bass", -1, jitter_s=0.002, effects=(pump,))
    kit = song.part("kit", "", 0, wet=0.08, jitter_s=0.002)
    voice = song.part("voice", "woman", -4, wet=0.4, effects=(effects.echo(0.75, 0.5, 0.4),))
    for section in song.sections:
        song.hold(pad, section, 62)
        song.comp(
            stabs,
            section,
            ["x..x..x...x..x..", "..x..x..x..x..x.", "x..x..xx..x..x.."],
            67,
            held=0.5,
        )
        song.bass(bass, section, ["..R...R...R.R.8.", "..R..RR...R..8a."], 38, held=0.7)
        rows = {
            "machine kick": "x...x...x...x...",
            "machine open": "..x...x...x...x.",
            "machine hat": "xoxoxoxoxoxoxoxo",
        }
        if section.name != "intro":
            rows |= {"clap": "....x.......x...", "shaker": "o.o?o.o?o.o?o.o?"}
        if section.name == "bridge":
            rows = {"machine hat": "xxxxxxxxxxxxxxxx", "clap": "x...x...x.x.xxxx"}
        song.drum(kit, section, rows, vary=0.03, fill=("clap", "machine snare"))
        if section.name == "chorus":
            song.melody(
                voice, section, ["x-..x-..........", "..x-x---........", "x--x--x-....x---"], 69
            )
    return song


def _techno(rng: Rng) -> Song:
    song = Song(rng, Key(_tonic(rng), "phrygian"), rng.uniform(130, 138), drift=0, room_s=1.8)
    song.form("intro:4 verse bridge:2 chorus verse", 8, _length(rng), {"intro": 0.85, "verse": 0.9})
    song.harmonise({"intro": "i", "verse": "i i i bII", "bridge": "i", "chorus": "i bII i bVII"})
    acid = song.part(
        "acid",
        "acid bass",
        -1,
        wet=0.1,
        jitter_s=0.001,
        effects=(effects.sweep(300, 6000, 32, 2.5), effects.echo(0.75, 0.35, 0.2)),
    )
    stab = song.part(
        "stab",
        "pluck",
        -5,
        wet=0.4,
        jitter_s=0.002,
        effects=(effects.echo(0.75, 0.6, 0.5), effects.sweep(700, 6000, 28)),
    )
    low = song.part("rumble", "sub bass", -4, jitter_s=0.001, effects=(effects.duck(0.8),))
    kit = song.part("kit", "", 1.5, wet=0.1, jitter_s=0.001)
    for section in song.sections:
        lines = ["RR8R?R7R5R8R?3R8", "R.R8R.3RR7.R8R5R", "R?R?8RR3R.R87RR5"]
        song.bass(acid, section, lines, 45 if section.name != "chorus" else 57, held=0.6)
        song.bass(low, section, ["..RR..RR..RR..RR"], 33)
        song.comp(
            stab,
            section,
            ["...x......x.....", "..x....x........", "......x..x......"],
            62,
            held=0.4,
        )
        rows = {
            "machine kick": "x...x...x...x...",
            "machine open": "..x...x...x...x.",
            "machine hat": "xxoxxxoxxxoxxxox",
            "rim": "...?..x...?.x...",
        }
        if section.name == "chorus":
            rows |= {"clap": "....x.......x...", "ride": "x.x.x.x.x.x.x.x."}
        if section.name == "bridge":
            rows = {"machine hat": "xxxxxxxxxxxxxxxx", "machine snare": "....o...o.o.oxxx"}
        song.drum(kit, section, rows, vary=0.04)
    return song


def _drum_and_bass(rng: Rng) -> Song:
    song = Song(rng, Key(_tonic(rng), "minor"), rng.uniform(170, 176), drift=0, room_s=1.6)
    song.form("intro:4 verse chorus bridge:4 chorus", 8, _length(rng), {"intro": 0.7, "verse": 0.9})
    song.harmonise(
        {"intro": "im9", "verse": "i bVI", "chorus": "i bVI bIII bVII", "bridge": "bVImaj7"},
        beats=8,
    )
    bass = song.part(
        "bass", "reese bass", 0, jitter_s=0.002, effects=(effects.sweep(300, 2600, 12),)
    )
    pad = song.part("pad", "warm pad", -5, wet=0.5)
    lead = song.part(
        "lead", "electric piano", -3, wet=0.4, effects=(effects.echo(0.75, 0.5, 0.35),)
    )
    kit = song.part("kit", "", 1, wet=0.1, jitter_s=0.003)
    for section in song.sections:
        song.hold(pad, section, 67)
        song.melody(
            lead,
            section,
            ["x..x..x-....x...", "..x...x.x---....", "................"],
            74,
            mode="minor pentatonic",
        )
        if section.name in ("intro", "bridge"):
            song.drum(
                kit, section, {"hat": "x.x.x.x.x.x.xxxx", "soft kick": "x.........?....."}, vary=0.1
            )
            continue
        song.bass(bass, section, ["R---..R-----8---", "R-----R-..3---a-", "R--R--8-R-------"], 31)
        breaks = _broken(rng)
        song.drum(kit, section, breaks, vary=0.07, fill=("snare", "kick", "snare"), crash="crash")
    return song


def _broken(rng: Rng) -> dict[str, str]:
    """A drum break cut up anew."""
    snares = ("....x..o.o..x..o", "....x.o.o...x.oo", "....x..o..o.x.x.")
    kicks = ("x.x.......x.....", "x..x......xx....", "x.x...x...x.....")
    return {
        "kick": kicks[int(rng.integers(3))],
        "snare": snares[int(rng.integers(3))],
        "hat": "x.xxx.x.x.xxx.xx",
        "ride": "x.x.x.x.x.x.x.x.",
    }


def _downtempo(rng: Rng) -> Song:
    song = Song(
        rng,
        Key(_tonic(rng), "dorian"),
        rng.uniform(96, 104),
        swing=0.56,
        swing_unit=0.5,
        drift=0,
        room_s=1.8,
    )
    song.form("intro:2 verse chorus bridge:2 chorus", 8, _length(rng), {"intro": 0.7, "verse": 0.8})
    song.harmonise(
        {
            "intro": "im9",
            "verse": "im9 im9 IV9 IV9",
            "chorus": "bIIImaj7 IV9 im9 bVIImaj7",
            "bridge": "ivm9",
        }
    )
    keys = song.part(
        "keys",
        "electric piano",
        -2,
        wet=0.25,
        effects=(effects.phaser(0.2), effects.echo(0.75, 0.4, 0.25)),
    )
    arp = song.part(
        "arpeggio", "pluck", -4, wet=0.3, jitter_s=0.002, effects=(effects.sweep(400, 5000, 20),)
    )
    bass = song.part("bass", "sub bass", 0, jitter_s=0.003)
    kit = song.part("kit", "", -1, wet=0.12, jitter_s=0.004)
    lead = song.part("lead", "theremin", -6, wet=0.5, effects=(effects.echo(1.5, 0.4, 0.3),))
    for section in song.sections:
        song.comp(keys, section, ["x---..x-..x-....", "..x---x-....x---"], 64, held=0.8)
        song.arpeggio(arp, section, ["1323142313231423", "1.2.3.4.3.2.1.2."], 69, held=0.6)
        song.bass(bass, section, ["R--R..R.....8.a.", "R.....R.R.3.5..."], 36)
        song.drum(
            kit,
            section,
            {
                "machine kick": "x..x......x..?..",
                "snap": "....x.......x...",
                "machine hat": "x.xxx.xxx.xxx.xx",
                "shaker": "..o...o...o...o.",
            },
            vary=0.06,
            fill=("snap", "conga", "low conga"),
        )
        if section.name == "chorus":
            song.melody(lead, section, ["x---x---", "x-----x-"], 74)
    return song


# hip hop


def hip_hop(rng: Rng, style: int) -> Song:
    """Boom bap with a dusty piano, a trap beat, jazz records, a funk break, and talk over it."""
    tempo = ((86, 94), (68, 76), (82, 90), (98, 106))[style]
    song = Song(
        rng,
        Key(_tonic(rng), "minor" if style != 3 else "dorian"),
        rng.uniform(*tempo),
        swing=(0.58, 0.5, 0.6, 0.55)[style],
        swing_unit=0.5,
        drift=0,
        room_s=0.9,
    )
    song.form(
        "intro:2 verse chorus:4 verse chorus:4",
        4 if style == 1 else 8,
        _length(rng),
        {"intro": 0.7, "verse": 0.9},
    )
    song.harmonise(
        {
            "intro": ("i bVI", "i", "iim7b5 V7", "im9")[style],
            "verse": ("i bVI iv V7", "i i bVI V", "iim7b5 V7 im9 im9", "im9 IV9")[style],
            "chorus": ("bVI bVII i i", "bVI i", "ivm9 V7 im9 im9", "bVII9 IV9 im9 im9")[style],
        }
    )
    dusty = (effects.cut("low", 3200), effects.cut("high", 160), effects.crush(60, 2))
    record = song.part(
        "record",
        ("piano", "bell", "electric piano", "clavinet")[style],
        -3,
        wet=0.15,
        effects=dusty if style != 1 else (effects.sweep(600, 5000, 24),),
    )
    bass = song.part("bass", "sub bass" if style != 2 else "upright bass", 1, jitter_s=0.004)
    kit = song.part("kit", "", 1.5, wet=0.08, jitter_s=0.004)
    rapper = song.part(
        "rapper",
        "man",
        1,
        wet=0.08,
        jitter_s=0.02,
        effects=(effects.cut("high", 150), effects.grit(1.8)),
    )
    horn = song.part(
        "sample", ("strings", "choir", "muted trumpet", "brass")[style], -5, wet=0.2, effects=dusty
    )
    dust = song.part("dust", "", -20, jitter_s=0.3)
    for section in song.sections:
        _hip_hop_beat(song, style, section, kit, bass)
        song.arpeggio(
            record,
            section,
            (
                ["1.2.3...2.1.3...", "1...3.2.1...4.3."],
                ["1.3.2.3.4.3.2.3."],
                ["123.....3.2.1...", "..12.3......2.1."],
                ["1.1..2.1..1.2.3.", "1..1.2..11.3..2."],
            )[style],
            67 if style != 1 else 76,
            held=1.4,
        )
        if section.name == "verse":
            song.melody(
                rapper,
                section,
                ["xxxxxx.xxxxxxx.x", "x.xxxxxxx.xxxxx.", "xxx.xxx.xxxxxxxx"],
                50,
                leap=0.02,
                held=0.7,
                slide=0.5,
                plan="abcd",
            )
        else:
            song.melody(horn, section, ["x---..x-x---....", "x--x--x---------"], 69, plan="aab")
        dust.notes.extend(
            Note(section.at + at, 0, 0, 0.8, "crackle")
            for at in np.arange(0, section.bars * song.metre, song.tempo / 60)
        )
    return song


def _hip_hop_beat(song: Song, style: int, section: Section, kit: Part, bass: Part) -> None:
    beats = (
        {"kick": "x.....xx..x.....", "fat snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.xo"},
        {
            "deep kick": "x.....x...x.....",
            "clap": "........x.......",
            "machine hat": "x.x.x.xxx.x.xxxx",
            "machine open": "..........?.....",
        },
        {
            "kick": "x..x..o.x.x.....",
            "snare": "....x.......x..?",
            "ride": "x.x.x.x.x.x.x.x.",
            "rim": ".......?.......?",
        },
        {
            "kick": "x.x....x..x.....",
            "snare": "....x..o.o..x...",
            "hat": "x.x.x.x.x.x.x.x.",
            "conga": "..x..xx...x..x.x",
            "cowbell": "x...?...x.......",
        },
    )[style]
    song.drum(kit, section, beats, vary=0.05, fill=("snare", "kick", "clap"))
    lines = (
        ["R.....RR..5.....", "R..R......8.a..."],
        ["R-----R---8-----", "R-------..R-3---"],
        ["R---5---8---a---", "R-..3-..5---a---"],
        ["R.R....8..R.7.a.", "R.r..R.8..5.7..."],
    )[style]
    song.bass(bass, section, lines, 33 if style != 2 else 40, held=0.95)


# industrial


def industrial(rng: Rng, style: int) -> Song:
    """A factory's march, a body-music sequence, a slow grind, a mechanical stampede."""
    tempo = ((112, 122), (124, 132), (84, 94), (144, 156))[style]
    song = Song(
        rng, Key(_tonic(rng, 0, 2, 4, 9), "phrygian"), rng.uniform(*tempo), drift=0, room_s=1.6
    )
    song.squeeze = 5
    song.form(
        "intro:2 verse chorus bridge:2 verse chorus",
        4 if style == 2 else 8,
        _length(rng),
        {"intro": 0.8, "verse": 0.85, "bridge": 0.7},
    )
    song.harmonise(
        {"intro": "i5", "verse": "i5 i5 i5 bII5", "chorus": "i5 bII5 #iv5 bII5", "bridge": "bII5"}
    )
    bass = song.part(
        "sequence",
        "grinding bass",
        -1,
        wet=0.08,
        jitter_s=0.001,
        effects=(effects.sweep(500, 7000, 20, 1.5), effects.grit(3)),
    )
    kit = song.part("kit", "", 1.5, wet=0.18, jitter_s=0.002, effects=(effects.grit(2.5),))
    plant = song.part(
        "plant",
        "",
        -5,
        wet=0.4,
        jitter_s=0.01,
        effects=(effects.ring(430, 0.35), effects.echo(0.75, 0.45, 0.3, 5000)),
    )
    wall = song.part(
        "wall",
        "electric guitar",
        -3,
        wet=0.15,
        effects=(effects.amp(25, 5500), effects.ring(55, 0.3)),
    )
    voice = song.part("voice", "growl", -2, wet=0.2, effects=(effects.crush(24, 3),))
    drone = song.part(
        "drone",
        "reese bass",
        -8,
        wet=0.4,
        effects=(effects.ring(37, 0.5), effects.sweep(200, 3000, 30)),
    )
    for section in song.sections:
        song.hold(drone, section, 40)
        song.bass(
            bass,
            section,
            (
                ["R.RR.RR8R.RR.R3R"],
                ["RRR8RR8RRR8R3R8R", "RR8RRR8R?RR85RR8"],
                ["R..R..R.R..R.8.3"],
                ["RRRRRRRRRRRR8R3R"],
            )[style],
            33 if style != 1 else 40,
            held=0.6,
        )
        rows = (
            {
                "hard kick": "x...x...x...x...",
                "industrial snare": "....x.......x...",
                "machine hat": "..x...x...x...x.",
            },
            {
                "hard kick": "x...x...x...x...",
                "clap": "....x.......x...",
                "machine hat": "xxxxxxxxxxxxxxxx",
            },
            {
                "hard kick": "x......x..x.....",
                "industrial snare": "........x.......",
                "machine open": "x...x...x...x...",
            },
            {
                "hard kick": "x.x.x.x.x.x.x.x.",
                "industrial snare": "..x...x...x...x.",
                "china": "x...x...x...x...",
            },
        )[style]
        song.drum(kit, section, rows, vary=0.04, fill=("industrial snare", "clank", "hard kick"))
        song.drum(
            plant,
            section,
            {
                "clank": "..x..?....x...?.",
                "steam": "?.......x.......",
                "low tom": "....?......?....",
            },
            vary=0.2,
        )
        if section.name == "chorus":
            song.comp(wall, section, ["xxxxxxxx", "x.x.xx.x"], 40, power=True, held=0.7)
        if section.name == "verse":
            song.melody(voice, section, ["x-x-x-..", "xx-.xx-.", "..x-x-x-"], 43, leap=0.02)
    return song


# synthwave


def synthwave(rng: Rng, style: int) -> Song:
    """A drive at night, a slow sunset, a chase, a training montage."""
    tempo = ((100, 108), (80, 88), (118, 126), (108, 116))[style]
    song = Song(
        rng,
        Key(_tonic(rng, 9, 0, 2, 4, 5), "minor" if style != 1 else "major"),
        rng.uniform(*tempo),
        drift=0,
        room_s=2.0,
    )
    song.form(
        "intro:2 verse chorus verse solo chorus",
        8 if style != 1 else 4,
        _length(rng),
        {"intro": 0.65, "verse": 0.8},
    )
    minor = song.key.mode == "minor"
    song.harmonise(
        {
            "intro": "i" if minor else "I",
            "verse": "i bVI bIII bVII" if minor else "I vi IV V",
            "chorus": "bVI bVII i i bVI bVII bIII V" if minor else "IV V vi I",
            "solo": "i bVII bVI bVII" if minor else "IV I V vi",
        }
    )
    pump = effects.duck(0.45)
    bass = song.part(
        "bass", "synth bass", -1, jitter_s=0.001, effects=(pump, effects.sweep(500, 4500, 32))
    )
    pad = song.part("pad", "pad", -4, wet=0.4, effects=(effects.chorus(), pump))
    arp = song.part(
        "arpeggio", "pluck", -5, wet=0.3, jitter_s=0.001, effects=(effects.echo(0.75, 0.4, 0.3),)
    )
    lead = song.part(
        "lead",
        "saw lead",
        -1,
        wet=0.35,
        effects=(effects.chorus(2, 0.5), effects.echo(0.75, 0.35, 0.25)),
    )
    bells = song.part("bells", "bell", -6, wet=0.4, effects=(effects.echo(0.5, 0.4, 0.3),))
    kit = song.part("kit", "", 0, wet=0.15, jitter_s=0.002)
    for section in song.sections:
        song.hold(pad, section, 64)
        song.bass(
            bass,
            section,
            ["RRRRRRRRRRRRRRRR", "RR8RRR8RRR8RRR8R", "RRRRRRRR8R8R5R7R"]
            if style != 1
            else ["R.R.R.R.R.R.R.8.", "R..R..R.R..R..a."],
            33,
            held=0.7,
        )
        if section.name != "intro" or style == 2:
            song.drum(
                kit,
                section,
                {
                    "machine kick": "x...x...x...x..." if style in (0, 2) else "x.....x.x.......",
                    "gated snare": "....x.......x...",
                    "machine hat": "x.x.x.x.x.x.x.xo",
                    "machine open": "..?...?...?...x.",
                },
                vary=0.03,
                fill=("synth high tom", "synth tom", "synth low tom"),
                crash="crash",
            )
        if section.name in ("intro", "verse"):
            song.arpeggio(arp, section, ["1234321234543212", "1213141512131415"], 67, held=0.8)
            song.melody(bells, section, ["x---..x-....x---", "..x---..x-......"], 81, rest=0.3)
        else:
            song.melody(
                lead,
                section,
                ["x--x--x-x-----x-", "x---x-xxx-------", "xxx-x-x-x---x---"],
                76 if section.name == "solo" else 72,
                slide=0.25,
                leap=0.3,
            )
    return song
