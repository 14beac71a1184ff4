"""`engine/covers/artifact.py`: what a good artifact is, and how one comes to be."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PROJECT
from encoders import ColourEncoder
from pydantic import BaseModel

import engine.artifact.folder
import engine.artifact.manifest
import engine.artifact.opened
import engine.covers.golden
import engine.covers.manifest
import engine.vectors.entry
from engine.artifact.folder import staging
from engine.base.errors import ArtifactError, BuildError, CountMismatch, GoldenQueryFailed
from engine.base.files import file_sha256
from engine.covers import artifact as folder_format
from engine.covers.artifact import Artifact
from engine.covers.catalogue import Album, write_catalogue
from engine.covers.encoder.folder import digest_of_encoder, digest_of_folder
from engine.covers.golden import FIRST, GoldenQueries
from engine.covers.image import Preprocessing
from engine.covers.manifest import CoverManifest, Inputs, artifact_id, read_manifest
from engine.covers.search import CoverSearch
from engine.vectors.making import build_index


def test_a_built_artifact_opens_and_says_what_it_is(tiny_artifact: Path) -> None:
    artifact = Artifact.open(tiny_artifact)
    manifest = artifact.manifest
    assert (manifest.format, manifest.format_version) == ("shazam-visual-artifact", 1)
    assert (manifest.catalogue.albums, manifest.catalogue.genres) == (30, 3)
    assert manifest.catalogue.thumbnails == 30
    assert (manifest.index.rows, manifest.index.dimension, manifest.index.kind) == (30, 32, "flat")
    assert manifest.encoder.name == "tiny-clip"
    assert artifact.preprocessing.size == 32
    assert len(artifact.open_index()) == len(artifact.open_catalogue()) == 30
    on_disk = {
        path.relative_to(tiny_artifact).as_posix()
        for path in tiny_artifact.rglob("*")
        if path.is_file()
    }
    assert on_disk == {*manifest.files, "manifest.json"}


def test_the_manifest_records_every_files_digest_and_size(tiny_artifact: Path) -> None:
    for name, entry in read_manifest(tiny_artifact).files.items():
        path = tiny_artifact / name
        assert (entry.sha256, entry.size) == (file_sha256(path), path.stat().st_size)


def test_a_copied_or_moved_artifact_opens(tiny_artifact: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_artifact, tmp_path / "copy with space")
    assert Artifact.open(tmp_path / "copy with space").id == Artifact.open(tiny_artifact).id


def test_an_artifact_opens_through_a_symbolic_link_to_its_folder(
    tiny_artifact: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tiny_artifact)
    assert Artifact.open(tmp_path / "link").path == tiny_artifact.resolve()


def test_files_are_readable_to_a_containers_own_user(tiny_artifact: Path) -> None:
    assert tiny_artifact.stat().st_mode & 0o755 == 0o755
    assert all(p.stat().st_mode & 0o044 == 0o044 for p in tiny_artifact.rglob("*") if p.is_file())


# --- identity -----------------------------------------------------------------------------------


def test_the_id_changes_with_every_input_and_only_then() -> None:
    base: dict[str, Any] = {
        "encoder_digest": "a" * 64,
        "kind": "flat",
        "precision": "auto",
        "inputs": Inputs(albums="b" * 64),
    }
    same = artifact_id(**base)
    assert same == artifact_id(**base)
    assert len(same) == 16
    others = [
        {"encoder_digest": "c" * 64},
        {"kind": "ivf"},
        {"precision": "fp32"},
        {"inputs": Inputs(albums="d" * 64)},
        {"inputs": Inputs(albums="b" * 64, vectors="e" * 64)},
    ]
    ids = {artifact_id(**{**base, **change}) for change in others}
    assert len(ids) == len(others)
    assert same not in ids


def test_an_encoders_digest_is_of_weights_tokenizer_and_preprocessing(
    tiny_clip: Path, tmp_path: Path
) -> None:
    plain = Preprocessing(32, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    digests = {
        digest_of_encoder("a" * 64, "b" * 64, plain),
        digest_of_encoder("c" * 64, "b" * 64, plain),
        digest_of_encoder("a" * 64, "c" * 64, plain),
        digest_of_encoder("a" * 64, "b" * 64, Preprocessing(64, plain.mean, plain.std)),
        digest_of_encoder("a" * 64, "b" * 64, Preprocessing(32, plain.std, plain.std)),
        digest_of_encoder("a" * 64, "b" * 64, Preprocessing(32, plain.mean, plain.mean)),
    }
    assert len(digests) == 6
    shutil.copytree(tiny_clip, tmp_path / "clip")
    config = json.loads((tmp_path / "clip" / "config.json").read_text())
    config["transformers_version"] = "99"
    (tmp_path / "clip" / "config.json").write_text(json.dumps(config))
    (tmp_path / "clip" / "openvino").mkdir()
    assert digest_of_folder(tmp_path / "clip") == digest_of_folder(tiny_clip)


# --- golden queries -----------------------------------------------------------------------------


def golden(encoder: ColourEncoder, **change: Any) -> GoldenQueries:
    pixels = np.zeros((3, 8, 8, 3), np.uint8)
    pixels[0, ..., 0] = pixels[1, ..., 1] = pixels[2, ..., 2] = 250
    texts = ("red", "blue")
    fields: dict[str, Any] = {
        "texts": texts,
        "text_vectors": encoder.embed_texts(list(texts)),
        "pixels": pixels,
        "image_vectors": encoder.embed_images(pixels),
        "album_ids": np.array([5, 6, 7]),
        **change,
    }
    return GoldenQueries(**fields)


@pytest.fixture
def colours() -> ColourEncoder:
    return ColourEncoder()


def test_golden_queries_pass_where_nothing_changed(colours: ColourEncoder, tmp_path: Path) -> None:
    queries = golden(colours)
    index = build_index(queries.image_vectors, queries.album_ids)
    queries.check(colours, index)
    queries.write(tmp_path / "golden.npz")
    again = GoldenQueries.read(tmp_path / "golden.npz")
    again.check(colours, index)
    assert again.texts == queries.texts
    assert np.array_equal(again.pixels, queries.pixels)


def test_the_first_golden_query_is_asked_without_the_others_and_they_without_it(
    colours: ColourEncoder,
) -> None:
    queries = golden(colours)
    index = build_index(queries.image_vectors, queries.album_ids)
    wrong = queries.image_vectors.copy()
    wrong[2] = -wrong[2]
    later = golden(colours, image_vectors=wrong)
    later.check(colours, index, FIRST)
    second, third = later.rest()
    later.check(colours, index, second)
    with pytest.raises(GoldenQueryFailed, match="Golden picture 2 has"):
        later.check(colours, index, third)  # no text is left, and that is none that failed
    with pytest.raises(GoldenQueryFailed, match="picture 1 is the cover of album 99"):
        golden(colours, album_ids=np.array([5, 99, 7])).check(colours, index, second)


def test_a_runtime_that_computes_a_little_differently_passes(colours: ColourEncoder) -> None:
    queries = golden(colours)
    noise = np.random.default_rng(0).normal(0, 0.01, queries.image_vectors.shape)
    near = (queries.image_vectors + noise).astype(np.float32)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    index = build_index(queries.image_vectors, queries.album_ids)
    golden(colours, image_vectors=near).check(colours, index)


@pytest.mark.parametrize("what", ["image_vectors", "text_vectors"])
def test_an_encoder_that_answers_something_else_fails(what: str, colours: ColourEncoder) -> None:
    queries = golden(colours)
    index = build_index(queries.image_vectors, queries.album_ids)
    turned = np.ascontiguousarray(getattr(queries, what)[:, ::-1])
    word = "picture" if what == "image_vectors" else "text"
    with pytest.raises(GoldenQueryFailed, match=f"Golden {word} .* has cosine"):
        golden(colours, **{what: turned}).check(colours, index)


def test_an_encoder_that_answers_nan_fails(colours: ColourEncoder) -> None:
    queries = golden(colours)
    index = build_index(queries.image_vectors, queries.album_ids)
    with pytest.raises(GoldenQueryFailed):
        golden(colours, image_vectors=queries.image_vectors * np.nan).check(colours, index)


def test_a_cover_that_does_not_find_itself_fails(colours: ColourEncoder) -> None:
    queries = golden(colours)
    many = np.concatenate([np.repeat(queries.image_vectors[:1], 4, axis=0), queries.image_vectors])
    index = build_index(many, np.array([0, 1, 2, 3, 6, 5, 7]))  # 5 and 6 exchanged
    with pytest.raises(GoldenQueryFailed, match="cover of album 5"):
        queries.check(colours, index)
    with pytest.raises(GoldenQueryFailed, match="cover of album 5"):
        queries.check(colours, build_index(many[:4], np.arange(4)))  # 5 is not there at all


def test_the_same_cover_ten_times_passes(colours: ColourEncoder) -> None:
    queries = golden(colours, album_ids=np.array([9, 11, 12]))
    many = np.concatenate(
        [np.repeat(queries.image_vectors[:1], 10, axis=0), queries.image_vectors[1:]]
    )
    queries.check(
        colours,
        build_index(many, np.array([*range(10), 11, 12])),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"pixels": np.zeros((3, 9, 9, 3), np.uint8)},
        {"pixels": np.zeros((3, 8, 8, 3), np.float32)},
        {"pixels": np.zeros((0, 8, 8, 3), np.uint8), "album_ids": np.zeros(0, np.int64)},
        {"album_ids": np.array([1])},
        {"texts": ()},
        {"image_vectors": np.zeros((3, 7), np.float32)},
        {"image_vectors": np.zeros(3, np.float32)},
        {"text_vectors": np.zeros((1, 4), np.float32)},
    ],
)
def test_golden_queries_of_another_shape_fail(change: Any, colours: ColourEncoder) -> None:
    queries = golden(colours)
    index = build_index(queries.image_vectors, queries.album_ids)
    with pytest.raises(GoldenQueryFailed):
        golden(colours, **change).check(colours, index)


# --- staging ------------------------------------------------------------------------------------


def test_a_reader_sees_nothing_until_the_folder_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with staging(out) as folder:
        (folder / "manifest.json").write_text("{}")
        assert folder.parent == out.parent  # renaming works within one file system alone
        assert not out.exists()
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert (out / "manifest.json").read_text() == "{}"


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_raises_leaves_nothing_behind(
    failure: type[BaseException], tmp_path: Path
) -> None:
    with pytest.raises(failure), staging(tmp_path / "out") as folder:  # noqa: PT012
        (folder / "half").write_text("written")
        raise failure
    assert list(tmp_path.iterdir()) == []


def old_artifact(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text("old")
    return out


def test_what_exists_is_not_replaced_unasked(tmp_path: Path) -> None:
    out = old_artifact(tmp_path)
    with pytest.raises(BuildError, match="add --force"), staging(out):
        pass
    (tmp_path / "diary").mkdir()
    with (
        pytest.raises(BuildError, match="is not an artifact"),
        staging(tmp_path / "diary", force=True),
    ):
        pass
    (tmp_path / "file").write_text("x")
    with pytest.raises(BuildError), staging(tmp_path / "file", force=True):
        pass
    assert (out / "manifest.json").read_text() == "old"


def test_force_replaces_an_artifact_whole(tmp_path: Path) -> None:
    out = old_artifact(tmp_path)
    with staging(out, force=True) as folder:
        (folder / "manifest.json").write_text("new")
        assert (out / "manifest.json").read_text() == "old"
    assert (out / "manifest.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_replacement_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = old_artifact(tmp_path)
    with pytest.raises(ValueError), staging(out, force=True):
        raise ValueError
    rename = Path.rename

    def fails_onto_out(self: Path, target: Path) -> Path:
        if target == out and self.suffix == ".partial":
            raise OSError("no space left")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_onto_out)
    with pytest.raises(OSError, match="no space"), staging(out, force=True) as folder:
        (folder / "manifest.json").write_text("new")
    assert (out / "manifest.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_writers_of_one_name_do_not_mix(tmp_path: Path) -> None:
    together = threading.Barrier(2)
    outcomes: list[str] = []

    def write(text: str) -> None:
        try:
            with staging(tmp_path / "out") as folder:
                (folder / "a").write_text(text)
                together.wait(5)
                (folder / "b").write_text(text)
            outcomes.append("written")
        except OSError:
            outcomes.append("refused")

    threads = [threading.Thread(target=write, args=(text,)) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "written" in outcomes
    assert (tmp_path / "out" / "a").read_text() == (tmp_path / "out" / "b").read_text()


# --- index and catalogue together ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_index", "in_catalogue", "words"),
    [
        ([0, 1, 2], [0, 1, 3], "album 2 is in one of them alone"),
        ([0, 1], [0, 1, 2], "album 2 is in one"),
        ([0, 1, 1], [0, 1], "holds an album twice"),
    ],
)
def test_index_and_catalogue_must_hold_the_same_albums(
    in_index: list[int], in_catalogue: list[int], words: str, tmp_path: Path
) -> None:
    rows = np.eye(len(in_index), 4, dtype=np.float32)
    index = build_index(rows, np.array(in_index))
    write_catalogue(tmp_path / "albums", [Album(i) for i in in_catalogue])
    with pytest.raises(CountMismatch, match=words):
        folder_format.check_ids(index, folder_format.Catalogue(tmp_path / "albums"))


def test_opening_a_search_verifies_all_of_it(tiny_artifact: Path) -> None:
    search = CoverSearch.open(tiny_artifact, runtime="torch-cpu")
    assert list(search.load_seconds) == ["digests", "index", "encoder", "warm-up"]
    assert search.encoder is not None


def test_every_refusal_is_an_artifact_error_with_a_code_of_its_own() -> None:
    codes = [error.code for error in ArtifactError.__subclasses__()]
    assert len(set(codes)) == len(codes)


SPECIFICATION = (PROJECT / "artifacts" / "README.md").read_text()


def test_the_specification_names_every_refusal_and_no_other() -> None:
    # Those a packed artifact's unpacking adds are not of the folder.
    rooms = (
        engine.artifact.folder,
        engine.artifact.manifest,
        engine.artifact.opened,
        engine.covers.manifest,
        engine.covers.golden,
        engine.vectors.entry,
    )
    raising = (*rooms, folder_format)
    values = [value for module in raising for value in vars(module).values()]
    known = {error.code for error in values if _is_refusal(error)}
    codes = {ArtifactError.code, *known}
    section = SPECIFICATION.split("## What a reader MUST refuse")[1].split("## Serving copies")[0]
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", section))
    assert named - {"format_version"} == codes


def _is_refusal(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, ArtifactError)


def test_the_specification_names_every_field() -> None:
    table = SPECIFICATION.split("## `manifest.json`")[1].split("## Identity")[0]

    def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from leaves(inner, f"{prefix}{name}.")
            else:
                yield prefix + name

    for name in leaves(CoverManifest):
        section, _, field = name.rpartition(".")
        assert f"`{name}`" in table or (section in table and f"`.{field}`" in table), name


def test_the_specification_computes_the_ids(tiny_artifact: Path) -> None:
    """Written from the page alone, without the engine's functions."""
    manifest = json.loads((tiny_artifact / "manifest.json").read_text())
    encoder, files = manifest["encoder"], manifest["files"]
    how = encoder["preprocessing"]
    parts = {
        "preprocessing": [how["size"], *how["mean"], *how["std"]],
        "tokenizer": files["encoder/tokenizer.json"]["sha256"],
        "weights": files["encoder/model.safetensors"]["sha256"],
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    assert digest == encoder["digest"] == manifest["index"]["encoder_digest"]
    rows = hashlib.sha256()
    db = sqlite3.connect(tiny_artifact / "catalogue.sqlite")
    for row in db.execute(
        "SELECT album_id, albums.genre_id, genre, title, artist, year, source, digest, extra "
        "FROM albums JOIN genres USING (genre_id) ORDER BY album_id"
    ):
        line = [*row[:8], json.loads(row[8]) if row[8] else {}]
        rows.update(json.dumps(line).encode() + b"\n")
    db.close()
    inputs = manifest["inputs"]
    assert rows.hexdigest() == inputs["albums"]
    last = [1, digest, manifest["index"]["kind"], encoder["precision"], *inputs.values()]
    assert hashlib.sha256(json.dumps(last).encode()).hexdigest()[:16] == manifest["id"]
