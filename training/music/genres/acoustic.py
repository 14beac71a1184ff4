"""Classical, folk, children's, soundtrack, latin, jazz, country: plucked, bowed, blown."""

from __future__ import annotations

from training.music import effects
from training.music.score import Note, Part, Song
from training.music.theory import Key
from training.music.waves import Rng


def _tonic(rng: Rng, *tonics: int) -> int:
    return int(rng.choice(tonics if tonics else range(12)))


def _length(rng: Rng) -> float:
    return float(rng.uniform(42, 47))


# classical


def classical(rng: Rng, style: int) -> Song:
    return (_quartet, _sonata, _baroque, _nocturne)[style](rng)


def _quartet(rng: Rng) -> Song:
    """Four strings: a theme above, thirds within, the cello below; the middle in the minor."""
    song = Song(
        rng, Key(_tonic(rng, 2, 7, 9, 0), "major"), rng.uniform(96, 116), drift=0.03, room_s=1.9
    )
    song.slowing = 0.5
    song.form(
        "verse:4 chorus:4 verse:4 bridge:4 chorus:4 verse:4",
        4,
        _length(rng),
        {"verse": 0.8, "chorus": 1.0, "bridge": 0.55},
    )
    song.harmonise(
        {
            "verse": "I vi ii/2 V7/2 I",
            "chorus": "I/2 V/2 vi/2 iii/2 IV/2 I/2 ii/2 V7/2",
            "bridge": "vi III7 vi/2 ii/2 III7",
        }
    )
    first = song.part("first violin", "violin", 0, wet=0.3, jitter_s=0.012)
    second = song.part("second violin", "violin", -7, wet=0.3, jitter_s=0.015)
    viola = song.part("viola", "cello", -7, wet=0.3, jitter_s=0.015)
    cello = song.part("cello", "cello", -4, wet=0.25, jitter_s=0.015)
    for section in song.sections:
        song.melody(
            first, section, ["x-x-xxx-", "x--xx-x-", "xxxxx-x-", "x---x-xx"], 77, slide=0.05
        )
        song.comp(second, section, ["..x-..x-", "x-x-x-x-"], 67, held=0.7, force=0.6)
        song.arpeggio(viola, section, ["13231323", "12321232"], 60, force=0.5, held=0.9)
        song.bass(cello, section, ["R---5---", "R-3-5-a-", "R---8-5-"], 43, held=0.95)
    return song


def _sonata(rng: Rng) -> Song:
    """A piano alone: a singing right hand over broken chords, then scales."""
    song = Song(
        rng, Key(_tonic(rng, 0, 7, 5, 10), "major"), rng.uniform(112, 132), drift=0.035, room_s=1.5
    )
    song.slowing = 0.45
    song.form(
        "verse chorus verse bridge chorus verse", 4, _length(rng), {"verse": 0.75, "bridge": 0.6}
    )
    song.harmonise(
        {"verse": "I V7 V7 I", "chorus": "IV I/2 V7/2 vi ii/2 V7/2", "bridge": "vi ii V7 III7"}
    )
    right = song.part("right hand", "piano", 0, wet=0.2, jitter_s=0.01)
    left = song.part("left hand", "piano", -5, wet=0.2, jitter_s=0.008)
    for section in song.sections:
        runs = section.name == "chorus"
        cells = (
            ["xxxxxxxxxxxxx---", "x-xxxxxxx-x-x---"]
            if runs
            else ["x-x-xx.x", "x--xxxx-", "x-xxx-.x"]
        )
        song.melody(right, section, cells, 76, leap=0.08 if runs else 0.2)
        song.arpeggio(left, section, ["13231323", "13231313"], 55, force=0.55, held=0.95)
    return song


