"""Calibration: the error by hand, and a temperature that undoes a known distortion."""

import numpy as np
import pytest
from scipy.special import softmax

from stages.evaluation.calibration import expected_calibration_error, fit_temperature


def test_the_error_of_two_bins_by_hand() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.6, 0.6])
    correct = np.array([True, True, False, True, False])
    # bin of 0.9: |2/3 - 0.9| * 3/5; bin of 0.6: |1/2 - 0.6| * 2/5
    expected = (0.9 - 2 / 3) * 3 / 5 + 0.1 * 2 / 5
    assert expected_calibration_error(correct, confidence, bins=10) == pytest.approx(expected)


def test_certainty_that_is_right_costs_nothing() -> None:
    assert expected_calibration_error(np.array([True] * 5), np.ones(5)) == 0


def test_the_temperature_undoes_a_known_distortion() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 10)) * 2
    p = softmax(logits, axis=1)
    labels = np.array([random.choice(10, p=row) for row in p])
    for distortion in (0.3, 1.0, 4.0):
        fitted = fit_temperature(logits * distortion, labels)
        assert fitted == pytest.approx(distortion, rel=0.05)
