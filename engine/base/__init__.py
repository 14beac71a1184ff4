"""What every room stands on, and what depends on nothing but Python and pydantic.

In: the environment, this machine, this disk. Out: settings, failures with names, places. Begin with
`errors`: every sentence that a user can be told has its class there.

    errors     every failure we promise to name: its code, its status, what to do next
    settings   environment → one frozen `Settings`
    machine    cores, memory, accelerators
    places     where the project and its caches lie
    files      digests and hard links
    workfile   what a build has finished, so that an interrupted one resumes
    database   a SQLite file that nobody writes, read by many
    names      words → rows of such a file whose names have them, a typo forgiven
    texts      a caller's words: whether they show anything, and what a line can hold
    strict     JSON of foreign hands → fields of exactly the types it promised
    odds       evidence → probabilities, and whether they mean what they say
    unpickle   a pickle of plain data, read without running what it names
    needs      packages that not every installation has
    progress   what a long command says while it runs
    version    which version this is
    importing  packages that one thread at a time may import
    inference  networks on OpenVINO: imported, compiled, their kernels kept

Imports no other room. What only one room uses does not belong here.
"""
