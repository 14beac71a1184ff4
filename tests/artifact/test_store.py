"""`artifact/store.py`: where an artifact is: a folder, or a tag of the BentoML model store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bentoml
import pytest
from conftest import PROJECT

from engine.artifact.store import check_exists, find_artifact, publish, published_folder
from engine.base.errors import ArtifactNotFound, DigestMismatch, SettingsError
from engine.covers.artifact import Artifact
from engine.covers.making.revise import remove
from engine.covers.search import CoverSearch


@pytest.fixture(autouse=True)
def _empty_store() -> None:
    for model in bentoml.models.list():
        bentoml.models.delete(model.tag)


def test_a_folder_is_found(tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_artifact(str(tiny_artifact)) == tiny_artifact.resolve()
    monkeypatch.chdir(tiny_artifact.parent)
    assert find_artifact("tiny") == tiny_artifact.resolve()
    assert find_artifact("./tiny/") == tiny_artifact.resolve()


def test_a_relative_folder_is_looked_for_beside_the_code_too(
    tiny_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.artifact.store.PROJECT", tiny_artifact.parent)
    monkeypatch.chdir(tmp_path)
    assert find_artifact("tiny") == tiny_artifact.resolve()


@pytest.mark.parametrize("where", ["nowhere", "/", "tests", "", "a b:c", "x:y/z", "nul\0"])
def test_what_is_no_artifact_is_named(where: str) -> None:
    with pytest.raises(ArtifactNotFound):
        find_artifact(where)


def test_a_setting_that_names_nothing_stops_with_one_line(tiny_artifact: Path) -> None:
    check_exists(str(tiny_artifact))
    for where in ("nowhere", "shazam-visual:never"):
        with pytest.raises(SettingsError) as refusal:
            check_exists(where)
        assert refusal.value.message.startswith(f"SHAZAM_ARTIFACT={where!r}: ")
        assert "\n" not in refusal.value.message


def test_an_artifact_of_another_kind_stops_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format_version": 1, "kind": "sound"}')
    with pytest.raises(SettingsError) as refusal:
        check_exists(str(tmp_path))
    assert refusal.value.message == (
        f"SHAZAM_ARTIFACT={str(tmp_path)!r} is an artifact of kind 'sound'; one of kind 'cover' is "
        "needed. Example: SHAZAM_ARTIFACT=artifacts/starter"
    )
    sound = {"kind": "sound", "setting": "SHAZAM_SOUND_ARTIFACT", "example": "artifacts/sounds"}
    check_exists(str(tmp_path), **sound)
    with pytest.raises(
        SettingsError, match=r"^SHAZAM_SOUND_ARTIFACT='nowhere': .*artifacts/sounds$"
    ):
        check_exists("nowhere", **sound)
    with pytest.raises(
        SettingsError, match=r"^SHAZAM_SOUND_ARTIFACT='ftp://x/y' .* Example: SHAZAM_S"
    ):
        check_exists("ftp://x/y", **sound)


def test_a_damaged_artifact_does_not_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    check_exists(str(tmp_path))


def test_a_published_artifact_is_served_by_its_tag(tiny_artifact: Path) -> None:
    tag = publish(Artifact.open(tiny_artifact))
    artifact = Artifact.open(tiny_artifact)
    assert tag == f"shazam-visual:{artifact.id}"
    for name in (tag, "shazam-visual:latest"):
        assert CoverSearch.open(find_artifact(name), runtime="torch-cpu").artifact.id == artifact.id
    info = bentoml.models.get(tag).info
    assert info.metadata["artifact_id"] == artifact.id
    assert info.labels["albums"] == "30"


def test_the_published_copy_is_a_copy(tiny_artifact: Path, tmp_path: Path) -> None:
    here = Path(shutil.copytree(tiny_artifact, tmp_path / "here"))
    tag = publish(Artifact.open(here))
    shutil.rmtree(here)
    Artifact.open(find_artifact(tag))


def test_latest_is_what_was_published_last(tiny_artifact: Path, tmp_path: Path) -> None:
    other = remove(tiny_artifact, [1], tmp_path / "other").path
    ids = {path: Artifact.open(path).id for path in (tiny_artifact, other)}
    for path in (tiny_artifact, other, tiny_artifact):  # the first once more: latest moves back
        publish(Artifact.open(path))
        assert Artifact.open(find_artifact("shazam-visual:latest")).id == ids[path]
    assert len(bentoml.models.list("shazam-visual")) == 2


def test_a_damaged_artifact_is_not_published(tiny_artifact: Path, tmp_path: Path) -> None:
    here = Path(shutil.copytree(tiny_artifact, tmp_path / "here"))
    data = bytearray((here / "index.faiss").read_bytes())
    data[50] ^= 1
    (here / "index.faiss").write_bytes(data)
    with pytest.raises(DigestMismatch):
        publish(Artifact.open(here))
    assert bentoml.models.list() == []


def test_a_tag_is_found_in_the_bento_of_an_image_by_whoever_runs_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = tmp_path / "models" / "shazam-sound" / "0a1b" / "artifact"
    carried.mkdir(parents=True)
    monkeypatch.setenv("BENTO_PATH", str(tmp_path))
    with pytest.raises(ArtifactNotFound):
        find_artifact("shazam-sound:0a1b")
    (carried / "manifest.json").touch()
    assert find_artifact("shazam-sound:0a1b") == carried


def test_a_tag_that_is_not_there_names_the_way_out() -> None:
    with pytest.raises(ArtifactNotFound, match="python -m engine publish"):
        published_folder("shazam-visual:latest")
    with pytest.raises(ArtifactNotFound, match="bentoml models import"):
        find_artifact("shazam-visual:0123456789abcdef")


def test_another_kind_of_model_is_no_artifact() -> None:
    with bentoml.models.create("something-else:v1"):
        pass
    with pytest.raises(ArtifactNotFound):
        CoverSearch.open(find_artifact("something-else:v1"))


def test_export_and_import_of_the_store_carry_it(tiny_artifact: Path, tmp_path: Path) -> None:
    tag = publish(Artifact.open(tiny_artifact))
    packed = bentoml.models.export_model(tag, str(tmp_path / "packed.bentomodel"))
    bentoml.models.delete(tag)
    with pytest.raises(ArtifactNotFound):
        find_artifact(tag)
    bentoml.models.import_model(packed)
    found = find_artifact(tag)
    assert (
        CoverSearch.open(found, runtime="torch-cpu").artifact.id == Artifact.open(tiny_artifact).id
    )


def test_the_tests_have_a_store_of_their_own() -> None:
    assert Path.home() / "bentoml" != Path(os.environ["BENTOML_HOME"])


def test_numpy_is_whole_before_bentoml_reads_an_entry() -> None:
    """BentoML looks into `sys.modules["numpy"]`, where another thread may have half of it."""
    script = (
        "import sys, bentoml\n"
        "from engine.artifact.store import published_folder\n"
        "from engine.base.errors import ArtifactNotFound\n"
        "def get(tag):\n"
        "    print(hasattr(sys.modules.get('numpy'), 'ndarray'))\n"
        "    raise bentoml.exceptions.NotFound(tag)\n"
        "bentoml.models.get = get\n"
        "assert 'numpy' not in sys.modules\n"
        "try:\n    published_folder('shazam-sound:0')\n"
        "except ArtifactNotFound:\n    pass\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["True"]
