"""bentofile.yaml and an artifact → a bento that names the artifact by its tag.

    python deploy/container/bento.py artifacts/starter [--recipe bentofile.gpu.yaml]

The artifact is published into the model store (a serving copy, unless the recipe wants torch) and
becomes the bento's model: `bentoml export`, `containerize` and `push` carry it along, and a new
version of the code uploads no artifact again. Prints the bento's tag on the last line.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the bento of one artifact.")
    parser.add_argument("artifact", help="a folder, a model-store tag or a URL with #sha256=…")
    parser.add_argument("--recipe", type=Path, default=ROOT / "bentofile.yaml")
    options = parser.parse_args()

    from engine.errors import ShazamError
    from engine.store import find_artifact, publish

    recipe = yaml.safe_load(options.recipe.read_text())
    wanted = {entry["name"]: entry["value"] for entry in recipe["envs"]}
    torch = wanted.get("SHAZAM_RUNTIME", "").startswith("torch")
    try:
        tag = publish(find_artifact(options.artifact), serving=not torch)
    except ShazamError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    print(f"published {tag}")
    recipe["include"] = [line for line in recipe["include"] if not line.startswith("artifacts/")]
    recipe["models"] = [tag]
    recipe["envs"].append({"name": "SHAZAM_ARTIFACT", "value": tag})
    recipe["labels"] = {"artifact": tag.partition(":")[2]}
    pinned = ROOT / "build" / options.recipe.name
    pinned.parent.mkdir(exist_ok=True)
    pinned.write_text(yaml.safe_dump(recipe, sort_keys=False))
    command = [sys.executable, "-m", "bentoml", "build", "--bentofile", str(pinned)]
    # BentoML imports the service to build it, and the service looks for its artifact; the GPU's
    # settings are the image's, not this machine's.
    environ = {name: value for name, value in os.environ.items() if name[:7] != "SHAZAM_"}
    built = subprocess.run(
        [*command, "--output", "tag", str(ROOT)],
        env={**environ, "SHAZAM_ARTIFACT": tag},
        stdout=subprocess.PIPE,
        text=True,
    )
    if built.returncode:
        return built.returncode
    print(built.stdout.strip().splitlines()[-1].removeprefix("__tag__:"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
