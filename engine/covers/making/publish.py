"""An artifact → its rows in a table of an engine, under its albums' ids and genres."""

from __future__ import annotations

from engine.base.progress import Progress
from engine.covers.artifact import Artifact, check_ids
from engine.vectors.publishing import Published, publish_rows
from engine.vectors.sources import Stored
from engine.vectors.tuning import RECALL


def publish_index(artifact: Artifact, where: str, progress: Progress | None = None) -> Published:
    """Write the index of an artifact to the engine at `where` (`lancedb:s3://…`), tuned to the
    recall the artifact was; see `publish_rows`. A filter by genre is a filter by label there."""
    index, catalogue = artifact.open_index(), artifact.open_catalogue()
    check_ids(index, catalogue)
    ids = index.ids()
    return publish_rows(
        where,
        artifact.id,
        Stored(index, ids),
        ids,
        catalogue.genres_of(ids) if len(ids) else ids,
        recall=index.tuning.target if index.tuning else RECALL,
        progress=progress,
    )
