"""Every MUST of artifacts/README.md, broken in an artifact of tracks: each is refused by name."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.artifact.folder import list_files
from engine.artifact.pack import pack
from engine.base.errors import (
    ArtifactError,
    CountMismatch,
    DigestMismatch,
    EncoderMismatch,
    FileMissing,
    FileUnexpected,
    FormatTooNew,
    GoldenQueryFailed,
    ManifestInvalid,
)
from engine.sound.artifact import SoundArtifact
from engine.sound.golden import GoldenClips
from engine.sound.manifest import SoundManifest, artifact_id, digest_in
from engine.sound.opening import answering
from engine.sound.search import SoundSearch
from engine.vectors.entry import IndexEntry

FILES = (
    *("index.faiss", "catalogue.sqlite", "waveforms.sqlite", "standard.npz", "golden.npz"),
    *("fingerprint/network.safetensors", "fingerprints/rows.i8", "fingerprints/tracks.npy"),
    *("encoder/encoder.json", "encoder/model.safetensors", "audio/0.opus"),
)
REQUIRED = (
    *("index.faiss", "catalogue.sqlite", "standard.npz", "golden.npz", "encoder/encoder.json"),
    *("fingerprint/network.safetensors", "fingerprints/rows.i8", "fingerprints/index.json"),
)
Told = dict[str, Any]


@pytest.fixture
def folder(tiny_sound: Path, tmp_path: Path) -> Path:
    """A good artifact to spoil."""
    return Path(shutil.copytree(tiny_sound, tmp_path / "artifact"))


@pytest.fixture
def nothing_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused must be refused before a parser sees it."""

    def read(*_: object, **__: object) -> None:
        raise AssertionError("a file that was not verified was opened")

    monkeypatch.setattr(faiss, "read_index", read)
    monkeypatch.setattr(np, "load", read)
    monkeypatch.setattr(sqlite3, "connect", read)


