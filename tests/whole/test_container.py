"""The recipes: what goes into a bento and its image. `make container-test` proves the image."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from conftest import PROJECT, Serve

from engine.base.settings import PREFIX
from engine.covers.artifact import Artifact
from engine.covers.manifest import read_manifest
from engine.covers.service.settings import VARIABLES
from engine.library.settings import VARIABLES as LIBRARY
from engine.sound.service.settings import VARIABLES as SOUND
from engine.voice.settings import VARIABLES as VOICE

KNOWN = {**VARIABLES, **SOUND, **LIBRARY, **VOICE}
RECIPES = (
    *("bentofile.yaml", "bentofile.gpu.yaml", "bentofile.sound.yaml"),
    "bentofile.library.yaml",
)
BASE_IMAGE = "docker.io/library/python:3.11-slim@sha256:" + "0e" * 32


def recipe(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((PROJECT / name).read_text())
    return content


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory, tiny_artifact: Path) -> Path:
    """The folder of a bento of `tiny_artifact`, as `make bento` builds it."""
    return built(tiny_artifact, tmp_path_factory.mktemp("bento"))


@pytest.fixture(scope="module")
def of_sound(tmp_path_factory: pytest.TempPathFactory, tiny_sound: Path) -> Path:
    """The same of `tiny_sound`: the recipe goes by the artifact's kind."""
    return built(tiny_sound, tmp_path_factory.mktemp("bento-of-sound"))


def built(artifact: Path, home: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "deploy/container/bento.py", str(artifact)],
        cwd=PROJECT,
        env={**os.environ, "BENTOML_HOME": str(home), "BASE_IMAGE": BASE_IMAGE},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    name, _, version = done.stdout.strip().splitlines()[-1].partition(":")
    return home / "bentos" / name / version


def test_an_image_is_built_on_the_digest_that_is_named(bento: Path) -> None:
    dockerfile = (bento / "env" / "docker" / "Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", dockerfile, re.M) == [BASE_IMAGE]


def test_a_bento_names_its_artifact_and_holds_a_serving_copy(
    bento: Path, tiny_artifact: Path
) -> None:
    tag = f"shazam-visual-serving:{read_manifest(tiny_artifact).id}"
    about = yaml.safe_load((bento / "bento.yaml").read_text())
    assert [model["tag"] for model in about["models"]] == [tag]
    assert {"name": "SHAZAM_ARTIFACT", "value": tag, "stage": "all"} in about["envs"]
    name, _, version = tag.partition(":")
    published = bento.parents[2] / "models" / name / version / "artifact"
    assert Artifact.open(published).manifest.serving_copy


def test_a_bento_holds_the_service_and_no_more(bento: Path) -> None:
    files = {path.relative_to(bento / "src").as_posix() for path in (bento / "src").rglob("*")}
    assert {"service.py", "engine/covers/service/asking.py", "web/index.html"} <= files
    assert {name.partition("/")[0] for name in files} == {
        "bentofile.yaml",
        "engine",
        "service.py",
        "web",
    }


@pytest.mark.parametrize(
    ("which", "contract", "other"),
    [("bento", "served", "engine.sound"), ("of_sound", "heard", "engine.covers")],
)
def test_a_bento_holds_nothing_that_trains_builds_or_draws(
    which: str, contract: str, other: str, request: pytest.FixtureRequest
) -> None:
    bento: Path = request.getfixturevalue(which)
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (served,) = [one for one in contracts["contracts"] if one["id"] == contract]
    forbidden = {*served["forbidden_modules"], other, "engine.cli", "engine.__main__"}
    held = {
        path.relative_to(bento / "src").with_suffix("").as_posix().replace("/", ".")
        for path in (bento / "src" / "engine").rglob("*.py")
    }
    assert {
        one for one in held if any(f"{one}.".startswith(f"{name}.") for name in forbidden)
    } == set()
    # And all that the rest imports is there, whenever it does; what only a type checker reads of
    # the package's public names is not imported.
    modules = held | {name.removesuffix(".__init__") for name in held}
    public = bento / "src" / "engine" / "__init__.py"
    for path in {*(bento / "src").rglob("*.py")} - {public}:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("engine"):
                assert node.module in modules, path


def test_a_bento_answers_by_itself(
    bento: Path, serve: Serve, tiny_artifact: Path, tmp_path: Path
) -> None:
    made = serve(
        f"shazam-visual-serving:{read_manifest(tiny_artifact).id}",
        target=str(bento),
        cwd=tmp_path,
        BENTOML_HOME=str(bento.parents[2]),
        PYTHONPATH="",
    )
    with httpx.Client(base_url=made.url, timeout=30) as http:
        assert http.get("/api/search-by-text", params={"query": "red"}).json()["results"]
        picture = http.get("/api/albums/3/cover").content
        for path in ("/api/search-by-image", "/api/identify"):
            answer = http.post(path, files={"file": picture})
            assert answer.status_code == 200, answer.text
    log = made.log.read_text()
    serve.end(made)  # type: ignore[attr-defined]
    assert "Traceback" not in log


