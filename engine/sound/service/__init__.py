"""Requests → answers about sound. Begin with `routes`: the HTTP contract and nothing else.

    routes   paths, what they take, what they answer
    forms    what was sent → a recording and what is wanted, or a sentence about what is wrong
    answers  one method an operation, shared by every way in
    asking   the pipeline for many callers: off the event loop, bounded, opened anew if it fails
    schemas  the shapes of responses
    french   every message in French
    calls    what the page of the API shows each operation with
    running  this worker's search and answers
    capability  all of that for an application, alone or beside others
    start    what a process does first: settings, and the artifact opened by them
    settings what it reads from its environment
    bento    typed APIs as BentoML sees them

`engine.serving` gives it threads, limits and processes, as it does to covers, of which nothing is
known here. Not to be imported: making, trials, hearing.
"""
