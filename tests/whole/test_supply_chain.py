"""What we ship: every licence known and allowed, a bill of materials, and jobs that run commands
which exist."""

from __future__ import annotations

import importlib.util
import json
import re
from types import ModuleType

import pytest
import yaml
from conftest import PROJECT
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def inventory() -> ModuleType:
    path = PROJECT / "requirements" / "inventory.py"
    spec = importlib.util.spec_from_file_location("inventory", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["inventory"] = module
    spec.loader.exec_module(module)
    return module


def test_the_table_of_licences_is_what_is_installed(inventory: ModuleType) -> None:
    assert (PROJECT / "requirements" / "LICENCES.md").read_text() == inventory.licences()


def test_no_licence_is_unknown_or_forbidden_but_the_one_that_is_told(inventory: ModuleType) -> None:
    found = inventory.packages()
    assert len(found) > 80
    assert [one.name for one in found if one.licence is None] == []
    forbidden = [one.name for one in found if inventory.FORBIDDEN.search(one.licence)]
    assert forbidden == ["pillow_heif"]
    for text in ("GPL-3.0-only", "MIT AND AGPL-3.0-or-later", "SSPL-1.0", "CC-BY-NC-4.0"):
        assert inventory.FORBIDDEN.search(text)
    for text in ("LGPL-3.0-or-later", "MPL-2.0", "Apache-2.0"):
        assert not inventory.FORBIDDEN.search(text)


def test_the_bill_of_materials_is_valid_and_holds_every_locked_package_once(
    inventory: ModuleType,
) -> None:
    text = inventory.sbom()
    # The standard's own schema, strictly: nothing that it does not name, every address an address.
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", document["serialNumber"])
    image, *packages = document["components"]
    assert (image["type"], image["version"]) == ("container", "3.11-slim")
    locked = (PROJECT / "requirements" / "serve.lock").read_text().split()
    assert [f"{one['name']}=={one['version']}" for one in packages] == locked
    for one in packages:
        assert re.fullmatch(r"pkg:pypi/[a-z0-9.-]+@[\w.+]+", one["purl"])
        assert one["licenses"][0]["expression"]
    assert document["dependencies"][0]["dependsOn"] == [
        one["bom-ref"] for one in document["components"]
    ]


def test_a_base_image_by_digest_is_one_in_the_bill_of_materials(
    inventory: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = "0d" * 32
    monkeypatch.setenv("BASE_IMAGE", f"docker.io/library/python:3.11-slim@sha256:{digest}")
    monkeypatch.setattr(inventory, "packages", list)  # which the test above has looked at
    text = inventory.sbom()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    image = json.loads(text)["components"][0]
    assert image["version"] == "3.11-slim"
    assert image["hashes"] == [{"alg": "SHA-256", "content": digest}]
    with pytest.raises(ValueError, match="python@3"):
        inventory.base_image("python@3")


def test_all_who_name_the_base_image_name_the_same() -> None:
    names = set()
    for file in ("engine/serving/app/bento.py", "deploy/container/bento.py"):
        names |= set(re.findall(r'"BASE_IMAGE", "([^"]+)"', (PROJECT / file).read_text()))
    trial = (PROJECT / "deploy/container/container_test.py").read_text()
    assert names == set(re.findall(r'"BASE_IMAGE", "([^"]+)"', trial))
    assert len(names) == 1
    assert (
        f"image=${{1:-{names.pop()}}}" in (PROJECT / "deploy/container/base-image.sh").read_text()
    )


def test_each_lock_is_a_part_of_the_next() -> None:
    serve, sound, library, voice, everything = (
        set((PROJECT / "requirements" / name).read_text().split())
        for name in ("serve.lock", "sound.lock", "library.lock", "voice.lock", "all.lock")
    )
    assert serve < sound < library < voice < everything
    assert all(re.fullmatch(r"[\w.-]+==[\w.+]+", line) for line in everything)


@pytest.mark.parametrize("kind", ["sound", "library"])
def test_the_image_of_sound_has_nothing_that_covers_alone_need(kind: str) -> None:
    folder = PROJECT / "requirements"
    lines = (folder / "covers.in").read_text().splitlines()
    alone = {canonicalize_name(line.split()[0]) for line in lines if line[0] != "#"}
    everything, image = (
        (folder / f"{kind}{which}.lock").read_text().split() for which in ("", ".image")
    )
    kept = [line for line in everything if canonicalize_name(line.split("==")[0]) not in alone]
    assert image == kept
    assert len(everything) - len(image) == len(alone) > 0
    recipe = yaml.safe_load((PROJECT / f"bentofile.{kind}.yaml").read_text())
    assert recipe["python"]["requirements_txt"] == f"requirements/{kind}.image.lock"


def test_the_scheduled_job_runs_commands_that_exist() -> None:
    job = yaml.safe_load((PROJECT / ".github/workflows/newest.yml").read_text())
    assert job[True]["schedule"]  # YAML 1.1 reads `on` as true
    assert job["permissions"] == {"contents": "read"}
    steps = [step["run"] for step in job["jobs"]["newest"]["steps"] if "run" in step]
    targets = re.findall(r"make (\w+)", " ".join(steps))
    makefile = (PROJECT / "Makefile").read_text()
    assert targets == ["lock", "test", "audit"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
