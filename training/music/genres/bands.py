"""Blues, metal, pop, psychedelic, punk, reggae, soul: drums, a bass, and something with a plug."""

from __future__ import annotations

from training.music import effects
from training.music.score import Effect, Part, Song
from training.music.theory import Key
from training.music.waves import Rng

TOMS = ("snare", "high tom", "tom", "low tom")


def _tonic(rng: Rng, *tonics: int) -> int:
    return int(rng.choice(tonics if tonics else range(12)))


def _length(rng: Rng) -> float:
    return float(rng.uniform(42, 47))


# blues


def blues(rng: Rng, style: int) -> Song:
    """Twelve bars: a shuffle, a slow one, a boogie on the piano, a rumba."""
    tempo = ((112, 126), (66, 74), (144, 160), (96, 106))[style]
    minor = style == 3
    song = Song(
        rng,
        Key(_tonic(rng, 4, 9, 7, 0), "blues" if minor else "mixolydian"),
        rng.uniform(*tempo),
        swing=(0.66, 0.66, 0.66, 0.54)[style],
        room_s=0.9,
    )
    song.form("intro:2 verse:12 solo:12 verse:12", 12, _length(rng), {"intro": 0.7, "verse": 0.8})
    twelve = (
        "i7 i7 i7 i7 iv7 iv7 i7 i7 bVI7 V7 i7 V7"
        if minor
        else "I7 IV7 I7 I7 IV7 IV7 I7 VI7 ii7 V7 I7 V7"
        if style == 1
        else ("I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7")
    )
    song.harmonise({"intro": "V7 IV7" if not minor else "V7 i7", "verse": twelve, "solo": twelve})
    _blues_rhythm(song, style)
    voice = song.part("voice", "man", 0, wet=0.15, jitter_s=0.02)
    lead = song.part(
        "lead",
        ("harmonica", "electric guitar", "harmonica", "electric guitar")[style],
        -1,
        wet=0.2,
        jitter_s=0.02,
        effects=() if style in (0, 2) else (effects.amp(4),),
    )
    cells = ["x-xx-x-.", ".xx-x---", "xxx-x...", "..x-x-x-"]
    for section in song.sections:
        if section.name == "verse":
            song.melody(voice, section, cells, 57, mode="blues", slide=0.4, plan="aab")
            song.melody(
                lead,
                section,
                ["....x-xx", ".....xxx", "........"],
                70,
                mode="blues",
                slide=0.3,
                force=0.6,
            )
        else:
            song.melody(
                lead,
                section,
                ["x.xxx-x-", "xx.xx-xx", "x--xxxx-", "..xxx-x-"],
                72,
                mode="blues",
                slide=0.45,
                plan="abcd",
            )
    return song


def _blues_rhythm(song: Song, style: int) -> None:
    bass = song.part("bass", "upright bass" if style == 2 else "bass guitar", -1.5, wet=0.04)
    kit = song.part("kit", "", -4, wet=0.12)
    keys = song.part(
        "keys",
        ("electric guitar", "organ", "honky piano", "electric piano")[style],
        -4,
        wet=0.12,
        effects=(effects.amp(2.2, 3600),) if style == 0 else (),
    )
    for section in song.sections:
        walking = (
            ["R-3-5-6-8-6-5-3-"] if style in (0, 2) else ["R---..5-R---..a-", "R---3---5---a---"]
        )
        song.bass(bass, section, ["R-R-3-3-5-5-6-6-", *walking] if style == 2 else walking, 40)
        if style == 3:
            rows = {
                "kick": "x..x..x.x..x..x.",
                "rim": "..x..x....x.x...",
                "conga": "x.o.x.oox.o.x.xx",
                "shaker": "xoxoxoxoxoxoxoxo",
            }
        elif style == 1:
            rows = {"kick": "x..x..x..x..", "snare": "...x.....x..", "ride": "xxxxxxxxxxxx"}
        else:
            rows = {
                "kick": "x.o.x.o.",
                "snare": "..x...x.",
                "hat": "x.xxx.xx" if style == 0 else "xxxxxxxx",
            }
        song.drum(kit, section, rows, fill=TOMS, crash="crash" if section.name == "solo" else "")
        comping = (
            ["x-xxx-xx", "x-x-x-xx"],
            ["x-----......x---", "x-------"],
            ["xxxxxxxx", "x.xxx.xx"],
            ["..x-..x-..x-.xx-"],
        )[style]
        song.comp(
            keys,
            section,
            comping,
            57 if style != 2 else 64,
            held=0.7,
            doubled=1 if style == 2 else 0,
        )


