"""A connection → a request that may pass, or a refusal in the one shape of an error.

Begin with `front`, whose docstring draws the order.

    connections  idle ones closed, probes and refusals answered from the head of a request
    front        id, key, admission, deadline, body limit, access log: around everything
    access       API keys, and a rate for each
    bodies       what a body may weigh, by its path, and all together
    inflating    a compressed body → what it holds
    cors         pages of which origins may ask
    prefix       a path that a proxy puts before ours
    exchange     one request on its way: its id, its language
    messages     a failure → the messages of ASGI that tell it
    languages    an English message → the same in the caller's language
    french       what any service says of a request, in French
    forms        query strings, forms, JSON → checked values
    uploads      a body too large to be held → a file, hashed as it comes
    queries      a route that refuses parameters it does not know
    ranges       a part of a file, as who plays from the middle asks for it
    native       what BentoML answers itself, its errors in our shape
    page         files of `web/` → answers with addresses that change with their content
    preview      what a link to the page shows where it is pasted

Imports `base` and `watch`. Not to be imported: `covers`, a service's routes, what computes.
"""
