"""Requests → answers about covers. Begin with `routes`: the HTTP contract and nothing else.

    routes   paths, what they take, what they answer
    forms    what was sent → typed values, or a sentence about what is wrong
    answers  one method an operation, shared by every way in
    asking   the pipeline for many callers: off the event loop, batched, opened anew if it fails
    towers   the encoder for many callers, in this process or in one of its own
    schemas  the shapes of requests and responses
    french   every message in French
    calls    what the page of the API shows each operation with
    running  this worker's search and answers
    capability  all of that for an application, alone or beside others
    start    what a process does first: settings, and the artifact opened by them
    settings what it reads from its environment
    bento    typed APIs, and the encoder in a process of its own, as BentoML sees them

`engine.serving` gives it threads, batches, limits and processes. Not to be imported: making,
trials, photos, and what trains an index; a serving process has none of their dependencies.
"""
