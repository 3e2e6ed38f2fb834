"""The limit is a quantile of the calibrated confidence."""

import numpy as np
import pytest
from scipy.special import softmax

from mnist.evaluation.unlike import least_confidence


def test_two_percent_of_the_digits_lie_below_the_limit() -> None:
    logits = np.random.default_rng(0).normal(size=(2000, 10))
    limit = least_confidence(logits, temperature=0.5)
    confidence = softmax(logits / 0.5, axis=1).max(axis=1)
    assert (confidence < limit).mean() == pytest.approx(0.02)
