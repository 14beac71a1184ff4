"""Every package that may be missing is named in one sentence, with the command that mends it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT

from engine.base.errors import ArtifactUnavailable, BuildError, SettingsError, ShazamError
from engine.base.needs import is_installed, need, refuse_missing


def test_a_package_that_is_here_is_imported() -> None:
    assert need("json", "serve.lock", by="this test").dumps({}) == "{}"
    assert need("urllib.parse", "serve.lock", by="this test").quote(" ") == "%20"


def test_one_that_is_not_is_named_with_what_to_install() -> None:
    with pytest.raises(BuildError) as refusal:
        need("no_such_package", "ray.in", by="--ray")
    assert refusal.value.message == (
        "--ray needs no_such_package, which is not installed. "
        "Run: pip install -r requirements/ray.in"
    )


def test_a_module_of_a_package_that_is_not_here_names_the_package() -> None:
    with pytest.raises(BuildError, match=r"no_such_package\.data, which is not installed"):
        need("no_such_package.data", "ray.in", by="--ray")


@pytest.mark.parametrize("failure", [ArtifactUnavailable, SettingsError])
def test_the_failure_is_the_callers_own(failure: type[ShazamError]) -> None:
    with pytest.raises(failure):
        need("no_such_package", "serve.lock", by="s3://", failure=failure)
    with pytest.raises(failure):
        refuse_missing("no_such_package", "lancedb.in", by="SHAZAM_INDEX", failure=failure)


def test_a_package_that_is_here_and_broken_is_not_called_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("raise ImportError('libGL.so.1: no such file')")
    (tmp_path / "hungry_package.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BuildError, match=r"cannot be imported \(libGL\.so\.1: no such file\)"):
        need("broken_package", "build.in", by="build")
    with pytest.raises(BuildError, match="hungry_package, which needs no_such_package, and that"):
        need("hungry_package", "build.in", by="build")


def test_looking_imports_nothing() -> None:
    code = (
        "import sys; from engine.base.needs import is_installed, refuse_missing\n"
        "assert is_installed('wave') and not is_installed('no_such_package')\n"
        "refuse_missing('wave', 'serve.lock', by='this test')\n"
        "assert 'wave' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not is_installed("no_such_package")


def test_every_file_that_is_named_is_there() -> None:
    root = PROJECT
    code = "".join(path.read_text() for path in (root / "engine").rglob("*.py"))
    calls = re.findall(r"(?:need|refuse_missing)\(\s*[^)]*?\"([a-z0-9.-]+\.(?:in|lock))\"", code)
    assert calls
    for name in calls:
        assert (root / "requirements" / name).is_file(), name
