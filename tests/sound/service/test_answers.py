"""`sound/service/answers.py`: files that are hurt under a running service."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.base.errors import AudioNotFound, NotReady
from engine.sound.service.answers import SoundAnswers, _hundredths


def answers(folder: Path, held: object = None) -> SoundAnswers:
    """Over an artifact whose manifest says that its only audio has 4 bytes, or a track `held`."""
    files = {"audio/1.m4a": SimpleNamespace(sha256="ab" * 32, size=4)}
    artifact = SimpleNamespace(path=folder, manifest=SimpleNamespace(files=files))
    search = SimpleNamespace(
        artifact=artifact, audio=lambda _: folder / "audio/1.m4a", held_track=lambda _: held
    )
    return SoundAnswers(cast("Any", SimpleNamespace(now=search)))


@pytest.mark.parametrize("left", [b"1234", b"123", None])
def test_audio_that_is_gone_or_was_cut_is_not_handed_out(
    tmp_path: Path, left: bytes | None
) -> None:
    audio = tmp_path / "audio/1.m4a"
    audio.parent.mkdir()
    if left is not None:
        audio.write_bytes(left)
    asked = answers(tmp_path).audio(1)
    if left == b"1234":
        found = asyncio.run(asked)
        assert not isinstance(found, str)
        assert found.path == audio
        return
    with pytest.raises(NotReady, match="cut or removed since the start"):
        asyncio.run(asked)


def test_audio_of_the_librarys_that_is_gone_is_not_found(tmp_path: Path) -> None:
    held = SimpleNamespace(track=SimpleNamespace(digest="ab" * 32))
    with pytest.raises(AudioNotFound, match="no audio of track 1 here"):
        asyncio.run(answers(tmp_path, held).audio(1))


def test_a_clip_that_begins_with_its_track_begins_at_nought() -> None:
    assert str(_hundredths(-0.001)) == "0.0"
    assert _hundredths(-1.234) == -1.23
