"""`base/settings.py`, `covers/service/settings.py`: environment → one frozen `CoverSettings`."""

from __future__ import annotations

import dataclasses
import io
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.base.errors import SettingsError
from engine.base.machine import usable_cores
from engine.base.settings import unknown_variables
from engine.covers.image import MAX_IMAGE_PIXELS
from engine.covers.service.settings import VARIABLES, CoverSettings

# name: (default, a good text, what it becomes, bad texts)
TABLE: dict[str, tuple[Any, str, Any, tuple[str, ...]]] = {
    "artifact": ("artifacts/starter", " shazam-visual:latest ", "shazam-visual:latest", ()),
    "index": ("artifact", " lancedb:s3://b/c ", "lancedb:s3://b/c", ("lancedb", "s3://b/c")),
    "links": (
        (),
        " Discogs=https://d.example/?q={artist},{title}&t=a=b ,"
        " Name of it=http://m.example/{year}, ",
        (
            ("Discogs", "https://d.example/?q={artist},{title}&t=a=b"),
            ("Name of it", "http://m.example/{year}"),
        ),
        (
            "https://d.example/",
            "Discogs=d.example",
            "Discogs=javascript:alert({title})",
            "Discogs=ftp://d.example/{title}",
            "D=https://d.example/{album}",
            "D=https://d.example/{title",
            "D=https://{artist}.example/",
            "=https://d.example/",
            "D=https://d.example/ {title}",
            "D=https://d.example/a,D=https://d.example/b",
        ),
    ),
    "runtime": ("auto", "Torch-CPU", "torch-cpu", ("gpu", "torch")),
    "encoder_process": ("auto", "service", "service", ("thread",)),
    "workers": (1, "4", 4, ("0", "65", "two", "1.5", "-1")),
    "allowed_origins": (
        ("http://localhost:3000",),
        "https://a.example, https://*.example.app:8443",
        ("https://a.example", "https://*.example.app:8443"),
        ("a.example", "https://a.example/path", "ftp://a.example", "https://a.example, nonsense"),
    ),
    "root_path": ("", " /records/ ", "/records", ("records", "//a.example", "/a/../b", "/a b")),
    "api_keys": ((), f"one, sha256:{'aB' * 32},", (sha256(b"one").hexdigest(), "ab" * 32), ()),
    "rate_limit": (0, "60", 60, ("-1", "often", "1.5")),
    "max_upload_bytes": (10_485_760, "2048", 2048, ("0", "10MB", "-5", str(1 << 31))),
    "prior": (0.5, "0.2", 0.2, ("-0.1", "1.1", "half")),
    "max_image_pixels": (50_000_000, "1000000", 1_000_000, ("9", "5e7", "x")),
    "max_concurrency": (128, "32", 32, ("0", "-1", "many")),
    "max_batch": (16, "32", 32, ("0", "4096", "")),
    "batch_wait_ms": (0.0, "2.5", 2.5, ("-1", "nan", "inf", "soon")),
    "timeout_s": (30.0, "5", 5.0, ("0", "nan", "-3", "1e9")),
    "log_format": ("text", "JSON", "json", ("xml",)),
    "log_level": ("info", "WARNING", "warning", ("loud",)),
    "traces": ("", "http://otel:4318/v1/traces", "http://otel:4318/v1/traces", ("otel:4318",)),
    "threads": (0, "3", 3, ("-1", "all", "9" * 5000)),
}


def test_the_table_of_this_test_is_whole() -> None:
    assert (
        set(TABLE) == set(VARIABLES) == {field.name for field in dataclasses.fields(CoverSettings)}
    )


@pytest.mark.parametrize("name", TABLE)
def test_defaults(name: str) -> None:
    assert getattr(CoverSettings.from_environment({}), name) == TABLE[name][0]


@pytest.mark.parametrize("name", TABLE)
def test_a_good_value_is_taken(name: str) -> None:
    _, text, value, _ = TABLE[name]
    assert getattr(CoverSettings.from_environment({f"SHAZAM_{name.upper()}": text}), name) == value


@pytest.mark.parametrize(
    ("name", "bad"), [(name, bad) for name, row in TABLE.items() for bad in row[3] if bad]
)
def test_a_bad_value_is_one_line_with_name_value_and_example(name: str, bad: str) -> None:
    variable = f"SHAZAM_{name.upper()}"
    with pytest.raises(SettingsError) as refusal:
        CoverSettings.from_environment({variable: bad})
    message = refusal.value.message
    assert "\n" not in message
    assert message.startswith(f"{variable}={bad!r}"[:100])
    assert f"Example: {variable}={VARIABLES[name].example}" in message
    assert len(message) < 600


