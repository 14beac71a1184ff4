"""`making/{build,revise,listening,audio,assemble}.py`: recordings → an artifact, and later ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tracks import RATE, tune

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.sound.artifact import SoundArtifact
from engine.sound.audio import decode, encode
from engine.sound.making.assemble import Built, Wish
from engine.sound.making.build import build
from engine.sound.making.revise import add, remove
from engine.sound.search import SoundSearch

SECONDS = 6.0


class Told(Progress):
    def __init__(self, stop_at: int | None = None) -> None:
        self.remarks: list[str] = []
        self.stop_at = stop_at

    def remark(self, line: str) -> None:
        self.remarks.append(line)

    def step(self, done: int, total: int, what: str) -> None:
        if what == "tracks" and done == self.stop_at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tunes in three formats, a short one, and files that are no recordings."""
    folder = tmp_path_factory.mktemp("music")
    (folder / "b").mkdir()
    kinds = (("a.flac", "flac", "flac"), ("b/b.m4a", "mp4", "aac"), ("c.opus", "ogg", "libopus"))
    for number, (name, container, codec) in enumerate(kinds):
        both = np.stack([tune(number, SECONDS, 48_000)] * 2, 1)
        tags = {"title": f"Tune {number}", "artist": "A", "genre": "jazz"}
        (folder / name).write_bytes(encode(both, 48_000, container, codec, tags=tags))
    (folder / "short.wav").write_bytes(encode(tune(9, 1.0), RATE, "wav", "pcm_s16le"))
    (folder / "broken.mp3").write_bytes(b"ID3" + bytes(400))
    (folder / "notes.txt").write_text("notes")
    (folder / ".DS_Store").write_text("x")
    return folder


@pytest.fixture(scope="module")
def making(music: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Told]:
    told = Told()
    made = build(music, tmp_path_factory.mktemp("built") / "a", workers=1, progress=told)
    return made, told


@pytest.fixture(scope="module")
def built(making: tuple[Built, Told]) -> Path:
    return making[0].path


def test_what_cannot_be_heard_is_named_and_skipped(making: tuple[Built, Told]) -> None:
    made, told = making
    reasons = dict(made.skipped)
    assert sorted(reasons) == ["broken.mp3", "notes.txt", "short.wav"]
    assert "1.00 s long; a track has 1.5 s or more" in reasons["short.wav"]
    assert "is not a recording we can read" in reasons["notes.txt"]
    assert sum(line.startswith("skipped ") for line in told.remarks) == 3
    assert any("the audio of 3 tracks whose licence is not known" in r for r in told.remarks)
    assert (made.heard, made.manifest.catalogue.audio) == (3, 3)
    assert list(made.path.parent.iterdir()) == [made.path]  # nothing is left beside it


def test_tags_of_the_files_tell_what_they_are(built: Path) -> None:
    tracks = list(SoundArtifact.open(built).open_catalogue())
    assert [track.file for track in tracks] == ["a.flac", "b/b.m4a", "c.opus"]
    assert [track.title for track in tracks] == ["Tune 0", "Tune 1", "Tune 2"]
    assert {track.genre for track in tracks} == {"jazz"}
    assert [track.duration_s for track in tracks] == pytest.approx([SECONDS] * 3, abs=0.05)


def test_audio_goes_in_as_opus_that_keeps_its_time(built: Path, music: Path) -> None:
    catalogue = SoundArtifact.open(built).open_catalogue()
    assert [track.audio for track in catalogue] == ["audio/0.m4a", "audio/1.m4a", "audio/2.opus"]
    assert (built / "audio/2.opus").read_bytes() == (music / "c.opus").read_bytes()
    for name in ("audio/0.m4a", "audio/1.m4a"):
        assert (built / name).read_bytes()[4:8] == b"ftyp"
        assert (built / name).stat().st_size < 15_000 * SECONDS
    first = decode(built / "audio/0.m4a")
    original = tune(0, SECONDS, 48_000)[::3]
    both = min(len(first), len(original))
    spans = [np.correlate(first[:both], np.roll(original[:both], k), "valid")[0] for k in (-80, 80)]
    assert np.correlate(first[:both], original[:both], "valid")[0] > max(spans)


