"""`serve ARTIFACT`: what answers is chosen by the artifact's kind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from engine.cli.main import main


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None, str | None]]:
    """Of each `serve`: the service, and what it was told to serve of covers and of sound."""
    found: list[tuple[str, str | None, str | None]] = []

    def serve(host: str, port: int, *, service: str, **_: Any) -> int:
        told = (os.environ.get(f"SHAZAM_{name}ARTIFACT") for name in ("", "SOUND_"))
        found.append((service, *told))
        return 0

    monkeypatch.setattr("engine.serving.process.launch.serve", serve)
    # Set first, so that what `serve` sets is undone.
    for name in ("SHAZAM_ARTIFACT", "SHAZAM_SOUND_ARTIFACT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return found


def folder_of(kind: str, where: Path) -> Path:
    where.mkdir()
    (where / "manifest.json").write_text(f'{{"kind": "{kind}"}}')
    return where


def test_an_artifact_of_sound_is_served_alone(served: list[Any], tmp_path: Path) -> None:
    folder = folder_of("sound", tmp_path / "tracks")
    assert main(["serve", str(folder)]) == 0
    assert served == [("service:ShazamSound", None, str(folder))]


@pytest.mark.parametrize("tag", ["shazam-sound:latest", "shazam-sound-serving:0123456789abcdef"])
def test_a_tag_says_the_kind_by_its_name(served: list[Any], tag: str) -> None:
    assert main(["serve", tag]) == 0
    assert served == [("service:ShazamSound", None, tag)]


def test_an_artifact_of_covers_is_served_beside_the_sound_that_is_there(
    served: list[Any], tmp_path: Path
) -> None:
    folder = folder_of("cover", tmp_path / "covers")
    older = tmp_path / "older"
    older.mkdir()
    (older / "manifest.json").write_text('{"format": "shazam-visual-artifact"}')
    for where in (folder, older):
        assert main(["serve", str(where)]) == 0
    assert main(["serve", "shazam-visual:latest"]) == 0
    assert main(["serve"]) == 0
    assert [(service, sound) for service, _, sound in served] == [
        ("service:ShazamVisual", None)
    ] * 4
    assert [covers for _, covers, _ in served][:2] == [str(folder), str(older)]


def test_what_is_damaged_or_unknown_is_refused_by_the_service_itself(
    served: list[Any], tmp_path: Path
) -> None:
    odd = folder_of("scents", tmp_path / "odd")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("[")
    for where in (odd, broken):
        assert main(["serve", str(where)]) == 0
    assert {service for service, *_ in served} == {"service:ShazamVisual"}
