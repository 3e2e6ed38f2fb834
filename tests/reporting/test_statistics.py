"""The tests of significance agree with statsmodels and with sums done by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats import contingency_tables, multitest

from mnist.reporting.statistics import bootstrap_errors, bootstrap_p, holm, interval, mcnemar


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


def test_the_bootstrap_has_the_variance_of_images_and_of_seeds() -> None:
    random = np.random.default_rng(0)
    # Every training misclassifies images of its own, so images and seeds vary independently.
    rates = np.array([0.02, 0.03, 0.04, 0.05])
    wrong = random.random((4, 5000)) < rates[:, None]
    errors = bootstrap_errors({"cnn": wrong, "vit": wrong[:1]}, resamples=4000)
    p = wrong[0].mean()
    assert errors["vit"].std() == pytest.approx((p * (1 - p) / 5000) ** 0.5, rel=0.1)
    means = wrong.mean(axis=1)
    between = means.var(ddof=1) / 4
    assert errors["cnn"].mean() == pytest.approx(means.mean(), rel=0.02)
    assert errors["cnn"].var() == pytest.approx(between, rel=0.15)


def test_the_bootstrap_draws_the_same_images_for_all_models() -> None:
    wrong = np.random.default_rng(1).random((1, 1000)) < 0.1
    errors = bootstrap_errors({"a": wrong, "b": wrong}, resamples=500)
    np.testing.assert_array_equal(errors["a"], errors["b"])
    assert errors["a"].std() > 0


def test_a_p_value_of_the_bootstrap() -> None:
    assert bootstrap_p(np.arange(1, 1000)) == pytest.approx(2 / 1000)
    assert bootstrap_p(np.linspace(-1, 1, 999)) == 1
    assert bootstrap_p(np.zeros(999)) == 1
    assert bootstrap_p(np.arange(-24, 975)) == pytest.approx(2 * 26 / 1000)
    low, high = interval(np.linspace(0, 1, 1001))
    assert (low, high) == pytest.approx((0.025, 0.975))
