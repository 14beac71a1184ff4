"""Recordings → voices, pitch and words → how alike two of them are. Files in, small JSON out.

What is heard depends on the recordings and on the models alone, so that each function may run
twice, in any process. README.md is the page on the score. From the bottom to the top:

    heard       what is told of a recording: pitch, words, lines of lyrics
    sounds      a recording → two channels, a second at a time; and back
    ahead       the next item, while the one before is being used
    unet        the network that tells a voice from the music
    separation  a recording → a voice and the rest
    pitch       a voice → its pitch every 16 ms
    melody      a voice and the music behind it → what is compared
    wording     words that were heard, words that should be → the share that is wrong
    expected    words that were misheard → those of the lyrics that are in the sound all the same
    probable    a sound that is encoded → how probable words are in it
    words       a voice → its words
    alignment   two melodies → when, and how much higher
    phrases     lyrics, or silences → phrases
    score       all of it → a number, its parts, and each phrase's
    tasks       the steps, for a process of their own
"""
