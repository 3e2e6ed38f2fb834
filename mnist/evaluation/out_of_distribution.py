"""Out-of-distribution detection: whether a picture is unlike the digits a model was trained on.

A network names a digit for every picture, also for a letter, a scribble or noise. Three limits
catch most of these:

- `least_confidence`: the maximum softmax probability (Hendrycks & Gimpel, 2017) after temperature
  scaling. 2 % of the validation digits lie below it, in each model.
- `ink`: the range of the mean brightness. 0.5 % of the validation digits lie outside it. A dot,
  which is scaled to the size of a digit, is too bright.
- `longest_outline`: the summed steps in brightness between neighbouring pixels. 0.5 % of the
  validation digits lie above it. Noise and long scribbles have more.

So at most 3 % of the validation digits are called unlike. These shares were chosen with synthetic
letters, scribbles, dots, dashes and noise (tests/non_digits.py); no test digit was used.
docs/predict.md gives the share of each kind that each model catches.

A network may be sure that a letter is a digit. The canvas of the report has one more limit, on the
distance of the CNN's features from those of digits (Lee et al., 2018): `TypicalFeatures`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from scipy.special import softmax

CONFIDENCE_SHARE = 0.02  # of the validation digits, below the limit
INK_SHARE = 0.005  # half of it on each side
OUTLINE_SHARE = 0.005
REMOTE_SHARE = 0.01  # of the validation digits, farther from all classes than the limit


@dataclass(frozen=True)
class Limits:
    """Of one model, as they stand in metrics/details/<model>.json."""

    temperature: float
    """by which the logits are divided"""
    least_confidence: float
    """of the predicted digit, 0..1"""
    ink: Sequence[float]
    """the smallest and the largest mean brightness, 0..1"""
    longest_outline: float
    """in pixels"""


def choose_limits(images: np.ndarray, logits: np.ndarray, temperature: float) -> Limits:
    """Choose the limits as quantiles of digits of the validation split.

    Args:
        images: uint8 (N, 28, 28).
        logits: (N, classes), before they are divided by `temperature`.
    """
    confidences = confidence(logits, temperature)
    low, high = np.quantile(ink(images), [INK_SHARE / 2, 1 - INK_SHARE / 2])
    return Limits(
        temperature=temperature,
        least_confidence=float(np.quantile(confidences, CONFIDENCE_SHARE)),
        ink=(float(low), float(high)),
        longest_outline=float(np.quantile(outline(images), 1 - OUTLINE_SHARE)),
    )


@dataclass(frozen=True)
class TypicalFeatures:
    """Where a network's features of digits lie: a normal distribution per class, one covariance."""

    whitening: np.ndarray
    """(channels, channels): after it, the covariance is the identity"""
    means: np.ndarray
    """(classes, channels) of the classes, after whitening"""
    largest: float
    """squared distance from the nearest mean that REMOTE_SHARE of the digits exceed"""

    def remoteness(self, features: np.ndarray) -> np.ndarray:
        """Return the squared Mahalanobis distances (N,) as multiples of `largest`."""
        white = features @ self.whitening.T
        return ((white[:, None] - self.means) ** 2).sum(axis=2).min(axis=1) / self.largest


def fit_typical(features: np.ndarray, labels: np.ndarray) -> TypicalFeatures:
    """Fit float64 features (N, channels) of digits with labels (N,)."""
    _, classes = np.unique(labels, return_inverse=True)
    means = np.stack([features[classes == i].mean(axis=0) for i in range(classes.max() + 1)])
    covariance = np.cov((features - means[classes]).T)
    covariance += 1e-3 * covariance.diagonal().mean() * np.eye(len(covariance))  # invertible
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    typical = TypicalFeatures(whitening, means @ whitening.T, largest=1)
    limit = float(np.quantile(typical.remoteness(features), 1 - REMOTE_SHARE))
    return replace(typical, largest=limit)


def read_limits(path: Path) -> Limits | None:
    """Read metrics/details/<model>.json; None where the file is missing or has no limits."""
    try:
        details = json.loads(path.read_text(encoding="utf-8"))
        return Limits(**{field.name: details[field.name] for field in fields(Limits)})
    except (FileNotFoundError, KeyError):
        return None


def is_unlike(images: np.ndarray, logits: np.ndarray, limits: Limits) -> np.ndarray:
    """Return bool (N,): which of uint8 images (N, 28, 28) with logits (N, classes) are unlike."""
    low, high = limits.ink
    unsure = confidence(logits, limits.temperature) < limits.least_confidence
    return (
        unsure
        | (ink(images) < low)
        | (ink(images) > high)
        | (outline(images) > limits.longest_outline)
    )


def confidence(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probability (N,) of the predicted class from logits (N, classes)."""
    return softmax(logits / temperature, axis=1).max(axis=1)


def ink(images: np.ndarray) -> np.ndarray:
    """Return the mean brightness (N,), 0..1, of uint8 images (N, H, W)."""
    return images.mean(axis=(1, 2)) / 255


def outline(images: np.ndarray) -> np.ndarray:
    """Return the total variation (N,) of uint8 images (N, H, W).

    That is the sum of the absolute differences between horizontal and vertical neighbours. For
    white on black it is the number of pixel edges along the outline, whatever the blur.
    """
    values = images.astype(np.float64) / 255
    return sum(np.abs(np.diff(values, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
