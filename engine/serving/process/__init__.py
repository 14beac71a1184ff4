"""A command → processes that serve, as soon as can be.

Begin with `launch`, then `worker`.

    launch     what is there before a worker: a socket, and somebody to start it again
    address    … and what its log says to open, once it is ready
    takeover   `bentoml serve` becomes it, where one process answers
    worker     a worker's first lines: the artifact opens while the rest is imported
    orphan     a worker ends with who started it, a launcher with its terminal
    preload    … in a thread, taken over by the service once it is there
    companion  a process that works beside a service, for as long as it serves
    collector  when Python's garbage collector looks, and at what

`worker` imports nothing before it runs, or the start loses what it overlaps. Not to be imported:
`covers`; what is opened is told by name.
"""
