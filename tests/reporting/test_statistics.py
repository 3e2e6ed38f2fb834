"""Intervals and tests agree with other computations, and hold what they promise in simulations."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom, binomtest, norm
from statsmodels.regression.linear_model import OLS

from mnist.data.writers import load_writers
from mnist.reporting.statistics import (
    compare_means,
    holm,
    interval,
    mcnemar_bounds,
    seed_part,
    unit_part,
    vote_errors,
)


def test_the_part_of_the_units_is_the_cluster_robust_variance() -> None:
    random = np.random.default_rng(0)
    units = np.sort(random.integers(0, 40, 500))
    errors = random.random(500) + random.random(40)[units]
    fit = OLS(errors, np.ones(500)).fit(cov_type="cluster", cov_kwds={"groups": units})
    variance, _, freedom = unit_part(errors, units)
    assert variance == pytest.approx(fit.cov_params().item())
    assert freedom == 39
    single, _, _ = unit_part(errors, np.arange(500))
    assert single == pytest.approx(errors.var(ddof=1) / 500)


def test_the_part_of_the_seeds_is_that_of_an_analysis_of_variance() -> None:
    random = np.random.default_rng(1)
    wrong = random.random((4, 300)) < random.random(300) * np.array([[0.1], [0.3], [0.2], [0.5]])
    cells = wrong.astype(float)
    rows, columns, mean = cells.mean(axis=1), cells.mean(axis=0), cells.mean()
    seeds = 300 * ((rows - mean) ** 2).sum() / 3
    rest = sum(
        (cells[s, i] - rows[s] - columns[i] + mean) ** 2 for s in range(4) for i in range(300)
    )
    part, between, freedom = seed_part(wrong, np.arange(300))
    assert part == pytest.approx((seeds - rest / (3 * 299)) / (4 * 300))
    assert between == pytest.approx(seeds / (4 * 300))
    assert freedom == 3
    assert seed_part(wrong[:1], np.arange(300))[0] == 0  # of one seed nothing is known


@pytest.mark.parametrize("errors", [0, 3, 60, 600])
def test_the_interval_of_independent_images_is_wilsons(errors: int) -> None:
    wrong = (np.arange(600) < errors).astype(float)
    found = interval(errors / 600, [unit_part(wrong, np.arange(600))], 600)
    expected = binomtest(errors, 600).proportion_ci(0.95, method="wilson")
    assert found == pytest.approx([expected.low, expected.high], rel=0.01, abs=1e-12)
    assert found[1] > 0.005


@pytest.mark.parametrize(("only_a", "only_b"), [(3, 0), (5, 0), (6, 0), (12, 3), (30, 14)])
def test_on_single_trainings_p_is_between_mcnemars_exact_one_and_the_mid_p(
    only_a: int, only_b: int
) -> None:
    gap = np.zeros(1000)
    gap[:only_a], gap[only_a : only_a + only_b] = 1, -1
    (low, high), p = compare_means(gap.mean(), [unit_part(gap, np.arange(1000))], 1000)
    exact = binomtest(only_a, only_a + only_b).pvalue
    assert exact - binom.pmf(only_b, only_a + only_b, 0.5) < p < exact
    assert low < gap.mean() < high
    assert (low > 0) == (p < 0.05)


def test_models_that_never_differ_do_not_differ_significantly() -> None:
    nothing = np.zeros(100)
    (low, high), p = compare_means(0.0, [unit_part(nothing, np.arange(100))], 100)
    assert p == 1
    assert low == -high < -0.01


def test_mcnemars_test_is_bounded_by_how_many_errors_are_common() -> None:
    # 2 and 5 errors in 10 images; 2, 1 or none are common: 0 to 3, 1 to 4 or 2 to 5.
    assert mcnemar_bounds(2, 5, 10) == pytest.approx([2 / 2**3, 2 * (1 + 7 + 21) / 2**7])
    # Of 6 images not all errors can be different: 0 to 3 or 1 to 4.
    assert mcnemar_bounds(2, 5, 6) == pytest.approx([2 / 2**3, 2 * (1 + 5) / 2**5])
    assert mcnemar_bounds(3, 3, 10) == [1, 1]


def test_holms_correction_by_hand() -> None:
    # 0.01 times 4; 0.02 times 3; 0.03 times 2, as large as the one before; 0.8 times 1.
    assert holm([0.8, 0.01, 0.03, 0.02]) == pytest.approx([0.8, 0.04, 0.06, 0.06])
    # 0.04 times 1 would be less than 0.03 times 2, so it is as large; none is above 1.
    assert holm([0.04, 0.03]) == pytest.approx([0.06, 0.06])
    assert holm([0.7, 0.6]) == [1, 1]


class Population:
    """Models with the same mean error, tested on digits of writers as many as MNIST's.

    The logit of the probability of an error is a sum of normal effects of writer, image and seed
    and of their interactions. With these, models make about as many errors as ours, of which as
    many are common, and the design effect of the writers is 1.9.
    """

    mean, writer, image, image_model, writer_model, image_seed = -22, 3, 7, 3, 1, 1.5
    writers = np.unique(load_writers("test"), return_inverse=True)[1]

    def __init__(self, seed_effect: float) -> None:
        self.seed = seed_effect
        self.random = np.random.default_rng(1)

    def true_error(self) -> float:
        """The mean error over all writers, images and seeds there could be."""
        effects = (self.writer, self.image, self.image_model, self.writer_model, self.image_seed)
        deviates = np.linspace(-8, 8, 10_001)
        errors = expit(self.mean + np.linalg.norm((*effects, self.seed)) * deviates)
        return float(np.average(errors, weights=norm.pdf(deviates)))

    def draw(self, *seeds: int) -> list[np.ndarray]:
        """Test models with so many trainings on the same images; bool (seeds, images) of each."""
        logits = self.mean + self.effect(self.writer, self.image)
        tested = []
        for n in seeds:
            model = logits + self.effect(self.writer_model, self.image_model)
            likely = np.flatnonzero(model > -13)  # all others are always classified correctly
            noise = self.random.normal(0, self.image_seed, (n, len(likely)))
            noise += self.random.normal(0, self.seed, (n, 1))
            wrong = np.zeros((n, len(model)), dtype=bool)
            wrong[:, likely] = self.random.random(noise.shape) < expit(model[likely] + noise)
            tested.append(wrong)
        return tested

    def effect(self, writer: float, image: float) -> np.ndarray:
        of_writers = self.random.normal(0, writer, self.writers.max() + 1)
        return of_writers[self.writers] + self.random.normal(0, image, len(self.writers))


def simulate(seed_effect: float, seeds: tuple[int, int], draws: int) -> tuple[float, float]:
    """Return how often the interval of a mean error holds the true one, and how often two models
    that are equally good are found to differ.
    """
    population = Population(seed_effect)
    units, truth = population.writers, population.true_error()
    covered = rejected = 0
    for _ in range(draws):
        a, b = population.draw(*seeds)
        parts = [seed_part(wrong, units) for wrong in (a, b)]
        errors, gap = a.mean(axis=0), a.mean(axis=0) - b.mean(axis=0)
        low, high = interval(float(errors.mean()), [unit_part(errors, units), parts[0]], len(units))
        covered += low <= truth <= high
        _, p = compare_means(float(gap.mean()), [unit_part(gap, units), *parts], len(units))
        rejected += p < 0.05
    return covered / draws, rejected / draws


@pytest.mark.parametrize(("seed_effect", "seeds"), [(0, (5, 5)), (1, (5, 3))])
def test_intervals_and_tests_hold_with_writers_and_seeds(
    seed_effect: float, seeds: tuple[int, int]
) -> None:
    covered, rejected = simulate(seed_effect, seeds, draws=500)
    assert 0.92 < covered < 0.98
    assert 0.02 < rejected < 0.08


def test_two_trainings_with_as_many_errors_do_not_show_that_seeds_do_not_matter() -> None:
    wrong = np.zeros((2, 100), dtype=bool)
    wrong[0, :3] = wrong[1, 2:5] = True
    variance, square, freedom = seed_part(wrong, np.arange(100))
    assert variance < 0
    assert (square, freedom) == (-variance, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(5, 5), (5, 3)])
def test_intervals_cover_95_percent_and_tests_err_in_5(seeds: tuple[int, int]) -> None:
    covered, rejected = simulate(0, seeds, draws=4000)
    assert 0.93 < covered < 0.97
    assert 0.04 < rejected < 0.06


def test_a_vote_is_wrong_where_the_label_has_no_majority() -> None:
    labels = np.array([1, 1, 1, 1, 1])
    #                     right, right, tie, outvoted, 2 of 5 but the most
    predicted = np.array([[1, 1, 1, 1, 1], [1, 1, 2, 2, 1], [1, 1, 1, 2, 2], [1, 2, 2, -1, 3],
                          [1, 3, 3, -1, -1]])  # fmt: skip
    assert vote_errors(predicted, labels) == 2