def _baroque(rng: Rng) -> Song:
    """A flute, a harpsichord and a cello that never stops."""
    song = Song(
        rng, Key(_tonic(rng, 2, 7, 4, 9), "harmonic"), rng.uniform(92, 108), drift=0.015, room_s=1.6
    )
    song.slowing = 0.4
    song.form("verse chorus bridge chorus verse", 4, _length(rng), {"verse": 0.85, "bridge": 0.7})
    song.harmonise(
        {
            "verse": "i/2 V/2 i/2 iv/2 bVII/2 bIII/2 V7/2 i/2",
            "chorus": "i/2 iv/2 bVII/2 bIII/2 bVI/2 iio/2 V7/2 i/2",
            "bridge": "bIII/2 bVII/2 i/2 V/2 iv/2 i/2 V/2 V7/2",
        }
    )
    flute = song.part("flute", "flute", 0, wet=0.3)
    keys = song.part("harpsichord", "harpsichord", -5, wet=0.2)
    cello = song.part("cello", "cello", -5, wet=0.2)
    for section in song.sections:
        song.melody(
            flute,
            section,
            ["xxxxx-xxx-xxxxx-", "x-xxx-xxxxxxx---", "xxxxxxxxx-x-x-x-"],
            79,
            leap=0.12,
        )
        song.comp(keys, section, ["x-x-x-x-", "x-xxx-xx"], 62, strum=0.06, held=0.8)
        song.bass(cello, section, ["R-3-5-3-", "R-8-5-a-", "RR33558a"], 45, held=0.8)
    return song


def _nocturne(rng: Rng) -> Song:
    """A slow piano in the minor, the pedal down, much rubato."""
    song = Song(
        rng,
        Key(_tonic(rng, 1, 3, 5, 8, 10), "minor"),
        rng.uniform(60, 70),
        metre=3,
        drift=0.07,
        room_s=2.2,
    )
    song.slowing = 0.7
    song.form("intro:1 verse verse chorus verse", 4, _length(rng), {"intro": 0.5, "verse": 0.65})
    song.harmonise({"intro": "i", "verse": "i bVI iv V7", "chorus": "bIII bVII bVI V7"})
    right = song.part("right hand", "piano", 0, wet=0.35, jitter_s=0.02)
    left = song.part("left hand", "piano", -4, wet=0.35, jitter_s=0.012)
    for section in song.sections:
        song.arpeggio(left, section, ["0-2132", "0-1324"], 57, lowest=41, held=2.2, force=0.5)
        if section.name != "intro":
            song.melody(right, section, ["x---x-", "x-xxx-", "x--x--", "x----x"], 77, held=1.15)
    return song


# folk


def folk(rng: Rng, style: int) -> Song:
    metre = 3 if style in (0, 3) else 4
    mode = ("major", "dorian", "mixolydian", "minor")[style]
    song = Song(
        rng,
        Key(_tonic(rng, 2, 7, 9, 4), mode),
        rng.uniform(*((104, 118), (92, 104), (118, 132), (96, 110))[style]),
        metre=metre,
        drift=0.012,
        room_s=1.0,
    )
    song.form("intro:2 verse chorus verse chorus solo", 8 if metre == 3 else 4, _length(rng))
    rows = {
        "major": ("I I IV I vi IV V V", "IV I V vi IV I V I"),
        "dorian": ("i i bVII bVII i IV bVII i", "bIII bVII IV i bIII bVII i i"),
        "mixolydian": ("I I bVII bVII IV IV I I", "bVII IV I I bVII IV V I"),
        "minor": ("i bVI bIII bVII i iv V i", "bVI bVII i i bVI bVII bIII V"),
    }[mode]
    song.harmonise({"intro": rows[0], "verse": rows[0], "chorus": rows[1], "solo": rows[0]})
    guitar = song.part("guitar", "steel guitar", -2, wet=0.12, jitter_s=0.009)
    _folk_tunes(song, style, metre)
    picking = ["0-2132", "0-3123"] if metre == 3 else ["0-21-213", "0213-213", "0-2102-1"]
    for section in song.sections:
        song.arpeggio(guitar, section, picking, 60, lowest=45, held=1.6)
    if style == 2:
        skin = song.part("bodhran", "", -8, wet=0.1)
        for section in song.called("verse", "chorus", "solo"):
            song.drum(
                skin, section, {"bodhran": "x...x...x...x...", "bodhran rim": "..o?..oo..o?..oo"}
            )
    return song


