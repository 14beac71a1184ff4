"""`python -m engine COMMAND`: words on a command line → what another room does, told in a terminal.

Begin with `main`, which lists the commands; each is a pair in its family's file, `offer_x` (its
options) beside `_x` (what it does).

    main       the parser, exit statuses, failures as one line
    kinds      of which kind an artifact is, and which options are of another
    artifacts  inspect, verify, serve, publish, pack
    covers     build, import, add, remove, compact, query, identify; what they do with covers
    sound      what these and others do with tracks
    library    work: the library's workers
    voice      voice-models: what voices are heard with
    studio     studio, fold, rehear: a library on one machine, and beside another artifact
    trials     evaluate
    completion a script by which a shell completes the command
    terminal   what all share: progress bars, types of options, the artifact that is meant

The topmost room: it may import every other, inside the functions that need it. `--help` loads
neither NumPy nor Pillow, and no room imports this one.
"""
