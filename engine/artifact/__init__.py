"""A folder that is complete in itself: listed, hashed, renamed into place, packed, fetched, stored.

In: finished files, or the name of an artifact (a folder, a tag, a URL). Out: a folder that is what
its manifest says, of whatever kind. Begin with `folder`.

    folder    names, sizes and digests; staged, then renamed: there is never half an artifact
    ahead     … hashed, before what reads them is there
    manifest  what every manifest says. A kind is a subclass
    kinds     of which kind a manifest says it is
    unchanged is what was opened still there?
    opened    a folder → a verified artifact; a kind adds what its files must be to each other
    pack      an artifact ↔ one file
    remote    a packed artifact behind a URL → a folder in the cache
    store     which of the three a name means; BentoML's model store

Imports `base` alone: neither `vectors` nor a kind, as `engine.covers` is one.
The process that launches a service imports it, so nothing here may load NumPy.
"""
