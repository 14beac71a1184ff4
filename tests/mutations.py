"""Damage, the same for the same seed."""

from __future__ import annotations

import numpy as np

# Values at which sizes and signs go wrong.
EDGES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` with one to four of: bytes flipped, an edge value, a part cut, doubled or moved."""
    made = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        # Headers are where decoders decide: half of all damage is near the beginning.
        reach = min(len(made), 128) if rng.integers(2) else len(made)
        if not reach:
            break
        at = int(rng.integers(reach))
        length = int(rng.integers(1, 64))
        match int(rng.integers(6)):
            case 0:
                made[at] ^= 1 << int(rng.integers(8))
            case 1:
                made[at : at + length] = rng.bytes(length)
            case 2:
                value, size = EDGES[rng.integers(len(EDGES))], int(rng.choice([1, 2, 4, 8]))
                order = "little" if rng.integers(2) else "big"
                part = (value & (256**size - 1)).to_bytes(size, order)  # type: ignore[arg-type]
                made[at : at + size] = part
            case 3:
                del made[at : at + length]
            case 4:
                made[at:at] = made[at : at + length]
            case 5:
                del made[at:]
    return bytes(made)
