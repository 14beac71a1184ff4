from __future__ import annotations

import pytest

from engine.library.pipeline.durable import STEPS
from engine.library.pipeline.workflow import SHARES


def test_shares_of_the_steps_are_all_of_a_job() -> None:
    assert tuple(SHARES) == STEPS
    assert sum(SHARES.values()) == pytest.approx(1)
