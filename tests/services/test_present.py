"""`engine/services/present.py`: which ways to find music answer here, and what stops a start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT, STARTER

from engine.base.errors import SettingsError
from engine.base.places import MANIFEST
from engine.services import present
from engine.services.present import LIBRARY, SOUND, VOICE, Beside


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose embedded artifact of sound is there."""
    folder = tmp_path / SOUND.default
    folder.mkdir(parents=True)
    (folder / MANIFEST).touch()
    monkeypatch.setattr(present, "PROJECT", tmp_path)
    return folder


@pytest.mark.parametrize("unset", [{}, {SOUND.variable: ""}, {SOUND.variable: " "}])
def test_sound_is_there_where_its_demo_is(demo: Path, unset: dict[str, str]) -> None:
    assert SOUND.is_present(unset)
    (demo / MANIFEST).unlink()
    assert not SOUND.is_present(unset)
    assert SOUND.is_present({SOUND.variable: "my-tracks"}), "what is named is looked for later"


@pytest.mark.parametrize("off", ["none", "None", " none "])
def test_sound_can_be_switched_off(demo: Path, off: str) -> None:
    assert not SOUND.is_present({SOUND.variable: off})


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        (Beside("sound", SOUND.variable, SOUND.default, "absent", "sound.in"), "sound.in"),
        (Beside("quiet", SOUND.variable, SOUND.default, "av", "sound.in"), "without quiet"),
    ],
    ids=["the extra", "the code"],
)
def test_what_is_missing_is_passed_over_unless_it_was_asked_for(
    demo: Path, lacks: Beside, said: str
) -> None:
    assert not lacks.is_present({})
    with pytest.raises(SettingsError) as refusal:
        lacks.is_present({SOUND.variable: "my-tracks"})
    assert "SHAZAM_SOUND_ARTIFACT='my-tracks'" in refusal.value.message
    assert said in refusal.value.message
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize("off", [{}, {LIBRARY.variable: " "}, {LIBRARY.variable: "None"}])
def test_the_library_is_there_only_where_it_is_asked_for(demo: Path, off: dict[str, str]) -> None:
    assert not LIBRARY.is_present(off)
    assert LIBRARY.is_present({LIBRARY.variable: "shared"})


def test_the_library_stands_on_sound(demo: Path) -> None:
    with pytest.raises(SettingsError, match="needs sound, which is switched off"):
        LIBRARY.is_present({LIBRARY.variable: "shared", SOUND.variable: "none"})


def test_voice_comes_along_with_the_library(demo: Path) -> None:
    library = {LIBRARY.variable: "shared"}
    assert VOICE.is_present(library)
    assert not VOICE.is_present({})
    assert not VOICE.is_present({**library, VOICE.variable: "None"})
    assert VOICE.absent["/api/session"] == ("voice", LIBRARY.variable)


def test_a_private_library_without_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.library.service import start
    from engine.library.settings import LibrarySettings

    monkeypatch.setattr(start, "settings", lambda: LibrarySettings(library="private"))
    with pytest.raises(SettingsError, match="SHAZAM_API_KEYS is not set"):
        start.check()


LIBRARYS_OWN = ("engine.library.", "sqlalchemy", "dbos", "alembic", "yt_dlp", "psycopg")


@pytest.mark.parametrize("service", ["ShazamVisual", "ShazamSound"])
def test_where_the_library_is_off_nothing_of_it_is_imported(service: str) -> None:
    """But the table of its settings, by which a mistyped variable is known."""
    code = (
        "import os, sys\n"
        f"os.environ.update(SHAZAM_ARTIFACT={str(STARTER)!r})\n"
        "import service\n"
        f"assert service.{service}.mount_apps\n"
        f"print(*(n for n in sys.modules if n.startswith({LIBRARYS_OWN!r})))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    settings = {"engine.library.settings", "engine.library.service.settings"}
    assert set(run.stdout.split()) <= {*settings, "engine.library.service"}


def test_covers_alone_import_nothing_of_sound() -> None:
    """But the table of its settings, by which a mistyped variable is known."""
    code = (
        "import os, sys\n"
        f"os.environ.update(SHAZAM_ARTIFACT={str(STARTER)!r}, SHAZAM_SOUND_ARTIFACT='none')\n"
        "import service\n"
        "assert service.ShazamVisual.mount_apps\n"
        "print(*(n for n in sys.modules if n.startswith('engine.sound.') or n == 'av'))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert set(run.stdout.split()) <= {"engine.sound.service", "engine.sound.service.settings"}
