"""Seeds → names of albums, artists and tracks, each in the manner of its genre."""

from __future__ import annotations

import numpy as np

FIRST = """
    Ada Amara Anton Astrid Benny Bessie Carla Cecil Clara Dario Delia Desmond Dinah Edda Elias Elsie
    Emil Esther Ezra Felix Fiona Floyd Frida Gita Hank Harriet Hugo Ida Ines Irving Jonas Josie June
    Kofi Lena Leroy Lila Lorenzo Lotte Louis Luz Mabel Malik Marcus Maren Marta Miles Milo Mina
    Nadia Nell Nico Nina Odessa Olga Oscar Otis Pablo Pearl Petra Ray Rosa Ruben Ruth Salma Silas
    Solveig Stella Tariq Thea Tomas Una Vera Viktor Wanda Wes Willa Yara Yusuf Zelda
"""
LAST = """
    Abara Alder Amundsen Barlow Beaumont Becker Bellamy Brandt Calloway Castell Cole Crane Dalton
    Delgado Dupree Ekström Farrow Finch Fontaine Garnett Greer Hale Harlan Hartmann Holloway Ibarra
    Jansen Kamau Keller Kovacs Lachance Lang Larkin Lindqvist Lockwood Maddox Marlowe Mbeki Mercer
    Moreau Navarro Novak Oakes Okafor Ortega Palmer Penrose Pruitt Quill Ramos Reyes Rivers Rourke
    Salazar Santos Sato Shepherd Sinclair Sorensen Stone Sutter Tanaka Teller Thorne Tran Underhill
    Vance Vargas Voss Walcott Weaver Whitlock Winters Yates Zamora
"""
PLACES = """
    Harbour Street; the North Road; Delgado Square; Lake Mercy; the Iron Bridge; Cedar Hill; Station
    Nine; Orchard Lane; the Old Quarter; Willow Creek; Saint Agnes; the Salt Flats; Canal Row; Pier
    Six; the Valley; Juniper Avenue; the East Side; Marigold Park; Hollow Oak; Kings Crossing; the
    Silver Coast; Room Eleven; the Long Field; Prospect Hill
"""
TIMES = """
    Midnight; Sunday; Late Summer; First Snow; Morning; October; The Last Night; Tuesday; Daybreak;
    The Long Winter; An Evening; Two Weeks; Easter; Half Past Three; August; Dusk
"""

