"""Covers, metadata and an encoder → an artifact, complete and verified; and later ones from it.

    tables ─metadata→ albums ─┐
    covers ─embedding→ rows ──┴─assemble→ index, catalogue, runtimes, what identify needs ─→ folder

Begin with `build`. Whatever makes an artifact ends in `assemble`.

    build        covers and a table → an artifact
    import_pair  embeddings made elsewhere → an artifact
    revise       an artifact with albums more, less or with new facts; compacted
    files        a folder or an object store → the files that covers may be in
    genres       ids and names of genres that contradict each other nowhere
    metadata     a table → albums of covers, checked before anything is embedded
    filenames    a cover's own name → artist, title, year, where there is no table
    columns      a pickle's columns and a table of titles → albums of an index
    embedding    cover files → rows and thumbnails, taken up where it was interrupted
    unpickle     a pickle of foreign hands → arrays, nothing executed
    encoder      where an encoder comes from, and how it gets into the folder
    export       an encoder → OpenVINO's graphs; `runtimes` decides which of them is kept
    references   thumbnails → what identify compares with; `calibrating` → what it may claim
    mapping      … the same of many covers, in passes; albums more and less
    cluster      the embedding of a million covers on many machines
    publish      the rows of an artifact → a table of an engine
    assemble     all parts into one folder, renamed into place

Not to be imported: `service`, `trials`. Nothing that answers requests imports this.
"""

# Of `build` and `import`; here, as the command line must not load NumPy to name it.
DEFAULT_ENCODER = "openai/clip-vit-base-patch32"

# What a table may call the column of a cover's file, and what it may say of an album.
FILE_COLUMNS = ("file", "filename", "file_name", "path", "image", "cover")
ALBUM_COLUMNS = ("album_id", "genre_id", "title", "artist", "genre", "year")
KNOWN_COLUMNS = (*FILE_COLUMNS, *ALBUM_COLUMNS)
