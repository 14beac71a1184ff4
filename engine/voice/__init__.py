"""Singing beside the original → how it was: a number by parts, phrase by phrase.

Stands on `engine.library`, whose database, store of objects and workers it uses. From the bottom to
the top:

    ear         two recordings → voices, pitch, words → what they have alike
    lyrics      a song's names → its words, with their times where somebody knows them
    jury        what was measured → what three of a jury say of it
"""
