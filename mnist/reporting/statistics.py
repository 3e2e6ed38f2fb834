"""Whether differences between models are more than chance, when all answer the same questions."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest


def mcnemar(right_a: np.ndarray, right_b: np.ndarray) -> tuple[int, int, float]:
    """Compare two models by the answers that only one of them has right (McNemar, 1947).

    Args:
        right_a, right_b: bool (N,), whether each answer is right.

    Returns:
        How many only A has right, how many only B, and the probability of a split at least as
        uneven if it were up to a fair coin (the exact test, two-sided).
    """
    only_a = int((right_a & ~right_b).sum())
    only_b = int((right_b & ~right_a).sum())
    p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return only_a, only_b, float(p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for being many (Holm, 1979): of twenty, one is below 5 % by chance.

    Returns:
        The corrected values in the same order, at most 1: those under 5 % stay so together.
    """
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = highest
    return corrected
