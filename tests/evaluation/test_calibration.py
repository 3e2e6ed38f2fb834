"""Calibration: bins and error by hand, a temperature that undoes a known distortion."""

import numpy as np
import pytest
from scipy.special import softmax

from mnist.evaluation.calibration import (
    Bin,
    expected_calibration_error,
    fit_temperature,
    null_ece,
    reliability,
    reliability_csv,
)


def test_bins_hold_equally_many_predictions_in_order_of_confidence() -> None:
    confidence = np.array([0.99, 0.2, 0.98, 0.97, 0.3, 0.96, 0.95])
    correct = np.array([True, False, True, False, True, True, True])
    bins = reliability(correct, confidence, bins=3)
    assert [b.count for b in bins] == [3, 2, 2]
    assert [b.confidence for b in bins] == pytest.approx([1.45 / 3, 1.93 / 2, 1.97 / 2])
    assert [b.accuracy for b in bins] == pytest.approx([2 / 3, 1 / 2, 1])
    expected = (abs(2 - 1.45) + abs(1 - 1.93) + abs(2 - 1.97)) / 7
    assert expected_calibration_error(bins) == pytest.approx(expected)


def test_fewer_predictions_than_bins() -> None:
    bins = reliability(np.array([True, False]), np.array([0.9, 0.4]), bins=15)
    assert [b.count for b in bins] == [1, 1]


def test_full_confidence_that_is_justified_has_no_error() -> None:
    assert expected_calibration_error(reliability(np.array([True] * 5), np.ones(5), 15)) == 0


def calibrated(count: int = 5000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn with exactly the probabilities that the logits give."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(count, 10)) * 2
    cumulative = softmax(logits, axis=1).cumsum(axis=1)
    return logits, (random.random((count, 1)) > cumulative).sum(axis=1)


@pytest.mark.parametrize("distortion", [0.3, 1.0, 4.0])
def test_the_temperature_undoes_a_known_distortion(distortion: float) -> None:
    logits, labels = calibrated()
    assert fit_temperature(logits * distortion, labels) == pytest.approx(distortion, rel=0.05)


def test_a_calibrated_model_exceeds_the_null_quantile_once_in_twenty() -> None:
    random = np.random.default_rng(1)
    confidence = random.uniform(0.5, 1, 400)
    limit = null_ece(confidence, bins=10)
    errors = [
        expected_calibration_error(reliability(random.random(400) < confidence, confidence, 10))
        for _ in range(400)
    ]
    assert 0.02 < np.mean(np.array(errors) > limit) < 0.09
    overconfident = random.random(400) < confidence - 0.1
    assert expected_calibration_error(reliability(overconfident, confidence, 10)) > limit


def test_bins_are_written_a_row_each() -> None:
    text = reliability_csv({"none": [Bin(0.61, 0.5, 2)], "temperature": [Bin(0.5, 0.5, 2)]})
    assert text.splitlines() == [
        "scaling,confidence,accuracy,count",
        "none,0.610000,0.500000,2",
        "temperature,0.500000,0.500000,2",
    ]
