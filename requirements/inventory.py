"""What a deployment is made of: licences as a table, and a bill of materials (CycloneDX 1.6).

    python requirements/inventory.py licences > requirements/LICENCES.md
    python requirements/inventory.py sbom > build/sbom.json

Both read requirements/serve.lock and the metadata of what is installed of it. The base image is
named, its Debian packages are not: a scanner of images lists those.
"""

from __future__ import annotations

import email.message
import importlib.metadata
import json
import os
import re
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parent / "serve.lock"
RECIPE = Path(__file__).parents[1] / "engine" / "serving" / "app" / "bento.py"
# Declared by classifier or free text: the SPDX identifier each of those stands for.
SPDX = {
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache-2.0 license": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "BSD-2-Clause": "BSD-2-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD-3-Clause license": "BSD-3-Clause",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "MPL-2.0 AND MIT": "MPL-2.0 AND MIT",
    "Python Software Foundation License": "PSF-2.0",
}
# How projects call the address that tells what they are, best first. Others are chats and funds.
HOMEPAGES = ("homepage", "home", "repository", "source", "source code", "github", "documentation")
# What a wheel's binaries bring beside the package's own code, where that is stricter.
BUNDLED = {
    "pillow_heif": "BSD-3-Clause AND LGPL-3.0-or-later AND GPL-2.0-or-later",  # libheif, x265
    "opencv-python-headless": "Apache-2.0 AND LGPL-2.1-or-later",  # FFmpeg
}
# What no SPDX expression allows to be shipped with a service under Apache-2.0.
FORBIDDEN = re.compile(r"\bA?GPL-|SSPL|BUSL|Commons-Clause|NonCommercial|-NC-", re.IGNORECASE)


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    licence: str | None
    homepage: str | None


def packages() -> list[Package]:
    """Everything in serve.lock, with what its metadata says."""
    found = []
    for line in LOCK.read_text().split():
        name, _, version = line.partition("==")
        meta = importlib.metadata.metadata(name)
        if importlib.metadata.version(name) != version:
            raise SystemExit(f"{name} {version} is locked, another version is installed.")
        licence = BUNDLED.get(name) or licence_of(meta)
        found.append(Package(name, version, licence, homepage_of(meta)))
    return found


def licence_of(meta: email.message.Message) -> str | None:
    """An SPDX expression, or None where nothing we know is declared."""
    if expression := meta.get("License-Expression"):
        return str(expression)
    classifiers = [
        line.rsplit(" :: ", 1)[-1]
        for line in meta.get_all("Classifier", [])
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    text = str(meta.get("License") or "").strip()
    for declared in (*classifiers, text.split("\n")[0].strip()):
        if declared in SPDX:
            return SPDX[declared]
        if declared in SPDX.values():
            return declared
    return None


def homepage_of(meta: email.message.Message) -> str | None:
    urls = {}
    for line in meta.get_all("Project-URL", []):
        label, _, url = line.partition(", ")
        urls[label.lower()] = url
    found = [urls.get(label) for label in HOMEPAGES] + [meta.get("Home-page")]
    return next((url for url in found if url and url.startswith("http")), None)


def licences() -> str:
    lines = [
        "# Licences of what is installed",
        "",
        "Everything in serve.lock, as its own metadata declares it; written by "
        "`python requirements/inventory.py licences`, compared by a test.",
        "",
        "The wheel of pillow_heif holds x265 (GPL-2.0), an encoder that is never called here. "
        "Running a service distributes nothing; who hands an image on to others hands x265 on with "
        "it, or leaves pillow_heif out: HEIC is then refused by name (415), all else works.",
        "",
        "| Package | Version | Licence |",
        "|---|---|---|",
    ]
    lines += [
        f"| {one.name} | {one.version} | {one.licence or '**unknown**'} |" for one in packages()
    ]
    return "\n".join(lines) + "\n"


def base_image(given: str | None) -> dict[str, object]:
    """The image below ours, as CycloneDX has it: `given` or the recipe's, by tag or digest."""
    if given is None:
        default = re.search(r'"BASE_IMAGE", "([^"]+)"', RECIPE.read_text())
        assert default is not None
        given = default[1]
    found = re.fullmatch(r"(.+?):([^:@/]+)(?:@sha256:([0-9a-f]{64}))?", given)
    if found is None:
        raise ValueError(f"BASE_IMAGE is {given}: name:tag or name:tag@sha256:… is expected")
    name, tag, digest = found.groups()
    image = {"type": "container", "name": name, "version": tag, "bom-ref": given}
    return image | ({"hashes": [{"alg": "SHA-256", "content": digest}]} if digest else {})


def sbom() -> str:
    """CycloneDX 1.6 (cyclonedx.org/docs/1.6/json); the same lock gives the same document."""
    components = []
    for one in packages():
        purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', one.name).lower()}@{one.version}"
        component = {
            "type": "library",
            "bom-ref": purl,
            "name": one.name,
            "version": one.version,
            "purl": purl,
            "licenses": [{"expression": one.licence}] if one.licence else [],
        }
        if one.homepage:
            component["externalReferences"] = [{"type": "website", "url": one.homepage}]
        components.append(component)
    image = base_image(os.environ.get("BASE_IMAGE"))
    application = {"type": "application", "name": "shazam-visual", "bom-ref": "self"}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, LOCK.read_text())}",
        "version": 1,
        "metadata": {"component": application},
        "components": [image, *components],
        "dependencies": [
            {"ref": "self", "dependsOn": [one["bom-ref"] for one in (image, *components)]}
        ],
    }
    return json.dumps(document, indent=1) + "\n"


if __name__ == "__main__":
    print({"licences": licences, "sbom": sbom}[sys.argv[1]](), end="")
