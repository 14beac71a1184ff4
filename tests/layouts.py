"""Pictures drawn in every layout that a format allows: (name, bytes, what must be seen).

Written by hand, byte by byte, because the libraries that write pictures write few layouts, and the
decoder under test should not be what made its own examples. What must be seen is (H, W, 3) uint8
RGB over white; a reader may be off by two steps, as 16 bits are rounded or cut.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]
WIDTH, HEIGHT = 37, 26  # no multiple of 8, 4 or of a tile: rows are padded


@dataclass(frozen=True)
class Layout:
    name: str
    data: bytes
    seen: NDArray[np.uint8]


def drawn(channels: int = 3, top: int = 255) -> Samples:
    """(H, W, channels) int64, 0–`top`: ramps that no flip, shift or exchange leaves alone."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / np.array([[[HEIGHT - 1]], [[WIDTH - 1]]])
    planes = [x, y, (x + 2 * y) / 3, 1 - x * y]
    planes = [0.9 * plane**2 + 0.05 for plane in planes]
    return np.rint(np.stack(planes[:channels], axis=-1) * top).astype(np.int64)


def seen(samples: Samples, top: int) -> NDArray[np.uint8]:
    """(H, W, 1 or 3) samples, 0–`top` → (H, W, 3) uint8."""
    eight = np.rint(samples * (255 / top)).astype(np.uint8)
    return np.repeat(eight, 3, axis=2) if eight.shape[2] == 1 else eight


def over_white(colour: NDArray[np.uint8], alpha: Samples, top: int) -> NDArray[np.uint8]:
    part = alpha.reshape(*colour.shape[:2], 1) / top
    return np.rint(colour * part + 255 * (1 - part)).astype(np.uint8)


def packed(values: Samples, bits: int) -> bytes:
    """Rows of samples (rows, n), the first in the highest bits, each row padded to a byte."""
    shifts = np.arange(bits - 1, -1, -1)
    parts = (values[..., None] >> shifts & 1).astype(np.uint8).reshape(len(values), -1)
    return np.packbits(parts, axis=1).tobytes()


