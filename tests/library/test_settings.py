"""`engine/library/settings.py`: environment → one frozen `LibrarySettings`."""

from __future__ import annotations

import pytest

from engine.base.errors import SettingsError
from engine.base.settings import PREFIX, SHARED, unknown_variables
from engine.library.settings import VARIABLES, LibrarySettings

OWN = sorted(set(VARIABLES) - set(SHARED))


def test_without_a_word_there_is_no_library() -> None:
    made = LibrarySettings.from_environment({})
    assert (made.library, made.private) == ("none", False)
    assert made.database.startswith("sqlite:///")
    assert made.max_source_bytes == 200 << 20


@pytest.mark.parametrize("name", OWN)
def test_an_example_is_itself_a_good_value_and_no_unknown_one(name: str) -> None:
    given = {PREFIX + name.upper(): VARIABLES[name].example}
    made = LibrarySettings.from_environment(given)
    assert getattr(made, name) != getattr(LibrarySettings(), name)
    assert unknown_variables(given) == []


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("library", "mine"),
        ("database", "mysql://db/x"),
        ("database", "sqlite:///"),
        ("max_source_bytes", "1"),
        ("max_source_s", "an hour"),
        ("source_timeout_s", "0"),
        ("trusted_hosts", "http://a"),
        ("trusted_hosts", "a b"),
        ("quota_jobs", "-1"),
        ("quota_bytes", "1GB"),
        ("link_s", "1"),
        ("storage_public_url", "files.example.com"),
        ("jamendo_url", "https://me:secret@jamendo.internal"),
        ("tiktok_url", "ftp://x"),
        ("keep_days", "0"),
    ],
)
def test_a_bad_value_is_named(name: str, bad: str) -> None:
    with pytest.raises(SettingsError, match=rf"SHAZAM_{name.upper()}=.* Example: SHAZAM_"):
        LibrarySettings.from_environment({PREFIX + name.upper(): bad})


def test_a_password_in_a_database_is_not_shown() -> None:
    with pytest.raises(SettingsError) as refusal:
        LibrarySettings.from_environment({"SHAZAM_DATABASE": "mysql://me:hunter2@db/x"})
    assert "hunter2" not in refusal.value.message


def test_hosts_are_taken_with_their_ports() -> None:
    given = {"SHAZAM_TRUSTED_HOSTS": " Media.internal:8080, 127.0.0.1 ,[::1]:9"}
    made = LibrarySettings.from_environment(given)
    assert made.trusted_hosts == ("media.internal:8080", "127.0.0.1", "[::1]:9")
