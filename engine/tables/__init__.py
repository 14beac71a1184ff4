"""What people hand in, a folder of files and a table about them → files, each with its row.

In: a folder, and a CSV, JSON Lines or Parquet file. Out: files by name, and what is said of each.
Begin with `table`. What the files are and what the columns mean, each kind of artifact knows.

    folders  a folder → the files below it, but what systems leave behind
    table    a table → its rows, each with the place to name in a complaint
    values   one cell → a text, a whole number, a year, what JSON can hold
    joining  names of files × names in rows → whose row is whose

Imports `base` alone. Nothing that answers requests imports it.
"""
