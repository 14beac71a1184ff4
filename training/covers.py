"""A seed → an album: its cover, title, artist, year, genre, and what can be seen on it.

Twenty genres, each with a layout, a ground, a pattern, lettering and favourite things of its own.
The ground carries the cover's dominant colour over most of its area, so the words about it are
true. Training draws from `TRAINING_SEED` upwards and the catalogue from `CATALOGUE_SEED`.
"""

from __future__ import annotations

import colorsys
import io
import math
from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from training import pictures
from training.names import name_album

TRAINING_SEED = 0
CATALOGUE_SEED = 10_000_000
HELD_OUT_SEED = 20_000_000  # covers with objects that nothing trained on

# Hue, saturation and value ranges of what people call by the name.
COLOURS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-0.015, 0.012), (0.82, 0.95), (0.68, 0.88)),
    "orange": ((0.062, 0.085), (0.85, 0.97), (0.92, 1.0)),
    "yellow": ((0.135, 0.155), (0.75, 0.95), (0.93, 1.0)),
    "green": ((0.3, 0.39), (0.6, 0.85), (0.42, 0.68)),
    "turquoise": ((0.475, 0.51), (0.65, 0.85), (0.68, 0.85)),
    "blue": ((0.58, 0.635), (0.72, 0.92), (0.55, 0.85)),
    "purple": ((0.74, 0.785), (0.55, 0.8), (0.42, 0.68)),
    "pink": ((0.9, 0.945), (0.38, 0.58), (0.94, 1.0)),
    "brown": ((0.055, 0.08), (0.55, 0.72), (0.32, 0.46)),
    "black": ((0.0, 1.0), (0.0, 0.15), (0.06, 0.13)),
    "white": ((0.05, 0.15), (0.0, 0.05), (0.95, 1.0)),
    "grey": ((0.55, 0.65), (0.0, 0.05), (0.48, 0.62)),
}

OBJECTS = (
    "guitar", "piano", "saxophone", "trumpet", "violin", "drum", "microphone", "headphones",
    "accordion", "banjo", "radio", "compact disc", "disco ball", "skull", "dragon", "snake",
    "spider", "bat", "wolf", "eagle", "owl", "lion", "tiger", "horse", "elephant", "cat", "dog",
    "fox", "bear", "panda", "rabbit", "turtle", "fish", "octopus", "whale", "butterfly", "bee",
    "parrot", "swan", "rooster", "rose", "sunflower", "tulip", "cactus", "palm tree", "mushroom",
    "maple leaf", "apple", "cherries", "strawberry", "watermelon", "banana", "moon", "sun", "star",
    "planet", "lightning bolt", "fire", "rainbow", "rocket", "car", "bicycle", "sailboat",
    "steam train", "airplane", "heart", "crown", "diamond", "robot", "ghost", "alien", "key",
    "umbrella", "cup of coffee", "glass of wine", "camera", "television", "balloon",
)  # fmt: skip

FAVOURITES: dict[str, tuple[str, ...]] = {
    "metal": ("skull", "dragon", "snake", "wolf", "bat", "fire", "spider", "guitar"),
    "jazz": ("saxophone", "trumpet", "piano", "drum", "glass of wine", "moon"),
    "classical": ("violin", "piano", "swan", "rose", "horse", "trumpet"),
    "electronic": ("headphones", "planet", "diamond", "lightning bolt", "robot", "compact disc"),
    "hip hop": ("microphone", "crown", "diamond", "car", "headphones", "lion"),
    "punk": ("skull", "guitar", "lightning bolt", "drum", "rooster", "key"),
    "country": ("guitar", "horse", "cactus", "banjo", "steam train", "eagle"),
    "reggae": ("lion", "palm tree", "sun", "guitar", "drum", "fish"),
    "folk": ("maple leaf", "fox", "owl", "banjo", "bear", "violin"),
    "pop": ("heart", "star", "cherries", "strawberry", "microphone", "balloon"),
    "ambient": ("moon", "whale", "planet", "swan", "sailboat", "butterfly"),
    "synthwave": ("car", "palm tree", "tiger", "rocket", "television", "planet"),
    "blues": ("guitar", "steam train", "dog", "glass of wine", "key", "rooster"),
    "soul": ("heart", "rose", "disco ball", "microphone", "butterfly", "saxophone"),
    "psychedelic": ("mushroom", "rainbow", "alien", "butterfly", "octopus", "elephant"),
    "children's": ("panda", "rabbit", "balloon", "rainbow", "elephant", "turtle"),
    "soundtrack": ("airplane", "camera", "sailboat", "lion", "umbrella", "horse"),
    "latin": ("trumpet", "guitar", "accordion", "parrot", "sunflower", "fire"),
    "industrial": ("robot", "television", "skull", "radio", "key", "spider"),
    "chiptune": ("ghost", "alien", "rocket", "mushroom", "star", "robot"),
}
GENRES = tuple(FAVOURITES)

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Album:
    """What a seed stands for. `objects`: one or two names, the larger first."""

    seed: int
    title: str
    artist: str
    year: int
    genre: str
    colour: str
    objects: tuple[str, ...]
    designer: str


def album(seed: int) -> Album:
    """The facts, without drawing."""
    rng = np.random.default_rng([7, seed])
    genre = GENRES[int(rng.integers(len(GENRES)))]
    colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
    if seed >= HELD_OUT_SEED:
        names: tuple[str, ...] = pictures.HELD_OUT_OBJECTS
    else:
        names = OBJECTS
    chosen: list[str] = []
    for _ in range(1 + int(rng.random() < 0.45)):
        liked = FAVOURITES[genre] if names is OBJECTS and rng.random() < 0.6 else names
        left = [name for name in liked if name not in chosen]
        chosen.append(left[int(rng.integers(len(left)))])
    title, artist = name_album(genre, rng)
    year = int(rng.integers(1958, 2025))
    if genre in ("synthwave", "chiptune", "electronic", "industrial", "hip hop"):
        year = int(rng.integers(1982, 2025))
    designer = pictures.ON_COVERS[int(rng.integers(len(pictures.ON_COVERS)))]
    return Album(seed, title, artist, year, genre, colour, tuple(chosen), designer)


def draw_cover(made: Album, side: int = 512) -> NDArray[np.uint8]:
    """(side, side, 3) uint8 RGB."""
    page = _Page(made, side)
    _LAYOUTS[made.genre](page)
    return np.asarray(page.image)


@cache
def _font_file(name: str) -> bytes:
    return pictures.font_bytes(name)


@lru_cache(maxsize=4000)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(io.BytesIO(_font_file(name)), size)


@cache
def _pictures_of(designer: str) -> dict[str, NDArray[np.uint8]]:
    names = [*OBJECTS, *pictures.HELD_OUT_OBJECTS]
    return pictures.drawn(designer, names, pictures.COVER_SIDE)