# Per genre: nouns, adjectives, and how its artists are called ({f} first, {l} last name).
WORDS: dict[str, tuple[str, str, str]] = {
    "metal": (
        "Throne Ashes Serpent Oblivion Crypt Hammer Wrath Ruin Plague Abyss Legion Altar Grave",
        "Black Burning Fallen Iron Eternal Cursed Bleeding Hollow Ancient Frozen",
        "{n} of {n2};{a}{nl};{n}bringer;Mortal {n};{a} {n}",
    ),
    "jazz": (
        "Bop Ballads Mood Quintet Corner Session Interlude Nocturne Changes Avenue Blues Waltz",
        "Blue Cool Quiet Smoky Easy Slow Late Mellow",
        "{f} {l};{f} {l} Quartet;The {l} Trio;{f} {l} & {f2} {l2};{l} Quintet",
    ),
    "classical": (
        "Sonatas Nocturnes Preludes Concertos Symphonies Quartets Suites Variations Études Motets",
        "Complete Early Late Selected Great Six Twelve Chamber",
        "{f} {l};{l} String Quartet;{p} Philharmonic;{f} {l}, Piano;{p} Chamber Orchestra",
    ),
    "electronic": (
        "Signal Circuit Pulse Frequency Module Voltage Array Phase Vector Current Static "
        "Oscillation",
        "Parallel Digital Infinite Analog Binary Soft Kinetic Remote",
        "{n} {n2};{l}.{n};{a} {n};DJ {f};{n} Unit",
    ),
    "hip hop": (
        "Blocks Hustle Crown Verses Corners Tapes Chapters Currency Legacy Receipts "
        "Blueprints Rooftops",
        "Concrete Golden Hungry Heavy Real Raw Loud Street",
        "Young {l};MC {f};{f} the {n1};Lil {f};{a} {n}",
    ),
    "punk": (
        "Riot Curfew Noise Scum Teeth Brats Gutter Refund Failure Barricade Boredom Detention",
        "Cheap Angry Broken Useless Snotty Dead Rotten Wasted",
        "The {a} {n};{n} Police;{a} Kids;The {l} Brothers;{n} Club",
    ),
    "country": (
        "Highway Prairie Whiskey Saddle Heartache Rodeo Pickup Homestead Rambler River "
        "Fences Moonshine",
        "Lonesome Dusty Wild Faded Southern Honest Broken Wandering",
        "{f} {l};{f} & the {n} Boys;{f} Jean {l};The {l} Family;{a} {n} Band",
    ),
    "reggae": (
        "Vibration Roots Island Riddim Zion Sunrise Lion Harvest Unity Dub Shoreline Blessing",
        "Irie Conscious Golden Righteous Sweet Rising Natural",
        "{f} {l} & the {n}s;{a} {n};The {l} Sound;Jah {f};{n} Brethren",
    ),
    "folk": (
        "Lanterns Wren Hollow Meadow Letters Harvest Ferry Thistle Hearth Orchard Rivers Lullabies",
        "Gentle Winding Wooden Hidden Northern Plain Old Little",
        "{f} {l};{f} and {f2};The {n} Company;{l} & Daughters;The {a} {n}",
    ),
    "pop": (
        "Heartbeat Summer Mirror Sugar Dancefloor Secret Glitter Weekend Crush Perfume "
        "Confetti Echo",
        "Electric Sweet Forever Pretty Crazy Dizzy Brighter Lucky",
        "{f};{f} {l};{f} & {f2};{a} {n};The {n}s",
    ),
    "ambient": (
        "Drift Tide Horizon Stillness Vapour Glacier Distance Dusk Breath Silence "
        "Shoreline Weather",
        "Slow Pale Distant Weightless Soft Endless Quiet",
        "{l};{a} {n};{n} Studies;{f} {l};{n} & {n2}",
    ),
    "synthwave": (
        "Sunset Chrome Arcade Turbo Skyline Horizon Cassette Overdrive Boulevard Laser Nightfall",
        "Neon Midnight Retro Outer Miami Electric Velvet",
        "{a} {n};{n} {n2};{l} '84;{f} Nova;{n} Rider",
    ),
    "blues": (
        "Crossroads Mule Delta Sorrow Bottle Train Gravel Levee Hound Backdoor Debt Porch",
        "Muddy Crooked Empty Blind Low Weary Rusty",
        "{a} {f} {l};Big {f} {l};{f} '{n}' {l};The {l} Blues Band;Mama {f}",
    ),
    "soul": (
        "Love Devotion Feeling Groove Tenderness Promise Honey Sunshine Fever Honesty Satisfaction",
        "Sweet Deep Golden True Tender Smooth Lasting",
        "{f} {l};{f} & the {n}s;The {l} Sisters;Sister {f};{a} {n} Revue",
    ),
    "psychedelic": (
        "Kaleidoscope Carousel Garden Prism Elixir Peacock Mandala Dream Parade Mushroom Orbit",
        "Melting Velvet Cosmic Spiral Purple Liquid Invisible",
        "The {a} {n};{n} {n2};{a} {n} Society;{f}'s {n};The {n} Experiment",
    ),
    "children's": (
        "Picnic Puddles Bedtime Wiggles Giggles Pirates Puppets Bubbles Adventure Alphabet Parade",
        "Happy Silly Sleepy Jolly Bouncy Little Merry",
        "Uncle {f};Auntie {f};{f} and the {n};The {a} {n};Captain {l}",
    ),
    "soundtrack": (
        "Empire Frontier Voyage Shadow Kingdom Requiem Inheritance Expedition Protocol Odyssey",
        "Last Silent Final Lost Crimson Distant Forgotten",
        "{f} {l};Music by {f} {l};{l} & {l2};{p} Studio Orchestra",
    ),
    "latin": (
        "Corazón Fiesta Noche Luna Fuego Camino Carnaval Madrugada Sabor Verano Milagro Guitarra",
        "Dulce Caliente Feliz Azul Triste Grande Salvaje",
        "{f} {l};Los {l};Orquesta {l};{f} y {f2};Conjunto {n}",
    ),
    "industrial": (
        "Furnace Machine Concrete Turbine Residue Protocol Assembly Corrosion Piston Factory Alloy",
        "Grinding Cold Rusted Severed Hydraulic Blank",
        "{n} {n2};{a} {n};Unit {n};{n}werk;{l}/{l2}",
    ),
    "chiptune": (
        "Level Quest Pixel Dungeon Cartridge Highscore Continue Sprite Joypad Powerup Castle Boss",
        "Hidden Eight-Bit Bonus Secret Infinite Tiny",
        "{n}boy;{f} 8000;{a} {n};The {n}s;{n} {n2}",
    ),
}


