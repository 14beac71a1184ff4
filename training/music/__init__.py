"""A seed → a track that does not exist: composed, played, mixed. Nothing is sampled from anyone.

    genre, style, seed ─genres→ song on paper ─mix→ samples ─tracks→ Opus with its tags, a table

    theory        keys, scales, chords
    waves         oscillators, decaying partials, envelopes, filters
    instruments   one note of each of sixty instruments
    drums         one stroke on each of fifty things
    score         form, harmony, and the habits of arrangers: comping, walking, singing
    effects       amplifiers, pedals, echoes, automation
    genres        twenty genres with four styles each
    mix           human hands, balance, room, compressor, loudness
    tracks        which albums get a track, titles, files
    listening     what was made, measured and drawn
    clips         what a phone hears of three of them, for the page

Begin with `genres`: what makes a genre sound like itself is written there.
"""
