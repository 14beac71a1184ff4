"""`engine/cli/{sound,kinds}.py`: what each command does with tracks, and with the wrong kind."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any, get_args

import pytest
from tracks import RATE, TRACKS, tune

from engine.base.places import STARTER
from engine.cli.covers import AUDIO
from engine.cli.main import main
from engine.cli.sound import clock
from engine.sound.artifact import SoundArtifact
from engine.sound.audio import encode
from engine.sound.making.audio import Mode


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: Any) -> tuple[int, str, str]:
        capfd.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            status = stop.code if isinstance(stop.code, int) else 1
        out, err = capfd.readouterr()
        return status, out, err

    return call


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds of track 2 from its fourth on, as a browser records."""
    path = tmp_path_factory.mktemp("clip") / "clip.webm"
    part = tune(2)[4 * RATE : 9 * RATE]
    path.write_bytes(encode(part, RATE, "webm", "libopus", kbit=32))
    return path


def test_identify_tells_track_and_place(run: Any, tiny_sound: Path, clip: Path) -> None:
    status, out, err = run("identify", tiny_sound, "--sound", clip)
    assert (status, err) == (0, "")
    assert "2 Artist 0 – Tune 2 (jazz, 1992)" in out
    assert "from 0:04.0 on, 5.0 s of it" in out
    told = json.loads(run("identify", tiny_sound, "--sound", clip, "--json")[1])
    assert (told["decision"], told["track_id"], told["reason"]) == ("match", 2, None)
    assert told["evidence"]["offset_s"] == pytest.approx(4.0, abs=0.1)
    assert told["candidates"][0] == 2


def test_identify_says_why_it_cannot(run: Any, tiny_sound: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.wav"
    short.write_bytes(encode(tune(2)[:RATE], RATE, "wav", "pcm_s16le"))
    status, out, _ = run("identify", tiny_sound, "--sound", short)
    assert status == 0
    assert out.startswith("no_match")
    assert "too short: play 3 s or more" in out
    told = json.loads(run("identify", tiny_sound, "--sound", short, "--json")[1])
    assert (told["reason"], told["track_id"], told["evidence"]) == ("too_short", None, None)


def test_query_lists_what_sounds_alike(run: Any, tiny_sound: Path, clip: Path) -> None:
    status, out, _ = run("query", tiny_sound, "--sound", clip, "-k", 3)
    assert status == 0
    assert len(out.splitlines()) == 4
    told = json.loads(run("query", tiny_sound, "--sound", clip, "-k", TRACKS, "--json")[1])
    assert sorted(row["track_id"] for row in told) == list(range(TRACKS))
    assert {"similarity_score", "title", "artist", "album", "genre"} < told[0].keys()


def test_query_refuses_what_the_service_refuses(run: Any, tiny_sound: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.wav"
    short.write_bytes(encode(tune(2)[: 2 * RATE], RATE, "wav", "pcm_s16le"))
    status, out, err = run("query", tiny_sound, "--sound", short)
    assert (status, out) == (1, "")
    assert err.startswith("audio_too_short: The recording has 2.0 seconds; 3 are the least")


def test_inspect_and_verify_know_tracks(run: Any, tiny_sound: Path) -> None:
    status, out, _ = run("inspect", tiny_sound)
    assert status == 0
    assert json.loads(out) == json.loads((tiny_sound / "manifest.json").read_text())
    told = json.loads(run("verify", tiny_sound, "--json")[1])
    assert (told["tracks"], told["verified"]) == (TRACKS, True)


def test_verify_names_what_is_wrong(run: Any, tiny_sound: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_sound, tmp_path / "a"))
    data = bytearray((folder / "audio" / "0.opus").read_bytes())
    data[-1] ^= 1
    (folder / "audio" / "0.opus").write_bytes(data)
    status, _, err = run("verify", folder)
    assert status == 1
    assert err.startswith("digest_mismatch: audio/0.opus does not have the sha256")


def test_remove_makes_a_version_without(run: Any, tiny_sound: Path, tmp_path: Path) -> None:
    out = tmp_path / "b"
    status, said, _ = run("remove", tiny_sound, "--ids", "1,3", "--out", out)
    assert status == 0
    assert f"{out}: artifact " in said
    assert "4 tracks in 2 genres" in said
    assert said.splitlines()[-1] == f"next: python -m engine serve {out}"


def test_pack_and_publish_know_tracks(run: Any, tiny_sound: Path, tmp_path: Path) -> None:
    status, said, _ = run("pack", tiny_sound, "--out", tmp_path / "a.tar", "--without-audio")
    assert status == 0
    assert "SHAZAM_SOUND_ARTIFACT=URL#sha256=" in said
    identity = SoundArtifact.open(tiny_sound).id
    with tarfile.open(tmp_path / "a.tar") as tar:
        names = tar.getnames()
    assert f"shazam-sound-{identity}/manifest.json" in names
    assert not any("/audio/" in name for name in names)
    status, said, _ = run("publish", tiny_sound)
    assert said.startswith(
        f"published shazam-sound:{identity}; serve it with SHAZAM_SOUND_ARTIFACT="
    )
    assert run("verify", f"shazam-sound:{identity}")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("query", "SOUND", "--image", "x.jpg"), "--image is for covers, and tiny holds tracks"),
        (("query", "COVER", "--sound", "x.wav"), "--sound is for tracks, and starter holds covers"),
        (("identify", "SOUND", "--image", "x.jpg"), "--image is for covers, and tiny holds tracks"),
        (("identify", "COVER", "--sound", "x.wav"), "--sound is for tracks"),
        (("identify", "SOUND", "--sound", "x", "--many"), "--many is for covers"),
        (("add", "SOUND", "--covers", "x", "--out", "y"), "--covers is for covers"),
        (("add", "COVER", "--tracks", "x", "--out", "y"), "--tracks is for tracks"),
        (
            ("add", "COVER", "--covers", "x", "--audio", "none", "--out", "y"),
            "--audio is for tracks",
        ),
        (("build", "--tracks", "x", "--ray", "auto", "--out", "y"), "--ray is for covers"),
        (("build", "--covers", "x", "--workers", "2", "--out", "y"), "--workers is for tracks"),
        (("build", "--covers", "x", "--tracks", "y", "--out", "z"), "not allowed with argument"),
        (("build", "--out", "z"), "one of the arguments --covers --tracks is required"),
        (("pack", "SOUND", "--serving", "--without-index", "--out", "y"), "--without-index is for"),
        (("pack", "COVER", "--without-audio", "--out", "y"), "--without-audio is for tracks"),
    ],
)
def test_options_of_another_kind_are_bad_usage_in_one_line(
    arguments: tuple[str, ...], words: str, run: Any, tiny_sound: Path
) -> None:
    places = {"SOUND": str(tiny_sound), "COVER": str(STARTER)}
    status, out, err = run(*(places.get(word, word) for word in arguments))
    assert (status, out) == (2, "")
    assert words in err.splitlines()[-1]