# --- TIFF -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tiff:
    """How a TIFF is laid out. `tile` (side in pixels, a multiple of 16) or strips of `rows`."""

    photometric: int = 2
    bits: int = 8
    form: int = 1  # 1 unsigned, 2 signed, 3 float
    order: str = "II"
    planar: int = 1
    compression: int = 1
    predictor: int = 1
    tile: int = 0
    rows: int = 7
    extra: tuple[int, ...] = ()
    orientation: int = 1
    fill: int = 1
    palette: tuple[int, ...] = ()
    big: bool = False
    icc: bytes = b""
    tags: tuple[tuple[int, int, tuple[int, ...]], ...] = ()

    def write(self, samples: Samples) -> bytes:
        """(H, W, S) integers (floats if `form` is 3) → a TIFF."""
        height, width, count = samples.shape
        planes = [samples] if self.planar == 1 else [samples[..., [s]] for s in range(count)]
        blocks = [block for plane in planes for block in self._blocks(plane)]
        entries: list[tuple[int, int, Sequence[int] | bytes]] = [
            (256, 4, [width]),
            (257, 4, [height]),
            (258, 3, [self.bits] * count),
            (259, 3, [self.compression]),
            (262, 3, [self.photometric]),
            (266, 3, [self.fill]),
            (274, 3, [self.orientation]),
            (277, 3, [count]),
            (284, 3, [self.planar]),
            (317, 3, [self.predictor]),
            (339, 3, [self.form] * count),
        ]
        if self.extra:
            entries.append((338, 3, self.extra))
        if self.palette:
            entries.append((320, 3, self.palette))
        if self.icc:
            entries.append((34675, 7, self.icc))
        entries += self.tags
        if self.tile:
            entries += [(322, 4, [self.tile]), (323, 4, [self.tile])]
            where, sizes = 324, 325
        else:
            entries.append((278, 4, [self.rows]))
            where, sizes = 273, 279
        entries += [(where, 4, [0] * len(blocks)), (sizes, 4, [len(b) for b in blocks])]
        return self._file(sorted(entries), where, blocks)

    def _blocks(self, plane: Samples) -> Iterator[bytes]:
        height, width = plane.shape[:2]
        if not self.tile:
            for top in range(0, height, self.rows):
                yield self._block(plane[top : top + self.rows])
            return
        side = self.tile
        padding = [(0, -height % side), (0, -width % side), (0, 0)]
        plane = np.pad(plane, padding, mode="edge")
        for top, left in itertools.product(
            range(0, plane.shape[0], side), range(0, plane.shape[1], side)
        ):
            yield self._block(plane[top : top + side, left : left + side])

    def _block(self, part: Samples) -> bytes:
        end = "<" if self.order == "II" else ">"
        rows, columns, count = part.shape
        if self.predictor == 2:
            part = np.diff(part, axis=1, prepend=0) % (1 << self.bits)
        flat = part.reshape(rows, columns * count)
        if self.predictor == 3:  # differences of bytes, the highest of all samples first
            split = flat.astype(f">f{self.bits // 8}").view(np.uint8)
            split = split.reshape(rows, columns, count, self.bits // 8)
            planes = split.transpose(0, 3, 1, 2).reshape(rows, -1, count)
            data = np.diff(planes, axis=1, prepend=np.uint8(0)).astype(np.uint8).tobytes()
        elif self.form == 3:
            data = flat.astype(f"{end}f{self.bits // 8}").tobytes()
        elif self.bits in (16, 32):
            data = (flat % (1 << self.bits)).astype(f"{end}u{self.bits // 8}").tobytes()
        else:
            data = packed(flat % (1 << self.bits), self.bits)
        data = _COMPRESS[self.compression](data)
        if self.fill == 2:
            data = np.packbits(
                np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, 8)[:, ::-1]
            ).tobytes()
        return data

    def _file(self, entries: list[tuple[int, int, Any]], where: int, blocks: list[bytes]) -> bytes:
        end = "<" if self.order == "II" else ">"
        long, head, entry, slot = ("Q", 16, 20, 8) if self.big else ("I", 8, 12, 4)
        after = head + (8 if self.big else 2) + entry * len(entries) + slot
        total = sum(len(self._values(end, kind, v)) + 1 for _, kind, v in entries)
        at = after + total + total % 2
        offsets = []
        for block in blocks:
            offsets.append(at)
            at += len(block) + len(block) % 2
        magic = struct.pack(f"{end}HHHQ", 43, 8, 0, head) if self.big else None
        out = self.order.encode() + (magic or struct.pack(f"{end}HI", 42, head))
        out += struct.pack(f"{end}{'Q' if self.big else 'H'}", len(entries))
        extra = b""
        for tag, kind, values in entries:
            body = self._values(end, kind, offsets if tag == where else values)
            out += struct.pack(f"{end}HH{long}", tag, kind, len(values))
            if len(body) <= slot:
                out += body.ljust(slot, b"\0")
            else:
                out += struct.pack(f"{end}{long}", after + len(extra))
                extra += body + b"\0" * (len(body) % 2)
        out += bytes(slot) + extra
        for offset, block in zip(offsets, blocks, strict=True):
            out = out.ljust(offset, b"\0") + block
        return out

    @staticmethod
    def _values(end: str, kind: int, values: Any) -> bytes:
        if isinstance(values, bytes):
            return values
        return struct.pack(f"{end}{len(values)}{ {1: 'B', 3: 'H', 4: 'I'}[kind] }", *values)


def _packbits(data: bytes) -> bytes:
    # Literal runs alone: whoever reads PackBits reads these.
    parts = [data[at : at + 128] for at in range(0, len(data), 128)]
    return b"".join(bytes([len(part) - 1]) + part for part in parts)