def _folk_tunes(song: Song, style: int, metre: int) -> None:
    names = (("man", 57), ("fiddle", 74), ("whistle", 81), ("woman", 69))[style]
    lead = song.part("lead", names[0], 0, wet=0.2, jitter_s=0.015)
    cells = (
        ["x--x--", "x-x-x-", "x----x", "x-xx--"]
        if metre == 3
        else ["x-xxx-x-", "x-x-xxx-", "xxx-x-x-"]
    )
    for section in song.called("verse", "chorus"):
        song.melody(
            lead, section, cells, names[1], mode="pentatonic" if style == 0 else None, slide=0.08
        )
    other = song.part("second", ("accordion", "cello", "fiddle", "flute")[style], -5, wet=0.22)
    for section in song.called("chorus"):
        song.hold(other, section, (64, 52, 62, 74)[style], force=0.5)
    for section in song.called("intro", "solo"):
        song.melody(other, section, cells, (72, 57, 76, 79)[style])


# children's


def childrens(rng: Rng, style: int) -> Song:
    song = Song(
        rng,
        Key(_tonic(rng, 0, 5, 7, 2), "major"),
        rng.uniform(112, 138),
        swing=(0.5, 0.64, 0.5, 0.6)[style],
        room_s=0.7,
    )
    if style == 2:
        song.tempo = float(rng.uniform(78, 88))
    song.form(
        "intro:2 verse chorus verse chorus verse", 4, _length(rng), {"intro": 0.8, "verse": 0.85}
    )
    song.harmonise({"intro": "I V7", "verse": "I I V7 I", "chorus": "IV I V7 I"})
    if style == 2:
        return _lullaby(song)
    tune = song.part("tune", ("whistle", "glockenspiel", "", "clarinet")[style], 0, wet=0.12)
    toy = song.part("toy", ("glockenspiel", "whistle", "", "marimba")[style], -5, wet=0.12)
    uke = song.part("ukulele", "ukulele", -3, wet=0.08)
    bass = song.part("bass", ("clarinet", "upright bass", "", "brass")[style], -4, wet=0.06)
    kit = song.part("percussion", "", -7, wet=0.1)
    cells = ["x-x-x---", "xxx-x-x-", "x-xxx---", "xxxxx-.."]
    for section in song.sections:
        song.melody(
            tune,
            section,
            cells,
            79 if style != 3 else 72,
            leap=0.25,
            plan="aaba",
            mode="pentatonic",
        )
        song.comp(uke, section, ["..x...xx", "..x-..x-"], 67, strum=0.06, held=0.5)
        song.bass(bass, section, ["R...4...", "R.R.4.a."], 43, held=0.45)
        rows = {
            "clap": "....x.......x...",
            "shaker": "x.o.x.o.x.o.x.o.",
            "snap": "............?...",
        }
        if section.name == "chorus":
            rows |= {"tambourine": "..x...x...x...x.", "cowbell": "............x.?."}
            song.double(tune, toy, 2 if style else 7, since=section.at)
        song.drum(kit, section, rows, fill=("bongo", "conga", "clap"))
    return song


def _lullaby(song: Song) -> Song:
    box = song.part("music box", "music box", 0, wet=0.35, jitter_s=0.006)
    voice = song.part("voice", "woman", -3, wet=0.3)
    harp = song.part("harp", "harp", -4, wet=0.3)
    for section in song.sections:
        song.arpeggio(harp, section, ["01232123", "0-12-321"], 60, force=0.5, held=2)
        if section.name == "chorus":
            song.melody(voice, section, ["x---x-x-", "x-x-x---"], 72, mode="pentatonic")
        else:
            song.melody(
                box,
                section,
                ["x-x-xxx-", "x---x-x-", "xx-xx---"],
                84,
                mode="pentatonic",
                plan="aaba",
            )
    return song


# soundtrack


def soundtrack(rng: Rng, style: int) -> Song:
    return (_epic, _heroic, _mystery, _longing)[style](rng)


