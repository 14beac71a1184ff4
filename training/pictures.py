"""Packages of free pictures → pictures of named things, as each designer drew them.

The packages are fetched with npm, unpacked into `training/run/inputs` and drawn once into one
array a designer. OpenMoji is drawn too, but nothing trains on it: it is the unseen designer.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from training import RUN

Picture = NDArray[np.uint8]

INPUTS = RUN / "inputs"
SIDE = 160  # pixels of a drawn picture
COVER_SIDE = 320  # of one that goes on a cover

PACKAGES = {
    "noto": "@iconify-json/noto@1.2.9",
    "twemoji": "@twemoji/svg@15.0.0",
    "fluent": "@lobehub/fluent-emoji-flat@1.1.0",
    "fluent3d": "@lobehub/fluent-emoji-3d@1.1.0",
    "fxemoji": "@iconify-json/fxemoji@1.2.2",
    "emojione": "@iconify-json/emojione@1.2.3",
    "noto-v1": "@iconify-json/noto-v1@1.2.5",
    "noto-ink": "@expo-google-fonts/noto-emoji@0.4.7",
    "fluent-ink": "@iconify-json/fluent-emoji-high-contrast@1.2.6",
    "fluent-gradient": "@iconify-json/fluent-emoji@1.2.7",
    "emojione-ink": "@iconify-json/emojione-monotone@1.2.1",
    "streamline": "@iconify-json/streamline-emojis@1.2.4",
    "icon-park": "@iconify-json/icon-park@1.2.4",
    "game-icons": "@iconify-json/game-icons@1.2.4",
    "material": "@iconify-json/mdi@1.2.3",
    "phosphor": "@iconify-json/ph@1.2.2",
    "tabler": "@iconify-json/tabler@1.2.41",
    "lucide": "@iconify-json/lucide@1.2.137",
    "lucide-lab": "@iconify-json/lucide-lab@1.2.3",
    "awesome": "@iconify-json/fa6-solid@1.2.4",
    "openmoji": "openmoji@17.0.0",
}
NAMES_PACKAGE = "emojibase-data@17.0.0"
FONT_VERSION = "5.3.0"
FONTS = {
    "metal-mania": 400, "new-rocker": 400, "unifrakturcook": 700, "league-spartan": 800,
    "limelight": 400, "playfair-display": 700, "cinzel": 600, "orbitron": 700, "michroma": 400,
    "bungee": 400, "anton": 400, "special-elite": 400, "permanent-marker": 400, "rye": 400,
    "sancreek": 400, "leckerli-one": 400, "chango": 400, "cabin-sketch": 700, "amatic-sc": 700,
    "pacifico": 400, "fredoka": 600, "raleway": 300, "poiret-one": 400, "monoton": 400,
    "audiowide": 400, "alfa-slab-one": 400, "lobster": 400, "shrikhand": 400, "fascinate": 400,
    "bungee-shade": 400, "comic-neue": 700, "bubblegum-sans": 400, "bebas-neue": 400,
    "ranchers": 400, "carter-one": 400, "share-tech-mono": 400, "black-ops-one": 400,
    "press-start-2p": 400, "righteous": 400, "lato": 700, "oswald": 600, "abril-fatface": 400,
    "josefin-sans": 600, "vt323": 400, "cormorant-garamond": 600,
}  # fmt: skip

UNSEEN = "openmoji"
TRAINED = tuple(designer for designer in PACKAGES if designer != UNSEEN)
ON_COVERS = ("noto", "twemoji", "fluent", "fluent3d")

# Sets of signs that number theirs in a private range, if at all: known by their English names.
_BY_NAME = ("icon-park", "game-icons", "material", "phosphor", "tabler", "lucide", "lucide-lab",
            "awesome")  # fmt: skip
# Signs whose name means something else there: the mouse of a computer, a mathematical set.
_OTHER_MEANING = ("mouse", "seal", "date", "bat", "organ", "record", "boot", "label", "package")

# Never in a training picture, cover or caption.
HELD_OUT_OBJECTS = (
    "camel", "teapot", "tractor", "penguin", "pineapple", "telescope", "kite", "scorpion",
)  # fmt: skip

# What an emoji is called by its standard and what people call it.
PLAIN_NAMES = {
    "T-Rex": "dinosaur", "musical keyboard": "piano", "headphone": "headphones",
    "hot beverage": "cup of coffee", "high voltage": "lightning bolt", "mirror ball": "disco ball",
    "optical disk": "compact disc", "deciduous tree": "tree", "automobile": "car",
    "crescent moon": "moon", "ringed planet": "planet", "red apple": "apple", "honeybee": "bee",
    "game die": "dice", "snow-capped mountain": "mountain", "lady beetle": "ladybug",
    "wrapped gift": "gift", "crossed swords": "swords", "locomotive": "steam train",
    "evergreen tree": "pine tree", "mantelpiece clock": "clock", "water wave": "wave",
    "video game": "game controller", "old key": "key", "red heart": "heart", "eye": "eye",
    "goblin": "goblin", "spouting whale": "whale", "performing arts": "theatre masks",
    "bouquet": "bouquet of flowers", "beer mug": "glass of beer", "wine glass": "glass of wine",
    "jack-o-lantern": "pumpkin", "billed cap": "cap", "hot pepper": "chilli pepper",
    "ear of corn": "corn", "cocktail glass": "cocktail", "gem stone": "diamond",
    "optical disc": "compact disc", "doughnut": "doughnut", "honey pot": "pot of honey",
    "night with stars": "starry night", "cityscape": "city", "beach with umbrella": "beach",
    "desert island": "island", "horizontal traffic light": "traffic light",
}  # fmt: skip
_EXTRA = ("skull", "ghost", "alien", "robot", "red heart", "eye", "goblin", "brain", "tooth",
          "spouting whale")  # fmt: skip
_LEFT_OUT = re.compile(
    r"face$|o.clock|thirty|globe |moon face|speaker|mailbox|page |arrow|oncoming|medal$|banknote"
    r"|^mountain$|^key$|^dragon face|^sun with|^tiger face|file|tray|index|calendar|notepad"
    r"|japanese|gibbous|quarter moon|waxing|waning|new moon|post office|map of|locked|umbrella "
    r"|sun behind|cloud with|magnifying glass tilted right|chart|with flash|page|wastebasket"
    r"|clinking|e-mail|envelope|orange book|green book|blue book|receipt|without|suit$|^label$"
    r"|low battery|microbe|^fog|foggy|construction|derelict|^link|linked|vertical traffic"
    r"|phone with"
    r"|motor boat|minibus|trolleybus|light rail|^metro|railway car|tram car|whale$|two-hump|"
    r"broken|ferry|memo|dvd|floppy|kaaba|synagogue|mosque|hindu|prayer|hamsa|wheelchair|airplane "
    r"|cityscape at|sunrise over|no |woman.s|man.s|briefs|bikini|cigarette|coffin|toilet|"
    r"placard|identification|umbrella on|hammer and|clutch|purse|black bird|baby chick|hatching"
)


def fetch() -> None:
    """Every package into `training/run/inputs`, through npm; one that is there is kept."""
    INPUTS.mkdir(parents=True, exist_ok=True)
    fonts = [f"@fontsource/{name}@{FONT_VERSION}" for name in FONTS]
    for package in tqdm([*PACKAGES.values(), NAMES_PACKAGE, *fonts], desc="fetch", disable=None):
        if not _archive(package).exists():
            subprocess.run(["npm", "pack", "--silent", package], cwd=INPUTS, check=True)


def _archive(package: str) -> Path:
    name, version = package.removeprefix("@").rsplit("@", 1)
    return INPUTS / f"{name.replace('/', '-')}-{version}.tgz"


@cache
def _members(package: str) -> dict[str, bytes]:
    """Path inside the package → bytes."""
    with tarfile.open(_archive(package)) as archive:
        return {
            member.name.removeprefix("package/"): archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
            if member.isfile()
        }


def font_bytes(name: str) -> bytes:
    """The Latin letters of one of `FONTS`, as WOFF2."""
    with tarfile.open(_archive(f"@fontsource/{name}@{FONT_VERSION}")) as archive:
        path = f"package/files/{name}-latin-{FONTS[name]}-normal.woff2"
        member = archive.extractfile(path)
        assert member is not None, path
        return member.read()


@cache
def catalogue_of_names() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name → (code points as in 1f3b8, other words for it)."""
    data = json.loads(_members(NAMES_PACKAGE)["en/data.json"])
    named: dict[str, tuple[str, tuple[str, ...]]] = {}
    for entry in data:
        label = entry["label"]
        is_a_thing = entry.get("group") in (3, 4, 5, 6, 7) and not _LEFT_OUT.search(label.lower())
        if not is_a_thing and label not in _EXTRA:
            continue
        name = PLAIN_NAMES.get(label, label.lower().replace("’", "'"))
        words = tuple(tag for tag in entry.get("tags", ()) if tag != name)
        named.setdefault(name, (entry["hexcode"].lower(), words))
    return named


