"""The scores agree with their definitions, computed here by hand."""

import numpy as np
import pytest

from mnist.evaluation.metrics import classification_metrics, proper_scores


def test_a_small_case_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 1, -1])  # one confusion, one digit not found
    figures = classification_metrics(labels, predicted, classes=3)
    assert figures["accuracy"] == pytest.approx(4 / 6)
    assert figures["errors"] == 2
    assert figures["precision_macro"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert figures["recall_macro"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert figures["f1_macro"] == pytest.approx((0.8 + 0.8 + 0) / 3)


def test_wilson_interval_is_the_published_one() -> None:
    # Wilson's interval for 9,921 of 10,000, from his formula with z = 1.959964.
    labels = np.zeros(10_000, dtype=int)
    predicted = np.where(np.arange(10_000) < 79, 1, 0)
    figures = classification_metrics(labels, predicted)
    n, p, z = 10_000, 0.9921, 1.959964
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    assert figures["accuracy_ci95_low"] == pytest.approx(centre - half, abs=1e-7)
    assert figures["accuracy_ci95_high"] == pytest.approx(centre + half, abs=1e-7)


def test_perfect_and_worst_probabilities() -> None:
    labels = np.array([0, 1, 2])
    perfect = proper_scores(labels, np.eye(3))
    assert perfect["nll"] == pytest.approx(0, abs=1e-12)
    assert perfect["brier"] == 0
    assert proper_scores(labels, np.eye(3)[[1, 2, 0]])["brier"] == 2


def test_even_odds_cost_the_logarithm_of_the_classes() -> None:
    even = np.full((4, 4), 0.25)
    figures = proper_scores(np.arange(4), even)
    assert figures["nll"] == pytest.approx(np.log(4))
    assert figures["brier"] == pytest.approx(0.75**2 + 3 * 0.25**2)
