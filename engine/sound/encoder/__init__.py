"""Samples → one vector of what the music is like, and tags in words.

Begin with `encoder`: what any encoder is.

    encoder     the interface, and the standardising of its vectors over a catalogue
    musicnn     the embedded one: tags and vectors by OpenVINO
    clap, mert  by transformers, where they are installed
    folder      an encoder as files of an artifact
"""
