"""How the fingerprint's network was made: packages of free music → rooms and noise → weights.

    packages ─music→ hours of 8 kHz ─pairs→ (recording, as heard) ─train→ weights ─validate→ curves

`python -m training.sound` runs all of it. Nothing here is imported when the service runs.
"""
