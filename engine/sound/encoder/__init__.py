"""Samples → one vector of what the music is like, and tags in words.

    samples ─windows→ a few seconds each ─mel→ patches ─network→ vectors, tags ─→ their mean
    mean ─Standard→ a unit row, comparable with others of the same catalogue

Begin with `encoder`: what any encoder is.

    encoder   the interface, and the standardising of its vectors over a catalogue
    windows   where in a recording an encoder listens
    mel       samples → log-mel frames
    musicnn   the embedded encoder: 384 numbers and 50 tags
    clap      sounds and words in one space, exported from transformers
    mert      vectors for non-commercial use, likewise
    because   what two tracks have in common, in words
    folder    an encoder as files of an artifact

Not to be imported: anything that knows an artifact; torch and transformers at all.
"""