# metal


def metal(rng: Rng, style: int) -> Song:
    """Thrash gallop, doom, melodic double bass, groove."""
    tempo = ((176, 196), (64, 74), (150, 166), (100, 112))[style]
    song = Song(
        rng,
        Key(_tonic(rng, 2, 4, 0), ("phrygian", "harmonic", "minor", "phrygian")[style]),
        rng.uniform(*tempo),
        drift=0.002,
        room_s=0.8,
    )
    song.squeeze = 5
    song.form(
        "intro:2 verse chorus verse solo chorus",
        4 if style == 1 else 8,
        _length(rng),
        {"intro": 0.9, "verse": 0.9, "solo": 1.0},
    )
    song.harmonise(
        {
            "intro": "i5 bII5",
            "verse": ("i5 i5 bII5 i5", "i5 bII5 i5 #iv5", "i5 bVI5 bVII5 V5", "i5 i5 bIII5 bII5")[
                style
            ],
            "chorus": (
                "bVI5 bVII5 i5 bII5",
                "bVI5 i5 bVII5 bII5",
                "bVI5 bIII5 bVII5 i5",
                "i5 bVI5 bII5 bVII5",
            )[style],
            "solo": "i5 bVI5 iv5 bVII5",
        }
    )
    guitars = _wall(song)
    muted = song.part(
        "palm muted", "muted guitar", -1, wet=0.05, jitter_s=0.01, effects=(effects.amp(12, 5200),)
    )
    bass = song.part("bass", "picked bass", -3, effects=(effects.grit(3),))
    gallop = (
        ["x.xxx.xxx.xxxxxx", "x.xxx.xxxxx.x.xx"],
        ["x-------x-------"],
        ["x.xxx.xxx.xxx.xx"],
        ["x..x..x.x..x.xx.", "x..xx.x...x.xx.x"],
    )[style]
    for section in song.sections:
        chugging = section.name == "verse" and style != 1 and section.round == 0
        for player in guitars:
            row = (
                gallop
                if style == 1
                else ["....x---....x-x-", "x-..........x---"]
                if chugging
                else ["x-xxx-xx", "x-x-xxxx", "x--xx-x-"]
            )
            song.comp(player, section, row, 40, power=True, held=0.97)
        if chugging:
            song.bass(muted, section, [row.replace("x", "R") for row in gallop], 38)
        song.bass(bass, section, [row.replace("x", "R") for row in gallop], 28, held=0.9)
    _metal_drums(song, style)
    _metal_lead(song, style)
    return song


def _wall(song: Song) -> list[Part]:
    """Two guitars that play the same, each with an amplifier of its own."""
    return [
        song.part(
            "left guitar",
            "electric guitar",
            3,
            wet=0.08,
            jitter_s=0.012,
            effects=(effects.amp(9, 5200),),
        ),
        song.part(
            "right guitar",
            "electric guitar",
            2,
            wet=0.08,
            jitter_s=0.014,
            effects=(effects.amp(13, 4600),),
        ),
    ]