def _phrases(text: str) -> list[str]:
    return [" ".join(phrase.split()) for phrase in text.split(";")]


def name_album(genre: str, rng: np.random.Generator) -> tuple[str, str]:
    """(title, artist)."""
    nouns, adjectives, forms = WORDS[genre]

    def one(words: list[str]) -> str:
        return str(words[int(rng.integers(len(words)))])

    noun, noun2 = one(nouns.split()), one(nouns.split())
    first, last = one(FIRST.split()), one(LAST.split())
    filled = {
        "n": noun, "n2": noun2 if noun2 != noun else "Stone", "n1": noun.rstrip("s"),
        "nl": noun.lower(), "a": one(adjectives.split()), "f": first, "l": last,
        "f2": one(FIRST.split()), "l2": one(LAST.split()),
        "p": one(LAST.split()).rstrip("s") + "burg",
    }  # fmt: skip
    artist = one(forms.split(";")).format(**filled).replace("ss ", "s ").replace("ys ", "ies ")
    nouns_left = [word for word in nouns.split() if word not in artist]
    noun, noun2 = one(nouns_left), one(nouns_left)
    adjective, place, when = one(adjectives.split()), one(_phrases(PLACES)), one(_phrases(TIMES))
    forms_of_title = [
        f"{adjective} {noun}", f"{noun} on {place.replace('Room', 'Floor')}", f"{when} at {place}",
        f"The {adjective} {noun}", f"{noun} and {noun2}" if noun != noun2 else f"{noun} Again",
        f"{when}, {noun}", f"Songs from {place}", f"Before the {noun}", noun, f"{adjective} {when}",
        f"Nothing but {noun}", f"A {noun} for {first if first not in artist else last}",
    ]  # fmt: skip
    if genre == "classical":
        forms_of_title = [
            f"{adjective} {noun}", f"{noun}, Op. {rng.integers(2, 120)}", f"{last}: {noun}",
            f"{noun} & {noun2}" if noun != noun2 else noun,
            f"{adjective} {noun}, Vol. {rng.integers(1, 5)}",
        ]  # fmt: skip
    if genre == "latin":
        forms_of_title = [f"{noun} {adjective}", f"{noun} de {last}", noun, f"Mi {noun}"]
    if genre == "soundtrack":
        forms_of_title = [
            f"The {adjective} {noun}",
            f"{noun} of {last}",
            f"The {noun} of {place}",
            noun,
        ]
    if noun.endswith("s"):
        forms_of_title = [form for form in forms_of_title if not form.startswith(f"A {noun}")]
    title = one(forms_of_title)
    title = title.replace("A A", "An A").replace("A E", "An E").replace("A O", "An O")
    return title.replace("The The ", "The "), artist


# What composers call one movement.
_FORMS = ("Nocturne", "Prelude", "Sonata", "Étude", "Romance", "Serenade", "Allegro", "Andante",
          "Minuet", "Fantasia")  # fmt: skip


def name_track(genre: str, key: str, rng: np.random.Generator, taken: set[str]) -> str:
    """As the genre's albums are called, but none of `taken`; `key` as in "D minor"."""
    while True:
        title, _ = name_album(genre, rng)
        if genre == "classical":
            form, opus = _FORMS[int(rng.integers(len(_FORMS)))], int(rng.integers(2, 120))
            title = f"{form} in {key}, Op. {opus} No. {rng.integers(1, 7)}"
        if title not in taken:
            return title
