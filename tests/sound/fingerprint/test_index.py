from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fingerprints import STEP_S, Tune

from engine.base.errors import ArtifactError
from engine.sound.fingerprint import files
from engine.sound.fingerprint.files import FingerprintWriter, decoded, encoded
from engine.sound.fingerprint.index import FingerprintIndex, Together

QUERY_S = 0.125
TUNES = {100 + n: Tune(n, 60) for n in range(12)}


def index_of(tunes: dict[int, Tune]) -> FingerprintIndex:
    made = FingerprintIndex(64, STEP_S)
    for track_id, tune in tunes.items():
        made.add(track_id, tune.rows())
    return made


@pytest.fixture(scope="module")
def index() -> FingerprintIndex:
    return index_of(TUNES)


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same tracks' files with codes, as a large catalogue has them."""
    folder = tmp_path_factory.mktemp("coded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "FLAT_UP_TO", 500)
        index_of(TUNES).write(folder)
    assert (folder / files.CODES).is_file()
    return folder


@pytest.mark.parametrize("offset_s", [0.0, 17.3, 30.06, 49.9])
def test_a_clip_is_found_where_it_lies(index: FingerprintIndex, offset_s: float) -> None:
    found = index.search(TUNES[104].clip(offset_s, 10), QUERY_S)
    assert found[0].track_id == 104
    assert found[0].offset_s == pytest.approx(offset_s, abs=0.05)
    assert found[0].speed == pytest.approx(1, abs=0.003)
    assert found[0].votes == found[0].windows >= 18
    assert found[0].score > 0.9
    assert all(other.score < 0.4 for other in found[1:])


def test_noise_takes_similarity_and_not_the_place(index: FingerprintIndex) -> None:
    offsets = np.random.default_rng(3).uniform(0, 49, 20)
    off = []
    for seed, offset_s in enumerate(offsets):
        found = index.search(TUNES[107].clip(offset_s, 10, noise=1.5, seed=seed), QUERY_S)
        assert found[0].track_id == 107
        assert found[0].score < 0.7
        off.append(abs(found[0].offset_s - offset_s))
    assert np.quantile(off, 0.9) < 0.1


@pytest.mark.parametrize("speed", [0.98, 1.02])
@pytest.mark.parametrize("clip_s", [10, 40])
def test_a_hurried_clip_is_found_with_its_speed(
    index: FingerprintIndex, speed: float, clip_s: float
) -> None:
    found = index.search(TUNES[102].clip(12.2, clip_s, speed=speed, noise=0.5), QUERY_S)
    assert found[0].track_id == 102
    assert found[0].speed == pytest.approx(speed, abs=0.006)
    assert found[0].offset_s == pytest.approx(12.2, abs=0.06)
    assert found[0].score > 0.6


def test_a_clip_may_begin_before_its_track_does_and_end_after(index: FingerprintIndex) -> None:
    rows = TUNES[103].clip(0, 7)
    before = Tune(999, 60).clip(5, 4)
    [first, *_] = index.search(np.concatenate([before, rows]), QUERY_S)
    assert first.track_id == 103
    assert first.offset_s == pytest.approx(-len(before) * QUERY_S, abs=0.05)
    [last, *_] = index.search(TUNES[103].clip(53, 6.9), QUERY_S)
    assert (last.track_id, round(last.offset_s, 1)) == (103, 53.0)


def test_of_a_loop_every_turn_is_the_same_track_and_does_not_weaken_it() -> None:
    turn = Tune(50, 9).rows()[:16]
    looped = FingerprintIndex(64, STEP_S)
    looped.add(1, np.concatenate([turn] * 6))
    looped.add(2, TUNES[101].rows())
    found = looped.search(Tune(50, 9).clip(0, 8), QUERY_S)
    assert [near.track_id for near in found] == [1, 2]
    assert (found[0].offset_s + 4) % 8 == pytest.approx(4, abs=0.05)
    assert found[0].score - found[1].score > 0.5


def test_silence_is_near_to_nothing(index: FingerprintIndex) -> None:
    quiet = index_of(TUNES)
    quiet.add(1, np.zeros((200, 64), np.float32))
    clip = TUNES[105].clip(20, 12)
    clip[:24] = 0
    found = quiet.search(clip, QUERY_S)
    assert found[0].track_id == 105
    assert found[0].score > 0.9
    assert 1 not in [near.track_id for near in found]
    assert quiet.search(np.zeros((40, 64), np.float32), QUERY_S) == []


def test_what_is_added_is_found_and_what_is_removed_is_not() -> None:
    index = index_of(TUNES)
    new = Tune(77, 30)
    index.add(500, new.rows())
    assert index.search(new.clip(9, 6), QUERY_S)[0].track_id == 500
    index.remove([500, 12345])
    assert 500 not in [near.track_id for near in index.search(new.clip(9, 6), QUERY_S)]
    index.add(101, new.rows())
    assert len(index) == len(TUNES)
    assert index.search(new.clip(9, 6), QUERY_S)[0].track_id == 101
    clip = TUNES[101].clip(9, 6)
    assert all(near.score < 0.5 for near in index.search(clip, QUERY_S))
    assert index.search(TUNES[111].clip(9, 6), QUERY_S)[0].track_id == 111


def test_an_empty_index_finds_nothing_and_a_wrong_row_is_refused() -> None:
    empty = FingerprintIndex(64, STEP_S)
    assert empty.search(TUNES[101].clip(9, 6), QUERY_S) == []
    with pytest.raises(ValueError, match="track 3"):
        empty.add(3, np.zeros((0, 64), np.float32))
    with pytest.raises(ValueError, match=r"0\.3 s do not go into"):
        empty.search(TUNES[101].clip(9, 6), 0.3)


def test_files_hold_what_was_written(tmp_path: Path, index: FingerprintIndex) -> None:
    index.write(tmp_path)
    read = FingerprintIndex.open(tmp_path)
    assert read.ids().tolist() == sorted(TUNES)
    assert read.minutes == pytest.approx(index.minutes)
    assert np.abs(read.vectors(105) - TUNES[105].rows()).max() < 0.01
    clip = TUNES[104].clip(21.7, 5, noise=1)
    assert read.search(clip, QUERY_S) == index.search(clip, QUERY_S)
    assert not (tmp_path / files.CODES).exists()
    with pytest.raises(KeyError):
        read.vectors(1)


def test_codes_find_what_all_lines_find(coded: Path, index: FingerprintIndex) -> None:
    read = FingerprintIndex.open(coded)
    for seed in range(10):
        clip = TUNES[100 + seed].clip(seed * 4.7, 10, noise=1.2, seed=seed)
        found, exact = read.search(clip, QUERY_S)[0], index.search(clip, QUERY_S)[0]
        assert found.track_id == exact.track_id == 100 + seed
        assert found.offset_s == pytest.approx(exact.offset_s, abs=0.03)
        assert found.score == pytest.approx(exact.score, abs=0.02)


def test_codes_grow_and_shrink_and_are_written_again(coded: Path, tmp_path: Path) -> None:
    read, new = FingerprintIndex.open(coded), Tune(77, 30)
    read.add(500, new.rows())
    read.remove([103])
    read.write(tmp_path / "next")
    again = FingerprintIndex.open(tmp_path / "next")
    assert again.ids().tolist() == sorted({*TUNES, 500} - {103})
    about = json.loads((tmp_path / "next" / files.INDEX).read_text())
    assert about["rows"] == sum(len(tune.rows()) for tune in TUNES.values()) + len(new.rows())
    for one in (read, again):
        assert one.search(new.clip(9, 6), QUERY_S)[0].track_id == 500
        assert one.search(TUNES[110].clip(30, 6), QUERY_S)[0].track_id == 110
        assert 103 not in [n.track_id for n in one.search(TUNES[103].clip(9, 6), QUERY_S)]


def test_files_are_made_anew_where_a_quarter_is_gone(coded: Path, tmp_path: Path) -> None:
    read = FingerprintIndex.open(coded)
    read.remove(range(100, 104))
    read.write(tmp_path)
    again = FingerprintIndex.open(tmp_path)
    about = json.loads((tmp_path / files.INDEX).read_text())
    assert about["rows"] == sum(len(TUNES[n].rows()) for n in range(104, 112))
    assert again.search(TUNES[110].clip(30, 6), QUERY_S)[0].track_id == 110


def test_stored_rows_are_near_and_zeros_stay() -> None:
    rows = TUNES[100].rows()
    back = decoded(encoded(rows))
    assert (rows * back).sum(axis=1).min() > 0.999
    assert not decoded(encoded(np.zeros((2, 64), np.float32))).any()


HOSTILE = {
    "json": lambda f: (f / files.INDEX).write_text("{"),
    "a field": lambda f: (f / files.INDEX).write_text('{"dimension": 64, "x": 1}'),
    "fewer rows": lambda f: (f / files.ROWS).write_bytes((f / files.ROWS).read_bytes()[:-64]),
    "no table": lambda f: (f / files.TRACKS).unlink(),
    "a damaged table": lambda f: (f / files.TRACKS).write_bytes(b"\x93NUMPY\x01\x00v"),
    "beyond the rows": lambda f: _change_table(f, lambda t: t.__setitem__((-1, 2), 10**9)),
    "around the end": lambda f: _change_table(f, lambda t: t.__setitem__((-1, 1), 2**63 - 5)),
    "a negative row": lambda f: _change_table(f, lambda t: t.__setitem__((0, 1), -5)),
    "two tracks in one place": lambda f: _change_table(f, lambda t: t.__setitem__((1, 1), 3)),
    "one id twice": lambda f: _change_table(f, lambda t: t.__setitem__((1, 0), t[0, 0])),
    "no codes": lambda f: (f / files.CODES).unlink(),
    "codes of nothing": lambda f: (f / files.CODES).write_bytes(b"IwPQ" + b"\xff" * 200),
}


def _change_table(folder: Path, change: object) -> None:
    table = np.load(folder / files.TRACKS)
    change(table)  # type: ignore[operator]
    np.save(folder / files.TRACKS, table)


@pytest.mark.parametrize("harm", HOSTILE)
def test_files_that_do_not_fit_are_refused(coded: Path, tmp_path: Path, harm: str) -> None:
    for path in coded.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    HOSTILE[harm](tmp_path)
    with pytest.raises(ArtifactError, match=r"fingerprints/ cannot be read"):
        FingerprintIndex.open(tmp_path)


def test_a_writer_that_failed_leaves_no_index(tmp_path: Path) -> None:
    with pytest.raises(TypeError), FingerprintWriter(tmp_path, 64, STEP_S) as writer:
        writer.add(1, np.full((3,), "no vector"))  # type: ignore[arg-type]
    assert not (tmp_path / files.INDEX).exists()


def test_what_was_added_and_removed_leaves_no_rows_behind() -> None:
    index = index_of(TUNES)
    for turn in range(5):
        index.add(500 + turn, Tune(77, 30).rows())
        index.remove([500 + turn, 103])
        assert index.search(TUNES[104].clip(20, 6), QUERY_S)[0].track_id == 104
    assert len(index._shelf.beside) == sum(len(tune.rows()) for tune in TUNES.values()) - len(
        TUNES[103].rows()
    )


@pytest.mark.parametrize("searched", [False, True])
def test_many_are_held_at_once_beside_files_and_codes(coded: Path, searched: bool) -> None:
    index = FingerprintIndex.open(coded)
    new = {500 + n: Tune(70 + n, 20) for n in range(3)}
    if searched:
        index.search(TUNES[104].clip(20, 6), QUERY_S)
    both = index.without([105]).holding({i: encoded(tune.rows()) for i, tune in new.items()})
    less = both.without([501])
    assert (len(index), len(both), len(less)) == (12, 14, 13)
    for i, tune in new.items():
        assert both.search(tune.clip(9, 6), QUERY_S)[0].track_id == i
    assert less.search(new[502].clip(9, 6), QUERY_S)[0].track_id == 502
    assert 501 not in [near.track_id for near in less.search(new[501].clip(9, 6), QUERY_S)]
    assert less.search(TUNES[104].clip(20, 6), QUERY_S)[0].track_id == 104
    with pytest.raises(ValueError):
        index.holding({1: np.zeros((0, 64), np.int8)})


def test_what_is_held_one_after_another_keeps_to_its_own_rows() -> None:
    first = FingerprintIndex(64, STEP_S).holding({1: encoded(Tune(1, 20).rows())})
    assert first.search(Tune(1, 20).clip(5, 6), QUERY_S)[0].track_id == 1
    grown, branches = first, []
    for n in range(2, 8):
        branches.append(grown.holding({n + 100: encoded(Tune(n + 100, 20).rows())}))
        grown = grown.holding({n: encoded(Tune(n, 20).rows())})
    for n in range(1, 8):
        assert grown.search(Tune(n, 20).clip(9, 6), QUERY_S)[0].track_id == n
    for n, branch in enumerate(branches, start=2):
        found = branch.search(Tune(n + 100, 20).clip(9, 6), QUERY_S)[0]
        assert (found.track_id, round(found.offset_s)) == (n + 100, 9)
    assert len(first._shelf.beside) == len(Tune(1, 20).rows())


def test_together_they_answer_as_one_does(index: FingerprintIndex) -> None:
    ids = sorted(TUNES)
    parts = Together([index.without(ids[:6]), index.without(ids[6:])])
    for track_id in (ids[2], ids[9]):
        clip = TUNES[track_id].clip(20, 8, noise=1.0)
        whole = index.search(clip, QUERY_S)
        apart = parts.search(clip, QUERY_S)
        assert apart[0] == whole[0]
        assert len(apart) == len(whole)
        assert parts.likeness(apart[0], apart[1], 8) == pytest.approx(
            index.likeness(apart[0], apart[1], 8), abs=1e-5
        )
