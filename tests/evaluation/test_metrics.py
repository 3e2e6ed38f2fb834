"""The scores agree with their definitions, computed here by hand."""

import numpy as np
import pytest

from mnist.evaluation.metrics import classification_metrics, proper_scores


def test_a_small_case_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 1, -1])  # one confusion, one digit not found
    metrics = classification_metrics(labels, predicted, classes=4)
    assert metrics["accuracy"] == pytest.approx(4 / 6)
    assert metrics["errors"] == 2
    # The mean over all four classes, of which one does not occur.
    assert metrics["precision_macro"] == pytest.approx((1 + 2 / 3 + 0 + 0) / 4)
    assert metrics["recall_macro"] == pytest.approx((2 / 3 + 1 + 0 + 0) / 4)
    assert metrics["f1_macro"] == pytest.approx((0.8 + 0.8 + 0 + 0) / 4)
    assert metrics["recall_per_digit"] == {"0": pytest.approx(2 / 3), "1": 1, "2": 0, "3": 0}


def test_wilson_interval_is_the_published_one() -> None:
    # For 9,921 of 10,000, from Wilson's formula with z = 1.959964.
    labels = np.zeros(10_000, dtype=int)
    metrics = classification_metrics(labels, np.where(np.arange(10_000) < 79, 1, 0), classes=10)
    n, p, z = 10_000, 0.9921, 1.959964
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    interval = [metrics["accuracy_ci95_low"], metrics["accuracy_ci95_high"]]
    assert interval == pytest.approx([centre - half, centre + half], abs=1e-7)


def test_proper_scores_by_hand() -> None:
    """Also of labels among which two of three classes are missing."""
    scores = proper_scores(np.array([1, 1]), np.array([[0.1, 0.7, 0.2], [0.0, 0.5, 0.5]]))
    assert scores["nll"] == pytest.approx(-np.log([0.7, 0.5]).mean())
    assert scores["brier"] == pytest.approx((0.09 + 0.01 + 0.04 + 0.25 + 0.25) / 2)
    worst = proper_scores(np.arange(3), np.roll(np.eye(3), 1, axis=0))
    assert worst["brier"] == 2