def _epic(rng: Rng) -> Song:
    """Short strings drive from nothing to everything: horns, choir, drums as large as a house."""
    song = Song(rng, Key(_tonic(rng, 2, 0, 4, 9), "minor"), rng.uniform(84, 100), room_s=2.6)
    song.form(
        "intro verse bridge chorus:6 chorus:4",
        4,
        _length(rng),
        {"intro": 0.4, "verse": 0.65, "bridge": 0.8},
    )
    song.harmonise(
        {
            "intro": "i",
            "verse": "i bVI bIII bVII",
            "bridge": "iv i bVI V",
            "chorus": "i bVI bIII bVII iv V",
        }
    )
    short = song.part("short strings", "short strings", -4, wet=0.3)
    low = song.part("low strings", "cello", -4, wet=0.3)
    horns = song.part("horns", "brass", -1, wet=0.4)
    choir = song.part("choir", "choir", -4, wet=0.5)
    drums = song.part("drums", "", -3, wet=0.35)
    theme = song.part("theme", "strings", -1, wet=0.4)
    for section in song.sections:
        song.arpeggio(short, section, ["1121312112131212", "1312131213121412"], 57, held=0.6)
        song.bass(low, section, ["R-------", "R---R---"], 38)
        if section.name != "intro":
            song.melody(theme, section, ["x-----x-", "x---x---", "x-x-x---"], 67)
            song.drum(
                drums,
                section,
                {"taiko": "x..x..x.x...x.x.", "timpani": "x.......?......."},
                fill=("taiko", "timpani"),
            )
        if section.name in ("bridge", "chorus"):
            song.hold(choir, section, 65)
            song.comp(horns, section, ["x-------x-----x-", "x-----x-x-------"], 53, held=0.95)
        if section.name == "chorus":
            song.drum(drums, section, {"crash": "x...............", "taiko": "..o.x..o..o.x.oo"})
    return song


def _heroic(rng: Rng) -> Song:
    """A march for brass: lydian, upwards, with a fanfare."""
    song = Song(rng, Key(_tonic(rng, 10, 5, 3), "major"), rng.uniform(104, 118), room_s=2.2)
    song.slowing = 0.4
    song.form("intro:2 verse bridge chorus verse chorus", 4, _length(rng), {"verse": 0.8})
    song.harmonise(
        {
            "intro": "I bVII",
            "verse": "I II I/2 IV/2 V",
            "bridge": "vi iii IV V",
            "chorus": "I bVII IV I bVI bVII I V",
        }
    )
    trumpets = song.part("trumpets", "trumpet", 0, wet=0.35)
    horns = song.part("horns", "brass", -4, wet=0.35)
    strings = song.part("strings", "strings", -5, wet=0.35)
    low = song.part("low brass", "brass", -4, wet=0.3)
    drums = song.part("drums", "", -6, wet=0.3)
    for section in song.sections:
        song.drum(
            drums,
            section,
            {"timpani": "x.......x.....x.", "snare": "o.oox.o.o.oox.oo"},
            vary=0.1,
            crash="crash",
        )
        song.bass(low, section, ["R---4---", "R-R-4-a-"], 41)
        song.comp(horns, section, ["x-xxx-x-", "x---x-xx"], 58, held=0.7)
        song.hold(strings, section, 70)
        if section.name != "bridge":
            song.melody(
                trumpets, section, ["x--xx---", "x-x-x-xx", "x---xxx-"], 72, mode="lydian", leap=0.4
            )
        else:
            song.melody(strings, section, ["x---x---", "x-x-x---"], 76)
    return song


def _mystery(rng: Rng) -> Song:
    """A celesta-like bell, a harp, low strings that tremble, a flute far away."""
    song = Song(
        rng, Key(_tonic(rng), "harmonic"), rng.uniform(72, 84), metre=3, drift=0.02, room_s=2.8
    )
    song.form("intro:4 verse chorus verse chorus", 8, _length(rng), {"intro": 0.5, "verse": 0.7})
    song.harmonise(
        {"intro": "i", "verse": "i bVI i bVI iv i V V", "chorus": "i #ivo7 iv V bVI bII V7 i"}
    )
    bells = song.part("celesta", "glockenspiel", -2, wet=0.4)
    harp = song.part("harp", "harp", -3, wet=0.4)
    low = song.part("low strings", "strings", -4, wet=0.4, effects=(effects.tremolo(7.5, 0.6),))
    flute = song.part("flute", "flute", -1, wet=0.5)
    pluck = song.part("pizzicato", "marimba", -6, wet=0.3)
    for section in song.sections:
        song.hold(low, section, 50)
        song.arpeggio(harp, section, ["012321", "013-21", "0-1234"], 57, held=2, force=0.6)
        if section.name == "chorus":
            song.melody(flute, section, ["x--x-x", "x----x", "x-x-x-"], 76)
            song.bass(pluck, section, ["R.5.8.", "R.a.5."], 45, held=0.5)
        else:
            song.melody(bells, section, ["x-xx-x", "x---x-", "xxx-x-"], 86, leap=0.35, rest=0.15)
    return song


