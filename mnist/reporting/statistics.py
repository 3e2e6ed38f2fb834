"""How precise an error rate is, and whether two models differ, over test images and seeds.

Another training makes other errors, and so do other images; images by one writer resemble each
other. So the variance of a mean error has two parts, of units and of seeds. A unit is all images of
a writer, or one image where writers are not known. All of it is arithmetic: nothing is resampled.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, norm, t

Part = tuple[float, float, float]
"""A part of a variance; the mean square that its uncertainty comes from, and the degrees of freedom
of that (infinite: exact)."""


def unit_part(errors: np.ndarray, units: np.ndarray) -> Part:
    """Estimate the variance of a mean over images that is due to the choice of units.

    This is the usual variance of a mean with clustered errors (Liang & Zeger, 1986).

    Args:
        errors: (images,) of each image the error, mean over the seeds, or a difference of these.
        units: int (images,) the unit of each, 0, 1, 2, ...
    """
    variance = _mean_square(errors - errors.mean(), units)
    return variance, variance, float(units.max())


def seed_part(wrong: np.ndarray, units: np.ndarray) -> Part:
    """Estimate the variance of a mean over seeds that is due to the choice of seeds alone.

    Seeds differ in single images, too. `unit_part` holds that interaction already, so it is
    subtracted here, which may leave less than 0. Of one seed nothing can be estimated. Few seeds
    may make as many errors by chance: their variance is at least as uncertain as the interaction.

    Args:
        wrong: bool (seeds, images): which images each training misclassifies.
    """
    n = len(wrong)
    if n == 1:
        return 0.0, 0.0, np.inf
    rates = wrong.mean(axis=1)
    between = float(rates.var(ddof=1)) / n
    rest = wrong - rates[:, None] - (wrong.mean(axis=0) - rates.mean())
    interaction = sum(_mean_square(row, units) for row in rest) / (n - 1) / n
    return between - interaction, max(between, interaction), n - 1.0


def interval(rate: float, parts: Sequence[Part], images: int) -> list[float]:
    """Return the 95 % interval [low, high] of an error rate, 0..1.

    It is Wilson's, of as many independent images as have the same variance (Korn & Graubard, 1998,
    proceed so with another interval). Without an error the images are taken as independent.
    """
    variance, freedom = _sum(parts)
    count, quantile = float(images), norm.ppf(0.975)
    if variance > 0:
        count, quantile = rate * (1 - rate) / variance, t.ppf(0.975, freedom)
    square = quantile**2 / count
    half = quantile * np.sqrt(rate * (1 - rate) / count + square / count / 4)
    low, high = ((rate + square / 2 + sign * half) / (1 + square) for sign in (-1, 1))
    return [max(float(low), 0.0), min(float(high), 1.0)]


def compare_means(
    difference: float, parts: Sequence[Part], images: int
) -> tuple[list[float], float]:
    """Test whether a difference of two mean errors, paired by image, is 0.

    To the variance comes that of one more image on which the models differ. So with one training
    each, of independent images, p is between McNemar's exact one and the mid-p that Fagerland et
    al. (2013) recommend; and models that differ on no image still have an interval.

    Args:
        parts: of its variance, those of the seeds of both models among them.

    Returns:
        The 95 % interval [low, high] of the difference, and the two-sided p-value of a t-test.
    """
    variance, freedom = _sum(parts)
    variance = max(variance, 0.0) + 1 / images**2
    half = t.ppf(0.975, freedom) * variance**0.5
    p = 2 * t.sf(abs(difference) / variance**0.5, freedom)
    return [difference - half, difference + half], float(p)


def _mean_square(deviations: np.ndarray, units: np.ndarray) -> float:
    totals = np.bincount(units, deviations)
    return float((totals**2).sum()) * len(totals) / (len(totals) - 1) / len(deviations) ** 2


def _sum(parts: Sequence[Part]) -> tuple[float, float]:
    """Return the variance and its degrees of freedom (Satterthwaite, 1946)."""
    variance = sum(part for part, _, _ in parts)
    uncertainty = sum(square**2 / freedom for _, square, freedom in parts)
    return variance, max(variance**2 / uncertainty, 1.0) if uncertainty else np.inf


def mcnemar_bounds(errors_a: int, errors_b: int, images: int) -> list[float]:
    """Return the lowest and highest p of the exact two-sided McNemar test (McNemar, 1947).

    It depends on how many images both models misclassify, which is not known.
    """
    shared = range(max(0, errors_a + errors_b - images), min(errors_a, errors_b) + 1)
    apart = ((errors_a - common, errors_b - common) for common in shared)
    p_values = [float(binomtest(a, a + b).pvalue) if a + b else 1.0 for a, b in apart]
    return [min(p_values), max(p_values)]


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


def vote_errors(predicted: np.ndarray, labels: np.ndarray) -> int:
    """Count the errors of a majority vote; a tie for the most votes is an error.

    Args:
        predicted: int (voters, images); labels: int (images,).
    """
    others = [
        np.where(labels == answer, 0, (predicted == answer).sum(axis=0))
        for answer in np.unique(predicted)
    ]
    return int(((predicted == labels).sum(axis=0) <= np.max(others, axis=0)).sum())
