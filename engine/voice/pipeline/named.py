"""Names of voice's lines of work, as rows of DBOS have them: pinned, as the library's are."""

from __future__ import annotations

from engine.library.pipeline.durable import Named
from engine.voice.records import VoiceJob
from engine.voice.tables import KINDS, Kind

# What the steps tell; it changes with them, and what was told before is then done again.
VERSION = "2"
# Whoever has sung waits for no reference of others.
NAMED: dict[Kind, Named] = {kind: Named(f"voice.{kind}", f"voice.{kind}s") for kind in KINDS}
# A link waits for another's server, which costs no core: it has places of its own (see the
# library's), and of these one key has so many.
LINKS = Named(NAMED["reference"].workflow, "voice.links")
LINKS_AT_ONCE, LINKS_OF_ONE = 8, 2
# Step → its share of a job, about what it takes of a song of four minutes.
SHARES: dict[Kind, dict[str, float]] = {
    "reference": {
        "fetch": 0.15,
        "separate_reference": 0.4,
        "pitch_reference": 0.1,
        "lyrics": 0.05,
        "words_reference": 0.3,
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


def queue_of(job: VoiceJob) -> tuple[Named, str | None]:
    """Where a job waits, and with whom it shares the places there."""
    if job.kind == "reference" and job.asked.get("kind") == "link":
        return LINKS, job.owner or "all"
    return NAMED[job.kind], None
