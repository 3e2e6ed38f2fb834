"""The tests of significance agree with statsmodels and with sums done by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats import contingency_tables, multitest

from mnist.reporting.statistics import holm, mcnemar


def answers(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = [both, only_a, only_b, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False] * 2, counts)


@given(only_a=st.integers(0, 60), only_b=st.integers(0, 60))
def test_mcnemar_agrees_with_statsmodels(only_a: int, only_b: int) -> None:
    expected = contingency_tables.mcnemar([[90, only_a], [only_b, 5]], exact=True).pvalue
    found_a, found_b, p = mcnemar(*answers(90, only_a, only_b, 5))
    assert (found_a, found_b) == (only_a, only_b)
    assert p == pytest.approx(min(expected, 1.0))


def test_mcnemar_of_six_to_none_by_hand() -> None:
    assert mcnemar(*answers(9, 0, 6, 1))[2] == pytest.approx(2 / 2**6)  # all heads or all tails
    assert mcnemar(*answers(9, 0, 0, 1))[2] == 1


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    expected = multitest.multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(expected.tolist())
