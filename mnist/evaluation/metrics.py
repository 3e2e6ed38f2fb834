"""How good predictions are."""

from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import brier_score_loss, log_loss, precision_recall_fscore_support


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
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=range(classes), zero_division=0
    )
    return {
        "accuracy": float(np.mean(labels == predicted)),
        "f1_macro": float(f1.mean()),
        "precision_macro": float(precision.mean()),
        "recall_macro": float(recall.mean()),
        "recall_per_digit": {str(digit): float(rate) for digit, rate in enumerate(recall)},
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
    return {"nll": float(log_loss(labels, probabilities, labels=classes)), "brier": float(brier)}
