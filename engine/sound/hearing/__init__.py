"""A recording → the same as a phone would hear it: loudspeaker, room, noise, microphone, codec.

For building, training and measuring alone; nothing that answers requests imports it.
"""
