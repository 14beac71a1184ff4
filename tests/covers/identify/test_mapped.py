"""References of many covers, on disk: they answer as those in memory do, grow and shrink."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.base.errors import ArtifactError
from engine.base.progress import Progress
from engine.covers.identify import layout, mapped
from engine.covers.identify.keypoints import of_photo
from engine.covers.identify.mapped import MappedCodes, MappedKeypoints, packed, unpacked
from engine.covers.identify.proof import Windows, own_map
from engine.covers.identify.references import FOLDER, References
from engine.covers.image import thumbnail
from engine.covers.making.references import write_references
from engine.covers.photos.photo import Distortion, simulate_photo


def cover(number: int) -> np.ndarray:
    """(256, 256, 3) uint8: boxes and discs in colours of their own."""
    rng = np.random.default_rng([31, number])
    image = np.full((256, 256, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(30):
        x, y, size = (int(one) for one in rng.integers((0, 0, 6), (230, 230, 40)))
        colour = rng.integers(0, 256, 3).tolist()
        cv2.rectangle(image, (x, y), (x + size, y + size // 2 + 4), colour, -1)
        cv2.circle(image, (y, x), size // 3 + 2, colour[::-1], -1)
    return image


@dataclass
class Drawn:
    """Albums whose covers are drawn; the id of one is its picture's number."""

    held: list[int]
    has_thumbnails: bool = True
    asked: list[int] = field(default_factory=list)

    def ids(self) -> np.ndarray:
        return np.array(sorted(self.held), np.int64)

    def thumbnail(self, album_id: int) -> bytes:
        self.asked.append(album_id)
        return thumbnail(Image.fromarray(cover(album_id)), 256, 90)


@pytest.fixture(scope="module", autouse=True)
def few_are_many() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "MAPPED_FROM", 20)
        yield


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, References]:
    folder = tmp_path_factory.mktemp("mapped")
    made = write_references(folder, Drawn([*range(30)]))
    assert made is not None
    return folder, made


def first_voted(references: References, number: int) -> int:
    how = Distortion(share=(0.5, 0.5), turn_deg=180)
    photo = simulate_photo(cover(number), np.random.default_rng(number), how)
    assert isinstance(references.keypoints, MappedKeypoints)
    return next((one.row for one in references.keypoints.voted(of_photo(photo.image), 3)), -1)


def test_an_id_says_whose_a_keypoint_is_and_where() -> None:
    places = np.array([[0.4, 255.6, 1.9, 359.9], [128.2, 7.5, 60.0, 0.0]], np.float32)
    rows, known = unpacked(packed(2_000_000_000, places))
    assert rows.tolist() == [2_000_000_000] * 2
    assert np.abs(known[:, :2] - places[:, :2]).max() <= 0.5 + 1e-5
    assert np.abs(np.log2(known[:, 2] / places[:, 2])).max() <= 0.5 / 24
    assert np.abs((known[:, 3] - places[:, 3] + 180) % 360 - 180).max() <= 0.71


def test_references_on_disk_find_what_those_in_memory_find(
    on_disk: tuple[Path, References], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, mine = on_disk
    monkeypatch.setattr(mapped, "MAPPED_FROM", 100)
    theirs = write_references(tmp_path, Drawn([*range(30)]))
    assert theirs is not None
    assert isinstance(mine.codes, MappedCodes)
    assert not isinstance(theirs.codes, MappedCodes)
    assert not (folder / FOLDER / "layout.npz").exists()
    views = np.stack([cv2.resize(cover(number), (64, 64)) for number in range(40)])
    codes = mine.basis.codes(layout.features(views))
    for some, others in zip(mine.nearest(codes, 4), theirs.nearest(codes, 4), strict=True):
        assert [one.row for one in some] == [one.row for one in others]
        likeness = [one.similarity for one in others]
        assert [one.similarity for one in some] == pytest.approx(likeness, abs=1e-5)
    seen = [Windows(layout.shrunk(mine.cover(row)), 9) for row in range(30)]
    near = [one.row for one in mine.nearest(mine.code(7)[None], 9)[0] if one.row != 7]
    own = np.round(own_map(seen[7], [seen[row] for row in near]) * 255)
    assert np.array_equal(mine.own[7], own)
    assert [first_voted(mine, number) for number in (3, 11, 27)] == [3, 11, 27]


def test_what_a_search_touched_is_let_go_of(
    on_disk: tuple[Path, References], monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[int] = []
    monkeypatch.setattr(mapped, "_KEPT", 1)
    monkeypatch.setattr(mapped, "drop", lambda start, size: dropped.append(size))
    again = References.open(on_disk[0], Drawn([*range(30)]))
    assert again is not None
    assert first_voted(again, 3) == 3
    assert set(dropped) == {(on_disk[0] / FOLDER / "sift.faiss").stat().st_size}
    monkeypatch.undo()
    monkeypatch.setattr(mapped, "_KEPT", 1)
    assert first_voted(again, 4) == first_voted(again, 4) == 4, "let go of in between"


def test_covers_come_and_go_and_the_others_are_not_looked_at_again(
    on_disk: tuple[Path, References], tmp_path: Path
) -> None:
    before, first, second = on_disk[0], tmp_path / "less", tmp_path / "more"
    first.mkdir()
    second.mkdir()
    left = Drawn([*range(29)][4:])
    less = write_references(first, left, Progress(), before)
    assert less is not None
    assert left.asked == []
    assert less.row_of.get(2) is None
    assert (less.row_of[5], 29 in less.row_of) == (5, False)
    assert first_voted(less, 5) == 5
    assert first_voted(less, 2) != 2
    assert all(one.row >= 4 for one in less.nearest(less.code(2)[None], 4)[0])
    grown = Drawn([*range(4, 33)])
    more = write_references(second, grown, Progress(), first)
    assert more is not None
    assert {29, 30, 31, 32} <= set(grown.asked)
    # An id that was given up is given anew.
    assert [int(more.ids[more.row_of[number]]) for number in (5, 29, 32)] == [5, 29, 32]
    assert more.row_of[29] == 30
    assert first_voted(more, 32) == more.row_of[32]
    assert more.nearest(more.code(31)[None], 1)[0][0].row == 31
    assert len(before.joinpath(FOLDER, "codes.i8").read_bytes()) == 30 * 256, "it did not grow"


def test_where_a_quarter_is_gone_all_are_written_anew(
    on_disk: tuple[Path, References], tmp_path: Path
) -> None:
    made = write_references(tmp_path, Drawn([*range(8, 30)]), Progress(), on_disk[0])
    assert made is not None
    assert len(made) == 22


@pytest.mark.parametrize("name", ["codes.i8", "own.u8", "layout.faiss", "sift.faiss"])
def test_a_file_that_is_cut_is_refused(
    on_disk: tuple[Path, References], tmp_path: Path, name: str
) -> None:
    part = tmp_path / FOLDER
    part.mkdir()
    for file in (on_disk[0] / FOLDER).iterdir():
        data = file.read_bytes()
        (part / file.name).write_bytes(data[:-100] if file.name == name else data)
    with pytest.raises(ArtifactError, match="cannot be read"):
        References.open(tmp_path, Drawn([*range(30)]))