def _metal_drums(song: Song, style: int) -> None:
    kit = song.part("kit", "", -1, wet=0.3, jitter_s=0.011)
    double = {
        "metal kick": "xxxxxxxxxxxxxxxx",
        "snare": "....x.......x...",
        "crash": "x...x...x...x...",
    }
    rows = (
        {
            "metal kick": "x.xxx.xxx.xxx.xx",
            "snare": "..x...x...x...x.",
            "open hat": "x.x.x.x.x.x.x.x.",
        },
        {
            "metal kick": "x.......x.x.....",
            "fat snare": "........x.......",
            "crash": "x...x...x...x...",
        },
        double,
        {
            "metal kick": "x..x..x.x..x.xx.",
            "fat snare": "........x.......",
            "crash": "x...x...x...x...",
        },
    )[style]
    for section in song.sections:
        main = double if section.name == "chorus" and style != 1 else rows
        song.drum(
            kit,
            section,
            main,
            vary=0.03,
            fill=("snare", "high tom", "tom", "low tom"),
            crash="crash",
        )


def _metal_lead(song: Song, style: int) -> None:
    growl = song.part("voice", "growl" if style in (0, 1, 3) else "man", -2, wet=0.15)
    lead = song.part(
        "lead guitar",
        "electric guitar",
        -1,
        wet=0.25,
        effects=(effects.amp(9, 5500), effects.echo(0.75, 0.3, 0.2)),
    )
    for section in song.sections:
        if section.name in ("verse", "chorus"):
            song.melody(
                growl,
                section,
                ["x-xx-.x-", "x-x-xxx-", "xx-x-..."],
                45 if style != 2 else 62,
                leap=0.05,
            )
        if section.name == "solo" or (style == 2 and section.name == "chorus"):
            song.melody(
                lead,
                section,
                ["xxxxxxxxxxxxxxxx", "xxxxxxxxx---x---", "x-xxxxxxxxxxx---"],
                76,
                leap=0.25,
                slide=0.15,
                plan="abcd",
            )
    if style == 2:
        song.double(
            lead,
            song.part(
                "second lead", "electric guitar", -3, wet=0.25, effects=(effects.amp(9, 5200),)
            ),
            2,
        )


# punk


def punk(rng: Rng, style: int) -> Song:
    tempo = ((184, 204), (168, 182), (204, 222), (150, 164))[style]
    song = Song(
        rng,
        Key(_tonic(rng, 9, 4, 2, 7), "major" if style != 2 else "minor"),
        rng.uniform(*tempo),
        drift=0.008,
        room_s=0.5,
    )
    song.squeeze = 5
    song.form(
        "intro:4 verse chorus verse bridge:4 chorus chorus",
        8,
        _length(rng),
        {"intro": 0.9, "verse": 0.9, "bridge": 0.75},
    )
    rows = (
        ("I5 IV5 V5 IV5", "I5 V5 vi5 IV5", "i5 bVI5 bIII5 bVII5", "I5 bVII5 IV5 I5")[style]
        .replace("vi5", "VI5")
        .replace("i5", "I5")
    )
    song.harmonise(
        {
            "intro": "I5 I5 IV5 V5",
            "verse": rows,
            "chorus": "IV5 V5 I5 I5",
            "bridge": "VI5 IV5 V5 V5",
        }
    )
    guitar = song.part(
        "guitar", "electric guitar", 2, wet=0.1, jitter_s=0.012, effects=(effects.amp(7, 5400),)
    )
    bass = song.part("bass", "picked bass", -3, jitter_s=0.01)
    kit = song.part("kit", "", -1, wet=0.25, jitter_s=0.012)
    voice = song.part("voice", "man", 1, wet=0.08, jitter_s=0.02, effects=(effects.grit(2.5),))
    gang = song.part("gang", "shout", -2, wet=0.15, jitter_s=0.02)
    for section in song.sections:
        quiet = section.name == "bridge"
        song.comp(
            guitar,
            section,
            "x-......" if quiet else ["xxxxxxxx", "xxxxxxx.", "x.xxx.xx"],
            45,
            power=True,
            held=0.85,
        )
        song.bass(bass, section, ["RRRRRRRR", "RRRRRRRa"], 33, held=0.8)
        beat = {
            "kick": "x..xx..x" if style == 1 else "x...x.x.",
            "snare": "..x...x.",
            "open hat": "xxxxxxxx",
        }
        if style in (0, 2):
            beat = {
                "kick": "x.x.x.x.",
                "snare": ".x.x.x.x",
                "crash" if section.name == "chorus" else "hat": "x.x.x.x.",
            }
        song.drum(
            kit,
            section,
            {"low tom": "xxxxxxxx", "kick": "x...x..."} if quiet else beat,
            vary=0.03,
            fill=TOMS,
            crash="crash",
        )
        if section.name == "verse":
            song.melody(
                voice,
                section,
                ["xxxxxxx.", "x.xxxx-.", "xxx.xx-."],
                59,
                leap=0.05,
                mode="pentatonic",
            )
        if section.name in ("chorus", "bridge"):
            song.melody(gang, section, ["x-x-x-..", "x-.xx-..", "..x-x-x-"], 55, leap=0.05)
    if style in (1, 3):
        _octave_lead(song)
    return song


