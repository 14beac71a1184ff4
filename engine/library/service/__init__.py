"""Requests → jobs and tracks of the library. Begin with `routes`, the HTTP contract.

    routes     paths, what they take, what they answer
    forms      what was sent → what is wanted, or a sentence about what is wrong
    answers    one method an operation
    following  who waits for news of a job is told, all by one question
    opened     what a process holds open: rows, objects, the workers' queue
    figures    how many jobs and workers there are, as metrics
    health     whether each of those answers
    schemas    the shapes of responses
    french     every message in French
    calls      what the page of the API shows each operation with
    running    this worker's library: opened, grown (`engine.library.growing`), ended
    capability all of that for an application, beside sound
    start      what a process does first: settings, and whether they can be served
    settings   those of `engine.library.settings`, found here by launchers

What costs a core and what decodes is a worker's (`engine.library.pipeline`). Not to be imported:
sources but to ask which there are, analysis, folding.
"""