@pytest.mark.parametrize("name", TABLE)
def test_an_example_is_itself_a_good_value(name: str) -> None:
    CoverSettings.from_environment({f"SHAZAM_{name.upper()}": VARIABLES[name].example})


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_is_an_unset_one(name: str, empty: str) -> None:
    # Compose and Helm pass unset variables as empty ones.
    settings = CoverSettings.from_environment({f"SHAZAM_{name.upper()}": empty})
    assert getattr(settings, name) == TABLE[name][0]


def test_a_line_break_in_a_value_stays_one_line() -> None:
    with pytest.raises(SettingsError) as refusal:
        CoverSettings.from_environment({"SHAZAM_RUNTIME": "gpu\nfoo"})
    assert "\n" not in refusal.value.message


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_text: str) -> None:
        raise ValueError("is bad")

    row = dataclasses.replace(VARIABLES["api_keys"], parse=refuse)
    monkeypatch.setitem(VARIABLES, "api_keys", row)
    with pytest.raises(SettingsError) as refusal:
        CoverSettings.from_environment({"SHAZAM_API_KEYS": "s3cret"})
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("bad", ["sha256:abc", f"sha256:{'x' * 64}", "one,sha256:0"])
def test_a_hash_that_is_none_stops_the_start_unshown(bad: str) -> None:
    with pytest.raises(SettingsError, match="64 hex digits") as refusal:
        CoverSettings.from_environment({"SHAZAM_API_KEYS": bad})
    assert bad not in str(refusal.value)


def test_pictures_are_bounded_alike_with_a_service_and_without() -> None:
    assert CoverSettings().max_image_pixels == MAX_IMAGE_PIXELS


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CoverSettings().max_batch = 3  # type: ignore[misc]


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHAZAM_MAX_BATCH", "7")
    assert CoverSettings.from_environment().max_batch == 7


def test_a_mistyped_variable_is_reported_and_kubernetes_ones_are_not() -> None:
    environ = {
        "SHAZAM_MAX_BATHC": "7",
        "SHAZAM_MAX_BATCH": "7",
        "SHAZAM_VISUAL_PORT": "tcp://10.0.0.1:80",
        "SHAZAM_VISUAL_SERVICE_HOST": "10.0.0.1",
        "SHAZAM_VISUAL_PORT_80_TCP_ADDR": "10.0.0.1",
        "HOME": "/root",
    }
    assert unknown_variables(environ) == ["SHAZAM_MAX_BATHC"]


def test_a_variable_of_any_kind_of_service_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for kind in ("covers", "sound", "judge"):
        (tmp_path / kind / "service").mkdir(parents=True)
        (tmp_path / kind / "service" / "settings.py").touch()
    tables = {"sound": {"sound_artifact": None}, "judge": {"jury_url": None}}
    for kind, table in tables.items():
        module = ModuleType(kind)
        module.VARIABLES = table  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, f"engine.{kind}.service.settings", module)
    monkeypatch.setattr("engine.base.settings.ENGINE", tmp_path)
    names = ["SHAZAM_ARTIFACT", "SHAZAM_SOUND_ARTIFACT", "SHAZAM_JURY_URL", "SHAZAM_JURY_RUL"]
    assert unknown_variables(dict.fromkeys(names, "x")) == ["SHAZAM_JURY_RUL"]


def _cores(monkeypatch: pytest.MonkeyPatch, affinity: int, cpu_max: str | None) -> int:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(affinity)))

    def opened(path: str, *_: Any) -> io.StringIO:
        assert path == "/sys/fs/cgroup/cpu.max"
        if cpu_max is None:
            raise FileNotFoundError(path)
        return io.StringIO(cpu_max)

    monkeypatch.setattr("engine.base.machine.open", opened, raising=False)
    return usable_cores()


@pytest.mark.parametrize(
    ("affinity", "cpu_max", "expected"),
    [
        (8, None, 8),
        (8, "max 100000\n", 8),
        (64, "200000 100000\n", 2),
        (64, "150000 100000\n", 2),  # one and a half cores: two threads
        (64, "50000 100000\n", 1),
        (2, "400000 100000\n", 2),
        (4, "nonsense\n", 4),
    ],
)
def test_cores_are_those_of_affinity_and_cgroup(
    monkeypatch: pytest.MonkeyPatch, affinity: int, cpu_max: str | None, expected: int
) -> None:
    assert _cores(monkeypatch, affinity, cpu_max) == expected
    assert CoverSettings().usable_threads() == expected
    assert CoverSettings(threads=5).usable_threads() == 5