def test_what_is_for_covers_alone_says_so(run: Any, tiny_sound: Path, tmp_path: Path) -> None:
    status, _, err = run("compact", tiny_sound, "--out", tmp_path / "b")
    assert (status, err) == (
        1,
        "build_failed: compact is for covers, and tiny holds tracks (kind 'sound').\n",
    )
    status, _, err = run("publish", tiny_sound, "--index", f"lancedb:{tmp_path}")
    assert (status, err.partition(",")[0]) == (1, "build_failed: publish --index is for covers")


def test_an_artifact_of_no_known_kind_is_named(run: Any, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format_version": 1, "kind": "smell"}')
    status, _, err = run("verify", tmp_path)
    assert status == 1
    assert err.startswith("wrong_kind: ")
    assert "is an artifact of kind 'smell', which this version does not know" in err


def test_words_find_no_tracks_where_the_encoder_knows_none(run: Any, tiny_sound: Path) -> None:
    status, _, err = run("query", tiny_sound, "--text", "a sad piano")
    assert status == 1
    assert "knows sounds and no words" in err


def test_a_file_that_is_not_there_is_named(run: Any, tiny_sound: Path, tmp_path: Path) -> None:
    status, _, err = run("identify", tiny_sound, "--sound", tmp_path / "none.wav")
    assert status == 1
    assert "none.wav" in err
    assert len(err.splitlines()) == 1


def test_places_are_shown_as_players_show_them() -> None:
    assert [clock(s) for s in (0, 72.44, 3599.96, -1.2)] == [
        *("0:00.0", "1:12.4", "60:00.0", "-0:01.2"),
    ]


def test_audio_goes_in_as_making_says() -> None:
    assert get_args(Mode) == AUDIO
