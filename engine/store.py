"""Where an artifact is: a folder, or a tag of the BentoML model store.

The plain folder is the truth; the store holds copies, which `bentoml models export` and `import`
carry from machine to machine.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

from engine.errors import ArtifactNotFound, SettingsError, ShazamError

NAME = "shazam-visual"
# `engine.artifact.MANIFEST`; importing that module would cost the launching process FAISS.
_MANIFEST = "manifest.json"
_PROJECT = Path(__file__).resolve().parent.parent
_TAG = re.compile(r"[A-Za-z0-9_-]+:[\w.-]+")


def find_artifact(where: str) -> Path:
    """A folder or a model-store tag → the artifact's folder. Raises `ArtifactNotFound`.

    A relative folder is looked for where the process runs, then beside this code: a bento's
    process starts in a folder of the platform's choosing.
    """
    for folder in (Path(where), _PROJECT / where):
        if (folder / _MANIFEST).is_file():
            return folder.resolve()
    if _TAG.fullmatch(where):
        return published_folder(where)
    raise ArtifactNotFound(
        f"{where} is not an artifact: it holds no {_MANIFEST}. Make one with "
        "`python -m engine build` or `import`, or use artifacts/starter."
    )


def check_exists(where: str) -> None:
    """Raise a one-line `SettingsError` where `SHAZAM_ARTIFACT` names nothing that is there."""
    try:
        find_artifact(where)
    except ShazamError as error:
        raise SettingsError(
            f"SHAZAM_ARTIFACT={where!r}: {error.message} Example: SHAZAM_ARTIFACT=artifacts/starter"
        ) from error


def publish(source: Path) -> str:
    """Copy an artifact into the BentoML model store; returns its tag, `shazam-visual:<id>`.

    The store's `latest` is the newest entry, so an artifact published before is written anew.
    """
    import bentoml
    from bentoml.exceptions import NotFound

    from engine.artifact import Artifact

    artifact = Artifact.open(source)
    tag = f"{NAME}:{artifact.id}"
    with contextlib.suppress(NotFound):
        bentoml.models.delete(tag)
    manifest = artifact.manifest
    with bentoml.models.create(
        tag,
        labels={"encoder": _label(manifest.encoder.name), "albums": str(manifest.catalogue.albums)},
        metadata={"artifact_id": artifact.id, "encoder_digest": manifest.encoder.digest},
    ) as model:
        # In a folder of its own: the store adds files beside it, and an artifact has no others.
        shutil.copytree(artifact.path, model.path_of("artifact"))
    return tag


def published_folder(tag: str) -> Path:
    """The artifact's folder in the BentoML model store; `ArtifactNotFound` with the way out."""
    import bentoml
    from bentoml.exceptions import BentoMLException

    try:
        return Path(bentoml.models.get(tag).path_of("artifact"))
    except BentoMLException as error:
        raise ArtifactNotFound(
            f"{tag} is not in the BentoML model store of this machine. List what is with "
            "`bentoml models list`, or put it there with `python -m engine publish FOLDER` or "
            "`bentoml models import FILE`."
        ) from error


def _label(text: str) -> str:
    """A value BentoML accepts as a label."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text)[:63].strip("-_.") or "x"
