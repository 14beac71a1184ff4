"""Recordings, a table about them, a network and an encoder → an artifact; and later ones from it.

    a table, tags ─metadata→ tracks ───────┐
    recordings ─listening→ what is heard ──┴─assemble→ index, fingerprints, catalogue ─→ folder

Begin with `build`. Whatever makes an artifact ends in `assemble`.

    build        a folder of recordings and a table → an artifact
    revise       an artifact with tracks more or less
    metadata     what a table, a file's own tags and its name say of a track
    sharing      the words of a licence → whether the audio may be handed out
    listening    files → vectors, tags, fingerprints, waveforms; taken up where it was interrupted
    audio        a file → its audio in the artifact
    calibration  simulated recordings of the own tracks → how agreement becomes a probability
    encoder      what `--encoder` names → an encoder's folder in an artifact
    export       encoders of transformers → towers for OpenVINO
    assemble     all parts into one folder, renamed into place

Not to be imported: `service`, `trials`. Nothing that answers requests imports this.
"""