def edit(folder: Path, change: Callable[[Told], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def sign(folder: Path) -> None:
    """What a careful forger does: digests, sizes and the id are made to fit the files again."""

    def change(manifest: Told) -> None:
        files = {n: e for n, e in list_files(folder).items() if n != "manifest.json"}
        manifest["files"] = {name: entry.model_dump() for name, entry in files.items()}
        encoder, network = digest_in(files, "encoder"), digest_in(files, "fingerprint")
        manifest["encoder"]["digest"] = manifest["index"]["encoder_digest"] = encoder
        manifest["fingerprint"]["digest"] = network
        manifest["fingerprints"]["network_digest"] = network
        told = SoundManifest.model_validate(manifest)
        index = IndexEntry.model_validate(manifest["index"])
        manifest["id"] = artifact_id(encoder, network, index, told.inputs)

    edit(folder, change)


def refused(folder: Path, error: type[ArtifactError], words: str = ".") -> None:
    with pytest.raises(error, match=words) as refusal:
        SoundSearch.open(folder, threads=1)
    assert refusal.value.code == error.code
    assert refusal.value.message.endswith((".", "`"))


def test_signing_alone_changes_nothing(folder: Path, tiny_sound: Path) -> None:
    sign(folder)
    assert SoundSearch.open(folder, threads=1).artifact_id == SoundArtifact.open(tiny_sound).id


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("nothing_read")
def test_what_happens_to_a_file_is_told_before_it_is_read(name: str, folder: Path) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    refused(folder, DigestMismatch, f"{name} does not have the sha256")
    (folder / name).write_bytes(data[:-1])
    refused(folder, DigestMismatch, f"{name} has ")
    (folder / name).unlink()
    refused(folder, FileMissing, name)
    (folder / name).symlink_to(folder / "manifest.json")
    refused(folder, FileUnexpected, "symbolic link")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    refused(folder, FileUnexpected, "pipe")


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.usefixtures("nothing_read")
def test_a_required_file_that_is_also_unlisted_is_still_missed(name: str, folder: Path) -> None:
    (folder / name).unlink()
    edit(folder, lambda m: m["files"].pop(name))
    refused(folder, FileMissing, name)


@pytest.mark.parametrize("name", ["extra", "audio/17.opus", "encoder/model.py", "audio/.DS_Store"])
@pytest.mark.usefixtures("nothing_read")
def test_a_file_without_an_entry_is_named(name: str, folder: Path) -> None:
    (folder / name).write_text("x")
    refused(folder, FileUnexpected, name)


# --- manifest -----------------------------------------------------------------------------------

_EDITS: dict[str, Callable[[Told], object]] = {
    "another format": lambda m: m.update(format="zip"),
    "no kind": lambda m: m.pop("kind"),
    "another kind": lambda m: m.update(kind="cover"),
    "an unknown field": lambda m: m.update(run="rm -rf"),
    "an id that is a path": lambda m: m.update(id="../../etc/passwd"),
    "an id of other inputs": lambda m: m.update(id="0" * 16),
    "an encoder of no kind": lambda m: m["encoder"].update(kind="smell"),
    "tags below zero": lambda m: m["encoder"].update(tags=-1),
    "tags without end": lambda m: m["encoder"].update(tags=10**9),
    "dimensions without end": lambda m: m["fingerprint"].update(dimension=10**9),
    "no step": lambda m: m["fingerprints"].update(step_s=0),
    "a window of a day": lambda m: m["fingerprint"].update(window_s=86_400),
    "a step in words": lambda m: m["fingerprints"].update(step_s="0.5"),
    "tracks in words": lambda m: m["catalogue"].update(tracks="6"),
    "tracks of a fraction": lambda m: m["catalogue"].update(tracks=6.5),
    "audio below zero": lambda m: m["catalogue"].update(audio=-1),
    "another metric": lambda m: m["index"].update(metric="l2"),
    "files as a list": lambda m: m.update(files=[]),
    "a name outside": lambda m: m["files"].update({"audio/../../x": m["files"]["index.faiss"]}),
    "a name from the root": lambda m: m["files"].update({"/audio/1": m["files"]["index.faiss"]}),
    "weights left out": lambda m: m.update(
        left_out={"encoder/model.safetensors": m["files"].pop("encoder/model.safetensors")}
    ),
    "an index left out": lambda m: m.update(left_out={"index.faiss": m["files"]["index.faiss"]}),
    "audio left out and listed": lambda m: m.update(
        left_out={"audio/0.opus": m["files"]["audio/0.opus"]}
    ),
}


@pytest.mark.parametrize("what", _EDITS)
@pytest.mark.usefixtures("nothing_read")
def test_a_field_that_breaks_the_rules_is_refused(what: str, folder: Path) -> None:
    edit(folder, _EDITS[what])
    refused(folder, ManifestInvalid)


@pytest.mark.usefixtures("nothing_read")
def test_a_newer_format_is_refused_by_name_whatever_else_it_says(folder: Path) -> None:
    edit(folder, lambda m: m.update(format_version=2, all="is different"))
    refused(folder, FormatTooNew, "format 2; this version reads up to 1")


@pytest.mark.usefixtures("nothing_read")
@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1", "9" * 5000])
def test_a_number_that_is_none_is_refused(number: str, folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    step = json.loads(text)["fingerprints"]["step_s"]
    (folder / "manifest.json").write_text(text.replace(f'"step_s": {step}', f'"step_s": {number}'))
    refused(folder, ManifestInvalid)


_JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_GOOD: dict[Path, bytes] = {}


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_whatever_the_manifest_says_only_artifact_errors_escape(
    folder: Path, nothing_read: None, data: st.DataObject
) -> None:
    good = _GOOD.setdefault(folder, (folder / "manifest.json").read_bytes())
    told = json.loads(good)
    node: Any = told
    while isinstance(node, dict) and node:
        key = data.draw(st.sampled_from(sorted(node)))
        if not isinstance(node[key], dict) or data.draw(st.integers(0, 2)) == 0:
            node[key] = data.draw(_JSON | st.dictionaries(st.text(max_size=8), _JSON, max_size=3))
            break
        node = node[key]
    (folder / "manifest.json").write_text(json.dumps(told))
    try:
        found = SoundArtifact.open(folder).manifest
    except ArtifactError as refusal:
        refusal.message.encode()
    else:
        assert found.files == SoundManifest.model_validate_json(good).files


# --- parts that do not belong together ----------------------------------------------------------


@pytest.mark.usefixtures("nothing_read")
def test_an_index_or_fingerprints_of_other_networks_are_refused(folder: Path) -> None:
    edit(folder, lambda m: m["index"].update(encoder_digest="0" * 64))
    refused(folder, EncoderMismatch, "made by another network")
    sign(folder)
    edit(folder, lambda m: m["fingerprints"].update(network_digest="0" * 64))
    refused(folder, EncoderMismatch, "fingerprints of this artifact were made by another network")


@pytest.mark.parametrize("name", ["encoder/model.safetensors", "fingerprint/network.safetensors"])
@pytest.mark.usefixtures("nothing_read")
def test_an_exchanged_network_is_refused(name: str, folder: Path) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    entry = list_files(folder)[name].model_dump()
    edit(folder, lambda m: m["files"].update({name: entry}))
    refused(folder, EncoderMismatch, "were exchanged")


@pytest.mark.usefixtures("nothing_read")
def test_a_further_file_among_those_of_a_network_is_another_network(folder: Path) -> None:
    (folder / "encoder" / "model.py").write_text("import os")
    entry = list_files(folder)["encoder/model.py"].model_dump()
    edit(folder, lambda m: m["files"].update({"encoder/model.py": entry}))
    refused(folder, EncoderMismatch, "were exchanged")


@pytest.mark.parametrize(
    ("part", "field", "words"),
    [
        ("index", "rows", "The index hold 5 tracks, the catalogue 6"),
        ("fingerprints", "tracks", "The fingerprints hold 5 tracks, the catalogue 6"),
        ("catalogue", "tracks", "hold 6 tracks, the catalogue 5"),
        ("catalogue", "audio", "counts 5 tracks with audio and lists 4"),
        ("catalogue", "waveforms", "counts waveforms"),
    ],
)
@pytest.mark.usefixtures("nothing_read")
def test_counts_of_the_manifest_that_differ(
    part: str, field: str, words: str, folder: Path
) -> None:
    edit(folder, lambda m: m[part].update({field: 0 if field == "waveforms" else 5}))
    refused(folder, CountMismatch, words)


def test_dimensions_of_encoder_and_index_that_differ(folder: Path, nothing_read: None) -> None:
    dimension = SoundArtifact.open(folder).manifest.encoder.dimension
    edit(folder, lambda m: m["encoder"].update(dimension=64))
    refused(folder, EncoderMismatch, f"{dimension} dimensions, the encoder 64")


def change_catalogue(folder: Path, sql: str, *values: Any) -> None:
    with sqlite3.connect(folder / "catalogue.sqlite") as db:
        db.execute(sql, values)
    db.close()
    sign(folder)


@pytest.mark.parametrize(
    "name",
    [
        *("../../../etc/passwd", "/etc/passwd", "manifest.json", "catalogue.sqlite", "audio/../x"),
        *("audio/9.opus", "AUDIO/0.opus", "", "audio/0.opus\0", "http://elsewhere/0.opus"),
    ],
)
def test_audio_that_is_no_audio_of_this_folder_is_refused(name: str, folder: Path) -> None:
    change_catalogue(folder, "UPDATE tracks SET audio = ? WHERE track_id = 0", name)
    refused(folder, ManifestInvalid, "the audio of track 0")


def test_audio_of_no_track_is_refused(folder: Path) -> None:
    change_catalogue(folder, "UPDATE tracks SET audio = NULL WHERE track_id = 0")
    refused(folder, CountMismatch, r"audio/0\.opus is the audio of no track")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[("title", b"5"), ("artist", b"\xff"), ("album_id", "ten"), ("year", 1.5)],
        *[("duration_s", "long"), ("duration_s", -1.0), ("duration_s", float("inf"))],
        *[("bpm", float("inf")), ("bpm", 0.0), ("bpm", "fast"), ("audio_shared", "yes")],
        *[("tags", b"odd"), ("tags", "words"), ("extra", "{"), ("extra", "[" * 5000)],
    ],
)
def test_a_row_that_is_no_track_is_refused(column: str, value: Any, folder: Path) -> None:
    change_catalogue(folder, f"UPDATE tracks SET {column} = ? WHERE track_id = 3", value)
    refused(folder, ArtifactError, r"catalogue\.sqlite is not a catalogue")


def test_tags_of_another_encoder_are_refused(folder: Path) -> None:
    change_catalogue(folder, "UPDATE tracks SET tags = ? WHERE track_id = 3", bytes(98))
    refused(folder, CountMismatch, "other tags than the 50")


def test_a_catalogue_of_another_count_or_other_ids_is_refused(folder: Path) -> None:
    change_catalogue(folder, "UPDATE facts SET value = 7")
    refused(folder, CountMismatch, "holds 7 tracks, the manifest says 6")
    change_catalogue(folder, "UPDATE facts SET value = 6")
    change_catalogue(folder, "UPDATE tracks SET track_id = 99 WHERE track_id = 5")
    refused(folder, CountMismatch, "track 5 is in one of them alone")


@pytest.mark.parametrize("name", ["catalogue.sqlite", "waveforms.sqlite"])
@pytest.mark.parametrize("data", [b"", b"SQLite format 3\x00" + b"\xff" * 500, b"junk" * 900])
def test_a_forged_database_is_refused(name: str, data: bytes, folder: Path) -> None:
    (folder / name).write_bytes(data)
    sign(folder)
    refused(folder, ArtifactError, "is not a catalogue")


@pytest.mark.parametrize("data", [b"", b"junk" * 100, b"IxMp" + b"\xff" * 400])
def test_a_forged_index_is_refused(data: bytes, folder: Path) -> None:
    (folder / "index.faiss").write_bytes(data)
    sign(folder)
    refused(folder, ArtifactError, "is not a FAISS index")


def test_fingerprints_of_other_tracks_are_refused(folder: Path) -> None:
    table = np.load(folder / "fingerprints" / "tracks.npy")
    table[0, 0] = 99
    np.save(folder / "fingerprints" / "tracks.npy", table)
    sign(folder)
    refused(folder, CountMismatch, "The fingerprints and the catalogue do not hold the same tracks")


def test_fingerprints_of_another_step_are_refused(folder: Path) -> None:
    edit(folder, lambda m: m["fingerprints"].update(step_s=0.25))
    sign(folder)
    refused(folder, CountMismatch, "one each 0.5 s, the manifest says 64, each 0.25 s")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("encoder/encoder.json", b"{}"),
        ("encoder/model.safetensors", b"\xff" * 8 + b"{}"),
        ("encoder/model.safetensors", b""),
        ("fingerprint/network.safetensors", b"\x02" + bytes(7) + b"{}"),
        ("fingerprint/network.safetensors", b"junk"),
        ("standard.npz", b"PK\x03\x04 zip"),
        ("standard.npz", b""),
    ],
)
def test_a_forged_network_or_standard_is_refused(name: str, data: bytes, folder: Path) -> None:
    (folder / name).write_bytes(data)
    sign(folder)
    refused(folder, EncoderMismatch)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_standard_that_is_no_number_is_refused(number: float, folder: Path) -> None:
    size = SoundArtifact.open(folder).manifest.encoder.dimension
    mean, deviation = np.full(size, number, np.float32), np.ones(size, np.float32)
    np.savez(folder / "standard.npz", mean=mean, deviation=deviation)
    sign(folder)
    refused(folder, EncoderMismatch, "numbers that nothing can be standardised with")


