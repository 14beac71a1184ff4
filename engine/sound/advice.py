"""What a recording should be, for whoever sends one: how long at the least, and of which kinds."""

from __future__ import annotations

# So much is needed to tell which track it is, or what is like it. What is shorter has no answer
# (`too_short`), and below a window of the network nothing to look for one with.
LEAST_S = 3.0
LEAST_WINDOW_S = 1.0
ADVICE = (
    f"Send {LEAST_S:g} s or more as WebM, MP4, Ogg, MP3, FLAC, WAV or AMR, or a video with sound."
)
