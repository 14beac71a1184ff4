"""How good an artifact is: identified by noise and length, strangers, places, likeness.

identify    recordings of its own tracks, with the track in the index and without
likeness    whether albums and genres lie together, and the rest does not
report      both, of an opened artifact
"""
