from __future__ import annotations

import numpy as np
import pytest

from engine.base.odds import expected_calibration_error, fit_logistic, reliability, sigmoid


def test_the_calibration_error_of_honest_answers_is_small() -> None:
    rng = np.random.default_rng(0)
    claimed = rng.random(20_000)
    honest = rng.random(20_000) < claimed
    error = expected_calibration_error
    assert error(claimed.tolist(), honest.tolist()) < 0.02
    assert error([0.99] * 10, [False] * 10) == pytest.approx(0.99)
    assert error([], []) == 0.0


def test_a_fit_finds_the_weights_that_made_the_labels() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20_000, 2)) * [1, 10] + [0, 5]
    y = (rng.random(20_000) < sigmoid(x @ [2, -0.1] + 1)).astype(float)
    weights, bias = fit_logistic(x, y)
    assert weights == pytest.approx([2, -0.1], abs=0.1)
    assert bias == pytest.approx(1, abs=0.1)


def test_an_answer_counts_as_often_as_it_is_told_to() -> None:
    x, y = np.array([[0.0], [0.0]]), np.array([0.0, 1.0])
    _, bias = fit_logistic(x, y, counts=np.array([1.0, 3.0]))
    assert sigmoid(bias) == pytest.approx(0.75, abs=1e-4)


def test_reliability_has_a_row_for_each_filled_bin() -> None:
    assert reliability([0.95, 1.0, 0.05], [True, False, False]) == [
        (0.05, 0.0, 1),
        (0.975, 0.5, 2),
    ]
