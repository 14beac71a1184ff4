"""HEIC and AVIF: which of two decoders reads a file, by what it says of itself.

Both lie in the same container. Its first brand may be one that says nothing of the coding (`mif1`,
`miaf`), and each decoder looks at that one alone.
"""

from __future__ import annotations

from typing import Literal

Family = Literal["AVIF", "HEIF"]

_AVIF = frozenset({b"avif", b"avis"})
_HEIF = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_EITHER = frozenset(
    {
        b"mif1",
        b"mif2",
        b"msf1",
        b"miaf",
        b"tmap",
        b"MA1A",
        b"MA1B",
        b"MiHA",
        b"MiHB",
        b"MiHE",
        b"MiPr",
    }
)
_BRANDS_BYTES = 1024  # a list of brands is a hundred bytes long
_META_BYTES = 1 << 16


def family(head: bytes) -> Family | None:
    """Who reads a file that begins so; None if it is no picture of these."""
    if head[4:8] != b"ftyp":
        return None
    brands = _brands(head)
    return _family(head, brands) if brands & (_AVIF | _HEIF | _EITHER) else None


def readable(data: bytes, family: Family) -> bytes:
    """The file, the first of its brands one that the decoder of its family knows."""
    if data[8:12] in (_AVIF if family == "AVIF" else _HEIF):
        return data
    # Sequences alone have the moving brand beside no still one.
    still, moving = (b"avif", b"avis") if family == "AVIF" else (b"heic", b"hevc")
    brands = _brands(data)
    brand = moving if moving in brands and still not in brands else still
    return data[:8] + brand + data[12:]


def _brands(head: bytes) -> set[bytes]:
    length = min(int.from_bytes(head[:4], "big"), _BRANDS_BYTES)
    return {head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))}


def _family(data: bytes, brands: set[bytes]) -> Family:
    if bool(brands & _AVIF) != bool(brands & _HEIF):
        return "AVIF" if brands & _AVIF else "HEIF"
    # Neither, or both: the items' types are named before anything is stored.
    head = data[:_META_BYTES]
    av1, hevc = (head.find(kind) % (_META_BYTES + 1) for kind in (b"av01", b"hvc1"))
    return "AVIF" if av1 < hevc else "HEIF"
