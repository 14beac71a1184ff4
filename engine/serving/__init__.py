"""Many callers at once, whatever it is that they ask for.

In: connections. Out: answers, refusals with a reason, metrics. Begin with `http/front`: what every
request meets before a route does.

    http     from a connection to a route: keys, limits, deadlines, bodies, one shape of errors
    work     what computes: threads with a bounded wait, calls that share a batch
    watch    what is seen from outside: metrics, traces, log lines
    app      what ways to find music bring → one application, and the service around it
    process  before a worker and in its first second: a socket, the artifact opened meanwhile

Imports `base`, and may import `artifact` and `vectors`. Never `covers`: routes, openers and limits
are handed in by a capability (`engine.covers.service`).
"""
