"""Singing beside the original → how it was: a number by parts, phrase by phrase.

Stands on `engine.library`, whose database, store of objects and workers it uses. From the bottom to
the top:

    ear         two recordings → voices, pitch, words → what they have alike
"""