def _longing(rng: Rng) -> Song:
    """Strings and a felted piano, one cello above them."""
    song = Song(rng, Key(_tonic(rng), "minor"), rng.uniform(62, 72), drift=0.03, room_s=2.6)
    song.form("intro:1 verse:4 chorus:4 chorus:4", 4, _length(rng), {"intro": 0.5, "verse": 0.65})
    song.harmonise(
        {
            "intro": "i",
            "verse": "imadd9 bVImaj7 bIII bVIIsus4/2 bVII/2",
            "chorus": "bVI bVII i/2 bIII/2 iv/2 V/2",
        }
    )
    piano = song.part("piano", "felt piano", -2, wet=0.35)
    strings = song.part("strings", "strings", -3, wet=0.45)
    cello = song.part("cello", "cello", 0, wet=0.4)
    for section in song.sections:
        song.arpeggio(piano, section, ["0-213-21", "012-1-31"], 62, lowest=45, held=2, force=0.6)
        if section.name != "intro":
            song.hold(strings, section, 65 if section.round == 0 else 70)
            song.melody(cello, section, ["x---x-xx", "x--x----", "x-x-x---"], 60, slide=0.15)
    return song


# latin


def latin(rng: Rng, style: int) -> Song:
    return (_bossa, _salsa, _cumbia, _bolero)[style](rng)


def _bossa(rng: Rng) -> Song:
    song = Song(rng, Key(_tonic(rng, 5, 0, 10, 2), "major"), rng.uniform(122, 136), room_s=1.0)
    song.form("intro:2 verse chorus verse solo", 8, _length(rng))
    song.harmonise(
        {
            "intro": "Imaj7 bIImaj7",
            "verse": "Imaj9 Imaj9 II7 II7 iim9 V13 Imaj7 bII7",
            "chorus": "IVmaj7 ivm6 iii7 VI7 ii7 V13 Imaj7 V7",
            "solo": "Imaj9 II7 iim9 V13",
        }
    )
    guitar = song.part("guitar", "nylon guitar", -1, wet=0.1)
    bass = song.part("bass", "upright bass", -3, wet=0.05)
    kit = song.part("percussion", "", -9, wet=0.12)
    flute = song.part("flute", "flute", -1, wet=0.25)
    voice = song.part("voice", "woman", 0, wet=0.2)
    for section in song.sections:
        song.comp(guitar, section, ["x-..x-.x-.x-..x-", "..x-.x-.x-..x-x-"], 60, held=0.8)
        song.bass(bass, section, ["R---..r-5---..5-", "R---..5-4---..a-"], 41)
        song.drum(
            kit,
            section,
            {
                "shaker": "xoxoxoxoxoxoxoxo",
                "rim": "x..x..x...x..x..",
                "soft kick": "x..xx..xx..xx..x",
            },
        )
        if section.name in ("verse", "chorus"):
            song.melody(
                voice,
                section,
                ["x..xx-..x-.x----", "..x-.x-.x---..x-", "x---..x-.x-.x---"],
                67,
                held=0.95,
            )
        else:
            song.melody(flute, section, ["x.xx.x.xx---x.x.", "xxx-..xx.x.x----"], 77)
    return song


