"""Whether a model knows how sure it may be (Guo et al., 2017, "On calibration")."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from mnist.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Bin:
    """Predictions given with about the same confidence."""

    confidence: float
    """their mean probability, 0..1"""
    right: float
    """the share of them that is right, 0..1"""
    count: int


def reliability(correct: np.ndarray, confidence: np.ndarray, bins: int) -> list[Bin]:
    """Sort answers into bins of equal width; bins without any are left out.

    Args:
        correct: (N,) whether each answer is right.
        confidence: (N,) its probability, 0..1.
    """
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        Bin(float(confidence[inside].mean()), float(correct[inside].mean()), int(inside.sum()))
        for inside in (bin_of == b for b in range(bins))
        if inside.any()
    ]


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Mean gap between confidence and share of right answers, weighted by the size of the bins.

    Returns:
        0 (80 % sure means right in 80 %) to 1.
    """
    answers = sum(b.count for b in bins)
    return sum(b.count * abs(b.right - b.confidence) for b in bins) / answers


def reliability_csv(bins: Sequence[Bin]) -> str:
    """One row a bin, as `dvc plots` and the report read it."""
    lines = ["{:.4f},{:.4f},{}".format(*astuple(b)) for b in bins]
    return "\n".join(["confidence,right,count", *lines]) + "\n"


def calibration(
    answers: Predictions, labels: np.ndarray, temperature: float, bins: int
) -> dict[str, float]:
    """Expected calibration error as it is, and with the logits divided by `temperature`."""
    correct = answers.predicted == labels
    figures = {"temperature": temperature}
    for key, divisor in (("ece", 1.0), ("ece_calibrated", temperature)):
        confidence = softmax(answers.logits / divisor, axis=1).max(axis=1)
        figures[key] = expected_calibration_error(reliability(correct, confidence, bins))
    return figures


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the T > 0 for which softmax(logits / T) has the least negative log-likelihood.

    Above 1 the model was too sure of itself, below 1 not sure enough. It changes no prediction.
    To be fitted on validation data: logits (N, classes), labels (N,).
    """

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -scaled[np.arange(len(labels)), labels].mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
