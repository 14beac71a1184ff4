"""A genre and a style within it → a song on paper.

`acoustic` needs no socket, `bands` amplifiers, `machines` no players. Each genre has four styles,
so that a genre's albums differ among themselves and still belong together.
"""

from __future__ import annotations

from collections.abc import Callable

from training.music.genres import acoustic, bands, machines
from training.music.score import Song
from training.music.waves import Rng

STYLES = 4
ARRANGERS: dict[str, Callable[[Rng, int], Song]] = {
    "ambient": machines.ambient, "blues": bands.blues, "children's": acoustic.childrens,
    "chiptune": machines.chiptune, "classical": acoustic.classical, "country": acoustic.country,
    "electronic": machines.electronic, "folk": acoustic.folk, "hip hop": machines.hip_hop,
    "industrial": machines.industrial, "jazz": acoustic.jazz, "latin": acoustic.latin,
    "metal": bands.metal, "pop": bands.pop, "psychedelic": bands.psychedelic, "punk": bands.punk,
    "reggae": bands.reggae, "soul": bands.soul, "soundtrack": acoustic.soundtrack,
    "synthwave": machines.synthwave,
}  # fmt: skip


def compose(genre: str, style: int, rng: Rng) -> Song:
    return ARRANGERS[genre](rng, style % STYLES)
