"""Debian's packages of free music and speech: which, their licences, and what is held out."""

from __future__ import annotations

import subprocess
from pathlib import Path

# The licences are those that Debian states for the sound in it; all are in its free section.
TRAINED_ON = {
    "ardentryst": "CC-BY-SA-3.0, GPL-3.0+",
    "btanks-data": "GPL-2+ with exceptions",
    "bumprace-data": "CC-BY-3.0",
    "caveexpress-data": "CC-BY-SA-4.0",
    "colobot-common-sounds": "GPL-3+",
    "endless-sky-data": "CC-BY-SA-4.0, CC-BY-4.0, public domain",
    "extremetuxracer-data": "GPL-2+",
    "fillets-ng-data": "GPL-2",
    "freeciv-data": "GPL-2+",
    "freedroidrpg-data": "GPL-2+",
    "fretsonfire-songs-muldjord": "CC-BY-SA-3.0",
    "fretsonfire-songs-sectoid": "MIT",
    "hex-a-hop-data": "CC-BY-3.0, CC-BY-SA-3.0",
    "hyperrogue-music": "CC-BY-3.0, CC-BY-SA-3.0, CC-BY-SA-4.0, CC0-1.0",
    "lugaru-data": "CC-BY-SA-3.0, CC-BY-SA-4.0",
    "marsshooter-data": "CC-BY-3.0, CC-BY-SA-3.0",
    "naev-data": "CC-BY-3.0, CC-BY-SA-3.0, GPL-3+, public domain",
    "supertux-data": "GPL-2+, CC-BY-SA-3.0",
    "ufoai-music": "GPL-2+, CC-BY-3.0, CC-BY-SA-3.0, public domain",
    "unknown-horizons": "CC-BY-SA-3.0, GPL-2+",
    "warzone2100-music": "CC0-1.0, GPL-2+",
    "wesnoth-1.16-music": "GPL-2+",
}
# Watched while training, trained on by nothing.
VALIDATED_ON = {
    "nexuiz-music": "GPL-2+",
    "hedgewars-data": "GPL-2, CC-BY-SA-3.0",
}
# People who talk: menus of a telephone exchange. French is the benchmark's.
SPEECH = {
    "asterisk-core-sounds-en-g722": "CC-BY-SA-3.0",
    "asterisk-core-sounds-es-g722": "CC-BY-SA-3.0",
    "asterisk-core-sounds-it-g722": "CC-BY-SA-3.0",
    "asterisk-core-sounds-ru-g722": "CC-BY-3.0",
}
# The benchmark's music and strangers, and packages that hold the same pieces: never read here.
HELD_OUT = (
    "asc-music",
    "asterisk-core-sounds-fr-g722",
    "drascula-music",
    "frozen-bubble-data",
    "openttd-openmsx",
    "planetblupi-music-midi",
    "planetblupi-music-ogg",
    "singularity-music",
)


def fetch(folder: Path) -> None:
    """Unpack every package into a folder of its name; nothing is installed."""
    for package in (*TRAINED_ON, *VALIDATED_ON, *SPEECH):
        if (folder / package).is_dir():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True)
        (archive,) = folder.glob(f"{package}_*.deb")
        new = folder / f"{package}.new"
        subprocess.run(["dpkg-deb", "--extract", archive, new], check=True)
        new.rename(folder / package)
        archive.unlink()
