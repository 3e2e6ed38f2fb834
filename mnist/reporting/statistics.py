"""Tests whether two models differ by more than chance on the same test images."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest


def mcnemar(correct_a: np.ndarray, correct_b: np.ndarray) -> tuple[int, int, float]:
    """Run the exact two-sided McNemar test (McNemar, 1947).

    Args:
        correct_a, correct_b: bool (N,), whether each prediction of the model is correct.

    Returns:
        How many images only A classifies correctly, how many only B, and the probability of a
        split at least as uneven if each of these images went to A or B by a fair coin.
    """
    only_a = int((correct_a & ~correct_b).sum())
    only_b = int((correct_b & ~correct_a).sum())
    p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return only_a, only_b, float(p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple tests (Holm, 1979).

    Returns:
        The corrected values, 0..1, in the same order.
    """
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = highest
    return corrected
