"""Calibration: bins and error by hand, a temperature that undoes a known distortion."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from mnist.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    least_confidence,
    reliability,
    score,
)
from mnist.evaluation.predictions import Predictions


def test_bins_hold_equally_many_predictions_in_order_of_confidence() -> None:
    confidence = np.array([0.99, 0.2, 0.98, 0.97, 0.3, 0.96, 0.95])
    correct = np.array([True, False, True, False, True, True, True])
    bins = reliability(correct, confidence, bins=3)
    assert [b.count for b in bins] == [3, 2, 2]
    assert [b.confidence for b in bins] == pytest.approx([1.45 / 3, 1.93 / 2, 1.97 / 2])
    assert [b.accuracy for b in bins] == pytest.approx([2 / 3, 1 / 2, 1])
    expected = (abs(2 - 1.45) + abs(1 - 1.93) + abs(2 - 1.97)) / 7
    assert expected_calibration_error(bins) == pytest.approx(expected)
    assert [b.count for b in reliability(correct[:2], confidence[:2], bins=15)] == [1, 1]


def drawn(random: np.random.Generator, count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn with exactly the probabilities that the logits give."""
    logits = random.normal(size=(count, 10)) * 2
    cumulative = softmax(logits, axis=1).cumsum(axis=1)
    return logits, (random.random((count, 1)) > cumulative).sum(axis=1)


@pytest.mark.parametrize("distortion", [0.3, 4.0])
def test_the_temperature_undoes_a_known_distortion(distortion: float) -> None:
    logits, labels = drawn(np.random.default_rng(0))
    assert fit_temperature(logits * distortion, labels) == pytest.approx(distortion, rel=0.06)


def test_two_percent_of_the_digits_lie_below_the_least_confidence() -> None:
    logits = np.random.default_rng(0).normal(size=(2000, 10))
    confidence = softmax(logits / 0.5, axis=1).max(axis=1)
    assert (confidence < least_confidence(logits, 0.5)).mean() == pytest.approx(0.02)


def scored(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> dict[str, float]:
    return score(Predictions(logits, logits.argmax(axis=1)), labels, temperature, bins=10)[0]


def test_each_score_uses_raw_or_scaled_probabilities_as_its_name_says() -> None:
    logits, labels = drawn(np.random.default_rng(0), 90)
    metrics = scored(logits, labels, temperature=3.0)
    for suffix, scaled in (("_raw", logits), ("", logits / 3)):
        probabilities = softmax(scaled, axis=1)
        nll = -log_softmax(scaled, axis=1)[np.arange(90), labels].mean()
        brier = ((probabilities - np.eye(10)[labels]) ** 2).sum(axis=1).mean()
        order = probabilities.max(axis=1).argsort().reshape(10, 9)
        hits = (logits.argmax(axis=1) == labels)[order]
        gaps = abs(probabilities.max(axis=1)[order].mean(axis=1) - hits.mean(axis=1))
        assert metrics[f"nll{suffix}"] == pytest.approx(nll)
        assert metrics[f"brier{suffix}"] == pytest.approx(brier)
        assert metrics[f"ece{suffix}"] == pytest.approx(gaps.mean())
    assert metrics["temperature"] == 3


def test_a_calibrated_model_has_an_evenly_drawn_p_and_an_overconfident_one_a_small_one() -> None:
    random = np.random.default_rng(1)
    results = [scored(*drawn(random, 200)) for _ in range(30)]
    p = np.array([result["ece_p"] for result in results])
    assert 0.35 < p.mean() < 0.65
    assert np.mean(p < 0.2) < 0.4
    for result in results:
        assert (result["ece_p"] < 0.049) == (result["ece"] > result["ece_null95"])
    logits, labels = drawn(random)
    assert scored(3 * logits, labels)["ece_p"] < 0.01
    assert scored(3 * logits, labels, temperature=3.0)["ece_p"] > 0.01