def _octave_lead(song: Song) -> None:
    lead = song.part("lead", "electric guitar", -4, wet=0.15, effects=(effects.amp(6, 5200),))
    for section in song.called("intro", "chorus"):
        song.melody(lead, section, ["x-x-xxx-", "xxxxx-x-"], 72)


# pop


def pop(rng: Rng, style: int) -> Song:
    """Synthesiser pop, a ballad at the piano, a guitar band, a dance."""
    tempo = ((108, 118), (70, 78), (120, 130), (116, 124))[style]
    song = Song(rng, Key(_tonic(rng), "major"), rng.uniform(*tempo), room_s=1.5, drift=0.002)
    song.form("intro:2 verse chorus bridge:2 chorus chorus", 4 if style == 1 else 8, _length(rng))
    rows = ("I V vi IV", "I iii vi IV", "I IV vi V", "vi IV I V")[style]
    song.harmonise(
        {
            "intro": rows,
            "verse": rows,
            "chorus": ("IV I V vi", "IV V I vi", "I V IV IV", "IV V vi I")[style],
            "bridge": "ii IV",
        },
        raised=lambda section: 2 if section.last and section.name == "chorus" else 0,
    )
    _pop_backing(song, style)
    singer = song.part("singer", "woman" if style != 2 else "man", 1, wet=0.25)
    choir = song.part("choir", "choir", -7, wet=0.4)
    hook = song.part(
        "hook",
        ("pluck", "strings", "electric guitar", "saw lead")[style],
        -4,
        wet=0.25,
        effects=(effects.echo(0.75, 0.35, 0.25),),
    )
    cells = ["xx.xx-x-", "x.xxx.x-", "..xxx-x-", "x-xxx---"]
    centre = 69 if style != 2 else 64
    for section in song.sections:
        if section.name in ("verse", "chorus"):
            song.melody(
                singer,
                section,
                cells,
                centre + (3 if section.name == "chorus" else 0),
                mode="pentatonic",
                slide=0.1,
                plan="abab",
            )
        if section.name in ("intro", "chorus", "bridge"):
            song.melody(
                hook,
                section,
                ["x.xx.x.xx.x.x---", "x..x..x.x..x..x."],
                79 if style != 2 else 74,
                plan="aaab",
                force=0.7,
            )
        if section.name == "chorus":
            song.hold(choir, section, 67)
    return song


