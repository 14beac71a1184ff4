"""What is told from step to step comes back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.voice.ear.heard import Line, Pitch, Word


def test_pitch_comes_back_from_its_file_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    told = Pitch(*(np.arange(3, dtype=np.float32) + at for at in range(3)))
    voice = tmp_path / "voice.flac"
    voice.write_bytes(b"a voice")
    told.save(tmp_path / "pitch.npz", voice)
    back = Pitch.load(tmp_path / "pitch.npz", voice)
    assert back is not None
    for name in ("times_s", "hz", "confidence"):
        np.testing.assert_array_equal(getattr(back, name), getattr(told, name))
    assert {path.name for path in tmp_path.iterdir()} == {"pitch.npz", "voice.flac"}
    voice.write_bytes(b"another")
    assert Pitch.load(tmp_path / "pitch.npz", voice) is None


def test_pitch_in_a_damaged_file_is_none(tmp_path: Path) -> None:
    told = Pitch(*(np.arange(99, dtype=np.float32) for _ in range(3)))
    voice, path = tmp_path / "voice.flac", tmp_path / "pitch.npz"
    voice.write_bytes(b"a voice")
    told.save(path, voice)
    whole = path.read_bytes()
    changed = whole.replace(np.float32(50).tobytes(), np.float32(51).tobytes())
    for damaged in (b"", whole[: len(whole) // 2], bytes(len(whole)), changed):
        path.write_bytes(damaged)
        assert Pitch.load(path, voice) is None


def test_a_word_and_a_line_come_back_from_json() -> None:
    word = Word("sea", 1.0, 1.5, 0.75)
    assert Word.of(word.to_json()) == word
    assert Line.of({"text": "by the sea", "from_s": 1, "to_s": None}) == Line("by the sea", 1.0)
