"""Where an artifact is: a folder, a tag of the BentoML model store, or a URL of a packed one.

The plain folder is the truth; the store holds copies, which `bentoml models export` and `import`
carry from machine to machine, and URLs are `engine.artifact.remote`'s.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from engine.artifact.folder import no_artifact
from engine.artifact.kinds import COVER
from engine.artifact.manifest import kind_of
from engine.artifact.opened import Opened
from engine.artifact.pack import pack
from engine.artifact.remote import RemoteArtifact, fetch, is_url
from engine.base.errors import ArtifactNotFound, ManifestInvalid, SettingsError, ShazamError
from engine.base.importing import one_thread
from engine.base.places import MANIFEST, PROJECT, ensure_bentoml_home
from engine.base.progress import Progress

_TAG = re.compile(r"[A-Za-z0-9_-]+:[\w.-]+")


def find_artifact(where: str, progress: Progress | None = None) -> Path:
    """A folder, a model-store tag or a URL → the artifact's folder on this disk.

    A URL is fetched where the cache does not hold it; `progress` then takes the bytes so far and in
    all, and without one they are logged. Raises `ArtifactNotFound` or what `fetch` raises.
    A relative folder is looked for where the process runs, then beside this code: a bento's
    process starts in a folder of the platform's choosing.
    """
    if is_url(where):
        return fetch(RemoteArtifact.parse(where), progress)
    if (folder := local_folder(where)) is not None:
        return folder
    if _TAG.fullmatch(where):
        return published_folder(where)
    raise no_artifact(next((place for place in _places(where) if place.exists()), Path(where)))


def local_folder(where: str) -> Path | None:
    """The artifact's folder where that is what is named; None for a tag, a URL and nothing."""
    found = (place for place in _places(where) if (place / MANIFEST).is_file())
    return next((place.resolve() for place in found), None)


def _places(where: str) -> tuple[Path, Path]:
    return Path(where), PROJECT / where


def check_exists(
    where: str,
    *,
    kind: str = COVER,
    setting: str = "SHAZAM_ARTIFACT",
    example: str = "artifacts/starter",
) -> None:
    """Raise a one-line `SettingsError` where `setting` names nothing that is there, or an artifact
    of another kind.

    Of a URL only the form is checked: every process asks this at its start, and one of them
    fetches later, in the background.
    """
    if is_url(where):
        RemoteArtifact.parse(where, setting)
        return
    try:
        folder = find_artifact(where)
    except ShazamError as error:
        raise SettingsError(
            f"{setting}={where!r}: {error.message} Example: {setting}={example}"
        ) from error
    with contextlib.suppress(ManifestInvalid):  # a service with a damaged one lives, and says so
        if (other := kind_of(folder)) != kind:
            raise SettingsError(
                f"{setting}={where!r} is an artifact of kind {other[:40]!r}; one of kind {kind!r} "
                f"is needed. Example: {setting}={example}"
            )


def publish(artifact: Opened[Any], *, serving: bool = False) -> str:
    """Copy an artifact, or its serving copy, into the BentoML model store; returns its tag, of
    covers `shazam-visual:<id>` or `shazam-visual-serving:<id>`.

    The store's `latest` is the newest entry, so an artifact published before is written anew; that
    is also how to roll back: publish the older tag.
    """
    ensure_bentoml_home()
    import bentoml
    from bentoml.exceptions import NotFound

    manifest = artifact.manifest
    # Serving copies have a name of their own: `latest` must never be one that cannot be grown.
    tag = f"{manifest.NAME}{'-serving' if serving else ''}:{manifest.id}"
    with tempfile.TemporaryDirectory(prefix=f"{manifest.NAME}-") as temporary:
        # A copy first: the source may be the very entry that is about to be written anew.
        copy = Path(temporary) / "artifact"
        pack(artifact, copy, serving=serving)
        with contextlib.suppress(NotFound):
            bentoml.models.delete(tag)
        with bentoml.models.create(
            tag,
            labels={name: _label(text) for name, text in manifest.labels().items()},
            metadata=dict(manifest.metadata()),
        ) as model:
            # In a folder of its own: the store adds files beside it, and an artifact has no others.
            shutil.move(copy, model.path_of("artifact"))
    return tag


def published_folder(tag: str) -> Path:
    """The artifact's folder in the BentoML model store; `ArtifactNotFound` with the way out."""
    if (carried := _in_image(tag)) is not None:
        return carried
    ensure_bentoml_home()
    with one_thread:
        import bentoml

        # BentoML looks into NumPy as soon as that is named somewhere; while another thread is still
        # importing it, as the one that opens an artifact is, there is nothing in it yet.
        import numpy  # noqa: F401
        from bentoml.exceptions import BentoMLException

    try:
        return Path(bentoml.models.get(tag).path_of("artifact"))
    except BentoMLException as error:
        raise ArtifactNotFound(
            f"{tag} is not in the BentoML model store of this machine. List what is with "
            "`bentoml models list`, or put it there with `python -m engine publish FOLDER` or "
            "`bentoml models import FILE`."
        ) from error


def _in_image(tag: str) -> Path | None:
    """The same in the bento that an image holds. BentoML looks there in the processes that it
    starts; a worker of the library is none."""
    bento = os.environ.get("BENTO_PATH", "")
    name, _, version = tag.partition(":")
    folder = Path(bento, "models", name, version, "artifact")
    return folder if bento and (folder / MANIFEST).is_file() else None


def _label(text: str) -> str:
    """A value BentoML accepts as a label."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text)[:63].strip("-_.") or "x"
