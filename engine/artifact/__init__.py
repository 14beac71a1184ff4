"""A folder that is complete in itself: listed, hashed, renamed into place, packed, fetched, stored.

In: finished files, or the name of an artifact (a folder, a tag, a URL). Out: a folder that is what
its manifest says. Begin with `folder`.

    folder  names, sizes and digests; staged, then renamed: there is never half an artifact
    pack    a folder ↔ one file
    remote  a packed artifact behind a URL → a folder in the cache
    store   which of the three a name means; BentoML's model store

Imports `base` alone: neither `vectors` nor what the files hold (`engine.covers.artifact`).
"""