def _salsa(rng: Rng) -> Song:
    song = Song(rng, Key(_tonic(rng, 9, 2, 7, 4), "minor"), rng.uniform(176, 196), room_s=1.1)
    song.form(
        "intro:4 verse:16 chorus:8 solo:8 chorus:8", 8, _length(rng), {"intro": 0.8, "verse": 0.8}
    )
    song.harmonise(
        {
            "intro": "i iv V7 i",
            "verse": "i iv V7 V7 iv i V7 i",
            "chorus": "i bVII bVI V7",
            "solo": "i iv V7 i",
        }
    )
    piano = song.part("piano", "piano", -1, wet=0.1)
    bass = song.part("bass", "upright bass", -1, wet=0.05)
    kit = song.part("percussion", "", -3, wet=0.12)
    brass = song.part("brass", "trumpet", -1, wet=0.2)
    singer = song.part("singer", "man", 0, wet=0.2)
    for section in song.sections:
        song.comp(piano, section, ["x.xx.xx.", ".xx.xx.x", "x.x.xx.x"], 69, held=0.6, doubled=1)
        song.bass(bass, section, ["...5--8-", "...R--5-", "...8--a-"], 41)
        song.drum(
            kit,
            section,
            {
                "clave": "x..x....",
                "cowbell": "x.x.x.xx",
                "conga": "......xx",
                "slap": "..x.....",
                "low conga": "...o..?.",
                "shaker": "xoxoxoxo",
            },
            fill=("high tom", "bongo", "conga"),
        )
        if section.name == "verse":
            song.melody(singer, section, ["x.xx.x--", "..x.xx--", "x-x..xx-"], 62)
        else:
            song.melody(brass, section, ["xx.x.xx.", "..xx.x--", "x..x..x-"], 72, held=0.7)
    song.double(brass, song.part("brass two", "trumpet", -5, wet=0.2), 2)
    return song


def _cumbia(rng: Rng) -> Song:
    song = Song(rng, Key(_tonic(rng, 9, 2, 4), "minor"), rng.uniform(92, 104), room_s=0.9)
    song.form("intro:2 verse chorus solo chorus", 4, _length(rng), {"intro": 0.8, "verse": 0.8})
    song.harmonise(
        {"intro": "i V7", "verse": "i i V7 i", "chorus": "bIII bVII V7 i", "solo": "i V7 V7 i"}
    )
    squeeze = song.part("accordion", "accordion", 0, wet=0.12)
    guitar = song.part("guitar", "nylon guitar", -4, wet=0.1)
    bass = song.part("bass", "bass guitar", -2, wet=0.05)
    kit = song.part("percussion", "", -4, wet=0.1)
    singer = song.part("singer", "man", 0, wet=0.18)
    for section in song.sections:
        song.comp(
            guitar, section, ["..x-..x-..x-..x-", "..x-..xx..x-..x-"], 64, held=0.5, strum=0.03
        )
        song.bass(bass, section, ["R-----5-8-----5-", "R-----5-3-----a-"], 40, held=0.7)
        song.drum(
            kit,
            section,
            {
                "guiro": "x.oox.oox.oox.oo",
                "conga": "..x...x...x...xx",
                "low conga": "x.......x.......",
                "cowbell": "x...x...x...x...",
            },
            fill=("bongo", "conga", "low conga"),
        )
        player, centre = (singer, 60) if section.name == "verse" else (squeeze, 74)
        song.melody(player, section, ["x-xxx-x-x-xxx---", "xxx-x-x-..xxx-x-"], centre, leap=0.2)
    return song


def _bolero(rng: Rng) -> Song:
    """Slow, two guitars, bongos, a muted trumpet that answers."""
    song = Song(
        rng, Key(_tonic(rng, 4, 9, 2), "harmonic"), rng.uniform(84, 96), drift=0.01, room_s=1.3
    )
    song.form("intro:2 verse chorus verse chorus", 4, _length(rng))
    song.harmonise({"intro": "i V7", "verse": "im6 iv V7 i", "chorus": "iv bVII7 bIII/2 bVI/2 V7"})
    guitar = song.part("guitar", "nylon guitar", -1, wet=0.15)
    second = song.part("requinto", "nylon guitar", -1, wet=0.2)
    bass = song.part("bass", "upright bass", -3, wet=0.08)
    kit = song.part("percussion", "", -8, wet=0.12)
    horn = song.part("trumpet", "muted trumpet", -3, wet=0.3)
    for section in song.sections:
        song.arpeggio(guitar, section, ["01213121", "0-213121"], 59, lowest=42, held=1.3)
        song.bass(bass, section, ["R---5-8-", "R-R-5-a-"], 41)
        song.drum(
            kit,
            section,
            {
                "bongo": "x.oox.oox.oox.xo",
                "shaker": "x.o.x.o.x.o.x.o.",
                "low conga": "............x.x.",
            },
        )
        song.melody(
            second,
            section,
            ["x-xxx---..xxx---", "x---x-xxx---....", "xxx-x-----x-x---"],
            72,
            rest=0.1,
        )
        if section.name == "chorus":
            song.melody(horn, section, ["........x-x-x---", "......xxx-------"], 74, slide=0.2)
    return song