def test_audio_goes_in_as_it_is_or_stays_out_where_its_row_says_so(
    music: Path, tmp_path: Path
) -> None:
    table = tmp_path / "m.csv"
    table.write_text(
        "file,licence,url\na.flac,CC0,\nb.m4a,All rights reserved,\n"
        "c.opus,CC0,https://x.example/c.opus\n"
    )
    told = Told()
    made = build(music, tmp_path / "a", metadata=table, wish=Wish("copy"), progress=told)
    [kept] = (made.path / "audio").iterdir()
    assert kept.name == "0.flac"
    assert kept.read_bytes() == (music / "a.flac").read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o644
    assert any("the audio of 1 tracks stays out" in line for line in told.remarks)
    assert not any("whose licence is not known" in line for line in told.remarks)


def test_the_same_inputs_give_the_same_id_and_other_ones_another(
    built: Path, music: Path, tmp_path: Path
) -> None:
    again = Path(shutil.copytree(music, tmp_path / "elsewhere"))
    one = SoundArtifact.open(built).manifest
    assert build(again, tmp_path / "b", workers=3).manifest.id == one.id
    (again / "a.flac").unlink()
    other = build(again, tmp_path / "c", wish=Wish("none")).manifest
    assert other.id != one.id
    assert (other.catalogue.tracks, other.catalogue.audio) == (2, 0)


def test_interrupted_it_goes_on_where_it_stopped(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "a"
    with pytest.raises(KeyboardInterrupt):
        build(music, out, workers=1, progress=Told(stop_at=2))
    assert not out.exists()
    assert build(music, out, workers=1).heard == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_no_place_or_holds_nothing_is_refused(music: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"is not a folder\. Give --tracks"):
        build(music / "a.flac", tmp_path / "a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "x.txt").write_text("x")
    with pytest.raises(BuildError, match=r"holds no recording we can read \(1 files skipped\)"):
        build(tmp_path / "empty", tmp_path / "a")
    (tmp_path / "there").mkdir()
    with pytest.raises(BuildError, match="exists already"):
        build(music, tmp_path / "there")


# --- later versions -----------------------------------------------------------------------------


def test_what_is_added_is_found_and_nothing_else_is_heard_again(
    built: Path, music: Path, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "d.wav").write_bytes(encode(tune(3, SECONDS), RATE, "wav", "pcm_s16le"))
    shutil.copy(music / "a.flac", more)
    made = add(built, more, tmp_path / "b")
    assert made.heard == 1
    assert dict(made.skipped) == {"a.flac": "the same bytes are track 0 already"}
    search = SoundSearch.open(made.path, threads=1)
    for number in (0, 3):
        found = search.identify(tune(number, SECONDS)[RATE : 5 * RATE]).best
        assert found is not None
        assert (found.track_id, found.offset_s) == (number, pytest.approx(1.0, abs=0.1))
    assert search.alike(tune(3, SECONDS))[0].track.track_id == 3
    old = SoundArtifact.open(built)
    assert np.allclose(search.index.vectors([0, 1, 2]), old.open_index().vectors([0, 1, 2]))
    assert search.catalogue.tags(1) is not None
    assert search.peaks(3) is not None
    assert search.catalogue.track(3).audio == "audio/3.m4a"  # type: ignore[union-attr]
    with pytest.raises(BuildError, match="no new recording"):
        add(built, music, tmp_path / "c")


def test_what_is_removed_is_not_found_and_the_others_keep_their_ids(
    built: Path, tmp_path: Path
) -> None:
    made = remove(built, [0], tmp_path / "b")
    assert made.manifest.catalogue.tracks == 2
    assert not (made.path / "audio" / "0.m4a").exists()
    search = SoundSearch.open(made.path, threads=1)
    candidates = search.identify(tune(0, SECONDS)[RATE:]).candidates
    assert 0 not in [found.track_id for found in candidates]
    assert search.catalogue.ids().tolist() == [1, 2]
    assert search.index.ids().tolist() == [1, 2]
    last = remove(made.path, [2], tmp_path / "c")
    assert SoundSearch.open(last.path, threads=1).total_tracks == 1


def test_what_cannot_be_removed_is_said(built: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="There is no track 7"):
        remove(built, [1, 7], tmp_path / "b")
    with pytest.raises(BuildError, match="remove every track"):
        remove(built, [0, 1, 2], tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_copy_without_audio_does_not_grow(built: Path, music: Path, tmp_path: Path) -> None:
    from engine.artifact.pack import pack

    whole = SoundArtifact.open(built)
    pack(whole, tmp_path / "mute", without=whole.manifest.audio_files())
    with pytest.raises(BuildError, match="some files were left out of"):
        add(tmp_path / "mute", music, tmp_path / "b")
    with pytest.raises(BuildError, match="some files were left out of"):
        remove(tmp_path / "mute", [0], tmp_path / "b")
