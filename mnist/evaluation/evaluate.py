"""The figures of one model on one split, from its predictions."""

from typing import Any

import numpy as np
from scipy.special import softmax

from mnist.evaluation.calibration import (
    Bin,
    expected_calibration_error,
    null_ece,
    reliability,
)
from mnist.evaluation.metrics import classification_metrics, proper_scores
from mnist.evaluation.predictions import Predictions

# The keys of metrics/test/<model>.json; the others go to metrics/details/<model>.json.
HEADLINE = (
    "accuracy", "f1_macro", "errors", "nll", "ece", "missed", "map", "map_50", "map_75"
)  # fmt: skip


def evaluate(
    predictions: Predictions, labels: np.ndarray, temperature: float, bins: int
) -> tuple[dict[str, Any], dict[str, list[Bin]]]:
    """Score predictions, before and after dividing the logits by `temperature`.

    Args:
        labels: (N,) true classes.
        temperature: fitted on other data.
        bins: their number in the reliability diagram.

    Returns:
        Metrics by name, where `nll`, `brier` and `ece` are after temperature scaling and those
        with `_raw` before; and the bins of the reliability diagram, `none` and `temperature`.
    """
    correct = predictions.predicted == labels
    raw = predictions.probabilities
    scaled = softmax(predictions.logits / temperature, axis=1)
    metrics = classification_metrics(labels, predictions.predicted, raw.shape[1])
    metrics |= {f"{key}_raw": value for key, value in proper_scores(labels, raw).items()}
    metrics |= proper_scores(labels, scaled)
    diagram = {
        "none": reliability(correct, raw.max(axis=1), bins),
        "temperature": reliability(correct, scaled.max(axis=1), bins),
    }
    metrics["ece_raw"] = expected_calibration_error(diagram["none"])
    metrics["ece"] = expected_calibration_error(diagram["temperature"])
    metrics["ece_null95"] = null_ece(scaled.max(axis=1), bins)
    metrics["temperature"] = temperature
    return metrics, diagram
