"""How `artifacts/starter` was made: from packages of free pictures and letters to an encoder.

    packages ─pictures→ named pictures ─┐
    seeds ──────names─→ albums ─────────┴─covers→ covers ─┬─captions→ texts
                                                          └─photos─→ photos
    (texts, covers, photos) ─data→ batches ─train→ encoder ─held_out→ shares ─report→ figures, plots

    seeds ─music→ tracks of some of those albums

`python -m training` runs all of it. Nothing here is imported when the service runs.
"""

from pathlib import Path

RUN = Path(__file__).parent / "run"
