"""`making/build.py`: covers + metadata → artifact; add and remove. Import: test_import_pair.py."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import COVERS, draw_cover
from PIL import Image

from engine.base.errors import ArtifactError, BuildError
from engine.base.progress import Progress
from engine.cli.main import main
from engine.covers.artifact import Artifact
from engine.covers.encoder.on_torch import TorchEncoder
from engine.covers.identify.identifier import Identifier
from engine.covers.identify.references import References
from engine.covers.making import build as module
from engine.covers.making.build import build
from engine.covers.making.genres import read_genres
from engine.covers.making.metadata import read_metadata
from engine.covers.making.revise import add, remove
from engine.covers.manifest import read_manifest
from engine.covers.photos.photo import simulate_photo
from engine.covers.question import Wanted
from engine.covers.search import CoverSearch
from engine.tables.joining import join

pytestmark = pytest.mark.usefixtures("quick_runtime")


class Told(Progress):
    """Keeps what a job says."""

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self.steps: list[tuple[int, int, str]] = []

    def step(self, done: int, total: int, what: str) -> None:
        self.steps.append((done, total, what))

    def remark(self, line: str) -> None:
        self.remarks.append(line)


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each call of the encoder was given while covers were embedded."""
    sizes: list[int] = []
    original = module.embed

    def counting(files: Any, encoder: Any, work: Any, progress: Any, *rest: Any) -> Any:
        class Counting:
            preprocessing = encoder.preprocessing

            def embed_images(self, pixels: Any) -> Any:
                sizes.append(len(pixels))
                return encoder.embed_images(pixels)

        return original(files, Counting(), work, progress, *rest)  # type: ignore[arg-type]

    for place in ("build", "revise"):
        monkeypatch.setattr(f"engine.covers.making.{place}.embed", counting)
    return sizes


