"""`making/files.py`: which files of a folder are taken for covers, and how much of them is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from conftest import draw_cover
from encoders import ColourEncoder

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.covers.making import embedding
from engine.covers.making.embedding import embed_batch
from engine.covers.making.files import Found, Picture, cover_files


class Told(Progress):
    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, line: str) -> None:
        self.remarks.append(line)


def draw(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        draw_cover(number).save(folder / name, "JPEG")
    return folder


def names(found: Found) -> list[str]:
    return [file.name for file in found.files]


@pytest.fixture
def covers(tmp_path: Path) -> Path:
    return draw(tmp_path / "covers", "a.jpg")


DOTTED = [
    "...And Justice for All/cover.jpg",
    "...Baby One More Time.jpg",
    "..But Seriously.jpg",
    ".5- The Gray Chapter.jpg",
    ".hidden/.jpg",
    "Recycler.jpg",
    "Lost+Found/Icon.jpg",
]


def test_titles_that_begin_with_a_dot_are_covers(tmp_path: Path) -> None:
    assert names(cover_files(draw(tmp_path, *DOTTED))) == sorted(DOTTED)


@pytest.mark.parametrize("url", ["file://{}", "local://{}"])
def test_an_object_store_keeps_them_too(url: str, tmp_path: Path) -> None:
    draw(tmp_path, *DOTTED, "._Plain.jpg", "@eaDir/thumb.jpg")
    told = Told()
    assert names(cover_files(url.format(tmp_path), (), told)) == sorted(DOTTED)
    assert told.remarks == ["left out 2 that systems leave behind: 1 ._*, 1 @eaDir"]


LITTER = [
    "._a.jpg",
    ".DS_Store",
    "Thumbs.db",
    "thumbs.db.d/@eaDir/a.jpg",
    "desktop.ini",
    "$RECYCLE.BIN/a.jpg",
    "__MACOSX/._a.jpg",
    "lost+found/a.jpg",
    "System Volume Information/a.jpg",
    ".Trash-1000/files/a.jpg",
    ".Spotlight-V100/store",
    ".mine.work.sqlite",
    ".mine.abc12_de.partial/index.faiss",
]


def test_what_systems_leave_behind_is_left_out_and_counted(covers: Path) -> None:
    draw(covers, *LITTER)
    told = Told()
    found = cover_files(covers, (), told)
    assert (names(found), found.skipped) == (["a.jpg"], ())
    [remark] = told.remarks
    assert remark.startswith(f"left out {len(LITTER)} that systems leave behind: ")
    assert "1 ._*" in remark
    assert "1 Thumbs.db" in remark


def test_the_files_of_the_command_itself_are_no_covers(covers: Path) -> None:
    draw(covers, "out/thumb.jpg")
    (covers / "m.csv").write_text("file\n")
    assert names(cover_files(covers, [covers / "m.csv", None, covers / "out"])) == ["a.jpg"]


# --- links --------------------------------------------------------------------------------------


def test_linked_folders_and_files_are_followed(covers: Path, tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere", "b.jpg", "deep/c.jpg")
    (covers / "more").symlink_to(tmp_path / "elsewhere")
    (covers / "one.jpg").symlink_to(tmp_path / "elsewhere" / "b.jpg")
    told = Told()
    found = cover_files(covers, (), told)
    assert names(found) == ["a.jpg", "more/b.jpg", "more/deep/c.jpg", "one.jpg"]
    assert told.remarks == []


def test_loops_of_links_end_and_are_told(covers: Path, tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere", "b.jpg")
    draw(covers, "z/c.jpg")
    (covers / "loop").symlink_to(covers)
    (covers / "again").symlink_to(covers / "z")
    (covers / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(covers)
    (covers / "up").symlink_to(tmp_path)
    told = Told()
    found = cover_files(covers, (), told)
    assert names(found) == ["a.jpg", "more/b.jpg", "z/c.jpg"]
    assert found.skipped == (("up", "a link to a folder that this one lies in"),)
    assert told.remarks == [
        "skipped up: a link to a folder that this one lies in",
        "3 linked folders lead to folders that are there already and are not taken twice; the "
        "first is again",
    ]


def test_broken_links_are_named(covers: Path) -> None:
    (covers / "gone.jpg").symlink_to("nowhere.jpg")
    (covers / "itself.jpg").symlink_to("itself.jpg")
    os.mkfifo(covers / "pipe.jpg")
    told = Told()
    found = cover_files(covers, (), told)
    assert names(found) == ["a.jpg"]
    assert found.skipped == (
        ("gone.jpg", "a broken link, to nowhere.jpg"),
        ("itself.jpg", "a broken link, to itself.jpg"),
        ("pipe.jpg", "neither a file nor a folder"),
    )
    assert len(told.remarks) == 3


def test_a_folder_that_cannot_be_read_is_named(
    covers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(covers, "locked/b.jpg")
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert cover_files(covers).skipped == (("locked/", "Permission denied"),)
    monkeypatch.setattr(os, "scandir", lambda _: refuse("locked"))
    with pytest.raises(BuildError, match="cannot be read: Permission denied"):
        cover_files(covers)


# --- how much is read ---------------------------------------------------------------------------


class Read:
    """Counts what is read of files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = 0
        opened = Path.open
        counter = self

        class Counting:
            def __init__(self, file: Any) -> None:
                self._file = file

            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                self._file.close()

            def fileno(self) -> int:
                return int(self._file.fileno())

            def read(self, size: int = -1) -> bytes:
                data: bytes = self._file.read(size)
                counter.bytes += len(data)
                return data

        monkeypatch.setattr(Path, "open", lambda self, *a, **k: Counting(opened(self, *a, **k)))


