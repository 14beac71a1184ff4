"""Find an album by its cover or by words.

Serve:  bytes ─image→ pixels ─encoder→ embedding ─index→ neighbours ─catalogue→ albums ─→ response
Build:  covers + metadata ─build→ (the same image, encoder, index) ─artifact→ a folder, verified

The two flows meet in `covers.artifact` alone: one writer, one verifying reader. They are cut at
*pixels*, the last step that can fail for one caller and the first that many callers can share.

    image.py      bytes → image → pixels
    encoder.py    pixels, texts → embeddings
    index.py      embedding → neighbours      (inverted.py: trained and tuned; rows.py; mapping.py;
                                               lance.py: in an engine, past one machine)
    catalogue.py  neighbours → albums
    artifact.py   the folder: manifest, hashes, open-and-verify, write-then-rename
    search.py     the pipeline; start reading at `CoverSearch.open`
    build.py      covers + metadata → artifact; import, add, remove, compact
                  (covers.py: files → embeddings; metadata.py: tables → albums;
                  unpickle.py: safe pickles; cluster.py: embedding on many machines)
    identify.py   a photo → which album it shows, or that it shows none; candidates.py runs it down
                  (outlines.py: where a sleeve may lie; layout.py: likely covers; proof.py and
                  explained.py: one cover against one place; verdict.py: what it comes to;
                  sight.py: the encoder there; references.py; calibration.py: evidence →
                  probability; trial.py: how well)
    store.py      where an artifact is: folder, model store, URL    (remote.py: fetched; pack.py)
    evaluate.py   recall, agreement and latency of one artifact        (simulate.py: phone photos)
    batching.py   many callers, one call                               (serving.py: the async form)
    metrics.py    what Prometheus sees                                       (logs.py, tracing.py)
    access.py     keys, and how often each may ask
    lanes.py      threads that compute, and how much may wait for them
    http.py       what every request meets before a route          (connections.py: before HTTP)
    launch.py     what is there before a worker: a socket            (worker.py: the worker)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.covers.artifact import Artifact
    from engine.covers.question import Wanted
    from engine.covers.search import CoverSearch, Hit

__all__ = ["Artifact", "CoverSearch", "Hit", "Wanted"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Resolved on first use: `import engine.base.settings` must not load FAISS.
    if name == "Artifact":
        from engine.covers.artifact import Artifact

        return Artifact
    if name in ("CoverSearch", "Hit", "Wanted"):
        from engine.covers import search
        from engine.covers.service import schemas

        return getattr(schemas if name == "Wanted" else search, name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