# jazz


def jazz(rng: Rng, style: int) -> Song:
    metre = 3 if style == 2 else 4
    tempo = ((148, 172), (104, 120), (140, 156), (200, 224))[style]
    song = Song(
        rng,
        Key(_tonic(rng, 5, 10, 3, 0, 7), "dorian" if style == 3 else "major"),
        rng.uniform(*tempo),
        metre=metre,
        swing=(0.66, 0.67, 0.66, 0.6)[style],
        drift=0.008,
        room_s=1.0,
    )
    song.form("intro:2 verse chorus solo verse solo", 8, _length(rng), {"verse": 0.8, "solo": 0.95})
    changes = (
        {
            "verse": "iim9 V13 Imaj9 VI7 iim9 V13 Imaj7 Imaj7",
            "chorus": "iiim7 VI7 iim9 V13 ivm7 bVII7 Imaj7 V13",
            "solo": "Imaj7/2 VI7/2 iim7/2 V7/2 iiim7/2 VI7/2 iim7/2 V13/2",
            "intro": "iim9 V13",
        }
        if style != 3
        else {
            "verse": "im9",
            "solo": "im9 im9 im9 im9 iim7b5 V7 im9 im9",
            "chorus": "ivm9 ivm9 im9 V7",
            "intro": "im9",
        }
    )
    song.harmonise(changes)
    lead = song.part(
        "lead",
        ("saxophone", "muted trumpet", "piano", "trumpet")[style],
        0,
        wet=0.2,
        jitter_s=0.018,
    )
    other = song.part(
        "soloist",
        ("piano", "vibraphone", "clarinet", "saxophone")[style],
        -1,
        wet=0.15,
        jitter_s=0.015,
    )
    _rhythm_section(song, style, metre)
    cells = (
        ["x.xx.x--", "..xx.xx-", "x--x.x-.", ".x-xx---"]
        if metre == 4
        else ["x-x.x-", "x--x-x", ".xxx--"]
    )
    quick = (
        ["x.xxxxx.", "xxxx.xx-", ".xxxxxx.", "xxx.xxxx"]
        if metre == 4
        else ["xxxxx-", "x-xxxx", ".xxxx-"]
    )
    for section in song.sections:
        if section.name in ("verse", "chorus"):
            song.melody(lead, section, cells, 69 if style in (0, 2) else 72, slide=0.18)
        else:
            song.melody(
                other,
                section,
                quick,
                74 if style != 3 else 67,
                leap=0.2,
                slide=0.05 if style in (0, 1, 2) else 0.15,
                mode="blues" if rng.random() < 0.3 else None,
                plan="abcd",
            )
    return song


def _rhythm_section(song: Song, style: int, metre: int) -> None:
    keys = song.part(
        "comping",
        ("piano", "electric guitar", "piano", "piano")[style],
        -6,
        wet=0.12,
        jitter_s=0.015,
    )
    bass = song.part("bass", "upright bass", -1.5, wet=0.05)
    kit = song.part("kit", "", -7, wet=0.15)
    for section in song.sections:
        song.walk(bass, section, 41)
        rows = (
            ["..x..x..", "x..x....", "...x..x-", "....x..x"]
            if metre == 4
            else ["..x.x.", "x..x..", "...x.."]
        )
        song.comp(keys, section, rows, 62, held=0.6, rootless=True)
        if metre == 3:
            song.drum(
                kit,
                section,
                {"ride": "x.x.xx", "hat": "..x.x.", "soft kick": "x.....", "brush": "..?..o"},
                vary=0.1,
            )
        elif style == 1:
            song.drum(
                kit,
                section,
                {
                    "swish": "x.x.x.x.",
                    "brush": "..x?..x?",
                    "hat": "..x...x.",
                    "soft kick": "?...?...",
                },
                vary=0.05,
            )
        else:
            song.drum(
                kit,
                section,
                {
                    "ride": "x.xxx.xx",
                    "hat": "..x...x.",
                    "soft kick": "o...o.?.",
                    "snare": "...?..o?",
                    "rim": "......?.",
                },
                vary=0.08,
                fill=("snare", "high tom", "tom"),
                crash="crash",
            )


