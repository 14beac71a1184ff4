"""Exported networks on OpenVINO, the runtime of CPUs: imported in silence, compiled, remembered.

OpenVINO prepares kernels of a network for this processor when it opens it; kept in a folder of
this user's, they make the next start on this machine faster.
"""

from __future__ import annotations

import contextlib
import importlib
import locale
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.base.importing import one_thread
from engine.base.places import cache_home, is_ours

# Files of prepared kernels: two towers of covers and two networks of sound, of four artifacts.
KEPT_KERNELS = 16
CONVERTER = "openvino.tools.ovc"


def import_openvino() -> Any:
    """The package, which reports usage to its makers, as NNCF does, unless told not to before; its
    own stubs take over where the reporting package cannot be imported. A service, or a build,
    reports to nobody, so nothing of ours imports either but by this."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    os.environ.setdefault("NNCF_CI", "1")
    with one_thread, _without(CONVERTER, "openvino"):
        return importlib.import_module("openvino")


def import_converter() -> Any:
    """OpenVINO's `convert_model`, with all that it needs."""
    import_openvino()
    return importlib.import_module(CONVERTER).convert_model


@contextlib.contextmanager
def _without(module: str, package: str) -> Iterator[None]:
    """Let a module be missing while its package is imported for the first time: OpenVINO does
    without its converter, which is half of its import, 0.1 s of every start."""
    if package in sys.modules or module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop(module, None)


def compile_network(
    core: Any, network: Any, options: Mapping[str, Any], cache: Path | None = None
) -> Any:
    """`core.compile_model` for the CPU; `network` is a path or a model. `cache` is a folder for
    prepared kernels, or None. OpenVINO checks itself what of it still fits."""
    if cache is None:
        return core.compile_model(network, "CPU", dict(options))
    # Without the weights, which are mapped from the artifact anyway.
    cached = {**options, "CACHE_DIR": str(cache), "CACHE_MODE": "OPTIMIZE_SIZE"}
    try:
        return core.compile_model(network, "CPU", cached)
    except RuntimeError:
        # A cache that cannot be read or written costs a second, not the start.
        return core.compile_model(network, "CPU", dict(options))


@contextlib.contextmanager
def locale_kept() -> Iterator[None]:
    """OpenVINO reads a model in the C locale and then sets back what it found. Of two at once the
    second finds C, and whoever opens a text file from then on reads ASCII: one start in five."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def kernel_cache() -> Path | None:
    """The user's folder for prepared kernels, or None where there can be none of ours alone: what
    is in it computes.

    An image that was started once while it was built finds its kernels there also when its file
    system is read-only. Only the newest are kept: each new artifact adds its own.
    """
    home = cache_home()
    folder = home / "openvino"
    with contextlib.suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    if not (is_ours(home) and is_ours(folder)):
        return None
    with contextlib.suppress(OSError):
        blobs = sorted(folder.glob("*.blob"), key=lambda path: path.stat().st_mtime)
        for old in blobs[:-KEPT_KERNELS]:
            old.unlink()
    return folder
