"""Samples → unit vectors every half second; vectors of a clip → which recording, from when on.

Begin with `network`.

    spectrum    8 kHz samples → log-mel frames
    network     frames → one unit vector a window
    sounding    samples → vectors, zeros where nothing sounds
    align       similarities of a clip and a track → a place, a speed, a score
    index       vectors of all tracks; which of them a clip agrees with
    files       an index as files of an artifact, codes in an inverted file where it is large
"""
