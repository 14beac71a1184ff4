"""A recording → its loudness, tempo and key, how energetic it is and how well one dances to it.

Begin with `whole`: `analyse`. NumPy and the decoder's own ffmpeg are all that is needed. From the
bottom to the top:

    blocks      a file of any length, a second at a time
    loudness    LUFS by EBU R 128, and the peak
    tempo       beats a minute
    key         tonic and mode
    measures    energy and danceability, defined there
    whole       all of it

It decodes: call it in a process that a hostile file may end.
"""

from engine.library.analysis.whole import Analysis, analyse

__all__ = ["Analysis", "analyse"]