# --- golden clips -------------------------------------------------------------------------------


def change_golden(folder: Path, **arrays: Any) -> None:
    with np.load(folder / "golden.npz") as file:
        told = {name: file[name] for name in file.files}
    np.savez(folder / "golden.npz", **{**told, **arrays})
    sign(folder)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 zip", b"\x93NUMPY\x01\x00v\x00{", b"junk" * 50])
def test_forged_golden_clips_are_refused(data: bytes, folder: Path) -> None:
    (folder / "golden.npz").write_bytes(data)
    sign(folder)
    refused(folder, GoldenQueryFailed, r"golden\.npz cannot be read")


def test_golden_clips_whose_answers_changed_are_refused(folder: Path) -> None:
    with np.load(folder / "golden.npz") as file:
        told = {name: file[name] for name in file.files}
    rolled = {name: np.roll(told[name], 1, axis=0) for name in told}
    broken: dict[str, Told] = {
        "is to the fingerprint network not what it was": {"heard": rolled["heard"]},
        "is to the encoder not what it was": {"vectors": rolled["vectors"]},
        "track in the index is not what it was": {"rows": -told["rows"]},
        "is not recognised": {"track_ids": told["track_ids"] + 1000},
        "cosine is nan": {"heard": np.full_like(told["heard"], np.nan)},
        "does not hold clips": {"clips": told["clips"].astype(np.float64)},
        "numbers, and was": {"vectors": told["vectors"][:, :7]},
    }
    search = SoundSearch.open(folder, threads=1)
    asked = answering(search.identifier, search.encoder, search.standard, search.index)
    for words, arrays in broken.items():
        change_golden(folder, **{**told, **arrays})
        with pytest.raises(GoldenQueryFailed, match=words):
            GoldenClips.read(folder / "golden.npz").check(asked)


def test_golden_clips_that_hold_a_pickle_are_refused(folder: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {folder / 'ran'}",)

    change_golden(folder, track_ids=np.array([Evil()], dtype=object))
    refused(folder, GoldenQueryFailed)
    assert not (folder / "ran").exists()


# --- copies without audio -----------------------------------------------------------------------


def test_a_copy_may_leave_out_audio_and_is_the_same_artifact(
    tiny_sound: Path, tmp_path: Path
) -> None:
    whole = SoundArtifact.open(tiny_sound)
    pack(whole, tmp_path / "copy", without=whole.manifest.audio_files())
    copy = SoundArtifact.open(tmp_path / "copy")
    assert copy.id == whole.id
    assert not (tmp_path / "copy" / "audio").exists()
    assert copy.manifest.left_out.keys() == whole.manifest.audio_files()
    copy.open_catalogue().close()
