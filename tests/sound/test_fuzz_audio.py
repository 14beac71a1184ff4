"""Recordings that nobody would send by mistake; `make fuzz` tries FUZZ times as many."""

from __future__ import annotations

import os
import time
from collections import Counter

import numpy as np
import pytest
from mutations import mutated
from recorded import KINDS, recorded
from side_by_side import SUMMARY

from engine.base.errors import (
    AudioTooLong,
    AudioTooShort,
    InvalidRequest,
    UnreadableAudio,
)
from engine.sound.apart import Decoder

TIMES = int(os.environ.get("FUZZ", "1"))
REFUSALS = (AudioTooLong, AudioTooShort, InvalidRequest, UnreadableAudio)


def test_damaged_recordings_are_read_or_refused_and_end_no_process(
    pytestconfig: pytest.Config,
) -> None:
    tried: Counter[str] = Counter()
    rng = np.random.default_rng(0)
    decoder = Decoder()
    (process,) = decoder._free.queue
    try:
        for name in KINDS:
            for _ in range(12 * TIMES):
                body = mutated(recorded(name), rng)
                since = time.monotonic()
                try:
                    samples = decoder.decode(body, first_s=60, max_s=600)
                except REFUSALS as error:
                    tried[error.code] += 1
                else:
                    tried["read"] += 1
                    assert samples.dtype == np.float32
                    assert np.isfinite(samples).all()
                    assert np.abs(samples).max() <= 1
                assert time.monotonic() - since < 8, name
                assert process.lives, name
        assert list(decoder._free.queue) == [process]
    finally:
        decoder.close()
    assert tried["read"] > tried.total() / 4
    told = ", ".join(f"{count:,} {what}" for what, count in tried.most_common())
    pytestconfig.stash.setdefault(SUMMARY, []).append(f"recordings damaged: {told}")
