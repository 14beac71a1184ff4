"""Rows of unit length in, neighbours out: which ids are nearest to a query, and how near.

Start with `neighbours` (what every index answers) and `index` (the one that is a file of ours).

    embeddings → tuning, selection → neighbours → index (its files: `files`, its rows: `rows`)
                                               ↘ lance (a table in an engine; `where` says which)
    entry: what a manifest says of an index ↔ the index
    making ← inverted ← sources, exact: an index is made, tuned to a recall and measured
    foreign: somebody else's index → rows; publishing: rows → a table in an engine

It knows ids and labels, and neither what they stand for nor the folder that holds them: of this
project it imports `engine.base` alone. Nothing that answers requests imports `making`, `inverted`,
`foreign` or `publishing`.
"""
