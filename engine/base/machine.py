"""Memory that a warm process holds and does not need, given back.

OpenVINO maps the weights of an artifact and repacks them for this processor when it first computes:
from then on the pages it mapped are a second copy that nothing reads. What loading allocated and
freed stays with the allocator. Given back, a worker on ViT-B/32 as int8 holds 135 MB less.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from pathlib import Path

_MADV_DONTNEED = 4


def release_mapped(path: Path) -> None:
    """Let go of the pages of a file that this process has mapped to read, and of free heap.
    Whatever is read again comes back from the file. Nothing happens but on Linux."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    mapped = str(path.resolve())
    with open("/proc/self/maps") as file:
        for line in file:
            # Of a mapping that may be written to, what was written would be lost.
            addresses, rights, *_, name = line.rstrip("\n").split(maxsplit=5)
            if name == mapped and "w" not in rights:
                start, end = (int(address, 16) for address in addresses.split("-"))
                libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)
    with contextlib.suppress(AttributeError):  # glibc's alone
        libc.malloc_trim(0)