def test_a_bento_of_sound_answers_by_itself_and_needs_no_more_than_pyav(
    of_sound: Path, serve: Serve, tiny_sound: Path, tmp_path: Path
) -> None:
    made = serve(
        target=str(of_sound),
        cwd=tmp_path,
        SHAZAM_SOUND_ARTIFACT=f"shazam-sound-serving:{id_of(tiny_sound)}",
        BENTOML_HOME=str(of_sound.parents[2]),
        PYTHONPATH="",
    )
    with httpx.Client(base_url=made.url, timeout=30) as http:
        clip = http.get("/api/tracks/2/audio").content
        found = http.post("/api/identify-sound", files={"file": clip}).json()
        assert found["track"]["track_id"] == 2
    log = made.log.read_text()
    serve.end(made)  # type: ignore[attr-defined]
    assert "Traceback" not in log
    packages = (of_sound / "env" / "python" / "requirements.txt").read_text().lower()
    assert re.search(r"^av==", packages, re.MULTILINE)
    assert not re.search(r"^(torch|transformers|scipy|librosa)", packages, re.MULTILINE)


def id_of(artifact: Path) -> str:
    return str(json.loads((artifact / "manifest.json").read_text())["id"])


def test_an_image_for_cpus_has_neither_torch_nor_a_compiler(bento: Path) -> None:
    packages = (bento / "env" / "python" / "requirements.txt").read_text().lower()
    assert "openvino==" in packages
    assert not re.search(r"^(torch|transformers|nncf|nvidia-c)", packages, re.MULTILINE)
    dockerfile = (bento / "env" / "docker" / "Dockerfile").read_text()
    assert "build-essential" not in dockerfile
    assert "apt-get" not in dockerfile
    assert "USER bentoml" in dockerfile
    for line in ("HF_HUB_OFFLINE=1", "BENTOML_DO_NOT_TRACK=True", "SHAZAM_LOG_FORMAT=json"):
        assert f"ARG {line}" in dockerfile
    # The last step but the copying: what installing needed goes.
    assert re.search(r"RUN chmod \+x (\S+script__\S+) && \1", dockerfile)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_name_files_and_settings_that_exist(name: str) -> None:
    content = recipe(name)
    for path in (content["python"]["requirements_txt"], content["docker"]["setup_script"]):
        assert (PROJECT / path).is_file()
    assert os.access(PROJECT / content["docker"]["setup_script"], os.X_OK)
    for entry in content["envs"]:
        if entry["name"].startswith(PREFIX):
            variable = KNOWN[entry["name"].removeprefix(PREFIX).lower()]
            variable.parse(entry["value"])


def test_the_gpu_recipe_brings_torch_and_the_rest_is_the_same() -> None:
    def pins(name: str) -> dict[str, str]:
        lines = (PROJECT / name).read_text().lower().replace("_", "-").split()
        return dict(line.split("==") for line in lines if "==" in line)

    cpu, gpu = pins("requirements/serve.lock"), pins("requirements/gpu.lock")
    assert {"torch", "transformers", "safetensors"} <= gpu.keys() - cpu.keys()
    assert {name: gpu.get(name) for name in cpu} == cpu
    for key in ("include", "exclude"):
        assert recipe("bentofile.gpu.yaml")[key] == recipe("bentofile.yaml")[key]


def test_container_test_says_why_it_cannot_run_and_succeeds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "deploy/container/container_test.py"],
        cwd=PROJECT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r"container-test skipped: \w.*buildah", done.stdout)


# Of a wheel of OpenVINO, what slim.sh looks at: for x86-64 and for ARM.
INTEL = ("libopenvino_intel_cpu_plugin.so", "libopenvino_intel_gpu_plugin.so", "cache.json")
INTEL += ("libopenvino_intel_npu_plugin.so", "libopenvino_intel_npu_compiler.so")
ARM = ("libopenvino_arm_cpu_plugin.so",)
READERS = [f"libopenvino_{name}_frontend.so.2641" for name in ("onnx", "tensorflow", "paddle")]
READERS += [f"libopenvino_{name}_frontend.so.2641" for name in ("pytorch", "gguf", "jax")]


@pytest.mark.parametrize("machine", [INTEL, ARM], ids=["amd64", "arm64"])
def test_slim_takes_the_wheels_of_both_machines(machine: tuple[str, ...], tmp_path: Path) -> None:
    libraries = tmp_path / "openvino" / "libs"
    libraries.mkdir(parents=True)
    for name in ("include", "cmake"):
        (tmp_path / "openvino" / name).mkdir()
    for name in (*machine, *READERS, "libopenvino.so.2641", "libopenvino_ir_frontend.so.2641"):
        (libraries / name).touch()
    script = (PROJECT / "deploy/container/slim.sh").read_text()
    # Its own part alone: the rest would empty this machine's /tmp.
    part = script[script.index('cd "$packages/openvino"') : script.index("# botocore")]
    assert "/tmp" not in part
    subprocess.run(["sh", "-euc", part], env={**os.environ, "packages": str(tmp_path)}, check=True)
    assert {path.name for path in libraries.iterdir()} == {
        machine[0],
        "libopenvino.so.2641",
        "libopenvino_ir_frontend.so.2641",
    }
    assert [path.name for path in (tmp_path / "openvino").iterdir()] == ["libs"]
