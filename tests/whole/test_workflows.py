"""The jobs that run elsewhere: pinned, given no more than they need, and their scripts run here
against stand-ins of the tools that would reach a registry."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT
from manifests import CHART, HELM, kubernetes_takes, needs_helm

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
RELEASE = PROJECT / ".github" / "workflows" / "release.yml"
DIGEST = "sha256:" + "0f" * 32
# What `${{ … }}` would be, by what it asks for.
GIVEN = {
    "github.repository_owner": "Some-Owner",
    "github.ref_name": "v0.1.0",
    "github.repository": "Some-Owner/repository",
    "github.token": "a-token",
    "needs.names.outputs.version": "0.1.0",
    "needs.names.outputs.image": "ghcr.io/some-owner/shazam-visual",
    "needs.names.outputs.charts": "ghcr.io/some-owner/charts",
    "needs.names.outputs.base": f"docker.io/library/python:3.11-slim@{DIGEST}",
    "steps.index.outputs.digest": DIGEST,
    "matrix.arch": "arm64",
}
STAND_IN = f"""#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
    "docker buildx imagetools inspect"*) echo '"{DIGEST}"' ;;
    "helm lint"*|"helm package"*) exec "$REAL_HELM" "$@" ;;
    "helm push"*) echo "Pushed: $3"; echo "Digest: {DIGEST}" ;;
    "make sbom"*) mkdir -p build && echo '{{}}' > build/sbom.json ;;
    "python -m pip wheel"*) echo wheel > build/release/shazam_visual-0.1.0-py3-none-any.whl ;;
esac
"""


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_with_their_version_beside(path: Path) -> None:
    for line in re.findall(r"uses: (.*)", path.read_text()):
        if not line.startswith("./"):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_one_action_is_one_commit_everywhere() -> None:
    text = "".join(path.read_text() for path in WORKFLOWS)
    pinned: dict[str, set[str]] = {}
    for name, rest in re.findall(r"uses: ([\w-]+/[\w-]+)@(.*)", text):
        pinned.setdefault(name, set()).add(rest)
    assert {name: one for name, one in pinned.items() if len(one) > 1} == {}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_scripts_are_shell_name_targets_that_exist_and_hold_no_expression(path: Path) -> None:
    makefile = (PROJECT / "Makefile").read_text()
    for step in steps(read(path)):
        script = step.get("run", "")
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        # A branch's name in a script would be run as shell.
        assert "${{" not in script
        for names in re.findall(r"\bmake ([a-z][a-z ]*)", script):
            for target in names.split():
                assert re.search(rf"^{target}:", makefile, re.M), target
        for name in re.findall(r"deploy/[\w/.-]+\w", script):
            assert (PROJECT / name).exists(), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_may_write_only_where_it_must(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    may = {
        name: {what for what, how in job.get("permissions", {}).items() if how == "write"}
        for name, job in workflow["jobs"].items()
    }
    allowed = {
        "image": {"packages"},
        "publish": {"packages", "id-token", "attestations"},
        "release": {"contents"},
    }
    assert {name: what for name, what in may.items() if what} == (
        allowed if path == RELEASE else {}
    )
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@") and path.stem != "newest":
            assert step["with"]["persist-credentials"] is False


def test_a_release_waits_for_the_tests_and_every_job_for_one_that_exists() -> None:
    jobs = read(RELEASE)["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/ci.yml"
    assert "workflow_call" in read(PROJECT / ".github/workflows/ci.yml")[True]
    assert "test" in jobs["image"]["needs"]
    for job in jobs.values():
        assert set(job.get("needs", [])) <= jobs.keys()
    assert [one["arch"] for one in jobs["image"]["strategy"]["matrix"]["include"]] == [
        "amd64",
        "arm64",
    ]


def given(text: str) -> str:
    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: GIVEN[found[1]], text)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what the release's scripts touch, and stand-ins that write down their calls."""
    shutil.copytree(CHART, tmp_path / "clone" / "deploy" / "kubernetes" / "chart")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path / "clone")
    (tmp_path / "clone" / "release").mkdir()
    (tmp_path / "clone" / "release" / "a.whl").touch()
    (tmp_path / "tools").mkdir()
    for name in ("docker", "helm", "cosign", "make", "python", "gh"):
        (tmp_path / "tools" / name).write_text(STAND_IN)
        (tmp_path / "tools" / name).chmod(0o755)
    first_query = tmp_path / "clone" / "deploy" / "first-query.sh"
    first_query.write_text(STAND_IN)
    first_query.chmod(0o755)
    return tmp_path / "clone"


