"""A recipe and an artifact → a bento that names the artifact by its tag; its image, if asked.

    python deploy/container/bento.py artifacts/starter [--recipe bentofile.gpu.yaml] [--image NAME]

The recipe is the one of the artifact's kind: bentofile.yaml for covers, bentofile.sound.yaml for
sound.

The artifact is published into the model store (a serving copy, unless the recipe wants torch) and
becomes the bento's model: `bentoml export`, `containerize` and `push` carry it along, and a new
version of the code uploads no artifact again. Prints the bento's tag on the last line.

The image is built by Docker where its daemon answers, else by buildah; where buildah cannot reach a
registry, on a base that base-image.sh makes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

# Of a kind of artifact: its recipe, and the variable that names it.
OF_KIND = {
    "cover": ("bentofile.yaml", "SHAZAM_ARTIFACT"),
    "sound": ("bentofile.sound.yaml", "SHAZAM_SOUND_ARTIFACT"),
}
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
BASE = os.environ.get("BASE_IMAGE", "docker.io/library/python:3.11-slim")
# What works for root in a bare virtual machine. Other users' buildah knows better by itself.
if hasattr(os, "geteuid") and os.geteuid() == 0:
    os.environ.setdefault("STORAGE_DRIVER", "overlay")
    os.environ.setdefault("BUILDAH_ISOLATION", "chroot")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the bento of one artifact.")
    parser.add_argument("artifact", help="a folder, a model-store tag or a URL with #sha256=…")
    parser.add_argument("--recipe", type=Path, help="default: the one of the artifact's kind")
    parser.add_argument("--image", metavar="NAME", help="containerize the bento as this image")
    parser.add_argument("--builder", choices=("auto", "docker", "buildah"), default="auto")
    options = parser.parse_args()

    from engine.artifact.manifest import kind_of
    from engine.artifact.store import find_artifact, publish
    from engine.base.errors import ShazamError
    from engine.cli.kinds import open_artifact

    try:
        folder = find_artifact(options.artifact)
        kind = kind_of(folder)
        artifact = open_artifact(folder, kind)
    except ShazamError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    of_kind, variable = OF_KIND[kind]
    path = options.recipe or ROOT / of_kind
    recipe = yaml.safe_load(path.read_text())
    wanted = {entry["name"]: entry["value"] for entry in recipe["envs"]}
    torch = wanted.get("SHAZAM_RUNTIME", "").startswith("torch")
    tag = publish(artifact, serving=not torch)
    print(f"published {tag}")
    recipe["include"] = [line for line in recipe["include"] if not line.startswith("artifacts/")]
    recipe["models"] = [tag]
    recipe["envs"].append({"name": variable, "value": tag})
    recipe["labels"] = {"artifact": tag.partition(":")[2]}
    pinned = ROOT / "build" / path.name
    pinned.parent.mkdir(exist_ok=True)
    pinned.write_text(yaml.safe_dump(recipe, sort_keys=False))
    command = [sys.executable, "-m", "bentoml", "build", "--bentofile", str(pinned)]
    # BentoML imports the service to build it, and the service looks for its artifact; the GPU's
    # settings are the image's, not this machine's.
    environ = {name: value for name, value in os.environ.items() if name[:7] != "SHAZAM_"}
    built = subprocess.run(
        [*command, "--output", "tag", str(ROOT)],
        env={**environ, variable: tag},
        stdout=subprocess.PIPE,
        text=True,
    )
    if built.returncode:
        return built.returncode
    bento = built.stdout.strip().splitlines()[-1].removeprefix("__tag__:")
    failed = options.image and not containerize(bento, options.image, options.builder)
    print(bento)
    return 1 if failed else 0


def containerize(bento: str, image: str, builder: str) -> bool:
    """Build the image of a bento; whether it is there afterwards."""
    if builder == "auto":
        builder = "docker" if _works("docker", "info") else "buildah"
    command = [sys.executable, "-m", "bentoml", "containerize", bento, "--image-tag", image]
    if builder == "docker":
        return subprocess.run([*command, "--backend", "docker"]).returncode == 0
    if not shutil.which("buildah"):
        print("An image needs Docker or buildah: apt-get install buildah", file=sys.stderr)
        return False
    if not _works("buildah", "inspect", "--type", "image", BASE) and not _works(
        "buildah", "pull", "--quiet", BASE
    ):
        subprocess.run([str(ROOT / "deploy" / "container" / "base-image.sh"), BASE], check=True)
    subprocess.run([*command, "--backend", "buildah", "--opt", "pull-never"])
    # `bentoml containerize` exits with 0 after a failure too.
    return _works("buildah", "inspect", "--type", "image", image)


def _works(*command: str) -> bool:
    if not shutil.which(command[0]):
        return False
    return subprocess.run(command, capture_output=True).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
