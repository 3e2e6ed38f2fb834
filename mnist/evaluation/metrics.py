"""How good predictions are."""

from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
)


def classification_metrics(
    labels: np.ndarray, predicted: np.ndarray, classes: int
) -> dict[str, Any]:
    """Score the predicted classes.

    Args:
        labels: (N,) true classes, 0 to classes - 1.
        predicted: (N,) predicted ones; -1, an object that was not found, is always an error.

    Returns:
        Rates in 0..1 (macro: the mean over the classes), the number of errors, and Wilson's 95 %
        interval of the accuracy (Wilson, 1927).
    """
    errors = int((labels != predicted).sum())
    interval = binomtest(len(labels) - errors, len(labels)).proportion_ci(0.95, method="wilson")
    recalls = recall_score(labels, predicted, labels=range(classes), average=None, zero_division=0)
    macro = {"labels": range(classes), "average": "macro", "zero_division": 0}
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1_macro": float(f1_score(labels, predicted, **macro)),
        "precision_macro": float(precision_score(labels, predicted, **macro)),
        "recall_macro": float(recall_score(labels, predicted, **macro)),
        "recall_per_digit": {str(digit): float(rate) for digit, rate in enumerate(recalls)},
        "errors": errors,
        "accuracy_ci95_low": float(interval.low),
        "accuracy_ci95_high": float(interval.high),
    }


def proper_scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Score the probabilities (N, classes), whose rows sum to 1.

    Returns:
        `nll`, the mean negative log-likelihood in nats, and `brier`, the mean squared distance
        from the one-hot truth, 0..2 (Brier, 1950).
    """
    classes = np.arange(probabilities.shape[1])
    brier = brier_score_loss(labels, probabilities, labels=classes, scale_by_half=False)
    return {
        "nll": float(log_loss(labels, probabilities, labels=classes)),
        "brier": float(brier),
    }
