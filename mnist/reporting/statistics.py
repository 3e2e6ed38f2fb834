"""Whether models differ significantly on the same test images, and how precise a rate is."""

from collections.abc import Mapping, Sequence

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


def bootstrap_errors(
    wrong: Mapping[str, np.ndarray], resamples: int = 10_000, seed: int = 0
) -> dict[str, np.ndarray]:
    """Resample the test images and the seeds together (Owen, 2007, "The pigeonhole bootstrap").

    Each resample draws as many images as there are, with replacement, the same for all models, and
    of each model n - 1 of its n trainings, which makes the variance between seeds unbiased (Rao &
    Wu, 1988). Of a model with one training only the images are drawn. The intervals tend to be a
    little too wide, since chance that is due to the seed and the image together counts twice.

    Args:
        wrong: bool (n, images) of each model: which images each of its trainings misclassifies.

    Returns:
        (resamples,) the mean error of each model, 0..1.
    """
    random = np.random.default_rng(seed)
    images = next(iter(wrong.values())).shape[1]
    # Images that no training misclassifies count 0 in every resample; one cell is enough for them.
    missed = np.any([of_model.any(axis=0) for of_model in wrong.values()], axis=0)
    rest = 1 - missed.sum() / images
    cells = np.append(np.full(missed.sum(), 1 / images), rest)
    counts = random.multinomial(images, cells / cells.sum(), size=resamples)[:, :-1]
    errors = {}
    for name, of_model in wrong.items():
        rates = counts @ of_model[:, missed].T / images  # (resamples, n)
        n = len(of_model)
        drawn = random.integers(0, n, size=(resamples, max(n - 1, 1)))
        errors[name] = np.take_along_axis(rates, drawn, axis=1).mean(axis=1)
    return errors


def interval(values: np.ndarray) -> list[float]:
    """Return the 95 % percentile interval of resampled values."""
    return np.quantile(values, [0.025, 0.975]).tolist()


def bootstrap_p(differences: np.ndarray) -> float:
    """Return the two-sided p-value of the hypothesis that the difference is 0.

    Where two models differ on a few images only, it is too small: with four images, all in favour
    of one model, it is 0.04, and McNemar's exact one 0.125.

    Args:
        differences: (resamples,) of a difference.

    Returns:
        Twice the share of resamples on the rarer side of 0, at most 1; at least
        2 / (resamples + 1), since so few resamples cannot show less.
    """
    rarer = min((differences <= 0).sum(), (differences >= 0).sum())
    return min(1.0, 2 * (int(rarer) + 1) / (len(differences) + 1))


def errors_left(correct: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Count the errors left without the 0, 1, 2 ... N least certain predictions.

    This is the risk-coverage curve (El-Yaniv & Wiener, 2010), in counts.

    Args:
        correct: bool (N,); confidence: (N,), 0..1.

    Returns:
        int (N + 1,).
    """
    wrong = ~correct[np.argsort(confidence, kind="stable")]
    return wrong.sum() - np.concatenate([[0], np.cumsum(wrong)])
