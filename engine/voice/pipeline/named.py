"""Names of voice's lines of work, as rows of DBOS have them: pinned, as the library's are."""

from __future__ import annotations

from engine.library.pipeline.durable import Named
from engine.voice.tables import Kind

# What the steps tell; it changes with them, and what was told before is then done again.
VERSION = "1"
QUEUE = "voice"
NAMED: dict[Kind, Named] = {
    kind: Named(f"voice.{kind}", QUEUE) for kind in ("reference", "take", "words")
}
# Step → its share of a job, about what it takes of a song of four minutes.
SHARES: dict[Kind, dict[str, float]] = {
    "reference": {
        "fetch": 0.15,
        "separate_reference": 0.6,
        "pitch_reference": 0.2,
        "lyrics": 0.05,
    },
    "take": {
        "separate_user": 0.4,
        "pitch": 0.1,
        "words": 0.3,
        "align": 0.08,
        "score": 0.04,
        "jury": 0.08,
    },
    "words": {"fetch": 0.1, "separate_reference": 0.4, "words_reference": 0.5},
}
