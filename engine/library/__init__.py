"""A file or a link → a track that can be found, kept with its audio, waveform, tempo and key.

Stands on `engine.sound`, which hears, and on `engine.serving`, which answers. What is asked for is
a row before it is answered; a worker in a process of its own does it step by step, each a function
of keys of stored objects to keys. From the bottom to the top:

    settings    what services and workers read from their environment
    connecting  the database's address → connections, and what their failures are called
    tables      what is written down
    words       names, keys and tempos as people write them → as they are compared
    migrations  a database of an earlier version → that of this one
    database    transactions, the same on SQLite and on PostgreSQL
    stores      keys → bytes, in a folder or in a bucket
    objects     the files of tracks there, waited for, checked and named
    footing     whether rows and files can be kept at all, told at the start
    signing     links to them where a store makes none
    records     what jobs and samples both write, and the order in which rows are held
    quota       what a key may add on a day
    contents    a content is known → whose track it is
    ledger      what a worker tells of an attempt, step by step, whatever it is of
    attempts    … and of a track to be
    jobs        what somebody asks for, from state to state
    samples     what is held: found, told of as it changes, let go of
    creators    who made it, asked for again after seven days
    workers     who works, and whether they still do
    retention   what is no longer needed: old rows, objects without one
    sources     a link → a file and what its source tells of it
    analysis    a recording → loudness, tempo, key, energy, danceability
    pipeline    a job → a track, step by step, in workers that may die
    growing     what is ready → held beside the artifact that is served, let go when it goes
    rehearing   what other networks have heard → heard again
    folding     … or made a new version of that artifact
    service     requests → jobs and tracks
"""
