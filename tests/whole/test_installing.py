"""Before anything is installed: which Python will do, and how the locks become an environment."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from conftest import PROJECT

# What `pip config list` prints, of every section that counts and of one that does not.
LISTED = """\
:env:.disable-pip-version-check='1'
:env:.find-links='/wheels'
download.index-url='https://elsewhere.test/packages'
global.cert='/etc/ca.pem'
global.extra-index-url='https://one.test/packages\\nhttps://two.test/packages'
global.find-links='/old'
"""


@pytest.fixture(scope="module")
def requirements() -> Iterator[None]:
    """The installers lie beside the locks and import each other as scripts do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PROJECT / "requirements"))
        yield


@pytest.fixture(scope="module")
def installer(requirements: None) -> ModuleType:
    return importlib.import_module("install")


@pytest.fixture(scope="module")
def with_uv(requirements: None) -> ModuleType:
    return importlib.import_module("with_uv")


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_a_python_that_will_not_do_is_refused_in_one_line(installer: ModuleType) -> None:
    first, end = installer.supported()
    assert installer.unsuitable((*first, 0)) == ""
    for version in ((3, 10, 12), (*end, 0)):
        line = installer.unsuitable(version)
        assert ".".join(map(str, version)) in line
        assert "make serve PYTHON=python3." in line
        assert "\n" not in line


def test_the_readme_and_the_command_tell_the_same_pythons(installer: ModuleType) -> None:
    (_, first), (_, end) = installer.supported()
    assert f"Python 3.{first} to 3.{end - 1}" in (PROJECT / "README.md").read_text()
    main = (PROJECT / "engine" / "__main__.py").read_text()
    assert f"sys.version_info < (3, {first})" in main


def test_pip_tells_what_it_does_and_what_went_wrong(
    installer: ModuleType,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pip = script(
        tmp_path / "pip",
        "echo 'Collecting one==1.0'\n"
        "echo '  Downloading one-1.0-py3-none-any.whl (48.2 MB)'\n"
        "echo 'Installing collected packages: one'\n"
        "exit $STATUS\n",
    )
    monkeypatch.setenv("STATUS", "0")
    assert installer.install([str(pip)], "serve.lock", 1) == 0
    assert "1 of 1 packages, 0 MB" in capfd.readouterr().err
    monkeypatch.setenv("STATUS", "1")
    refusal = installer.install([str(pip)], "serve.lock", 1)
    assert re.match(r"pip could not install serve\.lock:\nCollecting one", refusal)
    assert "48 MB are here; unpacking" in capfd.readouterr().err


def test_uv_is_led_to_packages_as_pip_is(
    with_uv: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = with_uv.settings(LISTED)
    assert "index-url" not in found
    assert with_uv.options(found) == [
        *("--index", "https://one.test/packages", "--index", "https://two.test/packages"),
        *("--find-links", "/wheels"),
        "--index-strategy=unsafe-best-match",
    ]
    assert with_uv.options(with_uv.settings("global.index-url='https://mirror.test/packages'")) == [
        "--default-index",
        "https://mirror.test/packages",
    ]
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    assert with_uv.environment(found)["SSL_CERT_FILE"] == "/etc/ca.pem"


@pytest.mark.parametrize(
    "setting", ["global.require-hashes='true'", "install.no-binary=':all:'", ":env:.no-index='1'"]
)
def test_a_setting_of_pips_that_uv_has_no_word_for_leaves_the_work_to_pip(
    with_uv: ModuleType, setting: str
) -> None:
    assert with_uv.options(with_uv.settings(setting)) is None
    assert with_uv.options(with_uv.settings("freeze" + setting[setting.index(".") :])) == []


def test_uv_installs_what_is_locked_and_pip_and_tells_how_far_it_is(
    with_uv: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pip = script(tmp_path / "pip", "echo \"global.timeout='60'\"\n")
    script(
        tmp_path / "uv",
        f"echo $* > {tmp_path}/asked\n"
        "echo 'Downloading one (50.0MiB)'\n"
        "echo 'Downloading two (1.0GiB)'\n"
        "echo ' Downloaded one'\n"
        "echo 'Prepared 2 packages in 1s'\n",
    )
    assert with_uv.install(str(tmp_path / "python"), [str(pip)], "serve.lock", compiled=False)
    told = capfd.readouterr().err
    assert "52 of 1,126 MB: one" in told
    assert "unpacking" in told
    asked = (tmp_path / "asked").read_text()
    assert re.search(r"--python \S+/python -r serve\.lock pip==[\d.]+$", asked)
    assert "compile" not in asked
    assert with_uv.install(str(tmp_path / "python"), [str(pip)], "all.lock", compiled=True)
    assert "--compile-bytecode" in (tmp_path / "asked").read_text()


def test_where_uv_fails_is_missing_or_would_ask_elsewhere_pip_does_it(
    with_uv: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    python = str(tmp_path / "python")
    pip = [str(script(tmp_path / "pip", '[ $1 != config ] || echo "$SETTING"\n'))]
    assert not with_uv.install(python, pip, "serve.lock", compiled=False)  # pip fetched none
    script(tmp_path / "uv", "echo 'no such index'\nexit 2\n")
    assert not with_uv.install(python, pip, "serve.lock", compiled=False)
    assert "uv could not (no such index): pip does it" in capfd.readouterr().err
    script(tmp_path / "uv", "exit 0\n")
    assert with_uv.install(python, pip, "serve.lock", compiled=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SETTING", "global.no-index='1'")
        assert not with_uv.install(python, pip, "serve.lock", compiled=False)


def test_an_environment_of_any_age_is_reached_by_a_pip(
    installer: ModuleType, tmp_path: Path
) -> None:
    python = str(tmp_path / "bin" / "python")
    assert installer.reaching(tmp_path) == [sys.executable, "-m", "pip", "--python", python]
    script(tmp_path / "bin" / "pip", "")
    assert installer.reaching(tmp_path) == [python, "-m", "pip"]


def test_a_python_without_the_packages_is_told_where_they_are(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['numpy'] = None; sys.modules['faiss'] = None\n"
        "from engine.__main__ import run\n"
        "sys.argv = ['engine', 'inspect', 'artifacts/starter']\n"
        "sys.exit(run())"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert re.search(r"has no \w+\. Run.*source \.venv/bin/activate", line)