def _sources(designer: str) -> dict[str, bytes | str]:
    """Code points without variation selectors → SVG text or WebP bytes."""
    package = PACKAGES[designer]
    found: dict[str, bytes | str] = {}
    if "@iconify-json" in package:
        members = _members(package)
        icons = json.loads(members["icons.json"])
        named = json.loads(members.get("chars.json", b"{}"))
        by_name = designer in _BY_NAME
        if by_name or not named:
            named = {}
            for name, (code, _) in catalogue_of_names().items():
                if by_name and name in _OTHER_MEANING:
                    continue
                labels = [name, *(old for old, new in PLAIN_NAMES.items() if new == name)]
                for label in labels:
                    slug = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
                    if slug in icons["icons"]:
                        named[code] = slug
        for code, name in named.items():
            icon = icons["icons"].get(name)
            if icon:
                wide = icon.get("width", icons.get("width", 16))
                high = icon.get("height", icons.get("height", wide))
                found[_plain(code)] = (
                    f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink='
                    f'"http://www.w3.org/1999/xlink" viewBox="0 0 {wide} {high}">'
                    f"{icon['body']}</svg>"
                )
        return found
    if "-fonts/" in package:
        for code, _ in catalogue_of_names().values():
            if "-" not in _plain(code):
                found[_plain(code)] = chr(int(_plain(code), 16))
        return found
    folder = {"openmoji": "color/svg/", "twemoji": ""}.get(designer, "assets/")
    for path, data in _members(package).items():
        name = path.removeprefix(folder)
        if "/" not in name and name.endswith((".svg", ".webp")):
            found[_plain(name.rsplit(".", 1)[0])] = (
                data if name.endswith(".webp") else data.decode("utf-8")
            )
    return found


