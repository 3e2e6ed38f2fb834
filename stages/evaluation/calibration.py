"""Whether a model knows how sure it may be (Guo et al., 2017, "On calibration")."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax


def expected_calibration_error(
    correct: np.ndarray, confidence: np.ndarray, bins: int = 15
) -> float:
    """Mean gap between confidence and accuracy, over bins of equal width, weighted by their size.

    Args:
        correct: (N,) whether each prediction is right.
        confidence: (N,) its probability, 0..1.

    Returns:
        0 (80 % sure means right in 80 %) to 1.
    """
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(bin_of, weights=correct - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(correct))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the T > 0 for which softmax(logits / T) has the least negative log-likelihood.

    Above 1 the model was too sure of itself, below 1 not sure enough. It changes no prediction.
    To be fitted on validation data: logits (N, classes), labels (N,).
    """

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -scaled[np.arange(len(labels)), labels].mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
