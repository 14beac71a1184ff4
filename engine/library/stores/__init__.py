"""Keys → bytes, in a folder or in a bucket. Begin with `store`: what either does, in one attempt.

    store   the interface, and what an object is called
    folder  files under one folder, whole or not there at all
    bucket  whatever fsspec reaches: S3 and what speaks it, Google's, memory for tests

Waiting for a store that is away, digests and named failures are `engine.library.objects`' matter.
"""
