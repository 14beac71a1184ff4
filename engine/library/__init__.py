"""A file or a link → a track that can be found, kept with its audio, waveform, tempo and key.

Stands on `engine.sound`, which hears, and on `engine.serving`, which answers. What is asked for is
a row before it is answered; a worker in a process of its own does it step by step, each a function
of keys of stored objects to keys. From the bottom to the top:

    settings    what services and workers read from their environment
    connecting  the database's address → connections, and what their failures are called
    tables      what is written down
    migrations  a database of an earlier version → that of this one
    database    transactions, the same on SQLite and on PostgreSQL
    stores      keys → bytes, in a folder or in a bucket
    objects     the files of tracks there, waited for, checked and named
    signing     links to them where a store makes none
    service     requests → jobs and tracks
"""