def _lzw(data: bytes) -> bytes:
    codes, bits, count = "", 9, 258
    codes += f"{256:09b}"
    table = {bytes([n]): n for n in range(256)}
    word = b""
    for byte in data:
        longer = word + bytes([byte])
        if longer in table:
            word = longer
            continue
        codes += f"{table[word]:0{bits}b}"
        table[longer] = count
        count += 1
        word = bytes([byte])
        if count >= 511:  # start again before codes grow to 10 bits
            codes += f"{256:0{bits}b}"
            table, count = {bytes([n]): n for n in range(256)}, 258
    codes += f"{table[word]:0{bits}b}{257:0{bits}b}"
    codes = codes.ljust(-(-len(codes) // 8) * 8, "0")
    return int(codes, 2).to_bytes(len(codes) // 8, "big")


_COMPRESS = {1: bytes, 8: zlib.compress, 32946: zlib.compress, 32773: _packbits, 5: _lzw}
STORED = (
    {},
    {"tile": 16},
    {"compression": 8},
    {"compression": 5},
    {"compression": 32773},
    {"compression": 8, "tile": 16},
    {"compression": 8, "predictor": 2},
    {"compression": 5, "predictor": 2, "tile": 16},
)
ORDERS = ("II", "MM")


def _named(kind: str, how: dict[str, Any]) -> str:
    return " ".join(["TIFF", kind, *(f"{key}={value}" for key, value in how.items())])


def tiffs() -> Iterator[Layout]:
    for order, planar, stored in itertools.product(ORDERS, (1, 2), STORED):
        how = {"order": order, "planar": planar, **stored}
        for kind, picture in _tiff_kinds(how):
            yield Layout(_named(kind, how), *picture)
    yield from _odd_tiffs()


def _tiff_kinds(how: dict[str, Any]) -> Iterator[tuple[str, tuple[bytes, NDArray[np.uint8]]]]:
    predicted = how.get("predictor", 1) != 1
    for bits in (1, 2, 4, 8, 12, 16, 32):
        if predicted and bits not in (8, 16, 32):
            continue
        top = (1 << bits) - 1
        grey = drawn(1, top)
        if how["planar"] == 1:
            white, black = Tiff(photometric=0, bits=bits, **how), Tiff(1, bits, **how)
            yield f"{bits}-bit white-is-zero", (white.write(top - grey), seen(grey, top))
            yield f"{bits}-bit grey", (black.write(grey), seen(grey, top))
        if bits in (2, 4, 8, 16, 32):
            colour = drawn(3, top)
            rgb = Tiff(2, bits, **how)
            yield f"{bits}-bit RGB", (rgb.write(colour), seen(colour, top))
        if bits in (8, 16):
            yield from _with_more(bits, how)
        if bits in (1, 2, 4, 8) and how["planar"] == 1:
            yield f"{bits}-bit palette", _tiff_palette(bits, how, 257)
    if predicted and how["predictor"] == 2:
        return
    for form, bits in ((2, 8), (2, 16), (2, 32), (3, 16), (3, 32), (3, 64)):
        if how["planar"] == 1:
            yield f"{bits}-bit form {form} grey", _formed(1, form, bits, how)
            yield f"{bits}-bit form {form} white-is-zero", _formed(0, form, bits, how)
        yield f"{bits}-bit form {form} RGB", _formed(2, form, bits, how)


def _formed(
    photometric: int, form: int, bits: int, how: dict[str, Any]
) -> tuple[bytes, NDArray[np.uint8]]:
    """Signed samples run from their least to their highest, floats from 0 to 1."""
    count = 3 if photometric == 2 else 1
    top = (1 << min(bits, 32)) - 1
    values = drawn(count, top)
    shown = seen(values, top)
    if photometric == 0:
        values = top - values
    stored: Samples = values / top if form == 3 else values - (1 << (bits - 1))
    return Tiff(photometric, bits, form, **how).write(stored), shown


def _with_more(bits: int, how: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    top = (1 << bits) - 1
    four, grey = drawn(4, top), drawn(1, top)
    colour, alpha = four[..., :3], four[..., 3:]
    shown = seen(colour, top)
    blended = over_white(shown, alpha, top)
    layered = np.rint(colour * (alpha / top)).astype(np.int64)
    for extra, part, right in (
        ((0,), colour, shown),
        ((1,), layered, blended),
        ((2,), colour, blended),
    ):
        four = np.concatenate([part, alpha], axis=2)
        yield (
            f"{bits}-bit RGB extra={extra}",
            (Tiff(2, bits, extra=extra, **how).write(four), right),
        )
    both = np.concatenate([colour, alpha], axis=2)
    yield f"{bits}-bit RGB undeclared", (Tiff(2, bits, **how).write(both), blended)
    none = np.concatenate([colour, 0 * alpha], axis=2)
    yield f"{bits}-bit RGB undeclared 0", (Tiff(2, bits, **how).write(none), shown)
    for extra, part, right in (
        ((0,), grey, seen(grey, top)),
        ((1,), np.rint(grey * (alpha / top)).astype(np.int64), None),
        ((2,), grey, None),
    ):
        right = over_white(seen(grey, top), alpha, top) if right is None else right
        two = np.concatenate([part, alpha], axis=2)
        yield (
            f"{bits}-bit grey extra={extra}",
            (Tiff(1, bits, extra=extra, **how).write(two), right),
        )
    ink = drawn(4, top)
    light = 1 - ink / top
    rgb = np.rint(light[..., :3] * light[..., 3:] * 255).astype(np.uint8)
    yield f"{bits}-bit CMYK", (Tiff(5, bits, **how).write(ink), rgb)
    five = np.concatenate([ink, 0 * alpha + top // 3], axis=2)
    yield f"{bits}-bit CMYK extra=0", (Tiff(5, bits, extra=(0,), **how).write(five), rgb)


def _tiff_palette(bits: int, how: dict[str, Any], step: int) -> tuple[bytes, NDArray[np.uint8]]:
    count = 1 << bits
    n = np.arange(count)
    colours = np.stack([n * 255 // (count - 1), 255 - n * 255 // (count - 1), n * 37 % 256], -1)
    index = drawn(1, count - 1)
    palette = tuple(int(v) for v in (colours.T * step).reshape(-1))
    tiff = Tiff(3, bits, palette=palette, **how)
    return tiff.write(index), colours[index[..., 0]].astype(np.uint8)


def _odd_tiffs() -> Iterator[Layout]:
    eight, wide = drawn(3, 255), drawn(3, 65535)
    yield Layout("TIFF palette of 8 bits", *_tiff_palette(8, {}, 1))
    for orientation in range(1, 9):
        turned = turn(eight, orientation)
        tiff = Tiff(orientation=orientation)
        yield Layout(f"TIFF orientation {orientation}", tiff.write(turned), seen(eight, 255))
        tiff = Tiff(orientation=orientation, compression=8, bits=16, planar=2)
        turned = turn(wide, orientation)
        yield Layout(
            f"TIFF 16-bit planar orientation {orientation}", tiff.write(turned), seen(wide, 65535)
        )
    for order, big in itertools.product(ORDERS, (False, True)):
        tiff = Tiff(order=order, big=big, bits=16, planar=2)
        yield Layout(f"TIFF 16-bit planar {order} big={big}", tiff.write(wide), seen(wide, 65535))
    for bits in (1, 2, 4, 8, 16):
        grey = drawn(1, (1 << bits) - 1)
        for photometric, compression in itertools.product((0, 1), (1, 8)):
            stored = grey if photometric else (1 << bits) - 1 - grey
            tiff = Tiff(photometric, bits, fill=2, compression=compression)
            name = f"TIFF {bits}-bit photometric {photometric} fill=2 compression={compression}"
            yield Layout(name, tiff.write(stored), seen(grey, (1 << bits) - 1))
    for compression in (1, 8):
        tiff = Tiff(fill=2, compression=compression)
        yield Layout(f"TIFF RGB fill=2 {compression}", tiff.write(eight), seen(eight, 255))
    for bits in (16, 32):
        for photometric in (0, 1, 2):
            for order in ORDERS:
                unit = drawn(3 if photometric == 2 else 1, 65535)
                stored = (65535 - unit if photometric == 0 else unit) / 65535
                tiff = Tiff(photometric, bits, 3, order, compression=8, predictor=3)
                name = f"TIFF float {bits} photometric {photometric} predictor 3 {order}"
                yield Layout(name, tiff.write(stored), seen(unit, 65535))
    for planar, compression in itertools.product((1, 2), (1, 8)):
        extra = np.concatenate([eight, drawn(2, 99)], axis=2)
        tiff = Tiff(extra=(0, 0), planar=planar, compression=compression)
        name = f"TIFF RGB two extras planar={planar} {compression}"
        yield Layout(name, tiff.write(extra), seen(eight, 255))
    for planar, compression, order in itertools.product((1, 2), (1, 8), ORDERS):
        yuv = _ycbcr(eight)
        tiff = Tiff(
            6, 8, order=order, planar=planar, compression=compression, tags=((530, 3, (1, 1)),)
        )
        name = f"TIFF YCbCr planar={planar} {compression} {order}"
        yield Layout(name, tiff.write(yuv), seen(eight, 255))


def _ycbcr(rgb: Samples) -> Samples:
    turn_ = np.array(
        [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    )
    return np.rint(rgb @ turn_.T + (0, 128, 128)).clip(0, 255).astype(np.int64)


def turn(picture: Samples, orientation: int) -> Samples:
    """(H, W, …) → how it is stored so that EXIF's `orientation` (1–8) turns it back."""
    ways = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    return ways[orientation](picture)


# --- BMP ------------------------------------------------------------------------------------------


def bmp(
    rows: Sequence[bytes],
    bits: int,
    *,
    header: int = 40,
    compression: int = 0,
    masks: Sequence[int] = (),
    palette: bytes = b"",
    colours: int = 0,
    top_down: bool = False,
    width: int = WIDTH,
    height: int = HEIGHT,
    body: bytes | None = None,
) -> bytes:
    """Rows of samples, top row first → a BMP. `masks` are red, green, blue and alpha."""
    if body is None:
        padded = [row + bytes(-len(row) % 4) for row in rows]
        body = b"".join(padded if top_down else padded[::-1])
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        signed = -height if top_down else height
        info = struct.pack(
            "<IiiHHIIiiII",
            header,
            width,
            signed,
            1,
            bits,
            compression,
            len(body),
            2835,
            2835,
            colours,
            0,
        )
        if header == 64:
            info = info.ljust(64, b"\0")
        elif header > 40:
            given = struct.pack("<4I", *(list(masks) + [0] * 4)[:4])
            info = (info + given)[:header]
            info += (b"BGRs" + bytes(64)).ljust(header, b"\0")[: header - len(info)]
        elif masks:
            info += struct.pack("<3I", *masks[:3])
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + info + palette + body


def _masked(values: Samples, masks: Sequence[int], bits: int) -> list[bytes]:
    """(H, W, n) samples that fill their masks → rows of little-endian words."""
    words = np.zeros(values.shape[:2], np.uint64)
    for plane, mask in zip(np.moveaxis(values, 2, 0), masks, strict=True):
        if mask:
            words |= plane.astype(np.uint64) << np.uint64((mask & -mask).bit_length() - 1)
    return [
        row.astype("<u8").view(np.uint8).reshape(-1, 8)[:, : bits // 8].tobytes() for row in words
    ]


def _highest(mask: int) -> int:
    return mask // (mask & -mask) if mask else 0


MASKS: dict[str, tuple[int, tuple[int, ...]]] = {
    "BGRX": (32, (0xFF0000, 0xFF00, 0xFF, 0)),
    "XBGR": (32, (0xFF000000, 0xFF0000, 0xFF00, 0)),
    "RGBX": (32, (0xFF, 0xFF00, 0xFF0000, 0)),
    "BGRA": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    "RGBA": (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    "ABGR": (32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
    "10 bits": (32, (0x3FF00000, 0xFFC00, 0x3FF, 0)),
    "565": (16, (0xF800, 0x7E0, 0x1F, 0)),
    "555": (16, (0x7C00, 0x3E0, 0x1F, 0)),
    "1555": (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
    "444": (16, (0xF00, 0xF0, 0xF, 0)),
    "4444": (16, (0xF00, 0xF0, 0xF, 0xF000)),
    "565 reversed": (16, (0x1F, 0x7E0, 0xF800, 0)),
}


def bmps() -> Iterator[Layout]:
    eight = drawn(3, 255)
    bgr = eight[..., ::-1].astype(np.uint8)
    rows24 = [row.tobytes() for row in bgr]
    padded = np.concatenate([bgr, np.zeros_like(bgr[..., :1])], axis=2)
    rows32 = [row.tobytes() for row in padded]
    for header in (12, 40, 52, 56, 64, 108, 124):
        for down in (False, True) if header != 12 else (False,):
            name = f"header {header} top_down={down}"
            how: dict[str, Any] = {"header": header, "top_down": down}
            yield Layout(f"BMP 24 {name}", bmp(rows24, 24, **how), seen(eight, 255))
            if header != 12:
                yield Layout(f"BMP 32 {name}", bmp(rows32, 32, **how), seen(eight, 255))
                five = drawn(3, 31)
                rows = _masked(five, MASKS["555"][1][:3], 16)
                yield Layout(f"BMP 16 {name}", bmp(rows, 16, **how), seen(five, 31))
            for bits in (1, 2, 4, 8):
                yield from _bmp_palettes(bits, how, name)
    for header, (name, (bits, masks)) in itertools.product((40, 52, 56, 108, 124), MASKS.items()):
        if masks[3] and header in (40, 52):
            continue
        yield from _bmp_masked(f"BMP {bits} header {header} {name}", header, bits, masks)
    yield from _bmp_runs()


def _bmp_masked(name: str, header: int, bits: int, masks: tuple[int, ...]) -> Iterator[Layout]:
    tops = [_highest(mask) for mask in masks]
    colour = np.concatenate([drawn(3, top)[..., [n]] for n, top in enumerate(tops[:3])], axis=2)
    shown = np.rint(colour * 255 / tops[:3]).astype(np.uint8)
    alpha = drawn(4, tops[3])[..., 3:] if tops[3] else np.zeros((HEIGHT, WIDTH, 1), np.int64)
    four = np.concatenate([colour, alpha], axis=2)
    how: dict[str, Any] = {"header": header, "compression": 3, "masks": masks}
    right = over_white(shown, alpha, tops[3]) if tops[3] else shown
    yield Layout(name, bmp(_masked(four, masks, bits), bits, **how), right)
    if tops[3]:
        four[..., 3] = 0
        data = bmp(_masked(four, masks, bits), bits, **how)
        yield Layout(f"{name} alpha 0", data, shown)


def _bmp_palettes(bits: int, how: dict[str, Any], name: str) -> Iterator[Layout]:
    full = 1 << bits
    grey = [(n * 255 // (full - 1),) * 3 for n in range(full)]
    colour = [
        (n * 255 // (full - 1), 255 - n * 255 // (full - 1), n * 37 % 256) for n in range(full)
    ]
    palettes = {
        "colours": colour,
        "grey": grey,
        "inverted grey": grey[::-1],
        "equal to index": [(n,) * 3 for n in range(full)],
        "black and white": [(0,) * 3, (255,) * 3],
        "few colours": colour[-3:],
    }
    for called, colours in palettes.items():
        if len(colours) > full or (how["header"] == 12 and len(colours) < full):
            continue
        index = drawn(1, len(colours) - 1)[..., 0]
        pad = b"" if how["header"] == 12 else b"\0"
        table = b"".join(bytes(c[::-1]) + pad for c in colours)
        rows = [packed(row[None], bits) for row in index]
        data = bmp(rows, bits, palette=table, colours=len(colours) % full, **how)
        yield Layout(f"BMP {bits} {called} {name}", data, np.array(colours, np.uint8)[index])


def _bmp_runs() -> Iterator[Layout]:
    for bits, compression in ((8, 1), (4, 2)):
        full = 1 << bits
        tables = {
            "colours": [(n * 255 // (full - 1), n * 91 % 256, n * 37 % 256) for n in range(full)],
            "grey": [(n * 255 // (full - 1),) * 3 for n in range(full)],
            "equal to index": [(n,) * 3 for n in range(full)],
        }
        for called, colours in tables.items():
            table = b"".join(bytes(c[::-1]) + b"\0" for c in colours)
            index = (drawn(1, full - 1)[..., 0] // 3) * 3
            for literal in (False, True):
                body = b"".join(_runs(row, bits, literal) for row in index[::-1]) + b"\0\1"
                data = bmp([], bits, compression=compression, palette=table, body=body)
                name = f"BMP RLE{bits} {called} literal={literal}"
                yield Layout(name, data, np.array(colours, np.uint8)[index])
        # A hole is of the first colour, whether jumped over or left at a row's or picture's end.
        colours = tables["colours"]
        table = b"".join(bytes(c[::-1]) + b"\0" for c in colours)
        five = bytes([0x55 if bits == 4 else 5])
        body = b"\x0a" + five + b"\0\2\5\3" + b"\4" + five + b"\0\0" + b"\7" + five + b"\0\1"
        index = np.zeros((HEIGHT, WIDTH), np.int64)
        index[HEIGHT - 1, :10] = 5
        index[HEIGHT - 4, 15:19] = 5
        index[HEIGHT - 5, :7] = 5
        data = bmp([], bits, compression=compression, palette=table, body=body)
        yield Layout(f"BMP RLE{bits} holes", data, np.array(colours, np.uint8)[index])


def _runs(row: NDArray[np.int64], bits: int, literal: bool) -> bytes:
    out = b""
    values = row.tolist()
    if literal:
        body = packed(np.array([values]), bits)
        return b"\0" + bytes([len(values)]) + body + bytes(len(body) % 2) + b"\0\0"
    for value, run in itertools.groupby(values):
        count = len(list(run))
        out += bytes([count, value if bits == 8 else value * 17])
    return out + b"\0\0"


# --- PNG ------------------------------------------------------------------------------------------

PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def chunk(name: bytes, body: bytes, crc: int | None = None) -> bytes:
    right = zlib.crc32(name + body)
    return (
        struct.pack(">I", len(body))
        + name
        + body
        + struct.pack(">I", right if crc is None else crc)
    )


def png(
    samples: Samples,
    bits: int,
    colour: int,
    *,
    interlaced: bool = False,
    before: bytes = b"",
    after: bytes = b"",
    end: bytes | None = None,
) -> bytes:
    """(H, W, S) samples → a PNG of `colour` type; `before` and `after` are chunks around IDAT."""
    height, width = samples.shape[:2]

    def lines(part: Samples) -> bytes:
        out = b""
        for n, row in enumerate(part):
            if not row.size:
                continue
            flat = row.reshape(1, -1)
            body = flat.astype(">u2").tobytes() if bits == 16 else packed(flat, bits)
            size = max(1, samples.shape[2] * bits // 8)
            if n % 2 and bits >= 8:  # every second row is filtered by its left neighbour
                a = np.frombuffer(body, np.uint8)
                left = np.concatenate([np.zeros(size, np.uint8), a])[: len(a)]
                out += b"\1" + (a - left).astype(np.uint8).tobytes()
            else:
                out += b"\0" + body
        return out

    if interlaced:
        data = b"".join(lines(samples[y::dy, x::dx]) for x, y, dx, dy in PASSES)
    else:
        data = lines(samples)
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    packed_ = zlib.compress(data)
    half = len(packed_) // 2
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            before,
            chunk(b"IDAT", packed_[:half]),
            chunk(b"IDAT", packed_[half:]),
            after,
            chunk(b"IEND", b"") if end is None else end,
        ]
    )


def pngs() -> Iterator[Layout]:
    for interlaced in (False, True):
        how = {"interlaced": interlaced}
        name = " interlaced" if interlaced else ""
        for bits in (1, 2, 4, 8, 16):
            top = (1 << bits) - 1
            grey = drawn(1, top)
            yield Layout(f"PNG {bits}-bit grey{name}", png(grey, bits, 0, **how), seen(grey, top))
            key = int(grey[HEIGHT // 2, WIDTH // 2, 0])
            clear = chunk(b"tRNS", struct.pack(">H", key))
            right = np.where(grey == key, 255, seen(grey, top)).astype(np.uint8)
            data = png(grey, bits, 0, before=clear, **how)
            yield Layout(f"PNG {bits}-bit grey tRNS{name}", data, right)
            if bits <= 8:
                yield from _png_palettes(bits, how, name)
            if bits < 8:
                continue
            four = drawn(4, top)
            colour, alpha = four[..., :3], four[..., 3:]
            data = png(colour, bits, 2, **how)
            yield Layout(f"PNG {bits}-bit RGB{name}", data, seen(colour, top))
            key3 = colour[HEIGHT // 2, WIDTH // 2]
            clear = chunk(b"tRNS", struct.pack(">3H", *key3.tolist()))
            same = (colour == key3).all(axis=2, keepdims=True)
            right = np.where(same, 255, seen(colour, top)).astype(np.uint8)
            data = png(colour, bits, 2, before=clear, **how)
            yield Layout(f"PNG {bits}-bit RGB tRNS{name}", data, right)
            right = over_white(seen(colour, top), alpha, top)
            yield Layout(f"PNG {bits}-bit RGBA{name}", png(four, bits, 6, **how), right)
            two = np.concatenate([grey, alpha], axis=2)
            right = over_white(seen(grey, top), alpha, top)
            yield Layout(f"PNG {bits}-bit grey, alpha{name}", png(two, bits, 4, **how), right)


def _png_palettes(bits: int, how: dict[str, Any], name: str) -> Iterator[Layout]:
    full = 1 << bits
    n = np.arange(full)
    colours = np.stack([n * 255 // (full - 1), 255 - n * 255 // (full - 1), n * 37 % 256], -1)
    table = chunk(b"PLTE", colours.astype(np.uint8).tobytes())
    index = drawn(1, full - 1)
    shown = colours[index[..., 0]].astype(np.uint8)
    yield Layout(f"PNG {bits}-bit palette{name}", png(index, bits, 3, before=table, **how), shown)
    alphas = {"one clear": [255, 0], "several": [0, 100, 255, 30][:full], "half": [128]}
    for called, values in alphas.items():
        alpha = np.array(values + [255] * (full - len(values)))[index]
        clear = chunk(b"tRNS", bytes(values))
        data = png(index, bits, 3, before=table + clear, **how)
        right = over_white(shown, alpha, 255)
        yield Layout(f"PNG {bits}-bit palette {called}{name}", data, right)


def all_layouts() -> Iterator[Layout]:
    yield from tiffs()
    yield from bmps()
    yield from pngs()
