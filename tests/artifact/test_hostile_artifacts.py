"""Every MUST of artifacts/README.md, broken: each is refused by its name, before harm is done."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from encoders import write_clip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.base.errors import (
    ArtifactError,
    ArtifactNotFound,
    CountMismatch,
    DigestMismatch,
    EncoderMismatch,
    FileMissing,
    FileUnexpected,
    FormatTooNew,
    GoldenQueryFailed,
    ManifestInvalid,
)
from engine.base.files import file_sha256
from engine.covers.artifact import Artifact
from engine.covers.encoder.folder import digest_of_folder
from engine.covers.manifest import Inputs, artifact_id
from engine.covers.search import CoverSearch

FILES = (
    "index.faiss",
    "catalogue.sqlite",
    "thumbnails.sqlite",
    "golden.npz",
    "encoder/config.json",
    "encoder/model.safetensors",
    "encoder/tokenizer.json",
    "encoder/preprocessor_config.json",
)


@pytest.fixture
def folder(tiny_artifact: Path, tmp_path: Path) -> Path:
    """A good artifact to spoil."""
    return Path(shutil.copytree(tiny_artifact, tmp_path / "artifact"))


@pytest.fixture
def no_faiss(monkeypatch: pytest.MonkeyPatch) -> None:
    """FAISS trusts what it reads: what is refused must be refused before it reads."""

    def read_index(*_: object) -> None:
        raise AssertionError("FAISS opened a file that was not verified")

    monkeypatch.setattr(faiss, "read_index", read_index)


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def sign(folder: Path, *names: str) -> None:
    """What a careful forger does: digests, sizes and the id are made to fit the files again."""

    def change(manifest: dict[str, Any]) -> None:
        for name in names:
            path = folder / name
            manifest["files"][name] = {"sha256": file_sha256(path), "size": path.stat().st_size}
        with contextlib.suppress(Exception):
            digest = digest_of_folder(folder / "encoder")
            manifest["encoder"]["digest"] = manifest["index"]["encoder_digest"] = digest
        manifest["id"] = artifact_id(
            manifest["encoder"]["digest"],
            manifest["index"]["kind"],
            manifest["encoder"]["precision"],
            Inputs(**manifest["inputs"]),
        )

    edit(folder, change)


def refused(folder: Path, error: type[ArtifactError], words: str = ".") -> None:
    with pytest.raises(error, match=words) as refusal:
        CoverSearch.open(folder, runtime="torch-cpu")
    assert refusal.value.code == error.code
    assert refusal.value.message.endswith((".", "`"))


def test_the_untouched_copy_opens(folder: Path) -> None:
    CoverSearch.open(folder, runtime="torch-cpu")


def test_signing_alone_changes_nothing(folder: Path) -> None:
    sign(folder, *FILES)
    CoverSearch.open(folder, runtime="torch-cpu")


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("no_faiss")
def test_a_missing_file_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    refused(folder, FileMissing, name.replace(".", r"\."))


@pytest.mark.parametrize("name", [name for name in FILES if name != "thumbnails.sqlite"])
@pytest.mark.usefixtures("no_faiss")
def test_a_required_file_that_is_also_unlisted_is_still_missed(name: str, folder: Path) -> None:
    (folder / name).unlink()
    edit(folder, lambda manifest: manifest["files"].pop(name))
    refused(folder, FileMissing)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("no_faiss")
def test_a_file_without_an_entry_is_named(name: str, folder: Path) -> None:
    edit(folder, lambda manifest: manifest["files"].pop(name))
    refused(folder, FileUnexpected, name.replace(".", r"\."))


@pytest.mark.parametrize(
    "name", ["extra", ".DS_Store", "encoder/model.py", "a/b/c", "index.faiss~"]
)
@pytest.mark.usefixtures("no_faiss")
def test_an_extra_file_is_named(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("x")
    refused(folder, FileUnexpected, name.split("/")[-1])


@pytest.mark.parametrize("name", ["index.faiss", "encoder/config.json"])
@pytest.mark.usefixtures("no_faiss")
def test_a_symbolic_link_is_refused_even_to_the_same_bytes(
    name: str, folder: Path, tmp_path: Path
) -> None:
    shutil.move(folder / name, tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    refused(folder, FileUnexpected, "symbolic link")


@pytest.mark.usefixtures("no_faiss")
def test_a_linked_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "encoder", tmp_path / "elsewhere")
    (folder / "encoder").symlink_to(tmp_path / "elsewhere")
    refused(folder, FileUnexpected, "symbolic link")


@pytest.mark.timeout(20)
@pytest.mark.usefixtures("no_faiss")
def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    (folder / "index.faiss").unlink()
    os.mkfifo(folder / "index.faiss")
    refused(folder, FileUnexpected, "pipe")


@pytest.mark.usefixtures("no_faiss")
def test_a_folder_in_a_files_place_is_a_missing_file(folder: Path) -> None:
    (folder / "index.faiss").unlink()
    (folder / "index.faiss").mkdir()
    refused(folder, FileMissing, r"index\.faiss")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("no_faiss")
def test_one_flipped_bit_is_caught_before_faiss_reads(name: str, folder: Path) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    refused(folder, DigestMismatch, f"{name} does not have the sha256")


@pytest.mark.usefixtures("no_faiss")
def test_a_damaged_index_is_named_before_an_encoder_that_cannot_be_loaded(folder: Path) -> None:
    """The encoder loads while the index is hashed; what is told first does not depend on it."""
    (folder / "encoder" / "model.safetensors").write_bytes(b"no weights")
    sign(folder, "encoder/model.safetensors")
    data = bytearray((folder / "index.faiss").read_bytes())
    data[-1] ^= 1
    (folder / "index.faiss").write_bytes(data)
    refused(folder, DigestMismatch, r"index\.faiss does not have the sha256")
    with pytest.raises(DigestMismatch, match=r"index\.faiss"):
        Artifact.open(folder)
    later = Artifact.open(folder, index_later=True)
    for _ in range(2):
        with pytest.raises(DigestMismatch, match=r"index\.faiss"):
            later.open_index()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("no_faiss")
def test_a_cut_file_is_caught_by_its_size(name: str, folder: Path) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1])
    refused(folder, DigestMismatch, f"{name} has ")
    (folder / name).write_bytes(b"")
    refused(folder, DigestMismatch, f"{name} has 0 bytes")


# --- manifest -----------------------------------------------------------------------------------


def test_a_folder_without_a_manifest_is_no_artifact(tmp_path: Path) -> None:
    refused(tmp_path, ArtifactNotFound, r"holds no manifest\.json")
    refused(tmp_path / "nowhere", ArtifactNotFound, "nowhere is not an artifact: nothing is there")
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file", ArtifactNotFound, "it is not a folder")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"3",
        b'"text"',
        b"{}",
        b"\xff\xfe\x00",
        b"\x80not utf-8",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"format_version": 1}',
        b'{"format_version": NaN}',
        b'{"format_version": null}',
        b'{"format_version": ' + b"9" * 5_000 + b"}",
        b'{"format_version": 1e999}',
        b"\x00" * 100,
        '{"format_version": 1, "\ud800": 1}'.encode("utf-8", "surrogatepass"),
        b'{"format_version": 1, "id": "\\ud800"}',
    ],
    ids=lambda data: repr(data[:24]),
)
@pytest.mark.usefixtures("no_faiss")
def test_bytes_that_are_no_manifest_are_refused(data: bytes, folder: Path) -> None:
    (folder / "manifest.json").write_bytes(data)
    with pytest.raises((ManifestInvalid, FormatTooNew)) as refusal:
        Artifact.open(folder)
    assert len(refusal.value.message) < 1_000
    refusal.value.message.encode()  # can be printed


@pytest.mark.usefixtures("no_faiss")
def test_a_newer_format_is_refused_by_name_whatever_else_it_says(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"format_version": 2, "all": "is different"}')
    refused(folder, FormatTooNew, "format 2; this version reads up to 1")


@pytest.mark.parametrize("version", [0, -1, "1", 1.5, True, None, [1]])
@pytest.mark.usefixtures("no_faiss")
def test_a_version_that_never_was_is_refused(version: Any, folder: Path) -> None:
    edit(folder, lambda manifest: manifest.update(format_version=version))
    refused(folder, ManifestInvalid)


_Change = Callable[[dict[str, Any]], object]
_EDITS: dict[str, _Change] = {
    "another format": lambda m: m.update(format="zip"),
    "an unknown field": lambda m: m.update(run="rm -rf"),
    "no encoder": lambda m: m.pop("encoder"),
    "an id of another length": lambda m: m.update(id="abc"),
    "an id that is a path": lambda m: m.update(id="../../etc/passwd"),
    "an id of other inputs": lambda m: m.update(id="0" * 16),
    "files as a list": lambda m: m.update(files=[]),
    "a size below zero": lambda m: m["files"]["index.faiss"].update(size=-1),
    "a size in words": lambda m: m["files"]["index.faiss"].update(size="12"),
    "a size with a fraction": lambda m: m["files"]["index.faiss"].update(size=1.5),
    "a digest in capitals": lambda m: m["files"]["index.faiss"].update(sha256="A" * 64),
    "a digest of another length": lambda m: m["files"]["index.faiss"].update(sha256="ab"),
    "a digest with a line break": lambda m: m["files"]["index.faiss"].update(
        sha256="a" * 64 + "\n"
    ),
    "rows below zero": lambda m: m["index"].update(rows=-1),
    "rows in words": lambda m: m["index"].update(rows="30"),
    "no dimensions": lambda m: m["index"].update(dimension=0),
    "another metric": lambda m: m["index"].update(metric="l2"),
    "an unknown precision": lambda m: m["encoder"].update(precision="int1"),
    "a picture of no size": lambda m: m["encoder"]["preprocessing"].update(size=0),
    "a picture of any size": lambda m: m["encoder"]["preprocessing"].update(size=10**9),
    "two colours": lambda m: m["encoder"]["preprocessing"].update(mean=[0.5, 0.5]),
    "albums that are null": lambda m: m["catalogue"].update(albums=None),
}


@pytest.mark.parametrize("what", _EDITS)
@pytest.mark.usefixtures("no_faiss")
def test_a_field_that_breaks_the_rules_is_refused(what: str, folder: Path) -> None:
    edit(folder, _EDITS[what])
    refused(folder, ManifestInvalid, r"manifest\.json")


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "a/../../outside",
        "/etc/passwd",
        "encoder/../index.faiss",
        "./index.faiss",
        "encoder//config.json",
        "encoder/",
        "",
        ".",
        "..",
        "manifest.json",
    ],
)
@pytest.mark.usefixtures("no_faiss")
def test_a_name_that_leaves_the_folder_is_refused(name: str, folder: Path) -> None:
    (folder.parent / "outside").write_text("x")
    entry = {"sha256": file_sha256(folder.parent / "outside"), "size": 1}
    edit(folder, lambda manifest: manifest["files"].update({name: entry}))
    refused(folder, ManifestInvalid, "is not a file of this folder")


@pytest.mark.parametrize(
    "name", ["nul\x00byte", "x" * 5_000, "new\nline", "C:\\windows", "a\\..\\b"]
)
@pytest.mark.usefixtures("no_faiss")
def test_a_name_no_file_has_is_a_missing_file(name: str, folder: Path) -> None:
    entry = {"sha256": "0" * 64, "size": 1}
    edit(folder, lambda manifest: manifest["files"].update({name: entry}))
    refused(folder, FileMissing, "is missing")


@pytest.mark.usefixtures("no_faiss")
def test_an_invented_size_asks_for_no_memory(folder: Path) -> None:
    edit(folder, lambda manifest: manifest["files"]["index.faiss"].update(size=10**18))
    start = time.perf_counter()
    refused(folder, DigestMismatch, "the manifest says 1,000,000,000,000,000,000")
    assert time.perf_counter() - start < 20


_GOOD: dict[Path, bytes] = {}


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_whatever_the_manifest_says_only_artifact_errors_escape(
    folder: Path, no_faiss: None, data: st.DataObject
) -> None:
    good = _GOOD.setdefault(folder, (folder / "manifest.json").read_bytes())
    if data.draw(st.booleans()):
        damaged = bytearray(good)
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(damaged) - 1))
            damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        written = bytes(damaged)
    else:
        manifest = json.loads(good)
        node: Any = manifest
        while isinstance(node, dict) and node:
            key = data.draw(st.sampled_from(sorted(node)))
            if not isinstance(node[key], dict) or data.draw(st.integers(0, 2)) == 0:
                node[key] = data.draw(_JSON)
                break
            node = node[key]
        written = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(written)
    try:
        found = Artifact.open(folder).manifest
    except ArtifactError as refusal:
        refusal.message.encode()
    else:
        # Only what says the same (spaces, an unread name) may pass.
        assert found.files == read_manifest_bytes(good).files


def read_manifest_bytes(data: bytes) -> Any:
    from engine.covers.manifest import CoverManifest

    return CoverManifest.model_validate_json(data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


# --- parts that do not belong together ----------------------------------------------------------


@pytest.mark.usefixtures("no_faiss")
def test_an_index_of_another_encoder_is_refused(folder: Path) -> None:
    edit(folder, lambda manifest: manifest["index"].update(encoder_digest="0" * 64))
    refused(folder, EncoderMismatch, "built by another encoder")


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "preprocessor_config.json"]
)
@pytest.mark.usefixtures("no_faiss")
def test_an_exchanged_part_of_the_encoder_is_refused(
    name: str, folder: Path, tmp_path: Path
) -> None:
    other = write_clip(tmp_path / "other", seed=7)
    if name == "tokenizer.json":
        tokenizer = json.loads((other / name).read_text())
        tokenizer["model"]["merges"] = tokenizer["model"]["merges"][:-1]
        (other / name).write_text(json.dumps(tokenizer))
    if name == "preprocessor_config.json":
        config = json.loads((other / name).read_text())
        config["image_mean"] = [0.5, 0.5, 0.5]
        (other / name).write_text(json.dumps(config))
    shutil.copyfile(other / name, folder / "encoder" / name)
    path = folder / "encoder" / name
    edit(
        folder,
        lambda manifest: manifest["files"].update(
            {f"encoder/{name}": {"sha256": file_sha256(path), "size": path.stat().st_size}}
        ),
    )
    refused(folder, EncoderMismatch, "were exchanged")


@pytest.mark.usefixtures("no_faiss")
def test_preprocessing_of_the_manifest_alone_cannot_be_changed(folder: Path) -> None:
    edit(folder, lambda m: m["encoder"]["preprocessing"].update(mean=[0.5, 0.5, 0.5]))
    refused(folder, EncoderMismatch, "were exchanged")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"[" * 100_000, b"\xff", b'{"size": 1e999}'])
@pytest.mark.usefixtures("no_faiss")
def test_preprocessing_that_cannot_be_read_is_refused(data: bytes, folder: Path) -> None:
    (folder / "encoder/preprocessor_config.json").write_bytes(data)
    sign(folder, "encoder/preprocessor_config.json")
    refused(folder, EncoderMismatch, r"preprocessor_config\.json")


def test_a_forgers_encoder_fails_the_golden_queries(folder: Path, tmp_path: Path) -> None:
    other = write_clip(tmp_path / "other", seed=7)
    shutil.copyfile(other / "model.safetensors", folder / "encoder/model.safetensors")
    sign(folder, "encoder/model.safetensors")
    refused(folder, GoldenQueryFailed, "not the encoder the index was built with")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("encoder/config.json", b"{}"),
        ("encoder/config.json", b"not json"),
        ("encoder/config.json", b'{"model_type": "clip", "projection_dim": 7}'),
        ("encoder/model.safetensors", b"\xff" * 8 + b"{}"),
        ("encoder/model.safetensors", b""),
        ("encoder/tokenizer.json", b"{}"),
        ("encoder/tokenizer.json", b"garbage"),
    ],
)
def test_a_forged_encoder_that_cannot_be_loaded_is_refused(
    name: str, data: bytes, folder: Path
) -> None:
    (folder / name).write_bytes(data)
    sign(folder, name)
    with pytest.raises((EncoderMismatch, GoldenQueryFailed)):
        CoverSearch.open(folder, runtime="torch-cpu")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 zip", b"\x93NUMPY\x01\x00v\x00{", b"junk" * 50])
def test_forged_golden_queries_are_refused(data: bytes, folder: Path) -> None:
    (folder / "golden.npz").write_bytes(data)
    sign(folder, "golden.npz")
    refused(folder, GoldenQueryFailed, r"golden\.npz cannot be read")


def test_golden_queries_that_hold_a_pickle_are_refused(folder: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {folder / 'ran'}",)

    arrays = {
        name: np.zeros(1) for name in ("text_vectors", "pixels", "image_vectors", "album_ids")
    }
    np.savez(folder / "golden.npz", texts=np.array([Evil()], dtype=object), **arrays)
    sign(folder, "golden.npz")
    refused(folder, GoldenQueryFailed)
    assert not (folder / "ran").exists()


def rebuilt_index(folder: Path, change: Callable[[np.ndarray, np.ndarray], Any]) -> None:
    old = faiss.read_index(str(folder / "index.faiss"))
    ids = faiss.vector_to_array(old.id_map)
    rows = old.index.reconstruct_n(0, old.ntotal)
    rows, ids = change(rows, ids)
    new = faiss.IndexIDMap2(faiss.IndexFlatIP(rows.shape[1]))
    new.add_with_ids(np.ascontiguousarray(rows), ids)
    faiss.write_index(new, str(folder / "index.faiss"))
    sign(folder, "index.faiss")


def test_fewer_rows_than_the_manifest_says(folder: Path) -> None:
    rebuilt_index(folder, lambda rows, ids: (rows[:-1], ids[:-1]))
    refused(folder, CountMismatch, "holds 29 rows")


def test_fewer_dimensions_than_the_manifest_says(folder: Path) -> None:
    rebuilt_index(folder, lambda rows, ids: (rows[:, :16], ids))
    refused(folder, CountMismatch, "30 rows of 16 dimensions")


def test_rows_and_albums_of_the_manifest_that_differ(folder: Path, no_faiss: None) -> None:
    edit(folder, lambda manifest: manifest["index"].update(rows=29))
    refused(folder, CountMismatch, "29 rows, the catalogue 30 albums")


def test_a_catalogue_of_another_count(folder: Path) -> None:
    rebuilt_index(folder, lambda rows, ids: (rows[:-1], ids[:-1]))
    edit(folder, lambda m: (m["index"].update(rows=29), m["catalogue"].update(albums=29)))
    refused(folder, CountMismatch, "holds 30 albums")


def test_ids_that_differ(folder: Path) -> None:
    rebuilt_index(folder, lambda rows, ids: (rows, np.where(ids == 3, 999, ids)))
    refused(folder, CountMismatch, "album 3 is in one of them alone")


def test_an_exchanged_order_of_rows_fails_the_golden_queries(folder: Path) -> None:
    rebuilt_index(folder, lambda rows, ids: (rows, np.roll(ids, 15)))
    refused(folder, GoldenQueryFailed, "index and encoder do not belong together")


def test_dimensions_of_encoder_and_index_that_differ(folder: Path, no_faiss: None) -> None:
    edit(folder, lambda manifest: manifest["encoder"].update(dimension=64))
    refused(folder, EncoderMismatch, "32 dimensions, the encoder 64")


@pytest.mark.parametrize("counted", [0, 30])
def test_thumbnails_counted_and_listed_differently(
    counted: int, folder: Path, no_faiss: None
) -> None:
    edit(folder, lambda manifest: manifest["catalogue"].update(thumbnails=counted))
    if counted:
        (folder / "thumbnails.sqlite").unlink()
        edit(folder, lambda manifest: manifest["files"].pop("thumbnails.sqlite"))
    refused(folder, CountMismatch, "thumbnails")


@pytest.mark.parametrize("name", ["catalogue.sqlite", "thumbnails.sqlite"])
@pytest.mark.parametrize("data", [b"", b"SQLite format 3\x00" + b"\xff" * 500, b"junk" * 900])
def test_a_forged_database_is_refused(name: str, data: bytes, folder: Path) -> None:
    (folder / name).write_bytes(data)
    sign(folder, name)
    refused(folder, ArtifactError, "is not a catalogue")


@pytest.mark.parametrize(
    "data", [b"", b"junk" * 100, b"IxMp" + b"\xff" * 400, b"IwFl" + b"\xff" * 99]
)
def test_a_forged_index_is_refused(data: bytes, folder: Path) -> None:
    (folder / "index.faiss").write_bytes(data)
    sign(folder, "index.faiss")
    refused(folder, ArtifactError, "is not a FAISS index")


# --- serving copies -----------------------------------------------------------------------------

WEIGHTS = "encoder/model.safetensors"


@pytest.fixture
def copy(folder: Path) -> Path:
    """`folder` without the weights, as a serving copy is."""
    (folder / WEIGHTS).unlink()
    edit(folder, lambda m: m.update(left_out={WEIGHTS: m["files"].pop(WEIGHTS)}))
    return folder


def test_a_serving_copy_answers_and_is_the_same_artifact(copy: Path, tiny_artifact: Path) -> None:
    search = CoverSearch.open(copy, runtime="openvino-cpu")
    assert search.artifact.id == Artifact.open(tiny_artifact).id
    assert len(search.by_text("jazz")) == 5


@pytest.mark.parametrize("name", ["vision.xml", "vision.bin", "text.xml", "text.bin"])
@pytest.mark.usefixtures("no_faiss")
def test_a_serving_copy_needs_its_exported_towers(name: str, copy: Path) -> None:
    (copy / "encoder" / "openvino" / name).unlink()
    edit(copy, lambda m: m["files"].pop(f"encoder/openvino/{name}"))
    refused(copy, FileMissing, name.replace(".", r"\."))


def test_a_text_tower_needs_its_table(copy: Path) -> None:
    (copy / "encoder" / "openvino" / "tokens.npy").unlink()
    edit(copy, lambda m: m["files"].pop("encoder/openvino/tokens.npy"))
    with pytest.raises(EncoderMismatch, match=r"tokens\.npy"):
        CoverSearch.open(copy, runtime="openvino-cpu")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["encoder"].pop("runtimes"),
        lambda m: m["left_out"].update({"index.faiss": m["files"]["index.faiss"]}),
        lambda m: m.update(left_out={"golden.npz": m["files"].pop("golden.npz")}),
        lambda m: m["files"].update(m["left_out"]),
        lambda m: m.update(left_out=[WEIGHTS]),
    ],
    ids=["no runtime", "more", "another", "listed too", "a list"],
)
@pytest.mark.usefixtures("no_faiss")
def test_a_serving_copy_leaves_out_the_weights_alone(change: _Change, copy: Path) -> None:
    edit(copy, change)
    refused(copy, ManifestInvalid, r"manifest\.json")


@pytest.mark.usefixtures("no_faiss")
def test_weights_that_are_left_out_must_not_be_there(copy: Path) -> None:
    (copy / WEIGHTS).write_bytes(b"other weights")
    refused(copy, FileUnexpected, r"model\.safetensors")


@pytest.mark.usefixtures("no_faiss")
def test_weights_left_out_of_another_encoder_are_refused(copy: Path) -> None:
    edit(copy, lambda m: m["left_out"][WEIGHTS].update(sha256="0" * 64))
    refused(copy, EncoderMismatch, "were exchanged")
