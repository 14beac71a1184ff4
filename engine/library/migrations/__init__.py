"""The database of an earlier version → that of this one, on SQLite and on PostgreSQL.

`running` is asked at every start. Alembic reads `env` and runs what in `versions` is new, each file
a step from one revision to the next; such a file is never changed once it was released, and imports
nothing of ours that may change.

    running   whether anything is to be done, and that one process alone does it
    env       what Alembic runs in: a connection in its transaction, the name of its table
    versions  the steps, by their revisions
"""
