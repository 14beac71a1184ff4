"""A recording → the same as a phone would hear it: loudspeaker, room, noise, microphone, codec.

    (recording, a Place) ─rooms→ as it sounds there ─noise→ among people ─codec→ as it is sent

Begin with `phone`. Everything is drawn from the caller's generator: the same seed, the same sound.

    rooms   shoebox rooms by the image-source method → impulse responses
    noise   voices, streets, pink noise: made here, or of recordings that are given
    codec   what Opus, AAC, MP3 and AMR leave of it
    phone   all of it in order: `Place.heard`

For building, training and measuring alone; nothing that answers requests imports it.
"""
