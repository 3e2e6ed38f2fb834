"""The figures of one model, and calibration: whether confidence agrees with accuracy.

Temperature scaling and the expected calibration error (ECE) are those of Guo et al. (2017), but for
the bins: they have equal mass, as Nguyen & O'Connor (2015) recommend, not equal width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from mnist.evaluation.metrics import classification_metrics, proper_scores
from mnist.evaluation.predictions import Predictions

NULL_REPEATS = 1000
UNLIKE_SHARE = 0.02  # of the validation digits, whose confidence lies below `least_confidence`


@dataclass(frozen=True)
class Bin:
    """Predictions of similar confidence."""

    confidence: float
    """mean of their confidence, 0..1"""
    accuracy: float
    """fraction of them that is correct, 0..1"""
    count: int


def reliability(correct: np.ndarray, confidence: np.ndarray, bins: int) -> list[Bin]:
    """Sort predictions by `confidence` (N,), 0..1, and divide them into bins of equal mass."""
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return [
        Bin(float(confidence[part].mean()), float(correct[part].mean()), len(part))
        for part in parts
    ]


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Return the mean gap between confidence and accuracy, weighted by the bins' counts, 0..1."""
    total = sum(b.count for b in bins)
    return sum(b.count * abs(b.accuracy - b.confidence) for b in bins) / total


def null_ece(confidence: np.ndarray, bins: int, seed: int = 0) -> np.ndarray:
    """Draw the ECE that a perfectly calibrated model would show, (NULL_REPEATS,) times.

    Its predictions are correct with exactly the probability of their `confidence` (N,). With N
    predictions, the ECE of such a model is not 0.
    """
    random = np.random.default_rng(seed)
    confidence = np.sort(confidence)
    places = np.arange(len(confidence))
    starts = [part[0] for part in np.array_split(places, min(bins, len(places)))]
    errors = []
    for _ in range(NULL_REPEATS):
        gaps = (random.random(len(confidence)) < confidence) - confidence
        errors.append(abs(np.add.reduceat(gaps, starts)).sum() / len(confidence))
    return np.array(errors)


def reliability_csv(bins_by_scaling: Mapping[str, Sequence[Bin]]) -> str:
    """Write one row per bin, for `dvc plots` and the report."""
    lines = ["scaling,confidence,accuracy,count"]
    for scaling, bins in bins_by_scaling.items():
        lines += [f"{scaling},{b.confidence:.6f},{b.accuracy:.6f},{b.count}" for b in bins]
    return "\n".join(lines) + "\n"


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the T > 0 for which softmax(logits / T) has the least negative log-likelihood.

    Above 1 the model was overconfident, below 1 underconfident. T changes no prediction. Fit it on
    validation data: logits (N, classes), labels (N,).
    """

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -scaled[np.arange(len(labels)), labels].mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def least_confidence(logits: np.ndarray, temperature: float) -> float:
    """Choose the calibrated confidence, 0..1, below which a picture is unlike a digit.

    A network names a digit for every picture, also for a letter or noise. That a low probability
    tells these apart is the baseline of Hendrycks and Gimpel (2017) for out-of-distribution
    detection. Choose it on validation data: logits (N, classes).
    """
    confidence = softmax(logits / temperature, axis=1).max(axis=1)
    return float(np.quantile(confidence, UNLIKE_SHARE))


def score(
    predictions: Predictions, labels: np.ndarray, temperature: float, bins: int
) -> tuple[dict[str, Any], dict[str, list[Bin]]]:
    """Score predictions of the true classes `labels` (N,), before and after temperature scaling.

    Returns:
        Metrics by name, where `nll`, `brier` and `ece` are after temperature scaling and those
        with `_raw` before; and the bins of the reliability diagram, `none` and `temperature`.
        `ece_p` is the share of perfectly calibrated models that would have as large an `ece`,
        `ece_null95` what 95 % of them would stay below.
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
    by_chance = null_ece(scaled.max(axis=1), bins)
    metrics["ece_null95"] = float(np.quantile(by_chance, 0.95))
    metrics["ece_p"] = float((1 + (by_chance >= metrics["ece"]).sum()) / (1 + NULL_REPEATS))
    metrics["temperature"] = temperature
    return metrics, diagram