@pytest.mark.parametrize("head", [b"\x00\x00 an image of a disk", b"\xff\xd8\xff\xe0 like a JPEG"])
def test_two_hundred_gigabytes_beside_the_covers_are_named_and_not_read(
    head: bytes, covers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (covers / "huge.jpg").write_bytes(head)
    os.truncate(covers / "huge.jpg", 200 << 30)  # sparse: it takes no room
    read = Read(monkeypatch)
    good, bad = embed_batch(cover_files(covers).files, ColourEncoder(), ())
    assert good.vector is not None
    assert bad.failure
    assert read.bytes < 100_000
    if head.startswith(b"\xff"):
        assert "huge.jpg has 214,748,364,800 bytes; at most 536,870,912" in bad.failure
        assert "--max-file-bytes" in bad.failure
    else:
        assert "is not an image we can read" in bad.failure


def test_the_bound_is_settable_and_holds_for_files_that_grow(
    covers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (covers / "a.jpg").stat().st_size
    [file] = cover_files(covers, most_bytes=size).files
    assert len(file.read_bytes()) == size
    [less] = cover_files(covers, most_bytes=size - 1).files
    [row] = embed_batch([less], ColourEncoder(), ())
    assert f"a.jpg has {size:,} bytes; at most {size - 1:,}" in row.failure
    monkeypatch.setattr(Picture, "size_of", lambda *_: 0)
    [row] = embed_batch([less], ColourEncoder(), ())
    assert "a.jpg has more bytes; at most" in row.failure


def test_an_object_store_is_bounded_too(covers: Path) -> None:
    [file] = cover_files(f"file://{covers}", most_bytes=100).files
    [row] = embed_batch([file], ColourEncoder(), ())
    assert "at most 100 of a file are read" in row.failure


def test_no_memory_for_a_file_is_no_end_of_the_others(
    covers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(covers, "b.jpg")
    read = Picture.read_bytes

    def short(self: Picture) -> bytes:
        if self.name == "a.jpg":
            raise MemoryError
        return read(self)

    monkeypatch.setattr(Picture, "read_bytes", short)
    one, other = embed_batch(cover_files(covers).files, ColourEncoder(), ())
    assert one.failure == "there is no memory to read it"
    assert other.vector is not None


def test_large_files_are_read_one_at_a_time(covers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(covers, *(f"{i}.jpg" for i in range(8)))
    monkeypatch.setattr(embedding, "_LARGE_BYTES", 10)
    at_once: list[int] = []
    inside = 0
    read = Picture.read_bytes

    def counting(self: Picture) -> bytes:
        nonlocal inside
        inside += 1
        at_once.append(inside)
        data = read(self)
        inside -= 1
        return data

    monkeypatch.setattr(Picture, "read_bytes", counting)
    rows = embed_batch(cover_files(covers).files, ColourEncoder(), (), threads=8)
    assert not any(row.failure for row in rows)
    assert set(at_once) == {1}
