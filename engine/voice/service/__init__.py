"""Requests → sessions, takes and what came of them. Begin with `routes`, the HTTP contract.

    routes     paths, what they take, what they answer
    forms      what was sent → what is wanted, or a sentence about what is wrong
    answers    one method an operation
    nowords    why there are no words of a song
    told       sessions → response models
    schemas    the shapes of responses
    health     part by part: what can be heard here
    french     every message in French
    calls      what the page of the API shows each operation with
    running    this worker's voice: what it holds open, and what it removes in time
    capability all of that for an application, beside the library
    start      what a process does first: settings, and whether they can be served
    settings   those of `engine.voice.settings`, found here by launchers

What hears is a worker's (`engine.voice.pipeline`). Not to be imported: `engine.voice.ear`.
"""
