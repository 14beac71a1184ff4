"""`engine/cli/trials.py`: whether measured figures are called good, and what is advised."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.cli.trials import judged
from engine.covers.trials.search import Recall, Report


def recall(at_1: float, queries: int = 10) -> Recall:
    return Recall(queries, at_1, at_1, at_1)


GOOD = Report(
    artifact="0" * 16,
    encoder="tiny",
    runtime="openvino-cpu",
    precision="fp32",
    albums=30,
    recall={"none": recall(1.0), "dark": recall(0.97), "untried": recall(0.0, queries=0)},
    agreement_at_10=0.995,
    same_top_1_as_fp32=None,
    false_accepts=0.004,
    threshold=0.9,
    latency_ms={},
)


def test_good_figures_are_called_good_and_nothing_is_advised() -> None:
    assert list(judged(GOOD)) == [
        "recall@1 is good: at worst 0.970, for dark",
        "the index is good: 99.5% of what exact search finds",
        "false accepts are good: min_score tells strangers apart",
    ]


@pytest.mark.parametrize(
    ("at_1", "agreement", "false_accepts", "word"),
    [(0.85, 0.95, 0.03, "fair"), (0.4, 0.5, 0.559, "poor")],
)
def test_figures_that_are_not_good_come_with_what_helps(
    at_1: float, agreement: float, false_accepts: float, word: str
) -> None:
    report = replace(
        GOOD, recall={"dark": recall(at_1)}, agreement_at_10=agreement, false_accepts=false_accepts
    )
    found, index, accepts = judged(report)
    assert f"recall@1 is {word}: " in found
    assert "identify" in found
    assert f"the index is {word}: " in index
    assert "compact" in index
    assert f"false accepts are {word}: " in accepts
    assert "identify" in accepts


def test_what_was_not_measured_is_not_judged() -> None:
    report = replace(GOOD, recall={}, false_accepts=None)
    assert len(list(judged(report))) == 1