def _mix(a: Rgb, b: Rgb, share: float) -> Rgb:
    """a with `share` of b."""
    return tuple(round(x * (1 - share) + y * share) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


class _Page:
    """A sheet with its palette, pen and things; lengths are shares of its side."""

    def __init__(self, made: Album, side: int) -> None:
        self.made, self.side = made, side
        self.rng = np.random.default_rng([8, made.seed])
        hue, saturation, value = (self.rng.uniform(*r) for r in COLOURS[made.colour])
        self.base = self._rgb(hue, saturation, value)
        self.dark = _mix(self.base, (0, 0, 0), 0.4 if made.colour != "white" else 0.1)
        self.light = _mix(self.base, (255, 255, 255), 0.35 if made.colour != "black" else 0.12)
        self.accent = self._rgb(hue + self.rng.uniform(0.3, 0.7), 0.8, self.rng.uniform(0.75, 1))
        bright = 0.3 * self.base[0] + 0.59 * self.base[1] + 0.11 * self.base[2]
        paper, black = (250, 246, 235), (18, 16, 20)
        self.ink: Rgb = paper if bright < 150 else black
        self.image = Image.new("RGB", (side, side), self.base)

    @staticmethod
    def _rgb(hue: float, saturation: float, value: float) -> Rgb:
        return tuple(round(255 * c) for c in colorsys.hsv_to_rgb(hue % 1, saturation, value))  # type: ignore[return-value]

    @property
    def pen(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.image)

    def px(self, *shares: float) -> list[float]:
        return [share * self.side for share in shares]

    def pick(self, *choices: float) -> float:
        return choices[int(self.rng.integers(len(choices)))]

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    # grounds

    def grid(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        y, x = np.indices((self.side, self.side), dtype=np.float32) / self.side
        return x, y

    def paint(self, share: NDArray[np.float32], a: Rgb, b: Rgb) -> None:
        """The whole sheet: a where share is 0, b where it is 1."""
        share = np.clip(share, 0, 1)[..., None]
        blended = np.asarray(a, np.float32) * (1 - share) + np.asarray(b, np.float32) * share
        self.image = Image.fromarray(blended.astype(np.uint8))

    def grain(self, strength: float, coarse: int = 1) -> None:
        n = max(2, self.side // coarse)
        noise = self.rng.normal(0, strength, (n, n)).astype(np.float32)
        noise = cv2.resize(noise, (self.side, self.side), interpolation=cv2.INTER_LINEAR)
        out = np.asarray(self.image, np.float32) + noise[..., None]
        self.image = Image.fromarray(np.clip(out, 0, 255).astype(np.uint8))

    # things

    def thing(
        self,
        which: int,
        x: float,
        y: float,
        size: float,
        *,
        turn: float = 0.0,
        mirror: bool = False,
        pixels: int = 0,
        shadow: bool = False,
        tone: Rgb | None = None,
        glow: Rgb | None = None,
    ) -> None:
        """The album's first or second object, its middle at (x, y), `size` wide."""
        name = self.made.objects[which % len(self.made.objects)]
        rgba = _pictures_of(self.made.designer)[name]
        side = max(4, round(size * self.side))
        if pixels:
            rgba = cv2.resize(rgba, (pixels, pixels), interpolation=cv2.INTER_AREA)
            rgba[..., 3] = np.where(rgba[..., 3] > 110, 255, 0)
        way = cv2.INTER_NEAREST if pixels else cv2.INTER_AREA
        rgba = cv2.resize(rgba, (side, side), interpolation=way)
        if tone is not None:
            grey = rgba[..., :3] @ np.array([0.3, 0.59, 0.11]) / 255
            low, high = (
                np.array(_mix(tone, (0, 0, 0), 0.75)),
                np.array(_mix(tone, (255,) * 3, 0.75)),
            )  # type: ignore[arg-type]
            tinted = low + grey[..., None] * (high - low)
            rgba = np.dstack([tinted.astype(np.uint8), rgba[..., 3]])
        picture = Image.fromarray(rgba)
        if mirror:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if turn:
            picture = picture.rotate(turn, resample=Image.Resampling.BICUBIC, expand=True)
        at = (round(x * self.side - picture.width / 2), round(y * self.side - picture.height / 2))
        for colour, grow in ((glow, 0.035), ((0, 0, 0) if shadow else None, 0.012)):
            if colour is not None:
                pad = round(0.1 * self.side)
                alpha = Image.new("L", (picture.width + 2 * pad, picture.height + 2 * pad))
                alpha.paste(picture.getchannel("A"), (pad, pad))
                alpha = alpha.filter(ImageFilter.BoxBlur(grow * self.side))
                drop = round(0.012 * self.side) if colour == (0, 0, 0) else 0
                self.image.paste(
                    Image.new("RGB", alpha.size, colour),
                    (at[0] - pad + drop, at[1] - pad + drop),
                    alpha,
                )
        self.image.paste(picture, at, picture)

    # letters

    def words(
        self,
        text: str,
        font: str,
        x: float,
        y: float,
        *,
        wide: float = 0.88,
        high: float = 0.12,
        fill: Rgb | None = None,
        stroke: Rgb | None = None,
        thick: float = 0.012,
        anchor: str = "mm",
        turn: float = 0.0,
        spaced: int = 0,
        shadow: Rgb | None = None,
    ) -> float:
        """One line, as large as `wide` and `high` allow; gives back its height."""
        if spaced:
            text = (" " * spaced).join(text)
        size = max(6, round(high * self.side))
        length = _font(font, size).getlength(text)
        if length > wide * self.side:
            size = max(6, int(size * wide * self.side / length))
        face = _font(font, size)
        fill = fill or self.ink
        edge = max(1, round(thick * self.side)) if stroke else 0
        at = (x * self.side, y * self.side)
        if turn:
            layer = Image.new("RGBA", self.image.size)
            pen = ImageDraw.Draw(layer)
            pen.text(at, text, fill, face, anchor, stroke_width=edge, stroke_fill=stroke)
            layer = layer.rotate(turn, resample=Image.Resampling.BICUBIC, center=at)
            self.image.paste(layer, (0, 0), layer)
        else:
            pen = self.pen
            if shadow:
                drop = max(1, size * 0.06)
                pen.text((at[0] + drop, at[1] + drop), text, shadow, face, anchor)
            pen.text(at, text, fill, face, anchor, stroke_width=edge, stroke_fill=stroke)
        return size / self.side

    def stack(
        self, text: str, font: str, x: float, y: float, *, wide: float, high: float, **how
    ) -> None:  # type: ignore[no-untyped-def]
        """The words over up to three lines, downwards from y."""
        parts = text.split()
        lines = [parts[0]]
        for part in parts[1:]:
            if len(lines[-1]) + len(part) < 9 or len(lines) == 3:
                lines[-1] += " " + part
            else:
                lines.append(part)
        for k, line in enumerate(lines):
            self.words(line, font, x, y + (k + 0.5) * high / len(lines) * 1.02, wide=wide,
                       high=min(high / len(lines), 0.22) * 0.95, **how)  # fmt: skip

    def star(
        self, x: float, y: float, outer: float, inner: float, points: int, turn: float, fill: Rgb
    ) -> None:
        angles = np.arange(2 * points) * math.pi / points + turn
        radii = np.where(np.arange(2 * points) % 2, inner, outer)
        at = np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], 1) * self.side
        self.pen.polygon([tuple(point) for point in at], fill)

    def disc(
        self,
        x: float,
        y: float,
        r: float,
        fill: Rgb | None = None,
        outline: Rgb | None = None,
        width: float = 0.01,
    ) -> None:
        self.pen.ellipse(
            self.px(x - r, y - r, x + r, y + r), fill, outline, max(1, round(width * self.side))
        )

    def box(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        fill: Rgb | None = None,
        outline: Rgb | None = None,
        width: float = 0.01,
    ) -> None:
        self.pen.rectangle(self.px(x0, y0, x1, y1), fill, outline, max(1, round(width * self.side)))

    def second(self, x: float, y: float, size: float, **how) -> None:  # type: ignore[no-untyped-def]
        """The second object, where the album has one."""
        if len(self.made.objects) > 1:
            self.thing(1, x, y, size, **how)


def _metal(p: _Page) -> None:
    x, y = p.grid()
    away = np.hypot(x - 0.5, y - 0.55)
    black = (8, 7, 9)
    angle = np.arctan2(y - 0.55, x - 0.5)
    rays = 0.12 * np.sign(np.sin(angle * p.pick(9, 13, 18) + p.between(0, 6)))
    p.paint((away * 1.25 - 0.2 + rays * (away < 0.75)).astype(np.float32), p.base, p.dark)
    p.grain(10, 2)
    for top in (True, False):
        teeth = int(p.pick(9, 13, 17))
        heights = p.rng.uniform(0.03, 0.16, teeth)
        for k, tall in enumerate(heights):
            tall = tall + 0.1 * abs(k / (teeth - 1) - 0.5)
            left, right = (k - 0.2) / teeth, (k + 1.2) / teeth
            edge, tip = (0.0, tall) if top else (1.0, 1 - tall)
            p.pen.polygon(
                [
                    tuple(p.px(a, b))
                    for a, b in ((left, edge), (right, edge), ((left + right) / 2, tip))
                ],
                black,
            )
    p.second(0.17, 0.62, 0.25, glow=black)
    p.second(0.83, 0.62, 0.25, glow=black, mirror=True)
    p.thing(0, 0.5, 0.62, p.between(0.48, 0.58), glow=black)
    font = ("metal-mania", "new-rocker", "unifrakturcook")[int(p.rng.integers(3))]
    p.words(
        p.made.artist,
        font,
        0.5,
        0.19,
        high=0.2,
        wide=0.94,
        fill=(235, 232, 225),
        stroke=black,
        thick=0.016,
    )
    p.words(p.made.title, "new-rocker", 0.5, 0.93, high=0.07, fill=(235, 232, 225), stroke=black)


def _jazz(p: _Page) -> None:
    cream = (243, 236, 215)
    kind = int(p.rng.integers(3))
    if kind == 0:
        split = p.between(0.22, 0.3)
        p.box(0, 0, 1, split, cream)
        p.box(0, split, p.between(0.04, 0.1), 1, (20, 20, 24))
        for k in range(int(p.pick(3, 4, 5))):
            p.box(0.62 + k * 0.07, split, 0.64 + k * 0.07, 1, p.dark)
        p.thing(0, 0.45, 0.62, 0.55, tone=p.base if p.rng.random() < 0.3 else None, shadow=True)
        p.second(0.83, 0.82, 0.24)
        p.words(
            p.made.title.lower(),
            "league-spartan",
            0.05,
            split * 0.38,
            high=0.13,
            wide=0.9,
            fill=(20, 20, 24),
            anchor="lm",
        )
        p.words(
            p.made.artist.lower(),
            "league-spartan",
            0.05,
            split * 0.8,
            high=0.07,
            wide=0.6,
            fill=p.dark if p.made.colour != "white" else (90, 90, 90),
            anchor="lm",
        )
    elif kind == 1:
        for k in range(7):
            x0 = k / 7
            p.box(
                x0,
                p.between(0, 0.35),
                x0 + 1 / 7 - 0.012,
                p.between(0.6, 1.0),
                (p.light, p.dark)[k % 2],
            )
        p.disc(0.5, 0.45, 0.32, cream)
        p.thing(0, 0.5, 0.45, 0.44)
        p.second(0.84, 0.16, 0.24)
        p.box(0, 0.8, 1, 1, (20, 20, 24))
        p.words(
            p.made.artist.upper(),
            "league-spartan",
            0.05,
            0.865,
            high=0.085,
            wide=0.9,
            fill=cream,
            anchor="lm",
        )
        p.words(
            p.made.title.lower(),
            "josefin-sans",
            0.05,
            0.945,
            high=0.06,
            wide=0.9,
            fill=p.light if p.made.colour != "black" else cream,
            anchor="lm",
        )
    else:
        p.pen.polygon(
            [
                tuple(p.px(*at))
                for at in ((0, 1), (0, p.between(0.5, 0.8)), (1, p.between(0.1, 0.4)), (1, 1))
            ],
            p.dark,
        )
        for _ in range(int(p.pick(4, 6, 8))):
            p.disc(
                p.between(0, 1), p.between(0, 1), p.between(0.02, 0.09), outline=cream, width=0.008
            )
        p.thing(0, 0.66, 0.6, 0.58, turn=p.between(-25, 25), shadow=True)
        p.second(0.2, 0.72, 0.27)
        p.stack(
            p.made.title.lower(), "league-spartan", 0.06, 0.05, wide=0.75, high=0.3, anchor="lm"
        )
        p.words(
            p.made.artist,
            "josefin-sans",
            0.06,
            0.93,
            high=0.065,
            wide=0.85,
            anchor="lm",
            fill=cream,
        )


def _classical(p: _Page) -> None:
    gold, cream = (196, 160, 84), (247, 241, 225)
    x, y = p.grid()
    p.paint((np.hypot(x - 0.5, y - 0.5) * 0.9).astype(np.float32), p.base, p.dark)
    p.box(0.03, 0.03, 0.97, 0.97, outline=gold, width=0.006)
    p.box(0.05, 0.05, 0.95, 0.95, outline=gold, width=0.003)
    for cx, cy in ((0.05, 0.05), (0.95, 0.05), (0.05, 0.95), (0.95, 0.95)):
        p.star(cx, cy, 0.045, 0.02, 8, 0, gold)
    top = p.rng.random() < 0.5
    plaque, oval = (0.09, 0.6) if top else (0.68, 0.36)
    p.box(0.12, plaque, 0.88, plaque + 0.22, cream, gold, 0.007)
    p.box(0.135, plaque + 0.015, 0.865, plaque + 0.205, outline=gold, width=0.003)
    p.words(
        p.made.artist,
        "playfair-display",
        0.5,
        plaque + 0.075,
        high=0.075,
        wide=0.68,
        fill=(40, 30, 30),
    )
    p.words(
        p.made.title,
        "cormorant-garamond",
        0.5,
        plaque + 0.155,
        high=0.06,
        wide=0.66,
        fill=(90, 60, 40),
    )
    p.pen.ellipse(
        p.px(0.24, oval - 0.26, 0.76, oval + 0.26), p.light, gold, max(1, round(0.012 * p.side))
    )
    p.thing(0, 0.5, oval, 0.38)
    p.second(0.15, oval + 0.12, 0.18)
    p.second(0.85, oval + 0.12, 0.18, mirror=True)


def _electronic(p: _Page) -> None:
    kind = int(p.rng.integers(3))
    line = p.light if p.made.colour != "white" else (120, 120, 130)
    cx, cy = p.between(0.35, 0.65), p.between(0.38, 0.55)
    if kind == 0:
        for k in range(int(p.pick(8, 11, 14)), 0, -1):
            p.disc(cx, cy, 0.06 * k, outline=line if k % 3 else p.accent, width=0.006)
        p.disc(cx, cy, 0.25, p.dark)
    elif kind == 1:
        rows, lift = int(p.pick(18, 26, 34)), p.between(0.05, 0.12)
        t = np.linspace(0, 1, 80)
        for k in range(rows):
            base = 0.12 + 0.68 * k / rows
            bump = np.exp(-(((t - cx) / 0.16) ** 2)) * (p.rng.random(80) * lift + lift * 0.4)
            at = [tuple(p.px(a, b)) for a, b in zip(t, base - bump, strict=True)]
            p.pen.line(at, line, max(1, p.side // 180))
        p.disc(cx, cy, 0.24, p.base, line, 0.006)
    else:
        n = int(p.pick(9, 12, 16))
        wave = p.between(0.2, 0.45)
        for i in range(n):
            for j in range(n):
                r = (0.45 + wave * math.sin(i * 0.8) * math.cos(j * 0.6)) / n / 1.3
                p.disc((i + 0.5) / n, (j + 0.5) / n, r, line if (i + j) % 5 else p.accent)
        p.disc(cx, cy, 0.27, p.base)
    p.thing(0, cx, cy, 0.42)
    p.second(0.86, 0.14, 0.2)
    p.box(0, 0.84, 1, 1, p.dark)
    ink = (240, 244, 248) if p.made.colour != "white" else (20, 20, 24)
    p.words(
        p.made.artist.upper(), "michroma", 0.04, 0.89, high=0.05, wide=0.92, anchor="lm", fill=ink
    )
    p.words(
        p.made.title.upper(), "orbitron", 0.04, 0.955, high=0.045, wide=0.92, anchor="lm", fill=ink
    )


def _hip_hop(p: _Page) -> None:
    p.image.paste(p.dark, (0, 0, p.side, p.side))
    high, wide = p.pick(0.055, 0.07), p.pick(0.14, 0.18)
    rows = int(1 / high) + 1
    for row in range(rows):
        for k in range(int(1 / wide) + 2):
            x0 = k * wide - (row % 2) * wide / 2
            tone = _mix(p.base, p.light if p.rng.random() < 0.5 else p.dark, p.between(0, 0.25))
            p.box(x0 + 0.004, row * high + 0.004, x0 + wide - 0.004, (row + 1) * high - 0.004, tone)
    for _ in range(3):
        cx, cy, tone = p.between(0.1, 0.9), p.between(0.1, 0.8), p.accent
        for _ in range(22):
            p.disc(
                cx + p.rng.normal(0, 0.07),
                cy + p.rng.normal(0, 0.06),
                p.between(0.003, 0.025),
                tone,
            )
        for _ in range(3):
            at, length = cx + p.rng.normal(0, 0.05), p.between(0.05, 0.25)
            p.box(at, cy, at + 0.01, cy + length, tone)
    p.second(p.pick(0.17, 0.83), 0.5, 0.27, shadow=True)
    p.thing(0, p.between(0.42, 0.58), 0.56, 0.56, shadow=True, turn=p.between(-8, 8))
    p.words(
        p.made.artist.upper(),
        "bungee",
        0.5,
        0.15,
        high=0.19,
        wide=0.93,
        fill=p.accent,
        stroke=(12, 12, 14),
        thick=0.018,
        turn=p.between(-4, 6),
    )
    p.words(
        p.made.title.upper(),
        "permanent-marker",
        0.5,
        0.88,
        high=0.11,
        wide=0.75,
        fill=(255, 255, 255),
        stroke=(12, 12, 14),
        thick=0.01,
        turn=p.between(-3, 3),
    )
    p.box(0.85, 0.92, 0.98, 0.985, (250, 250, 250), (10, 10, 10), 0.005)
    p.box(0.86, 0.942, 0.97, 0.965, (10, 10, 10))


def _punk(p: _Page) -> None:
    x, y = p.grid()
    turn, pitch = p.between(0.3, 1.2), p.pick(28, 38)
    u, v = x * math.cos(turn) + y * math.sin(turn), -x * math.sin(turn) + y * math.cos(turn)
    dots = np.cos(u * pitch * 2 * math.pi) + np.cos(v * pitch * 2 * math.pi)
    slope = (x * math.cos(turn * 4) + y * math.sin(turn * 4)) * 2.2 - 1.6
    p.paint((dots < slope).astype(np.float32), p.base, p.dark)
    for _ in range(int(p.pick(1, 2, 3))):
        p.pen.line(
            [tuple(p.px(p.between(-0.1, 1.1), p.between(0, 1))) for _ in range(3)],
            (15, 15, 15),
            round(0.02 * p.side),
        )
    cx, cy = p.between(0.42, 0.6), p.between(0.52, 0.6)
    angles = np.linspace(0, 2 * math.pi, 26)
    torn = [
        tuple(
            p.px(cx + p.between(0.29, 0.36) * math.cos(a), cy + p.between(0.25, 0.31) * math.sin(a))
        )
        for a in angles
    ]
    p.pen.polygon(torn, (244, 243, 238))
    p.thing(
        0,
        cx,
        cy,
        0.46,
        turn=p.between(-15, 15),
        tone=(120, 120, 120) if p.rng.random() < 0.2 else None,
    )
    p.second(0.13, 0.8, 0.24, turn=p.between(-20, 20))
    fonts = ("special-elite", "anton", "alfa-slab-one", "bebas-neue", "abril-fatface")
    letters = p.made.artist.upper()
    step = min(0.1, 0.93 / max(1, len(letters)))
    left = p.between(0.04, max(0.041, 0.96 - step * len(letters)))
    for k, letter in enumerate(letters):
        if letter == " ":
            continue
        at = left + (k + 0.5) * step
        lift = 0.13 + p.between(-0.02, 0.02)
        light = p.rng.random() < 0.6
        p.box(
            at - step * 0.47,
            lift - 0.075,
            at + step * 0.47,
            lift + 0.075,
            (245, 244, 238) if light else (16, 16, 16),
        )
        p.words(
            letter,
            fonts[int(p.rng.integers(5))],
            at,
            lift,
            high=0.14,
            wide=step * 0.86,
            fill=(16, 16, 16) if light else (245, 244, 238),
        )
    p.box(0.3, 0.885, 1, 0.96, (16, 16, 16))
    p.words(
        p.made.title,
        "special-elite",
        0.98,
        0.924,
        high=0.06,
        wide=0.65,
        anchor="rm",
        fill=(245, 244, 238),
    )


def _country(p: _Page) -> None:
    horizon = p.between(0.6, 0.68)
    bands = int(p.pick(5, 7, 9))
    for k in range(bands):
        p.box(
            0, horizon * k / bands, 1, horizon * (k + 1) / bands, _mix(p.base, p.light, k / bands)
        )
    p.disc(
        p.between(0.25, 0.75),
        horizon - 0.08,
        p.between(0.14, 0.2),
        _mix(p.light, (255, 244, 200), 0.55),
    )
    for _ in range(3):
        left, wide, tall = p.between(-0.1, 0.9), p.between(0.15, 0.35), p.between(0.08, 0.2)
        p.pen.polygon(
            [
                tuple(p.px(*at))
                for at in (
                    (left, horizon),
                    (left + 0.04, horizon - tall),
                    (left + wide - 0.04, horizon - tall),
                    (left + wide, horizon),
                )
            ],
            p.dark,
        )
    p.box(0, horizon, 1, 1, p.base)
    for _ in range(9):
        p.pen.line(
            p.px(p.between(0, 1), p.between(horizon, 1), p.between(0, 1), p.between(horizon, 1)),
            p.dark,
            1,
        )
    for x0, y0, x1, y1 in ((0, 0, 1, 0.035), (0, 0.965, 1, 1), (0, 0, 0.035, 1), (0.965, 0, 1, 1)):
        p.box(x0, y0, x1, y1, (92, 58, 34))
    for k in range(24):
        p.disc(
            0.0175 + 0.965 * ((k * 0.17) % 1), 0.0175 if k % 2 else 0.9825, 0.006, (200, 160, 100)
        )
    p.thing(0, p.between(0.4, 0.6), 0.6, p.between(0.46, 0.54), shadow=True)
    p.second(p.pick(0.18, 0.82), 0.74, 0.25, shadow=True)
    font = "rye" if p.rng.random() < 0.6 else "sancreek"
    p.words(
        p.made.title,
        font,
        0.5,
        0.16,
        high=0.15,
        wide=0.86,
        fill=(248, 232, 196),
        stroke=(70, 38, 20),
        thick=0.012,
    )
    p.words(
        p.made.artist,
        "rye",
        0.5,
        0.905,
        high=0.075,
        wide=0.84,
        fill=(248, 232, 196),
        stroke=(70, 38, 20),
        thick=0.008,
    )


def _reggae(p: _Page) -> None:
    cx, cy = 0.5, p.between(0.5, 0.62)
    for k in range(0, 24, 2):
        a, b = 2 * math.pi * k / 24, 2 * math.pi * (k + 1) / 24
        p.pen.polygon(
            [
                tuple(p.px(cx + r * math.cos(t), cy + r * math.sin(t)))
                for r, t in ((0, a), (1.1, a), (1.1, b))
            ],
            p.light,
        )
    flag = ((206, 34, 40), (250, 205, 40), (30, 140, 60))
    kind = int(p.rng.integers(3))
    for k, tone in enumerate(flag):
        if kind == 0:
            p.box(0, 0.76 + k * 0.035, 1, 0.795 + k * 0.035, tone)
        elif kind == 1:
            p.box(0.02 + k * 0.035, 0, 0.055 + k * 0.035, 1, tone)
        else:
            p.pen.polygon(
                [
                    tuple(p.px(*at))
                    for at in (
                        (0.62 + k * 0.07, 1),
                        (0.69 + k * 0.07, 1),
                        (1, 0.69 + k * 0.07),
                        (1, 0.62 + k * 0.07),
                    )
                ],
                tone,
            )
    p.disc(cx, cy, 0.29, _mix(p.light, (255, 240, 170), 0.5), flag[1], 0.015)
    p.thing(0, cx, cy, 0.46)
    p.second(0.85, 0.84, 0.25)
    font = "leckerli-one" if p.rng.random() < 0.6 else "chango"
    p.words(
        p.made.artist,
        font,
        0.53,
        0.12,
        high=0.13,
        wide=0.85,
        fill=flag[1],
        stroke=(20, 60, 30),
        thick=0.012,
    )
    p.words(
        p.made.title,
        "leckerli-one",
        0.45,
        0.925,
        high=0.085,
        wide=0.72,
        fill=(255, 255, 255),
        stroke=(20, 60, 30),
        thick=0.008,
    )


def _folk(p: _Page) -> None:
    p.grain(9, 6)
    p.grain(7, 1)
    leaf = p.dark if p.made.colour not in ("black",) else (120, 118, 110)
    n = int(p.pick(9, 11, 13))
    for k in range(n):
        for x, y, turn in (
            (k / n, 0.045, 0.0),
            (k / n, 0.955, 0.0),
            (0.045, k / n, 1.5),
            (0.955, k / n, 1.5),
        ):
            for lean in (-0.7, 0.7):
                a = turn + lean
                t = np.linspace(0, math.pi, 8)
                along, across = 0.07 * t / math.pi, 0.014 * np.sin(t)
                outline = np.concatenate(
                    [np.stack([along, across], 1), np.stack([along, -across], 1)[::-1]]
                )
                spin = np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
                p.pen.polygon([tuple(p.px(*at)) for at in outline @ spin + [x, y]], leaf)
    for r in (0.315, 0.33):
        p.disc(0.5, 0.53, r, outline=leaf, width=0.004)
    p.thing(0, 0.5, 0.53, 0.45)
    p.second(0.8, 0.78, 0.22)
    font = "cabin-sketch" if p.rng.random() < 0.5 else "amatic-sc"
    p.words(p.made.title, font, 0.5, 0.155, high=0.12, wide=0.78)
    p.words(p.made.artist, "amatic-sc", 0.5, 0.89, high=0.09, wide=0.7)


def _pop(p: _Page) -> None:
    x, y = p.grid()
    turn = p.between(0, 6.3)
    p.paint(
        ((x - 0.5) * math.cos(turn) + (y - 0.5) * math.sin(turn) + 0.45).astype(np.float32),
        p.base,
        p.light,
    )
    for _ in range(int(p.pick(25, 40, 55))):
        tone = p._rgb(p.between(0, 1), p.between(0.4, 0.7), 1)
        cx, cy, r = p.between(0, 1), p.between(0, 1), p.between(0.006, 0.018)
        if p.rng.random() < 0.5:
            p.disc(cx, cy, r, tone)
        else:
            p.star(cx, cy, r * 1.6, r * 0.7, 5, p.between(0, 3), tone)
    kind = int(p.rng.integers(3))
    if kind == 0:
        p.disc(0.5, 0.46, 0.34, (255, 255, 255))
    elif kind == 1:
        p.star(0.5, 0.46, 0.44, 0.33, 12, p.between(0, 1), (255, 255, 255))
    p.thing(0, 0.5, 0.46, p.between(0.5, 0.56), shadow=kind == 2, turn=p.between(-12, 12))
    p.second(0.83, 0.2, 0.24, turn=p.between(-20, 20))
    p.words(
        p.made.title,
        "pacifico",
        0.5,
        0.855,
        high=0.14,
        wide=0.9,
        fill=(255, 255, 255),
        stroke=p.accent,
        thick=0.012,
        turn=p.between(0, 7),
    )
    p.words(p.made.artist.upper(), "fredoka", 0.5, 0.955, high=0.05, wide=0.8, spaced=1)


def _ambient(p: _Page) -> None:
    x, y = p.grid()
    horizon, cx = p.between(0.55, 0.72), p.between(0.3, 0.7)
    p.paint((y * 0.8).astype(np.float32), p.light, p.base)
    away = np.hypot(x - cx, y - horizon * 0.62)
    glow = np.exp(-((away / p.between(0.22, 0.35)) ** 4)) * 0.45
    out = np.asarray(p.image, np.float32)
    out += (np.array(_mix(p.light, (255, 255, 255), 0.4)) - out) * glow[..., None]
    water = (y > horizon)[..., None]
    ripple = 1 - 0.12 * (np.sin(y * 240) * np.sin(x * 9 + y * 30) > 0.3)[..., None]
    out = np.where(water, (out * 0.45 + np.array(p.dark) * 0.55) * ripple, out)
    p.image = Image.fromarray(np.clip(out, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(p.side / 300)
    )
    p.thing(0, cx, horizon * 0.62, p.between(0.34, 0.42))
    p.second(1 - cx, horizon + 0.1, 0.22)
    thin = "poiret-one" if p.rng.random() < 0.5 else "raleway"
    ink = p.ink if p.made.colour != "white" else (70, 74, 84)
    p.words(p.made.artist.lower(), thin, 0.5, 0.93, high=0.042, wide=0.8, spaced=1, fill=ink)
    p.words(p.made.title.lower(), thin, 0.5, 0.87, high=0.055, wide=0.8, spaced=1, fill=ink)


def _synthwave(p: _Page) -> None:
    x, y = p.grid()
    horizon = p.between(0.58, 0.66)
    night = (22, 10, 40) if p.made.colour not in ("white",) else (225, 222, 235)
    p.paint(
        np.where(y < horizon, 0.55 - y / horizon * 0.55, (y - horizon) * 0.9).astype(np.float32),
        p.base,
        night,
    )
    for _ in range(40):
        p.disc(p.between(0, 1), p.between(0, horizon * 0.7), 0.003, (255, 255, 255))
    sun = np.hypot(x - 0.5, y - horizon + 0.08) < 0.3
    slit = (np.floor(y * p.pick(30, 40)) % 2 == 0) & (y > horizon - 0.22)
    ramp = np.clip((y - horizon + 0.38) / 0.35, 0, 1)[..., None]
    out = np.asarray(p.image, np.float32)
    tone = np.array([255, 225, 90]) * (1 - ramp) + np.array([255, 70, 150]) * ramp
    out = np.where((sun & ~slit & (y < horizon))[..., None], tone, out)
    p.image = Image.fromarray(out.astype(np.uint8))
    neon = (90, 240, 255) if p.rng.random() < 0.5 else (255, 90, 220)
    thick = max(1, p.side // 200)
    for k in range(-14, 15):
        p.pen.line(p.px(0.5 + k * 0.035, horizon, 0.5 + k * 0.19, 1), neon, thick)
    for k in range(8):
        level = horizon + (1 - horizon) * (k / 7) ** 2
        p.pen.line(p.px(0, level, 1, level), neon, thick)
    p.thing(0, 0.5, horizon - 0.06, 0.44, glow=night)
    p.second(p.pick(0.15, 0.85), horizon - 0.06, 0.26, glow=night)
    font = ("monoton", "audiowide", "righteous")[int(p.rng.integers(3))]
    p.words(p.made.artist, font, 0.5, 0.13, high=0.13, wide=0.92, fill=neon, shadow=(60, 10, 90))
    p.words(
        p.made.title,
        "audiowide",
        0.5,
        0.92,
        high=0.06,
        wide=0.85,
        fill=(255, 255, 255),
        stroke=(50, 10, 80),
        thick=0.008,
    )


def _blues(p: _Page) -> None:
    p.grain(16, 40)
    p.grain(10, 8)
    left = p.rng.random() < 0.5
    edge = p.between(0.4, 0.46)
    strip = (0.0, edge) if left else (1 - edge, 1.0)
    p.box(strip[0], 0, strip[1], 1, p.dark)
    p.box(0.015, 0.015, 0.985, 0.985, outline=(240, 228, 200), width=0.012)
    p.thing(0, 0.7 if left else 0.3, 0.44, 0.52, shadow=True)
    p.second(0.72 if left else 0.28, 0.83, 0.25, shadow=True)
    p.stack(
        p.made.title.upper(),
        "alfa-slab-one",
        sum(strip) / 2,
        0.08,
        wide=edge - 0.07,
        high=0.56,
        fill=(246, 234, 206) if p.made.colour != "white" else (30, 30, 60),
    )
    p.stack(
        p.made.artist,
        "alfa-slab-one",
        sum(strip) / 2,
        0.74,
        wide=edge - 0.1,
        high=0.18,
        fill=p.accent,
    )


def _soul(p: _Page) -> None:
    cx, cy = (p.pick(0.0, 1.0), 1.0) if p.rng.random() < 0.7 else (0.5, 1.1)
    warm = [_mix(p.base, tone, 0.62) for tone in ((240, 140, 40), (250, 215, 130), (150, 60, 40))]
    for k in range(8, 1, -1):
        tone = (p.base, p.dark, p.light)[k % 3] if k % 2 else warm[(k // 2) % 3]
        p.disc(cx, cy, 0.11 * k + 0.1, tone)
    p.disc(cx, cy, 0.28, p.base)
    x = 0.5 if cx == 0.5 else 0.5 + (0.5 - cx) * 0.1
    p.thing(0, x, 0.5, 0.5, shadow=True)
    p.second(0.82 if cx < 0.5 else 0.18, 0.74, 0.26)
    font = "shrikhand" if p.rng.random() < 0.5 else "lobster"
    cream = (255, 243, 214)
    p.words(
        p.made.artist,
        font,
        0.5,
        0.14,
        high=0.16,
        wide=0.9,
        fill=cream,
        stroke=(90, 40, 25),
        thick=0.014,
        turn=p.between(2, 7),
    )
    p.words(
        p.made.title,
        "lobster",
        0.5,
        0.91,
        high=0.095,
        wide=0.85,
        fill=cream,
        stroke=(90, 40, 25),
        thick=0.01,
    )


def _psychedelic(p: _Page) -> None:
    x, y = p.grid()
    r, a = np.hypot(x - 0.5, y - 0.52), np.arctan2(y - 0.52, x - 0.5)
    arms, twist, wobble = p.pick(4, 6, 8), p.between(12, 26) * p.pick(-1, 1), p.between(0.5, 1.6)
    wave = np.sin(a * arms + r * twist + wobble * np.sin(a * 3 + r * 20))
    p.paint(
        (wave > 0).astype(np.float32),
        p.base,
        p.light
        if p.made.colour in ("black", "brown", "purple", "blue", "green", "red")
        else p.dark,
    )
    rim = np.abs(wave) < 0.12
    out = np.asarray(p.image).copy()
    out[rim] = p.accent
    p.image = Image.fromarray(out)
    around = int(p.pick(5, 6, 8))
    if len(p.made.objects) > 1:
        for k in range(around):
            t = 2 * math.pi * k / around + 0.3
            p.thing(
                1,
                0.5 + 0.37 * math.cos(t),
                0.52 + 0.33 * math.sin(t),
                0.17,
                turn=-math.degrees(t) - 90,
            )
    p.star(0.5, 0.52, 0.28, 0.22, 14, 0.2, p.base)
    p.thing(0, 0.5, 0.52, 0.42, mirror=p.rng.random() < 0.5)
    font = "fascinate" if p.rng.random() < 0.6 else "bungee-shade"
    p.words(
        p.made.artist,
        font,
        0.5,
        0.095,
        high=0.13,
        wide=0.94,
        fill=(255, 240, 120),
        stroke=(60, 10, 70),
        thick=0.014,
    )
    p.words(
        p.made.title,
        "fascinate",
        0.5,
        0.93,
        high=0.09,
        wide=0.88,
        fill=(255, 240, 120),
        stroke=(60, 10, 70),
        thick=0.012,
    )


def _childrens(p: _Page) -> None:
    for k in range(int(p.pick(0, 1)) * 20):
        p.disc((k * 0.37) % 1, (k * 0.23) % 0.6, 0.03, p.light)
    for _ in range(4):
        cx, cy = p.between(0.05, 0.95), p.between(0.25, 0.45)
        for dx, r in ((-0.06, 0.04), (0, 0.06), (0.06, 0.045)):
            p.disc(cx + dx, cy, r, (255, 255, 255) if p.made.colour != "white" else (222, 232, 245))
    for k, tone in enumerate((p.light, p.dark)):
        for cx in (p.between(0, 0.4), p.between(0.6, 1.0)):
            p.pen.ellipse(p.px(cx - 0.6, 0.72 + 0.1 * k, cx + 0.6, 1.5), tone)
    p.thing(0, p.pick(0.36, 0.5, 0.62) if len(p.made.objects) < 2 else 0.36, 0.6, 0.5)
    p.second(0.77, 0.7, 0.32)
    candy = (
        (232, 60, 70),
        (250, 160, 30),
        (252, 214, 50),
        (80, 180, 90),
        (60, 140, 230),
        (170, 90, 200),
    )
    parts = p.made.title.split()
    half = len(parts) // 2 if len(p.made.title) > 14 else 0
    lines = [" ".join(part) for part in (parts[:half], parts[half:]) if part]
    font = "bubblegum-sans" if p.rng.random() < 0.5 else "fredoka"
    size = min(0.15, 1.55 / max(len(line) for line in lines))
    face, edge = _font(font, max(6, round(size * p.side))), max(1, p.side // 110)
    for row, line in enumerate(lines):
        at = 0.5 - face.getlength(line) / p.side / 2
        for k, letter in enumerate(line):
            lift = 0.11 + row * size + 0.016 * math.sin(k * 1.3)
            p.pen.text(
                tuple(p.px(at, lift)),
                letter,
                candy[k % 6],
                face,
                "lm",
                stroke_width=edge,
                stroke_fill=(255, 255, 255),
            )
            at += face.getlength(letter) / p.side
    p.words(
        p.made.artist,
        "comic-neue",
        0.5,
        0.94,
        high=0.07,
        wide=0.85,
        fill=(255, 255, 255),
        stroke=(50, 60, 90),
        thick=0.008,
    )


def _soundtrack(p: _Page) -> None:
    _, y = p.grid()
    horizon = p.between(0.62, 0.7)
    p.paint(
        (np.abs(y - horizon) * 1.25).astype(np.float32),
        p.light,
        p.base if p.made.colour in ("black", "white", "yellow") else _mix(p.base, p.dark, 0.45),
    )
    dark = (12, 12, 16) if p.made.colour != "white" else (110, 112, 120)
    left = 0.0
    while left < 1:
        wide, tall = p.between(0.03, 0.09), p.between(0.02, 0.17) * (1.3 - abs(left - 0.5))
        p.box(left, horizon - tall, left + wide, horizon, dark)
        left += wide
    p.box(0, horizon, 1, 0.88, p.dark)
    for _ in range(18):
        level = p.between(horizon, 0.86)
        p.box(
            *(lambda c, w: (c, level, c + w, level + 0.004))(p.between(0, 1), p.between(0.03, 0.2)),
            p.light,
        )
    p.thing(0, 0.5, horizon - 0.18, p.between(0.42, 0.5), glow=p.light)
    p.second(p.pick(0.2, 0.8), horizon + 0.08, 0.24)
    p.box(0, 0, 1, 0.11, (5, 5, 6))
    p.box(0, 0.86, 1, 1, (5, 5, 6))
    p.words(
        p.made.title.upper(),
        "cinzel",
        0.5,
        0.2,
        high=0.09,
        wide=0.9,
        spaced=1,
        fill=(245, 240, 225),
        stroke=dark if p.made.colour != "white" else (60, 60, 70),
        thick=0.006,
    )
    p.words(
        "ORIGINAL MOTION PICTURE SOUNDTRACK",
        "oswald",
        0.5,
        0.895,
        high=0.028,
        wide=0.9,
        spaced=1,
        fill=(200, 195, 180),
    )
    p.words(p.made.artist.upper(), "oswald", 0.5, 0.95, high=0.05, wide=0.9, fill=(245, 240, 225))
    p.words(
        "MUSIC FROM THE FILM",
        "oswald",
        0.5,
        0.055,
        high=0.03,
        wide=0.8,
        spaced=2,
        fill=(200, 195, 180),
    )


def _latin(p: _Page) -> None:
    candy = [
        (226, 48, 92),
        (246, 166, 35),
        (60, 170, 150),
        (52, 110, 190),
        (245, 220, 70),
        (150, 70, 170),
    ]
    order = p.rng.permutation(6)
    n = int(p.pick(8, 9, 10))
    for k in range(n):
        tone = candy[order[k % 6]]
        for row in (0, 1):
            top = 0.0 if row == 0 else 0.915
            x0, x1 = k / n, (k + 1) / n
            p.box(x0, top, x1, top + 0.085, tone)
            p.star(
                (x0 + x1) / 2, top + 0.043, 0.034, 0.014, int(p.pick(4, 6, 8)), 0, (255, 250, 235)
            )
        if k:
            for x0 in (0.0, 0.915):
                tone = candy[order[(k + 3) % 6]]
                p.box(x0, k / n, x0 + 0.085, (k + 1) / n, tone)
                p.disc(x0 + 0.043, (k + 0.5) / n, 0.026, (255, 250, 235))
    p.star(0.5, 0.55, 0.4, 0.3, int(p.pick(16, 20)), 0, p.light)
    p.star(0.5, 0.55, 0.3, 0.24, 16, 0.1, p.dark if p.made.colour != "white" else (230, 226, 215))
    p.thing(0, 0.5, 0.55, 0.44)
    p.second(0.77, 0.78, 0.22)
    p.words(
        p.made.artist,
        "ranchers" if p.rng.random() < 0.6 else "carter-one",
        0.5,
        0.175,
        high=0.12,
        wide=0.78,
        fill=(255, 246, 220),
        stroke=(110, 20, 50),
        thick=0.012,
    )
    p.words(
        p.made.title,
        "carter-one",
        0.47,
        0.865,
        high=0.075,
        wide=0.74,
        fill=(255, 246, 220),
        stroke=(110, 20, 50),
        thick=0.01,
    )


def _industrial(p: _Page) -> None:
    p.grain(12, 1)
    strips = np.asarray(p.image, np.float32) + p.rng.normal(0, 8, (p.side, 1, 1))
    p.image = Image.fromarray(np.clip(strips, 0, 255).astype(np.uint8))
    cells = int(p.pick(2, 3))
    for i in range(cells):
        for j in range(cells):
            x0, y0, x1, y1 = i / cells, j / cells, (i + 1) / cells, (j + 1) / cells
            p.box(x0, y0, x1, y1, outline=p.dark, width=0.008)
            for cx, cy in (
                (x0 + 0.03, y0 + 0.03),
                (x1 - 0.03, y0 + 0.03),
                (x0 + 0.03, y1 - 0.03),
                (x1 - 0.03, y1 - 0.03),
            ):
                p.disc(cx, cy, 0.012, p.dark, p.light, 0.003)
    vertical = p.rng.random() < 0.5
    for k in range(-2, 16):
        a = k * 0.09
        corners = ((a, 0.0), (a + 0.045, 0.0), (a + 0.105, 0.06), (a + 0.06, 0.06))
        for far in (0.0, 0.94):
            at = [(b + far, c) if vertical else (c, b + far) for c, b in corners]
            p.pen.polygon([tuple(p.px(*point)) for point in at], (16, 16, 16))
    p.thing(
        0, 0.5, 0.48, 0.52, tone=(150, 150, 155) if p.rng.random() < 0.25 else None, shadow=True
    )
    p.second(0.8, 0.24, 0.24, shadow=True)
    p.box(0.1, 0.76, 0.9, 0.9, (16, 16, 16))
    p.words(
        p.made.artist.upper(),
        "black-ops-one",
        0.5,
        0.81,
        high=0.085,
        wide=0.74,
        fill=(236, 236, 230),
    )
    p.words(
        p.made.title.upper(),
        "share-tech-mono",
        0.5,
        0.872,
        high=0.045,
        wide=0.74,
        fill=p.light if p.made.colour != "black" else (200, 200, 200),
    )
    left = 0.72
    while left < 0.9:
        wide = p.between(0.003, 0.01)
        p.box(
            left,
            0.1,
            left + wide,
            0.15,
            (16, 16, 16) if p.made.colour != "black" else (200, 200, 200),
        )
        left += wide + p.between(0.003, 0.01)


def _chiptune(p: _Page) -> None:
    cell = 1 / 32
    for _ in range(30):
        i, j = p.rng.integers(0, 32), p.rng.integers(0, 22)
        p.box(i * cell, j * cell, (i + 0.5) * cell, (j + 0.5) * cell, p.light)
    for start in p.rng.integers(0, 28, 3):
        level = int(p.rng.integers(5, 12))
        for dx, dy, wide in ((0, 1, 6), (1, 0, 4)):
            p.box(
                (start + dx) * cell,
                (level + dy) * cell,
                (start + dx + wide) * cell,
                (level + dy + 1) * cell,
                p.light,
            )
    for i in range(16):
        for j in range(3):
            x0, y0 = i / 16, 0.81 + j / 16
            p.box(x0, y0, x0 + 1 / 16, y0 + 1 / 16, p.dark, p.light, 0.004)
            if j == 0:
                p.box(x0, y0, x0 + 1 / 16, y0 + 0.02, p.accent)
    for k in range(int(p.pick(2, 3, 4))):
        p.box(0.06 + k * 0.07, 0.28, 0.11 + k * 0.07, 0.33, (250, 205, 50), (120, 80, 10), 0.005)
    alone = len(p.made.objects) < 2
    p.thing(0, 0.5 if alone else 0.38, 0.565, 0.5, pixels=24)
    if not alone:
        p.thing(1, 0.78, 0.67, 0.29, pixels=18)
    p.words(
        p.made.title.upper(),
        "press-start-2p",
        0.5,
        0.15,
        high=0.075,
        wide=0.92,
        fill=(255, 255, 255),
        stroke=(20, 20, 40),
        thick=0.012,
    )
    p.words(
        p.made.artist.upper(),
        "press-start-2p",
        0.5,
        0.94,
        high=0.042,
        wide=0.9,
        fill=(255, 236, 120),
        stroke=(20, 20, 40),
        thick=0.01,
    )


_LAYOUTS = {
    "metal": _metal, "jazz": _jazz, "classical": _classical, "electronic": _electronic,
    "hip hop": _hip_hop, "punk": _punk, "country": _country, "reggae": _reggae, "folk": _folk,
    "pop": _pop, "ambient": _ambient, "synthwave": _synthwave, "blues": _blues, "soul": _soul,
    "psychedelic": _psychedelic, "children's": _childrens, "soundtrack": _soundtrack,
    "latin": _latin, "industrial": _industrial, "chiptune": _chiptune,
}  # fmt: skip
