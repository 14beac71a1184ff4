"""What can be seen → what people would type, and which pictures that would be true of.

A caption keeps the facts it states, so that a batch knows every picture it fits and none is
punished for being a second red cover with a guitar.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from training import pictures
from training.covers import COLOURS, GENRES, OBJECTS

STYLES: dict[str, tuple[str, ...]] = {
    "metal": ("spikes and blackletter", "gothic lettering", "brutal and heavy"),
    "jazz": ("modernist blocks", "mid-century design", "cool and swinging"),
    "classical": ("gilded frame", "elegant ornament", "orchestral and formal"),
    "electronic": ("thin rings and lines", "minimal geometry", "techno and synthesizers"),
    "hip hop": ("graffiti on bricks", "spray paint", "rap and street art"),
    "punk": ("ransom letters and torn paper", "halftone dots", "loud and angry"),
    "country": ("western desert", "cowboy lettering", "mesas at sunset"),
    "reggae": ("sun rays and stripes", "red yellow green stripes", "caribbean and dub"),
    "folk": ("leaf border", "hand drawn letters", "acoustic and rustic"),
    "pop": ("confetti", "bright and cheerful", "party and sparkle"),
    "ambient": ("calm water horizon", "soft gradient", "quiet and dreamy"),
    "synthwave": ("neon grid and striped sun", "eighties retro", "outrun sunset"),
    "blues": ("slab letters in columns", "worn paper", "old and rough"),
    "soul": ("seventies arcs", "curved stripes", "groovy and warm"),
    "psychedelic": ("swirls", "melting spiral", "trippy and hypnotic"),
    "children's": ("clouds and hills", "playful coloured letters", "for kids"),
    "soundtrack": ("letterbox skyline", "cinematic credits", "movie score"),
    "latin": ("folk tile border", "paper flags", "fiesta and salsa"),
    "industrial": ("hazard stripes", "riveted metal plates", "cold and mechanical"),
    "chiptune": ("pixel art", "eight bit video game", "retro arcade pixels"),
}
SAME_COLOUR = {
    "red": ("crimson", "scarlet"), "orange": ("amber",), "yellow": ("golden",),
    "green": ("emerald",), "turquoise": ("teal", "cyan"), "blue": ("navy",), "purple": ("violet",),
    "pink": ("rose coloured",), "brown": ("chocolate coloured",), "black": ("dark",),
    "white": ("pale",), "grey": ("gray", "silver"),
}  # fmt: skip
_MANY = ("headphones", "cherries", "glasses", "sunglasses", "jeans", "socks", "gloves", "shorts",
         "maracas", "grapes", "fireworks", "skis", "swords", "chains", "books", "dice", "goggles",
         "scissors", "bubbles", "peanuts", "beans", "blueberries", "pancakes", "theatre masks",
         "houses", "chopsticks", "sparkles", "paw prints", "musical notes", "control knobs",
         "french fries", "nesting dolls", "film frames", "shopping bags", "admission tickets",
         "lightning", "fire", "bread", "broccoli", "popcorn", "spaghetti", "sushi", "butter",
         "bacon", "garlic", "corn", "salt", "yarn", "thread", "soap", "ice", "dna", "money bag",
         "hot springs", "ballet shoes", "bookmark tabs", "curry rice", "cooked rice",
         "wood")  # fmt: skip


@dataclass(frozen=True)
class Caption:
    """`objects` must all be there, `any_of` at least one, colour and genre where they are given."""

    text: str
    colour: str | None = None
    objects: tuple[str, ...] = ()
    genre: str | None = None
    any_of: frozenset[str] = frozenset()

    def fits(self, colour: str | None, genre: str | None, objects: tuple[str, ...]) -> bool:
        """Is it true of a picture with these facts? None: the picture has no such property."""
        return (
            (self.colour is None or self.colour == colour)
            and (self.genre is None or self.genre == genre)
            and all(name in objects for name in self.objects)
            and (not self.any_of or any(name in self.any_of for name in objects))
        )


def a_thing(name: str) -> str:
    """The name with its article, where it takes one."""
    if name in _MANY:
        return name
    if name in ("moon", "sun"):
        return f"the {name}"
    return f"an {name}" if name[0] in "aeio" or name.startswith("umb") else f"a {name}"


@cache
def _words_for() -> dict[str, tuple[str, ...]]:
    """Name → other words for it, each shared by six names at most."""
    named = {name: words for name, (_, words) in pictures.catalogue_of_names().items()
             if name not in pictures.HELD_OUT_OBJECTS}  # fmt: skip
    shared = _names_for()
    return {name: tuple(w for w in words if len(shared[w]) <= 6) for name, words in named.items()}


@cache
def _names_for() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name, (_, words) in pictures.catalogue_of_names().items():
        if name not in pictures.HELD_OUT_OBJECTS:
            for word in words:
                found.setdefault(word, set()).add(name)
    return {word: frozenset(names) for word, names in found.items()}


def _one(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def of_cover(
    colour: str, genre: str, objects: tuple[str, ...], rng: np.random.Generator
) -> Caption:
    """One of the things that are true of this cover."""
    tone = colour if rng.random() < 0.88 else _one(rng, SAME_COLOUR[colour])
    name = objects[int(rng.integers(len(objects)))]
    thing = a_thing(name)
    cover = _one(rng, ("album cover", "album cover", "cover", "record", "album", "sleeve"))
    draw = rng.random()
    if draw < 0.42:
        forms = (f"a {tone} {cover} with {thing}", f"{tone} {cover} with {thing}",
                 f"{tone} album cover with {thing}", f"{thing} on {tone}", f"{tone} {name}",
                 f"{cover} with {thing} on a {tone} background")  # fmt: skip
        return Caption(_one(rng, forms), colour, (name,))
    if draw < 0.54:
        forms = (f"{cover} with {thing}", f"an album cover with {thing}", name, thing,
                 f"a picture of {thing}")  # fmt: skip
        return Caption(_one(rng, forms), None, (name,))
    if draw < 0.60 and len(objects) > 1:
        other = objects[0] if name == objects[1] else objects[1]
        forms = (f"{thing} and {a_thing(other)}", f"{cover} with {thing} and {a_thing(other)}",
                 f"{tone} {cover} with {thing} and {a_thing(other)}")  # fmt: skip
        text = _one(rng, forms)
        return Caption(text, colour if text.startswith(tone) else None, (name, other))
    if draw < 0.68:
        return Caption(_one(rng, (f"a {tone} {cover}", f"{tone} {cover}", tone)), colour)
    if draw < 0.82:
        forms = (
            f"{genre} {cover}",
            genre,
            f"a {genre} {cover}",
            f"{genre} music",
            f"a {genre} record",
        )
        return Caption(_one(rng, forms), genre=genre)
    if draw < 0.88:
        style = _one(rng, STYLES[genre])
        return Caption(_one(rng, (style, f"{cover} with {style}", f"{style} {cover}")), genre=genre)
    if draw < 0.94:
        forms = (f"a {tone} {genre} {cover}", f"{tone} {genre} {cover}", f"{genre} in {tone}")
        return Caption(_one(rng, forms), colour, genre=genre)
    forms = (f"{genre} {cover} with {thing}", f"a {genre} {cover} with {thing}", f"{genre} {name}")
    return Caption(_one(rng, forms), None, (name,), genre)


def about_everything(rng: np.random.Generator) -> list[Caption]:
    """One caption for every thing on covers, every colour and every genre.

    With them in each batch a cover is told all that it is and is not, not one fact by chance.
    """
    said = []
    for name in OBJECTS:
        thing = a_thing(name)
        forms = (
            name,
            f"an album cover with {thing}",
            f"cover with {thing}",
            f"a picture of {thing}",
        )
        said.append(Caption(_one(rng, forms), objects=(name,)))
    for colour in COLOURS:
        forms = (f"{colour} album cover", f"a {colour} cover", colour)
        said.append(Caption(_one(rng, forms), colour))
    for genre in GENRES:
        forms = (f"{genre} album cover", genre, _one(rng, STYLES[genre]))
        said.append(Caption(_one(rng, forms), genre=genre))
    return said


def of_picture(name: str, rng: np.random.Generator) -> Caption:
    """One of the things that people call it."""
    words = _words_for().get(name, ())
    if words and rng.random() < 0.12:
        word = _one(rng, words)
        return Caption(_one(rng, (word, f"a picture of {word}")), any_of=_names_for()[word])
    thing = a_thing(name)
    forms = (f"a picture of {thing}", f"a picture of {thing}", name, thing, f"a drawing of {thing}",
             f"an emoji of {thing}", f"clip art of {thing}")  # fmt: skip
    return Caption(_one(rng, forms), objects=(name,))


def every_text() -> list[str]:
    """A text for every word the captions use, to learn the tokens from."""
    rng = np.random.default_rng(0)
    names = [
        name for name in pictures.catalogue_of_names() if name not in pictures.HELD_OUT_OBJECTS
    ]
    texts = [of_picture(name, rng).text for name in names for _ in range(6)]
    texts += [word for name in names for word in _words_for()[name]]
    for genre in GENRES:
        texts += list(STYLES[genre])
        for colour in COLOURS:
            objects = tuple(str(name) for name in rng.choice(names, 2, replace=False))
            texts += [of_cover(colour, genre, objects, rng).text for _ in range(12)]
    return texts + [same for all_same in SAME_COLOUR.values() for same in all_same]