def _pop_backing(song: Song, style: int) -> None:
    keys = song.part(
        "keys", ("supersaw", "piano", "steel guitar", "electric piano")[style], -5, wet=0.2
    )
    pad = song.part("pad", "pad", -9, wet=0.3)
    bass = song.part("bass", ("synth bass", "bass guitar", "picked bass", "sub bass")[style], -3)
    kit = song.part("kit", "", -2, wet=0.1, jitter_s=0.003)
    for section in song.sections:
        song.hold(pad, section, 64)
        comping = (
            ["x..x..x.x..x..x.", "x..x..x...x.x..."],
            ["x---x---", "x-x-x-x-"],
            ["x-xxx-xxx-xxx-xx", "x-x-xxx-x-xxx-xx"],
            ["..x-..x-..x-..x-", "x.x-..x-..x-.xx-"],
        )[style]
        song.comp(keys, section, comping, 64, held=0.8, strum=0.03 if style == 2 else 0)
        song.bass(
            bass,
            section,
            (
                ["R.RR.RR.", "RRRRRRRa"],
                ["R---..R-", "R---5---"],
                ["RRRRRRRR", "RRRRRR5a"],
                ["R..R..R.", "R..R.R8."],
            )[style],
            40,
            held=0.8,
        )
        if section.name == "intro" and style != 3:
            continue
        beats = (
            {
                "machine kick": "x...x...x...x...",
                "clap": "....x.......x...",
                "machine hat": "..x...x...x...xx",
            },
            {
                "soft kick": "x.....x.x.......",
                "rim" if section.name == "verse" else "fat snare": "....x.......x...",
                "hat": "x.x.x.x.x.x.x.x.",
            },
            {
                "kick": "x..x..x.x..x....",
                "snare": "....x.......x...",
                "hat" if section.name == "verse" else "open hat": "x.x.x.x.x.x.x.x.",
                "tambourine": "....x.......x...",
            },
            {
                "machine kick": "x...x...x...x...",
                "clap": "....x.......x...",
                "machine open": "..x...x...x...x.",
                "shaker": "xoxoxoxoxoxoxoxo",
            },
        )[style]
        song.drum(
            kit,
            section,
            beats,
            vary=0.04,
            fill=("clap", "snare", "tom"),
            crash="crash" if section.name == "chorus" else "",
        )


# psychedelic


def psychedelic(rng: Rng, style: int) -> Song:
    """A drone and a sitar, a fuzz march, a floating waltz, a space jam."""
    tempo = ((92, 104), (112, 124), (96, 108), (104, 116))[style]
    song = Song(
        rng,
        Key(_tonic(rng, 2, 4, 9), ("mixolydian", "dorian", "mixolydian", "dorian")[style]),
        rng.uniform(*tempo),
        metre=3 if style == 2 else 4,
        drift=0.012,
        room_s=1.8,
    )
    song.form(
        "intro:2 verse chorus solo verse chorus",
        4 if style != 2 else 8,
        _length(rng),
        {"intro": 0.6, "solo": 1.0},
    )
    song.harmonise(
        {
            "intro": "I",
            "verse": ("I I bVII I", "i IV i bVII", "I bVII IV I", "i i bIII IV")[style],
            "chorus": ("bVII IV I I", "bIII IV bVI bVII", "bVI bIII bVII I", "bVI bVII i i")[style],
            "solo": ("I I I bVII", "i IV", "I bVII", "i i i IV")[style],
        }
    )
    swirl = effects.phaser(0.3)
    organ = song.part(
        "organ", "fuzz organ" if style != 3 else "organ", -4, wet=0.2, effects=(swirl,)
    )
    sitar = song.part("sitar", "sitar", 0 if style == 0 else -3, wet=0.25)
    fuzz = song.part(
        "fuzz",
        "electric guitar",
        -1,
        wet=0.25,
        effects=(effects.amp(16, 3800), effects.phaser(0.5), effects.echo(0.75, 0.5, 0.35)),
    )
    singer = song.part(
        "singer", "man", -1, wet=0.4, effects=(effects.chorus(4, 0.6), effects.echo(0.5, 0.3, 0.3))
    )
    tape = song.part(
        "tape",
        "electric guitar",
        -7,
        wet=0.4,
        effects=(effects.backwards(2), effects.phaser(0.15), effects.echo(1.5, 0.5, 0.4)),
    )
    _psychedelic_rhythm(song, style)
    cells = (
        ["x-x-xx--", "x--xx-x-", "xxx-x---"] if song.metre == 4 else ["x--x-x", "x-x---", "x----x"]
    )
    for section in song.sections:
        song.hold(organ, section, 62)
        song.melody(
            tape, section, ["x---x---", "..x---x-"] if song.metre == 4 else ["x-----", "..x---"], 69
        )
        if section.name in ("verse", "chorus"):
            song.melody(singer, section, cells, 62, slide=0.2)
        if section.name in ("intro", "verse") and style in (0, 2):
            song.melody(
                sitar,
                section,
                ["x-xxx-xxx-xxxxx-", "xx-xx-xxx---x-x-"]
                if song.metre == 4
                else ["x-xxx-", "xxx-x-"],
                69,
                slide=0.3,
                plan="abcd",
            )
        if section.name == "solo":
            player, centre = (sitar, 72) if style == 0 else (fuzz, 74)
            song.melody(
                player,
                section,
                ["xxxx-xx-", "x-xxxxxx", "x---xxx-"] if song.metre == 4 else ["xxx-xx", "x-xxxx"],
                centre,
                slide=0.5,
                plan="abcd",
            )
    return song


