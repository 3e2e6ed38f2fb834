"""Out-of-distribution detection: which pictures are unlike the digits a model was trained on.

A network names a digit for every picture, also for a letter, a scribble or noise. Where the
probability of that digit is low, the picture is called unlike a digit: the baseline of Hendrycks
and Gimpel (2017), here after temperature scaling.
"""

import numpy as np
from scipy.special import softmax

UNLIKE_SHARE = 0.02  # of the validation digits, whose confidence lies below the limit


def least_confidence(logits: np.ndarray, temperature: float) -> float:
    """Choose the calibrated confidence, 0..1, below which a picture is unlike a digit.

    Args:
        logits: (N, classes), of the digits of the validation split.
        temperature: by which logits are divided.
    """
    confidence = softmax(logits / temperature, axis=1).max(axis=1)
    return float(np.quantile(confidence, UNLIKE_SHARE))
