"""Samples → unit vectors every half second; vectors of a clip → which recording, from when on.

Begin with `network`.

    spectrum    8 kHz samples → log-mel frames
    network     frames → one unit vector a window
    index       vectors of all tracks as codes in an inverted file
    align       votes of single vectors → a track, a place, a speed
"""
