"""`engine/artifact/`: what an artifact of any kind is, and how a kind is told from another."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from engine.artifact.folder import list_files, staging
from engine.artifact.manifest import Manifest, kind_of
from engine.artifact.opened import Opened
from engine.artifact.pack import pack
from engine.base.errors import (
    ArtifactError,
    ArtifactNotFound,
    DigestMismatch,
    FileMissing,
    FileUnexpected,
    FormatTooNew,
    ManifestInvalid,
)
from engine.base.places import MANIFEST, STARTER
from engine.covers.artifact import Artifact
from engine.covers.manifest import INDEX, read_manifest


def test_the_manifest_of_covers_is_written_as_it_always_was(tiny_artifact: Path) -> None:
    for folder in (tiny_artifact, STARTER):
        assert read_manifest(folder).to_json() == (folder / MANIFEST).read_text()


def test_the_fields_of_a_manifest_keep_their_order(tiny_artifact: Path) -> None:
    manifest = read_manifest(tiny_artifact)
    told = ["format", "format_version", "id", "encoder", "index", "catalogue", "inputs", "files"]
    assert list(json.loads(manifest.to_json())) == told
    entry = manifest.files[INDEX]
    copy = manifest.model_copy(update={"left_out": {INDEX: entry}})
    assert list(json.loads(copy.to_json())) == [*told, "left_out"]


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({}, "cover"),
        ({"format": "shazam-visual-artifact"}, "cover"),
        ({"format": "shazam-visual-artifact", "kind": "cover"}, "cover"),
        ({"format": "shazam-sound-artifact"}, "sound"),
        ({"format": "shazam-sound-artifact", "kind": "sound"}, "sound"),
        ({"kind": "smell"}, "smell"),
        ({"kind": 5, "format": ["x"]}, "cover"),
    ],
)
def test_a_folder_says_of_what_kind_it_is(told: dict[str, Any], kind: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps({"format_version": 1, **told}))
    assert kind_of(tmp_path) == kind


def test_a_folder_without_a_manifest_is_of_no_kind(tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFound):
        kind_of(tmp_path)
    (tmp_path / MANIFEST).write_text("[]")
    with pytest.raises(ManifestInvalid):
        kind_of(tmp_path)


def test_a_cover_manifest_may_name_its_kind(tiny_artifact: Path, tmp_path: Path) -> None:
    told = json.loads((tiny_artifact / MANIFEST).read_text())
    text = json.dumps({"format": told.pop("format"), "kind": "cover", **told}, indent=2) + "\n"
    folder = Path(shutil.copytree(tiny_artifact, tmp_path / "named"))
    (folder / MANIFEST).write_text(text)
    assert Artifact.open(folder).id == told["id"]
    assert json.loads(read_manifest(folder).to_json())["kind"] == "cover"


def test_an_artifact_of_another_kind_is_named(tiny_artifact: Path, tmp_path: Path) -> None:
    told = json.loads((tiny_artifact / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps({**told, "format": "shazam-sound-artifact"}))
    with pytest.raises(ManifestInvalid, match="of kind 'sound'; one of kind 'cover' is needed"):
        Artifact.open(tmp_path)


class PlainManifest(Manifest):
    """The least that a kind must say."""

    KIND: ClassVar[str] = "plain"
    NAME: ClassVar[str] = "shazam-plain"
    VERSION: ClassVar[int] = 1
    format: Literal["shazam-plain-artifact"] = "shazam-plain-artifact"
    kind: Literal["plain"]
    words: str

    def required(self) -> frozenset[str]:
        return frozenset({"words.txt"}) - self.left_out.keys()

    def unneeded(self, *, without_index: bool = False) -> frozenset[str]:
        return frozenset({"words.txt"})

    def expected_id(self) -> str:
        return hashlib.sha256(self.words.encode()).hexdigest()[:16]

    def check_left_out(self) -> None:
        if not self.left_out.keys() <= {"words.txt"}:
            raise ManifestInvalid("Only words.txt may be left out.")


def plain(folder: Path, words: str = "hello") -> Path:
    """An artifact of a kind that nobody but this test knows."""
    with staging(folder) as staged:
        (staged / "words.txt").write_text(words)
        (staged / "card.md").write_text("a card")
        PlainManifest(
            kind="plain",
            format_version=1,
            id=hashlib.sha256(words.encode()).hexdigest()[:16],
            words=words,
            files=list_files(staged),
        ).write(staged)
    return folder


def test_any_kind_is_written_opened_and_named(tmp_path: Path) -> None:
    folder = plain(tmp_path / "plain")
    assert kind_of(folder) == "plain"
    told = json.loads((folder / MANIFEST).read_text())
    assert list(told) == ["format", "kind", "format_version", "id", "words", "files"]
    opened = Opened.read(folder, PlainManifest)
    assert (opened.id, opened.unverified) == (told["id"], ())
    assert opened.manifest.files.keys() == {"words.txt", "card.md"}


def test_any_kind_is_packed_and_left_out_of(tmp_path: Path) -> None:
    opened = Opened.read(plain(tmp_path / "plain"), PlainManifest)
    assert pack(opened, tmp_path / "plain.tar") is not None
    with tarfile.open(tmp_path / "plain.tar") as tar:
        assert f"shazam-plain-{opened.id}/words.txt" in tar.getnames()
    pack(opened, tmp_path / "copy", serving=True)
    copy = Opened.read(tmp_path / "copy", PlainManifest)
    assert copy.manifest.serving_copy
    assert copy.manifest.files.keys() == {"card.md"}


@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [
        (lambda folder: (folder / "words.txt").write_text("HELLO"), DigestMismatch),
        (lambda folder: (folder / "words.txt").write_text("hello and"), DigestMismatch),
        (lambda folder: (folder / "words.txt").unlink(), FileMissing),
        (lambda folder: (folder / "more.txt").touch(), FileUnexpected),
        (lambda folder: (folder / "link").symlink_to("card.md"), FileUnexpected),
        (lambda folder: os.mkfifo(folder / "pipe"), FileUnexpected),
        (lambda folder: edit(folder, words="bye"), ManifestInvalid),
        (lambda folder: edit(folder, format_version=2), FormatTooNew),
        (lambda folder: edit(folder, unknown=1), ManifestInvalid),
    ],
)
def test_what_is_refused_of_any_kind(
    spoil: Callable[[Path], object], refusal: type[ArtifactError], tmp_path: Path
) -> None:
    folder = plain(tmp_path / "plain")
    spoil(folder)
    with pytest.raises(refusal):
        Opened.read(folder, PlainManifest)


def edit(folder: Path, **fields: Any) -> None:
    told = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**told, **fields}))


def test_a_digest_may_be_checked_later_and_is_then_no_longer_owed(tmp_path: Path) -> None:
    folder = plain(tmp_path / "plain")
    (folder / "words.txt").write_text("HELLO")
    opened = Opened.read(folder, PlainManifest, lambda _: ("words.txt", "card.md", "absent"))
    assert opened.unverified == ("card.md", "words.txt")
    opened.verify("card.md")
    assert opened.unverified == ("words.txt",)
    with pytest.raises(DigestMismatch):
        opened.verify_rest()
    assert opened.unverified == ("words.txt",)
    (folder / "words.txt").write_text("hello")
    opened.verify_rest()
    assert opened.unverified == ()


def test_the_format_knows_no_kind_and_is_light() -> None:
    code = (
        "import sys\n"
        "from engine.artifact import folder, manifest, opened, pack, remote, store\n"
        "heavy = {'numpy', 'faiss', 'PIL', 'bentoml', 'fsspec'}\n"
        "print(*heavy & set(sys.modules), *(n for n in sys.modules if '.covers' in n))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""