def run(clone: Path, job_name: str, **changed: str) -> tuple[list[str], str, int]:
    """The scripts of one job of the release; its tools' calls, its outputs and its exit status."""
    job = read(RELEASE)["jobs"][job_name]
    tools, calls, output = clone.parent / "tools", clone.parent / "calls", clone.parent / "output"
    calls.touch()
    output.touch()
    code = 0
    for step in [one for one in job["steps"] if "run" in one and code == 0]:
        environment = {
            "PATH": f"{tools}:/usr/bin:/bin",
            "CALLS": str(calls),
            "GITHUB_OUTPUT": str(output),
            "REAL_HELM": HELM or "",
            "HOME": str(clone.parent),
        }
        for name, value in (job.get("env", {}) | step.get("env", {}) | changed).items():
            environment[name] = given(value)
        code = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", step["run"]], cwd=clone, env=environment, timeout=60
        ).returncode
    return calls.read_text().splitlines(), output.read_text(), code


def test_a_release_is_named_by_its_tag_in_lower_case_and_built_on_a_digest(clone: Path) -> None:
    _, output, code = run(clone, "names")
    assert code == 0
    assert output.splitlines() == [
        f"{name}={GIVEN[f'needs.names.outputs.{name}']}"
        for name in ("version", "image", "charts", "base")
    ]


def test_a_tag_that_is_not_the_projects_version_releases_nothing(clone: Path) -> None:
    _, output, code = run(clone, "names", TAG="v9.9.9")
    assert code == 1
    assert output == ""


def test_an_image_is_tried_as_platforms_run_it_before_it_is_pushed(clone: Path) -> None:
    calls, _, code = run(clone, "image")
    image = "ghcr.io/some-owner/shazam-visual:0.1.0-arm64"
    assert code == 0
    assert calls[0] == f"make container IMAGE={image}"
    assert "--read-only" in calls[1]
    assert calls[1].endswith(image)
    assert calls[2].startswith("first-query.sh http://127.0.0.1:3000")
    assert calls[-1] == f"docker push {image}"


@needs_helm
def test_what_is_published_is_signed_by_its_digest_and_the_chart_names_it(clone: Path) -> None:
    calls, _, code = run(clone, "publish")
    image = "ghcr.io/some-owner/shazam-visual"
    assert code == 0, calls
    assert calls[0].split(" create ")[1].split() == [
        f"{image}:0.1.0-amd64",
        f"{image}:0.1.0-arm64",
        *("--tag", f"{image}:0.1.0", "--tag", f"{image}:0.1", "--tag", f"{image}:latest"),
    ]
    signed = [one for one in calls if one.startswith("cosign")]
    assert signed == [
        f"cosign sign --yes --recursive {image}@{DIGEST}",
        f"cosign attest --yes --type cyclonedx --predicate build/sbom.json {image}@{DIGEST}",
        f"cosign sign --yes ghcr.io/some-owner/charts/shazam-visual@{DIGEST}",
    ]
    released = {path.name for path in (clone / "build" / "release").iterdir()}
    assert released == {
        "SHA256SUMS",
        "shazam-visual-0.1.0.cdx.json",
        "shazam-visual-0.1.0.tgz",
        "shazam_visual-0.1.0-py3-none-any.whl",
    }
    chart = clone / "build" / "release" / "shazam-visual-0.1.0.tgz"
    with tarfile.open(chart) as package:
        values = package.extractfile("shazam-visual/values.yaml")
        assert values is not None
        assert yaml.safe_load(values.read())["image"]["repository"] == image
    # As a visitor installs it: without a value.
    done = subprocess.run(
        [str(HELM), "template", "shazam-visual", str(chart)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(clone)},
    )
    assert f'image: "{image}:0.1.0"' in done.stdout
    for one in filter(None, yaml.safe_load_all(done.stdout)):
        kubernetes_takes(one)


def test_a_release_has_a_page_with_its_files(clone: Path) -> None:
    calls, _, code = run(clone, "release")
    assert code == 0
    assert calls == [
        "gh release create v0.1.0 release/a.whl --verify-tag --title v0.1.0 --generate-notes"
    ]
