"""What ways to find music share → one FastAPI application, and the BentoML service around it.

Begin with `capability`: what a way brings. Then `site`, which puts several into one application.

    capability  routes, limits, probes, languages… of one way to find music; how it starts and ends
    site        capabilities → one application: the page, its document, health, metrics, errors
    failures    what goes wrong in a route → the one shape of an error
    snippets    each operation for a shell, Python and JavaScript
    prepared    a process as it has to be before it serves: log, launcher, connections
    alone       one process answers with it, and BentoML behind it
    bento       … as BentoML sees it, where that stands before it: processes, limits, image

Knows no covers and no sound: `engine.services` says which capabilities answer together.
"""
