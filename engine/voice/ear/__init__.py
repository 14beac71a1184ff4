"""Recordings → voices, pitch and words → how alike two of them are. Files in, small JSON out.

What is heard depends on the recordings and on the models alone, so that each function may run
twice, in any process. From the bottom to the top:

    heard       what is told of a recording: stems, pitch, words, lines of lyrics
"""
