"""An opened artifact → how well it finds and identifies, and how fast: `engine evaluate`.

    artifact ─its own covers→ simulated photos ─search | identify→ shares, milliseconds, plots

Begin with `search`; `identify` is the same question asked of identifications.

    search    recall by distortion, agreement with exact search and float32, latency
    identify  matched, wrong, ambiguous, strangers; whether confidences are true
    photos    the same of real photos, with the albums they show and without

Settings, stickers and hands are those that neither training nor calibration saw. Imports what it
likes of `covers` but `service`; nothing imports it but the command line and benchmarks.
"""
