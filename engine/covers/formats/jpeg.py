"""A JPEG's bytes → whether rows of its picture are missing.

libjpeg fills what is missing with grey and says nothing. Whether it had to is seen by putting other
bytes behind the last: a whole picture does not change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image, ImageChops

END = b"\xff\xd9"
# Decoded as picture, this is no flat grey. It begins with what may follow a lone 0xFF.
_FILLER = bytes((0x00, 0x5A, 0x13, 0xC7, 0x69, 0x2E, 0xB4, 0x81)) * 64
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")


class Scan(NamedTuple):
    components: frozenset[int]
    start: int
    end: int
    """Its coded bytes are `data[start:end]`."""
    interval: int
    """MCUs between restarts, 0: none."""


class Frame(NamedTuple):
    width: int
    height: int
    sampling: dict[int, tuple[int, int]]
    """Horizontal and vertical, by component."""

    def mcus(self, components: frozenset[int]) -> int:
        """How many MCUs a scan of these components has."""
        across = max(h for h, _ in self.sampling.values())
        down = max(v for _, v in self.sampling.values())
        if len(components) == 1:
            h, v = self.sampling[next(iter(components))]
            return -(-self.width * h // (8 * across)) * -(-self.height * v // (8 * down))
        return -(-self.width // (8 * across)) * -(-self.height // (8 * down))


def looks_cut(image: Image.Image) -> bool:
    """Whether the last pixel is what libjpeg fills in: cheap, and true of some whole pictures."""
    last = image.getpixel((image.width - 1, image.height - 1))
    return all(value in (127, 128) for value in (last if isinstance(last, tuple) else (last,)))


def lacks_rows(data: bytes, decode: Callable[[bytes], Image.Image]) -> bool:
    """Whether any row (of any component) is missing; `decode` reads a JPEG that has an end.

    Of a progressive one, rows are there with their first scan, if coarsely.
    """
    frame, scans = _parts(data)
    if frame is None or not scans:
        return True
    # What another scan follows was whole: its components' rows are there.
    followed = frozenset[int]().union(*(scan.components for scan in scans[:-1]))
    last = scans[-1]
    if followed >= frame.sampling.keys():
        return False
    if not followed | last.components >= frame.sampling.keys():
        return True
    if last.interval:
        due = (frame.mcus(last.components) - 1) // last.interval
        if len(_RESTART.findall(data, last.start, last.end)) < due:
            return True
    whole = data[: last.end]
    found, other = decode(whole + END), decode(whole + _FILLER + END)
    return ImageChops.difference(found, other).getbbox() is not None


def _parts(data: bytes) -> tuple[Frame | None, list[Scan]]:
    """The first picture's frame and scans, up to its end or that of the bytes."""
    frame: Frame | None = None
    scans: list[Scan] = []
    interval, at = 0, 2
    while match := _MARKER.search(data, at):
        kind, at = match[0][1], match.end()
        if kind == END[1]:
            break
        if kind in (0x01, 0xD8):
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        body = data[at + 2 : at + length]
        at += length
        if kind in _FRAMES and len(body) >= 6:
            parts = {body[n]: divmod(body[n + 1], 16) for n in range(6, len(body) - 2, 3)}
            height, width = (int.from_bytes(body[n : n + 2], "big") for n in (1, 3))
            frame = Frame(width, height, parts)
        elif kind == 0xDD:
            interval = int.from_bytes(body[:2], "big")
        elif kind == 0xDA and body:
            following = _MARKER.search(data, at)
            end = following.start() if following else len(data)
            scans.append(Scan(frozenset(body[1 : 1 + 2 * body[0] : 2]), at, end, interval))
            at = end
    return frame, scans