def _psychedelic_rhythm(song: Song, style: int) -> None:
    bass = song.part("bass", "bass guitar", -2, wet=0.08)
    kit = song.part(
        "kit",
        "",
        -4,
        wet=0.25,
        effects=(effects.phaser(0.12, 500, 5000),) if style in (1, 3) else (),
    )
    for section in song.sections:
        if song.metre == 3:
            song.bass(bass, section, ["R---5-", "R-5-8-", "R---a-"], 40)
            song.drum(
                kit,
                section,
                {"kick": "x.....", "snare": "..x.x.", "ride": "x.x.x.", "tambourine": "..x.x."},
                fill=("high tom", "tom", "low tom"),
            )
            continue
        song.bass(bass, section, ["R-R-8-5-", "R.R8..75", "R-R-3-5-"], 40)
        rows = (
            {
                "tabla": "x.oxx.o.x.oxx.oo",
                "low tabla": "x.....x...x.....",
                "tambourine": "....x.......x...",
            }
            if style == 0
            else {
                "kick": "x.x...x.x.x...x.",
                "snare": "....x..o.o..x...",
                "ride": "x.x.x.x.x.x.x.x.",
            }
        )
        song.drum(
            kit,
            section,
            rows,
            vary=0.08,
            fill=("high tom", "tom", "low tom"),
            crash="crash" if style else "",
        )


# reggae