def _plain(code: str) -> str:
    return "-".join(part for part in code.lower().split("-") if part != "fe0f")


@cache
def _font(designer: str) -> ImageFont.FreeTypeFont | None:
    """The typeface of a designer whose pictures are letters of one."""
    package = PACKAGES[designer]
    if "-fonts/" not in package:
        return None
    data = _members(package)["400Regular/NotoEmoji_400Regular.ttf"]
    return ImageFont.truetype(io.BytesIO(data), 256)


def _draw(source: bytes | str, side: int, font: ImageFont.FreeTypeFont | None) -> Picture:
    """(side, side, 4) uint8 RGBA of a WebP's bytes, an SVG's text or a letter of `font`."""
    if isinstance(source, bytes):
        picture = Image.open(io.BytesIO(source)).convert("RGBA")
    elif font is not None:
        box = font.getbbox(source)
        picture = Image.new("RGBA", (round(box[2] - box[0]) or 1, round(box[3] - box[1]) or 1))
        ImageDraw.Draw(picture).text((-box[0], -box[1]), source, "black", font)
    else:
        import resvg_py

        png = bytes(resvg_py.svg_to_bytes(svg_string=source, width=side))
        picture = Image.open(io.BytesIO(png)).convert("RGBA")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    if max(picture.size) < side:
        scale = side / max(picture.size)
        picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    square = Image.new("RGBA", (side, side))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return np.asarray(square)


def drawn(designer: str, names: list[str] | None = None, side: int = SIDE) -> dict[str, Picture]:
    """Name → (side, side, 4) uint8 RGBA, of every name that this designer drew. Kept on disk."""
    kept = RUN / "pictures" / f"{designer}-{side}.npz"
    wanted = names if names is not None else list(catalogue_of_names())
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        sources = _sources(designer)
        font = _font(designer)
        pictures = {}
        for name in tqdm(wanted, desc=f"draw {designer}", disable=None):
            source = sources.get(_plain(catalogue_of_names()[name][0]))
            if source is not None:
                picture = _draw(source, side, font)
                if picture[..., 3].any():
                    pictures[name] = picture
        beside = kept.with_suffix(".part.npz")
        np.savez_compressed(
            beside, names=np.array(list(pictures)), rgba=np.stack(list(pictures.values()))
        )
        beside.replace(kept)
    with np.load(kept) as stored:
        return dict(zip((str(name) for name in stored["names"]), stored["rgba"], strict=True))