def few(folder: Path, *numbers: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        draw_cover(number).save(folder / f"cover-{number:02}.png")
    return folder


def albums(path: Path) -> dict[int, Any]:
    return {album.album_id: album for album in Artifact.open(path).open_catalogue()}


def vectors(path: Path) -> dict[int, np.ndarray]:
    artifact = Artifact.open(path)
    ids = artifact.open_catalogue().ids().tolist()
    return dict(zip(ids, artifact.open_index().vectors(ids), strict=True))


# --- build --------------------------------------------------------------------------------------


def test_every_cover_finds_itself(tiny_artifact: Path, covers: Path) -> None:
    search = CoverSearch.open(tiny_artifact, runtime="torch-cpu")
    for number in range(0, COVERS, 4):
        hits = search.by_image((covers / f"cover-{number:02}.png").read_bytes(), Wanted(k=1))
        assert hits[0].album.album_id == number
        assert hits[0].similarity == pytest.approx(1, abs=1e-3)


def test_the_catalogue_holds_what_the_metadata_say(tiny_artifact: Path) -> None:
    album = albums(tiny_artifact)[4]
    assert (album.title, album.artist, album.year) == ("Title 4", "Artist 4", 1974)
    assert (album.genre, album.source) == ("metal", "cover-04.png")
    # Ids of genres without one are given in order of name.
    genres = Artifact.open(tiny_artifact).open_catalogue().genres()
    assert [(genre.genre_id, genre.genre) for genre in genres] == [
        (0, "folk"),
        (1, "jazz"),
        (2, "metal"),
    ]


def test_bad_files_are_named_and_skipped(covers: Path, tiny_clip: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(covers, tmp_path / "covers"))
    (folder / "notes.txt").write_text("not a picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / ".hidden.png").write_bytes(b"junk")
    told = Told()
    built = build(folder, tmp_path / "out", encoder=str(tiny_clip), progress=told)
    bad = {"broken.jpg", "notes.txt", "empty.png", ".hidden.png"}
    assert {name for name, _ in built.skipped} == bad
    assert built.embedded == built.manifest.catalogue.albums == COVERS
    for name in bad:
        assert sum(line.startswith(f"skipped {name}: ") for line in told.remarks) == 1
    assert (COVERS + 4, COVERS + 4, "covers") in told.steps


def test_an_unreadable_file_is_named_and_skipped(
    tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = few(tmp_path / "covers", 1, 2)
    opened = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.name == "cover-01.png":
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    built = build(folder, tmp_path / "out", encoder=str(tiny_clip))
    assert [name for name, _ in built.skipped] == ["cover-01.png"]


def test_the_largest_picture_of_a_build_is_what_the_setting_says(
    tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = few(tmp_path / "covers", 1, 2)
    Image.new("L", (7300, 7000), 90).save(folder / "scan.png")  # an LP at 600 dpi: 51 megapixels
    told = Told()
    build(folder, tmp_path / "less", encoder=str(tiny_clip), progress=told)
    [reason] = [line for line in told.remarks if "scan.png" in line]
    assert "at most 50,000,000 are accepted" in reason
    assert reason.endswith("Or set SHAZAM_MAX_IMAGE_PIXELS higher.")
    monkeypatch.setenv("SHAZAM_MAX_IMAGE_PIXELS", "60000000")
    monkeypatch.setenv("SHAZAM_WORKERS", "of no concern to a build")
    artifact = tmp_path / "more"
    options = ["--covers", str(folder), "--out", str(artifact), "--encoder", str(tiny_clip)]
    assert main(["build", *options]) == 0
    assert len(albums(artifact)) == 3
    monkeypatch.setenv("SHAZAM_MAX_IMAGE_PIXELS", "10000")
    others = few(tmp_path / "others", 3)
    Image.new("L", (200, 100), 90).save(others / "wide.png")
    added = tmp_path / "added"
    assert main(["add", str(artifact), "--covers", str(others), "--out", str(added)]) == 0
    assert len(albums(added)) == 4


def test_the_same_cover_many_times_is_as_many_albums(tiny_clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "covers"
    folder.mkdir()
    for number in range(9):
        draw_cover(1).save(folder / f"placeholder-{number}.png")
    few(folder, 3)
    built = build(folder, tmp_path / "out", encoder=str(tiny_clip))
    assert (built.manifest.catalogue.albums, built.embedded) == (10, 2)
    search = CoverSearch.open(tmp_path / "out", runtime="torch-cpu")  # golden queries still pass
    data = (folder / "placeholder-5.png").read_bytes()
    # cover-03.png is album 0, the nine placeholders are 1 to 9: equals in order of id.
    assert [hit.album.album_id for hit in search.by_image(data, Wanted(k=4))] == [1, 2, 3, 4]


def test_without_a_table_albums_are_named_after_their_files(
    tiny_clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "covers"
    (folder / "Ida Moss" / "Low Water").mkdir(parents=True)
    names = ("Vera Holt - Blind August (1999).png", "cover-07.png", "Ida Moss/Low Water/front.png")
    for number, name in enumerate(names):
        draw_cover(number).save(folder / name)
    told = Told()
    built = build(folder, tmp_path / "out", encoder=str(tiny_clip), progress=told)
    by_source = {album.source: album for album in albums(built.path).values()}
    found = [
        (by_source[name].artist, by_source[name].title, by_source[name].year) for name in names
    ]
    assert found == [
        ("Vera Holt", "Blind August", 1999),
        (None, None, None),
        ("Ida Moss", "Low Water", None),
    ]
    assert (
        "without --metadata 2 of 3 albums are named after their files; "
        "Ida Moss/Low Water/front.png is Ida Moss – Low Water"
    ) in told.remarks


def test_a_folder_of_folders_keeps_its_paths(tiny_clip: Path, tmp_path: Path) -> None:
    few(tmp_path / "covers" / "b", 1)
    few(tmp_path / "covers" / "a", 1)
    build(tmp_path / "covers", tmp_path / "out", encoder=str(tiny_clip))
    assert [album.source for album in albums(tmp_path / "out").values()] == [
        "a/cover-01.png",
        "b/cover-01.png",
    ]


def test_strange_file_names_are_kept_as_far_as_they_are_text(
    tiny_clip: Path, tmp_path: Path
) -> None:
    folder = few(tmp_path / "covers", 1)
    for name in ("日本 'quoted'.png", "caf\udce9.png"):
        try:
            shutil.copyfile(folder / "cover-01.png", folder / name)
        except OSError:  # a file system that wants UTF-8
            continue
    build(folder, tmp_path / "out", encoder=str(tiny_clip))
    sources = {album.source for album in albums(tmp_path / "out").values()}
    assert {"日本 'quoted'.png", "cover-01.png"} <= sources
    assert sources <= {"日本 'quoted'.png", "cover-01.png", "caf?.png"}


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf"])
def test_the_kind_of_index_asked_for_is_made(
    kind: str, covers: Path, tiny_clip: Path, tmp_path: Path
) -> None:
    built = build(covers, tmp_path / "out", encoder=str(tiny_clip), index=kind)
    assert built.manifest.index.kind == kind
    CoverSearch.open(tmp_path / "out", runtime="torch-cpu")


def test_the_same_inputs_give_the_same_id_whatever_the_floats(
    covers: Path, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(covers, tmp_path / "one", encoder=str(tiny_clip)).manifest
    original = TorchEncoder.embed_images

    def noisy(self: TorchEncoder, pixels: np.ndarray) -> np.ndarray:
        rows = original(self, pixels) + np.float32(1e-5)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    monkeypatch.setattr(TorchEncoder, "embed_images", noisy)
    monkeypatch.setattr("engine.covers.making.embedding.BATCH", 7)
    second = build(covers, tmp_path / "two", encoder=str(tiny_clip)).manifest
    assert second.files["index.faiss"] != first.files["index.faiss"]  # the floats did differ
    assert second.id == first.id


def test_another_title_gives_another_id(tiny_clip: Path, tmp_path: Path) -> None:
    folder = few(tmp_path / "covers", 1, 2)
    ids = set()
    for number, title in enumerate(["A", "B", "A"]):
        table = tmp_path / f"{number}.csv"
        table.write_text(f"file,title\ncover-01.png,{title}\n")
        out = tmp_path / f"out{number}"
        ids.add(build(folder, out, metadata=table, encoder=str(tiny_clip)).manifest.id)
    assert len(ids) == 2


def test_a_card_travels_with_the_artifact(tiny_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text("# Ours")
    folder = few(tmp_path / "covers", 1)
    build(folder, tmp_path / "out", encoder=str(tiny_clip), card=tmp_path / "card.md")
    assert (tmp_path / "out" / "README.md").read_text() == "# Ours"
    Artifact.open(tmp_path / "out")


def test_an_existing_out_is_refused_before_any_work(
    covers: Path, tiny_clip: Path, tiny_artifact: Path, embedded: list[int], tmp_path: Path
) -> None:
    with pytest.raises(BuildError, match="exists already"):
        build(covers, tiny_artifact, encoder=str(tiny_clip))
    (tmp_path / "thesis").mkdir()
    with pytest.raises(BuildError, match="is not an artifact"):
        build(covers, tmp_path / "thesis", encoder=str(tiny_clip), force=True)
    assert embedded == []
    out = Path(shutil.copytree(tiny_artifact, tmp_path / "out"))
    build(few(tmp_path / "covers", 1, 2), out, encoder=str(tiny_clip), force=True)
    assert len(albums(out)) == 2


@pytest.mark.parametrize(
    ("covers_folder", "words"),
    [("nowhere", "is not a folder"), ("empty", "holds no picture"), ("broken", "1 files skipped")],
)
def test_nothing_to_build_from_is_named(
    covers_folder: str, words: str, tiny_clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.jpg").write_bytes(b"junk")
    with pytest.raises(BuildError, match=words):
        build(tmp_path / covers_folder, tmp_path / "out", encoder=str(tiny_clip))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out.*.partial"))


def test_an_interrupted_build_goes_on_where_it_stopped(
    covers: Path,
    tiny_clip: Path,
    tmp_path: Path,
    embedded: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.covers.making.embedding.BATCH", 8)

    class Interrupts(Told):
        def step(self, done: int, total: int, what: str) -> None:
            if done == 16:
                raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        build(covers, out, encoder=str(tiny_clip), progress=Interrupts())
    assert not out.exists()
    assert not list(tmp_path.glob(".out.*.partial"))
    before = sum(embedded)
    assert before == 15  # of the first 16 files one is broken
    built = build(covers, out, encoder=str(tiny_clip))
    assert sum(embedded) == COVERS
    assert built.embedded == COVERS - before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    # What was interrupted is the same artifact as what was not.
    whole = build(covers, tmp_path / "whole", encoder=str(tiny_clip))
    assert built.manifest.id == whole.manifest.id
    assert all(
        np.allclose(one, vectors(tmp_path / "whole")[i], atol=1e-6)
        for i, one in vectors(out).items()
    )


def test_embeddings_of_another_encoder_are_not_taken_over(
    covers: Path, tiny_clip: Path, tmp_path: Path, embedded: list[int], monkeypatch: Any
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):  # noqa: PT012
        patch.setattr(module, "assemble", fail)
        build(covers, tmp_path / "out", encoder=str(tiny_clip))
    assert sum(embedded) == COVERS
    other = Path(shutil.copytree(tiny_clip, tmp_path / "other"))
    config = json.loads((other / "preprocessor_config.json").read_text())
    config["image_mean"] = [0.5, 0.5, 0.5]
    (other / "preprocessor_config.json").write_text(json.dumps(config))
    build(covers, tmp_path / "out", encoder=str(other))
    assert sum(embedded) == 2 * COVERS


# --- metadata -----------------------------------------------------------------------------------

ROWS = [
    {"file": "b.png", "title": "Bee", "year": 1999, "genre": "jazz"},
    {"file": "sub/a.png", "title": "Ay", "year": None, "genre": "folk"},
    {"file": "c", "title": "Sea", "year": 1980, "genre": None},
]


def write_rows(path: Path) -> Path:
    if path.suffix == ".csv":
        lines = [",".join(ROWS[0])] + [
            ",".join("" if value is None else str(value) for value in row.values()) for row in ROWS
        ]
        path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    return path


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_metadata_are_joined_by_name_and_never_by_position(
    ending: str, tiny_clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "covers"
    (folder / "sub").mkdir(parents=True)
    for number, name in enumerate(["sub/a.png", "b.png", "c.png", "stranger.png"]):
        draw_cover(number).save(folder / name)
    table = write_rows(folder / f"metadata.{ending}")  # among the covers: no cover itself
    told = Told()
    built = build(folder, tmp_path / "out", metadata=table, encoder=str(tiny_clip), progress=told)
    by_source = {album.source: album for album in albums(built.path).values()}
    assert built.skipped == ()
    assert (by_source["b.png"].title, by_source["b.png"].year) == ("Bee", 1999)
    assert (by_source["sub/a.png"].title, by_source["sub/a.png"].year) == ("Ay", None)
    assert (by_source["c.png"].title, by_source["c.png"].genre) == ("Sea", None)
    assert by_source["stranger.png"].title is None
    assert "1 covers have no metadata row, the first is stranger.png" in told.remarks


def test_rows_without_a_cover_are_counted(tiny_clip: Path, tmp_path: Path) -> None:
    table = tmp_path / "m.csv"
    table.write_text("file,title\ncover-01.png,One\ngone.png,Gone\nlost.png,Lost\n")
    told = Told()
    build(
        few(tmp_path / "c", 1),
        tmp_path / "o",
        metadata=table,
        encoder=str(tiny_clip),
        progress=told,
    )
    assert "2 metadata rows name a file that is not among the covers" in told.remarks


def test_given_ids_are_kept_and_other_columns_too(tiny_clip: Path, tmp_path: Path) -> None:
    table = tmp_path / "m.jsonl"
    rows = [
        {"file": "cover-01.png", "album_id": 900, "genre_id": 7, "genre": "dub", "label": "X"},
        {"file": "cover-02.png", "album_id": 5, "genre_id": 9, "tracks": ["a", "b"], "empty": ""},
    ]
    table.write_text("\n".join(map(json.dumps, rows)))
    build(few(tmp_path / "c", 1, 2), tmp_path / "o", metadata=table, encoder=str(tiny_clip))
    found = albums(tmp_path / "o")
    assert list(found) == [5, 900]
    assert (found[900].genre_id, found[900].genre, found[900].extra) == (7, "dub", {"label": "X"})
    assert (found[5].genre_id, found[5].genre, found[5].extra) == (9, None, {"tracks": ["a", "b"]})
    search = CoverSearch.open(tmp_path / "o", runtime="torch-cpu")
    hits = search.by_image((tmp_path / "c" / "cover-01.png").read_bytes())
    assert hits[0].album.album_id == 900


def test_dates_and_decimals_of_parquet_become_text(tiny_clip: Path, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    row = {
        "file": "cover-01.png",
        "released": date(1999, 12, 31),
        "raw": b"bytes",
        "price": float("nan"),
        "tags": ["x", None],
    }
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "m.parquet")
    folder = few(tmp_path / "c", 1)
    build(folder, tmp_path / "o", metadata=tmp_path / "m.parquet", encoder=str(tiny_clip))
    extra = albums(tmp_path / "o")[0].extra
    assert extra == {"released": "1999-12-31", "raw": "bytes", "tags": ["x", None]}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("album_id", -1),
        ("album_id", 2**63),
        ("album_id", "x"),
        ("album_id", 1.5),
        ("genre_id", "jazz"),
        ("genre_id", 2**70),
        ("genre_id", [1]),
    ],
)
def test_ids_that_are_none_are_refused(
    column: str, value: Any, tiny_clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps({"file": "cover-01.png", column: value}))
    folder = few(tmp_path / "c", 1)
    with pytest.raises(BuildError, match=column):
        build(folder, tmp_path / "o", metadata=tmp_path / "m.jsonl", encoder=str(tiny_clip))


@pytest.mark.parametrize(
    ("title", "year", "found"),
    [
        ("half \ud83d", 1999, ("half ?", 1999)),
        (5, "1987.0", ("5", 1987)),
        ("", "unknown", (None, None)),
        (["a"], 10**30, ("['a']", None)),
        (None, float("inf"), (None, None)),
    ],
)
def test_odd_titles_and_years_break_nothing(
    title: Any, year: Any, found: Any, tiny_clip: Path, tmp_path: Path
) -> None:
    row = {"file": "cover-01.png", "title": title, "year": year}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    folder = few(tmp_path / "c", 1)
    build(folder, tmp_path / "o", metadata=tmp_path / "m.jsonl", encoder=str(tiny_clip))
    album = albums(tmp_path / "o")[0]
    assert (album.title, album.year) == found


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("m.csv", "", "holds no rows"),
        ("m.csv", "file,title\n", "holds no rows"),
        ("m.csv", "title,artist\nA,B\n", "one named 'file' must"),
        ("m.csv", "file,title\na.png,A\na.png,B\n", "row 3: a.png has a row already"),
        ("m.csv", "file,title\n,A\n", "row 2: the column 'file' is empty"),
        ("m.csv", "file,title\na.png,A,extra,more\n", "too many values"),
        ("m.jsonl", "{", "cannot be read"),
        ("m.jsonl", "[1]", "must be a JSON object"),
        ("m.parquet", "junk", "cannot be read"),
        ("m.xlsx", "junk", r"is not \.csv, \.jsonl or \.parquet"),
        ("m", "junk", "without an ending"),
    ],
)
def test_bad_metadata_are_named(name: str, text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BuildError, match=words):
        read_metadata(tmp_path / name)


def test_metadata_that_are_not_there_or_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="does not exist"):
        read_metadata(tmp_path / "nowhere.csv")
    (tmp_path / "latin.csv").write_bytes("file,title\na.png,Bj\xf6rk\n".encode("latin1"))
    with pytest.raises(BuildError, match="cannot be read"):
        read_metadata(tmp_path / "latin.csv")


@pytest.mark.parametrize("column", ["file", "filename", "file_name", "path", "image", "cover"])
def test_the_files_column_may_have_several_names(column: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"title,{column}\nA,dir\\a.png\n")
    [(named, row)] = read_metadata(tmp_path / "m.csv").rows
    assert (named.name, row.values) == ("dir\\a.png", {"title": "A"})
    joined = join(["dir/a.png", "a.png"], [named], [".png"])
    assert joined.row_of == {0: 0}


@pytest.mark.parametrize(
    ("name", "text", "genres"),
    [
        ("g.json", '["jazz", "folk"]', {0: "jazz", 1: "folk"}),
        ("g.json", '{"3": "jazz", "-1": "none"}', {3: "jazz", -1: "none"}),
        ("g.txt", "jazz\nfolk\n", {0: "jazz", 1: "folk"}),
    ],
)
def test_genre_names_are_read(name: str, text: str, genres: dict[int, str], tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert read_genres(tmp_path / name) == genres


@pytest.mark.parametrize("text", ["{", "3", '{"x": "jazz"}', "null"])
def test_bad_genre_files_are_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "g.json").write_text(text)
    with pytest.raises(BuildError, match="is not a list of genres"):
        read_genres(tmp_path / "g.json")


# --- add ----------------------------------------------------------------------------------------


def test_add_embeds_only_what_is_new(
    tiny_artifact: Path, covers: Path, tmp_path: Path, embedded: list[int]
) -> None:
    more = Path(shutil.copytree(covers, tmp_path / "more"))
    few(more, 40, 41, 42)
    (tmp_path / "m.csv").write_text(
        "file,title,genre\ncover-40.png,Forty,jazz\ncover-41.png,Forty-one,ska\n"
    )
    told = Told()
    built = add(tiny_artifact, more, tmp_path / "out", metadata=tmp_path / "m.csv", progress=told)
    assert sum(embedded) == built.embedded == 3
    assert built.manifest.catalogue.albums == COVERS + 3
    assert sum("the same bytes are album" in reason for _, reason in built.skipped) == COVERS
    found, before = albums(built.path), albums(tiny_artifact)
    assert {i: found[i] for i in before} == before
    assert [found[i].title for i in (30, 31, 32)] == ["Forty", "Forty-one", None]
    assert found[30].genre_id == before[0].genre_id  # jazz has its id already
    assert found[31].genre_id == 3
    now = vectors(built.path)
    assert all(np.allclose(row, now[i], atol=1e-6) for i, row in vectors(tiny_artifact).items())
    search = CoverSearch.open(built.path, runtime="torch-cpu")
    assert search.by_image((more / "cover-41.png").read_bytes())[0].album.album_id == 31
    assert search.catalogue.thumbnail(2) is not None
    assert search.catalogue.thumbnail(32) is not None
    assert built.manifest.id != read_manifest(tiny_artifact).id


def test_add_refuses_what_would_change_nothing_or_collide(
    tiny_artifact: Path, covers: Path, tmp_path: Path
) -> None:
    with pytest.raises(BuildError, match="nothing to add"):
        add(tiny_artifact, covers, tmp_path / "out")
    (tmp_path / "m.csv").write_text("file,album_id\ncover-50.png,3\n")
    with pytest.raises(BuildError, match="album_id 3 is taken"):
        add(tiny_artifact, few(tmp_path / "c", 50), tmp_path / "out", metadata=tmp_path / "m.csv")
    assert not (tmp_path / "out").exists()


def test_add_in_place_with_force(tiny_artifact: Path, tmp_path: Path) -> None:
    here = Path(shutil.copytree(tiny_artifact, tmp_path / "here"))
    with pytest.raises(BuildError, match="exists already"):
        add(here, few(tmp_path / "c", 50), here)
    add(here, tmp_path / "c", here, force=True)
    assert len(albums(here)) == COVERS + 1
    CoverSearch.open(here, runtime="torch-cpu")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "here"]


def test_a_damaged_source_is_refused(tiny_artifact: Path, tmp_path: Path) -> None:
    here = Path(shutil.copytree(tiny_artifact, tmp_path / "here"))
    (here / "index.faiss").write_bytes(b"junk")
    with pytest.raises(ArtifactError):
        add(here, few(tmp_path / "c", 50), tmp_path / "out")
    with pytest.raises(ArtifactError):
        remove(here, [1], tmp_path / "out")


# --- remove -------------------------------------------------------------------------------------


def test_remove_keeps_the_other_ids_and_embeds_nothing(
    tiny_artifact: Path, tmp_path: Path, embedded: list[int]
) -> None:
    built = remove(tiny_artifact, [0, 17, 29], tmp_path / "out")
    assert embedded == []
    before = albums(tiny_artifact)
    assert albums(built.path) == {i: a for i, a in before.items() if i not in (0, 17, 29)}
    search = CoverSearch.open(built.path, runtime="torch-cpu")
    assert search.catalogue.thumbnail(17) is None
    assert search.catalogue.thumbnail(16) is not None
    found = search.similar(16, Wanted(k=100))
    assert len(found) == COVERS - 4
    assert not {hit.album.album_id for hit in found} & {0, 16, 17, 29}
    again = remove(tiny_artifact, [29, 17, 0], tmp_path / "again")
    assert again.manifest.id == built.manifest.id


def test_ids_are_not_used_again_after_the_highest_stays(
    tiny_artifact: Path, tmp_path: Path
) -> None:
    remove(tiny_artifact, [5], tmp_path / "less")
    built = add(tmp_path / "less", few(tmp_path / "c", 50), tmp_path / "more")
    assert sorted(albums(built.path)) == [*range(5), *range(6, COVERS + 1)]


def test_remove_refuses_unknown_ids_and_everything(tiny_artifact: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="There is no album 99"):
        remove(tiny_artifact, [3, 99], tmp_path / "out")
    with pytest.raises(BuildError, match="every album"):
        remove(tiny_artifact, list(range(COVERS)), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_remove_in_place_with_force(tiny_artifact: Path, tmp_path: Path) -> None:
    here = Path(shutil.copytree(tiny_artifact, tmp_path / "here"))
    remove(here, [3], here, force=True)
    assert 3 not in albums(here)
    CoverSearch.open(here, runtime="torch-cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_identify_proves_what_was_added_and_forgets_what_was_removed(
    tiny_clip: Path, tmp_path: Path
) -> None:
    def sleeve(number: int) -> Image.Image:
        """Blocks of colour, with corners enough to be proven by."""
        blocks = np.random.default_rng([7, number]).integers(0, 256, (9, 9, 3), np.uint8)
        return Image.fromarray(blocks).resize((288, 288), Image.Resampling.NEAREST)

    def folder(name: str, *numbers: int) -> Path:
        (tmp_path / name).mkdir()
        for number in numbers:
            sleeve(number).save(tmp_path / name / f"{number:02}.png")
        return tmp_path / name

    def shown(artifact: Path, number: int) -> tuple[str, int | None]:
        photo = simulate_photo(np.asarray(sleeve(number)), np.random.default_rng(3), "clean")
        search = CoverSearch.open(artifact, runtime="torch-cpu")
        [answer] = Identifier.open(search).by_pixels(photo.image)
        return answer.decision, answer.album_id

    made = build(folder("covers", *range(12)), tmp_path / "made", encoder=str(tiny_clip)).path
    assert shown(made, 3) == ("match", 3)
    assert shown(made, 12) == ("no_match", None)
    more = add(made, folder("more", 12, 13), tmp_path / "grown").path
    assert [shown(more, number) for number in (3, 12, 13)] == [
        ("match", 3),
        ("match", 12),
        ("match", 13),
    ]
    less = remove(more, [12], tmp_path / "less").path
    assert shown(less, 12) == ("no_match", None)
    assert shown(less, 13) == ("match", 13)
    catalogue = Artifact.open(less).open_catalogue()
    assert sorted(References.open(less, catalogue).ids.tolist()) == [*range(12), 13]