def reggae(rng: Rng, style: int) -> Song:
    """One drop, rockers with horns, dub, ska's grandchild."""
    tempo = ((72, 80), (78, 86), (68, 74), (126, 138))[style]
    song = Song(
        rng,
        Key(_tonic(rng, 9, 2, 7, 4), "minor" if style in (0, 2) else "major"),
        rng.uniform(*tempo),
        swing=0.56 if style != 3 else 0.6,
        swing_unit=0.5 if style != 3 else 1.0,
        room_s=1.4,
    )
    song.form(
        "intro:2 verse chorus verse solo chorus",
        4 if style != 3 else 8,
        _length(rng),
        {"intro": 0.75, "verse": 0.8},
    )
    minor = song.key.mode == "minor"
    song.harmonise(
        {
            "intro": "i bVII" if minor else "I V",
            "verse": "i i iv iv" if minor else "I IV I V",
            "chorus": "bVI bVII i i" if minor else "IV V I vi",
            "solo": "i bVII" if minor else "I IV",
        },
        beats=song.metre / (2 if style == 1 else 1),
    )
    tape = effects.echo(0.75, 0.6 if style == 2 else 0.35, 0.5 if style == 2 else 0.2, 1800)
    guitar = song.part(
        "skank",
        "electric guitar",
        -4,
        wet=0.15,
        effects=(effects.cut("high", 500), tape) if style == 2 else (effects.cut("high", 400),),
    )
    organ = song.part("bubble", "organ", -7, wet=0.15)
    bass = song.part("bass", "bass guitar", 2.5, effects=(effects.cut("low", 700),))
    kit = song.part("kit", "", -3, wet=0.2, effects=(tape,) if style == 2 else ())
    skank = ["..x...x...x...x.", "..x...x...x...xx"] if style != 3 else [".x.x.x.x"]
    riddim = (
        ["R--R..3-5---....", "....R-3-5--5..a-"],
        ["R.R.5-..R.R.3-a-", "R--5..8-R---5-a-"],
        ["R---....R-3-5---", "..R-R-..5---3-a-"],
        ["R-3-5-3-", "R-5-8-a-"],
    )[style]
    for section in song.sections:
        song.comp(guitar, section, skank, 64, held=0.3 if style != 2 else 0.4)
        song.comp(
            organ, section, [".xx..xx..xx..xx."] if style != 3 else ["xxxxxxxx"], 57, held=0.35
        )
        song.bass(bass, section, riddim, 33, held=0.95)
        drop = {
            "soft kick": "........x.......",
            "rim": "........x.......",
            "hat": "x.xxx.xxx.xxx.xx",
        }
        if style == 1:
            drop = {
                "kick": "x...x...x...x...",
                "rim": "........x...o...",
                "hat": "x.x.x.xxx.x.x.xo",
                "open hat": "..............?.",
            }
        if style == 3:
            drop = {"kick": "..x...x.", "snare": "..x...x.", "hat": "x.xxx.xx"}
        song.drum(
            kit,
            section,
            drop,
            vary=0.05,
            fill=("high tom", "rim", "tom", "snare"),
            crash="crash" if section.name == "chorus" else "",
        )
    _reggae_lead(song, style, tape)
    return song


def _reggae_lead(song: Song, style: int, tape: Effect) -> None:
    lead = song.part(
        "lead", ("man", "man", "melodica", "trumpet")[style], 0, wet=0.25, effects=(tape,)
    )
    other = song.part(
        "horns",
        ("melodica", "brass", "melodica", "saxophone")[style],
        -4,
        wet=0.25,
        effects=(tape,),
    )
    cells = ["x.xx.x--x.x.x---", "..xxx-x---x-x---", "x-x-..xxx-......"]
    for section in song.sections:
        if section.name in ("verse", "chorus"):
            song.melody(
                lead,
                section,
                cells,
                62 if style < 2 else 71,
                mode="pentatonic" if style % 2 else None,
                slide=0.15,
                rest=0.35 if style == 2 else 0,
            )
        if section.name in ("intro", "chorus", "solo"):
            song.melody(other, section, ["x.x.x---....x.x.", "x--x--x---......"], 69, plan="aaab")


# soul


