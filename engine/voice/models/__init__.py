"""Packages of others → the weights that voices are heard with, each part in a folder of its own.

None of them is ours to hand on: each machine fetches its own, by `python -m engine voice-models`,
and a part that is not there is named, never an error. From the bottom to the top:

    kept        which parts there are, where they lie, and whether they do
    bringing    packages → those folders
"""

from engine.voice.models.kept import PARTS, Part, present

__all__ = ["PARTS", "Part", "present"]
