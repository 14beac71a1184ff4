"""A song's title and artist → its words, line by line, with their times where somebody knows them.

    lines    words as text or LRC → lines; lines moved in time
    song     what is looked for, and what a source of words is
    given    what the caller sent goes first
    lrclib   then LRCLib, which knows times
    genius   then Genius, which has most
    found    the first that has them, within a bound

Every source is asked by the library's guard: none of them is led to a private address.
"""