def soul(rng: Rng, style: int) -> Song:
    """A stomper with tambourine, a ballad in twelve, a groove with clavinet, a smooth one."""
    tempo = ((116, 128), (62, 70), (98, 108), (84, 92))[style]
    song = Song(
        rng,
        Key(_tonic(rng, 5, 8, 10, 3, 0), "dorian" if style == 2 else "major"),
        rng.uniform(*tempo),
        swing=(0.5, 0.66, 0.56, 0.58)[style],
        swing_unit=1.0 if style < 2 else 0.5,
        room_s=1.3,
    )
    song.form(
        "intro:2 verse chorus verse bridge:2 chorus", 4 if style in (1, 3) else 8, _length(rng)
    )
    rows = {
        0: ("I vi ii V", "IV V I vi"),
        1: ("I iii IV V", "IV ivm6 I VI7"),
        2: ("im9 im9 IV9 IV9", "bVIImaj7 IV9 im9 im9"),
        3: ("Imaj9 vim9 iim9 V13", "IVmaj9 iiim7 iim9 V13"),
    }[style]
    song.harmonise(
        {
            "intro": rows[0],
            "verse": rows[0],
            "chorus": rows[1],
            "bridge": "ii V" if style != 2 else "im9",
        }
    )
    _soul_rhythm(song, style)
    singer = song.part("singer", "woman" if style in (0, 3) else "man", 1, wet=0.2, jitter_s=0.025)
    backing = song.part("backing", "choir", -7, wet=0.35)
    horns = song.part("horns", "brass" if style != 3 else "saxophone", -3, wet=0.2)
    strings = song.part("strings", "strings", -8, wet=0.35)
    for section in song.sections:
        if section.name in ("verse", "chorus"):
            song.melody(
                singer,
                section,
                ["x-xx-xx-", "..xx-x--", "xxx-x-x-", ".x-xx---"],
                68 if style in (0, 3) else 62,
                mode="pentatonic" if style != 2 else "minor pentatonic",
                slide=0.4,
            )
        if style == 3:
            song.melody(
                horns,
                section,
                ["........x-xx-x--", "......xxx---....", "................"],
                70,
                slide=0.4,
            )
        else:
            song.comp(
                horns,
                section,
                ["......x.x.......", "x.......x..x....", "..........x.x-x-", "................"],
                65,
                held=0.7,
            )
        if section.name == "chorus":
            song.comp(backing, section, ["x-----x-", "..x---x-"], 67)
        if style in (0, 1, 3):
            song.hold(strings, section, 74, force=0.5)
    return song


def _soul_rhythm(song: Song, style: int) -> None:
    keys = song.part(
        "keys", ("piano", "electric piano", "clavinet", "electric piano")[style], -4, wet=0.12
    )
    organ = song.part("organ", "organ", -8, wet=0.15)
    bass = song.part("bass", "bass guitar", -0.5)
    kit = song.part("kit", "", -2.5, wet=0.12)
    lines = (
        ["R.RR.3.5", "R.R5.8.a", "RR.R.5.a"],
        ["R-----5-", "R---..Ra"],
        ["R..r.8.R..7.8.a.", "R.r..R8...5.7.a.", "R..R..8.r.R.5.7."],
        ["R--...R-..5-..a-", "R--..8..R--..5a-"],
    )[style]
    for section in song.sections:
        song.bass(bass, section, lines, 34, held=0.8)
        comping = (
            ["x.x.x.x.", "x-x-x-x-"],
            ["x--x--x--x--"],
            ["x..xx.x..xx.x.xx", ".xx.x..xx.x..x.x"],
            ["x-----..x--..x--", "..x-----x--.x---"],
        )[style]
        song.comp(keys, section, comping, 62, held=0.7 if style != 2 else 0.35)
        if style in (0, 1):
            song.hold(organ, section, 60, force=0.5)
        beats = (
            {
                "kick": "x...x...x...x.x.",
                "snare": "x...x...x...x...",
                "tambourine": "..x.x.x...x.x.x.",
                "hat": "x.x.x.x.x.x.x.x.",
            },
            {"soft kick": "x..x..x..x..", "snare": "...x.....x..", "hat": "xxxxxxxxxxxx"},
            {
                "kick": "x..x..x...xo..x.",
                "snare": "....x.oo.o..x..o",
                "hat": "xxxxxxxxxxxxxxxx",
                "open hat": "......?......?..",
            },
            {
                "soft kick": "x......xx.x.....",
                "rim": "....x.......x...",
                "hat": "x.xxx.xxx.xxx.xx",
                "shaker": "..x...x...x...x.",
            },
        )[style]
        song.drum(kit, section, beats, vary=0.05, fill=TOMS)
