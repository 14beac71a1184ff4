"""Seconds of sound → the track they are of, or tracks that sound alike; and how that is made.

    bytes ─audio→ samples ┬─fingerprint→ vectors every half second ─identify→ track, place, or none
                          └─encoder→ one vector ─search→ neighbours ─catalogue→ tracks

Begin with `search`: `SoundSearch.open`, then `identify` and `alike`. From the bottom to the top:

    advice               how long a recording should be, and of which kinds
    recording, mixing    a stranger's bytes → frames under rules; frames → one channel at 16 kHz
    network, tensors     a network on OpenVINO; weights, read and written without a package
    audio, waveform      anything that ffmpeg reads → samples; samples → what is drawn of them
    apart                the first, in a process that a hostile file may end
    fingerprint          which recording: a small network, its codes, their agreement in time
    encoder              what is alike: one vector a track, and tags in words
    catalogue            ids → tracks, waveforms, audio
    manifest, golden     what an artifact says of itself; clips whose answers it must give
    artifact             the folder, verified
    identify             agreement → a verdict with a probability
    held                 tracks that come and go while an artifact is served
    opening              the parts of an artifact as this process wants them
    search               the pipeline, for one caller
    hearing              what a loudspeaker, a room, a phone and a messenger do to sound, simulated
    making               files and tags → an artifact
    service, trials      the pipeline for many, over HTTP; how good an artifact is

Each imports what stands above it in this list. What answers requests (service, search) imports
nothing that makes, simulates or trains.
"""