# country


def country(rng: Rng, style: int) -> Song:
    tempo = ((112, 126), (88, 98), (128, 144), (100, 110))[style]
    metre = 3 if style == 3 else 4
    song = Song(
        rng,
        Key(_tonic(rng, 7, 2, 4, 9, 0), "major"),
        rng.uniform(*tempo),
        metre=metre,
        swing=(0.5, 0.6, 0.5, 0.5)[style],
        room_s=0.9,
    )
    song.form("intro:2 verse chorus solo verse chorus", 8 if style != 1 else 4, _length(rng))
    song.harmonise(
        {
            "intro": "I V",
            "verse": "I I IV I I I V V",
            "chorus": "IV IV I I V V I I",
            "solo": "I IV V I",
        },
        raised=lambda section: 2 if section.last and section.name == "chorus" else 0,
    )
    guitar = song.part("guitar", "steel guitar", -3, wet=0.1)
    bass = song.part("bass", "upright bass" if style != 1 else "bass guitar", -2, wet=0.05)
    kit = song.part("kit", "", -8 if style != 2 else -6, wet=0.1)
    for section in song.sections:
        song.comp(
            guitar,
            section,
            ["..x-..x-", "..xx..xx", "..x-..xx"] if metre == 4 else ["..x-x-", "..xxx-"],
            62,
            strum=0.08,
            held=0.7,
        )
        song.bass(
            bass,
            section,
            ["R---4---", "R---4-a-"] if metre == 4 else ["R-----", "4-----", "R---a-"],
            42,
            held=0.7,
        )
        rows = {
            "brush": "x.xxx.xxx.xxx.xx",
            "soft kick": "x.......x.......",
            "rim": "....x.......x...",
        }
        song.drum(
            kit,
            section,
            rows if metre == 4 else {"soft kick": "x.....", "brush": "..x.x."},
            vary=0.04,
        )
    _twang(song, style, metre)
    return song


def _twang(song: Song, style: int, metre: int) -> None:
    singer = song.part("singer", ("man", "woman", "man", "woman")[style], 0, wet=0.15)
    steel = song.part(
        "pedal steel", "electric guitar", -3, wet=0.3, effects=(effects.tremolo(4.5, 0.15),)
    )
    roll = song.part("banjo", "banjo", -4, wet=0.08)
    fiddle: Part = song.part("fiddle", "fiddle", -2, wet=0.2)
    cells = (
        ["x-x-xxx-", "x-xxx---", "..xxx-x-", "x--xx---"]
        if metre == 4
        else ["x--x-x", "x-x---", "x-xxx-"]
    )
    for section in song.sections:
        if section.name in ("verse", "chorus"):
            song.melody(
                singer, section, cells, 57 if style in (0, 2) else 67, mode="pentatonic", slide=0.2
            )
        if section.name in ("intro", "solo"):
            player = (fiddle, steel, roll, fiddle)[style]
            quick = ["xxxxxxxxx-x-xxx-", "x-xxx-xxxxxxx---"] if metre == 4 else cells
            song.melody(
                player,
                section,
                quick if style != 1 else cells,
                74 if style != 1 else 69,
                mode="pentatonic",
                slide=0.4,
            )
        if style == 2 or (style == 0 and section.name == "chorus"):
            song.arpeggio(roll, section, ["1323132313231323", "1234132412341324"], 62, held=0.9)
        if style in (1, 3) and section.name != "solo":
            for at, beats, now in song.chords_in(section):
                for pitch in now.voiced(69)[:2]:
                    steel.notes.append(
                        Note(
                            at,
                            beats,
                            pitch,
                            0.6 * section.energy,
                            slide=-2.0 if song.rng.random() < 0.5 else 0,
                        )
                    )
