"""Limits are quantiles of the validation digits, and most of what is no digit lies beyond them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from mnist.atomic_io import write_json
from mnist.evaluation.out_of_distribution import (
    Limits,
    choose_limits,
    fit_typical,
    ink,
    is_unlike,
    outline,
    read_limits,
)
from mnist.evaluation.predictions import predict
from tests.digits import as_tensors
from tests.evaluation.conftest import VALIDATION
from tests.non_digits import non_digits


def test_ink_and_outline_of_a_rectangle() -> None:
    images = np.zeros((2, 28, 28), dtype=np.uint8)
    images[1, 4:14, 6:11] = 51  # a fifth of white
    assert ink(images) == pytest.approx([0, 50 / 784 / 5])
    assert outline(images) == pytest.approx([0, 30 / 5])


def test_each_limit_is_passed_by_its_share_of_the_digits() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2000, 28, 28)).astype(np.uint8)
    logits = random.normal(size=(2000, 10))
    limits = choose_limits(images, logits, temperature=0.5)
    assert limits.temperature == 0.5
    confidences = softmax(logits / 0.5, axis=1).max(axis=1)
    assert (confidences < limits.least_confidence).mean() == pytest.approx(0.02)
    assert (ink(images) < limits.ink[0]).mean() == pytest.approx(0.0025)
    assert (ink(images) > limits.ink[1]).mean() == pytest.approx(0.0025)
    assert (outline(images) > limits.longest_outline).mean() == pytest.approx(0.005)
    assert 0.02 < is_unlike(images, logits, limits).mean() <= 0.03


def test_features_far_from_every_class_are_remote() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 3], 1000)
    spread = np.array([[1.0, 0.9], [0.0, 0.1]])  # a narrow band, rising to the right
    centres = np.where(labels[:, None] == 0, [0, 0], [20, 0])
    features = random.normal(size=(2000, 2)) @ spread + centres
    typical = fit_typical(features, labels)
    remoteness = typical.remoteness(features)
    assert (remoteness > 1).mean() == pytest.approx(0.01)
    # In units of the band's standard deviations: 1 along it, and 1 or 14 across.
    near, along, across, between = typical.remoteness(
        np.array([[0.0, 0.0], [20 + 2.0, 1.8], [20 + 1.0, -0.9], [10.0, 0.0]])
    )
    assert near < 0.1
    assert along < 1 < across < between


def test_any_limit_makes_a_picture_unlike() -> None:
    images = np.zeros((1, 28, 28), dtype=np.uint8)
    images[0, 4:24, 10:18] = 255  # ink 160 / 784, outline 56
    logits = np.log([[0.8, 0.2]])

    def unlike(confidence: float, low: float, high: float, longest: float) -> bool:
        return bool(is_unlike(images, logits, Limits(1.0, confidence, (low, high), longest))[0])

    assert not unlike(0.79, 0.20, 0.21, 57)
    assert unlike(0.81, 0.20, 0.21, 57)
    assert unlike(0.79, 0.21, 0.22, 57)
    assert unlike(0.79, 0.19, 0.20, 57)
    assert unlike(0.79, 0.20, 0.21, 55)


def test_limits_are_read_where_they_are_known(tmp_path: Path) -> None:
    path = tmp_path / "cnn.json"
    assert read_limits(path) is None
    write_json(path, {"temperature": 0.5})
    assert read_limits(path) is None
    known: dict[str, Any] = {
        "temperature": 0.5,
        "least_confidence": 0.9,
        "ink": [0, 1],
        "longest_outline": 9.0,
    }
    write_json(path, known | {"parameters": 3})
    assert read_limits(path) == Limits(**known)


def test_most_pictures_of_no_digit_are_unlike(trained: nn.Module) -> None:
    digits, _ = as_tensors(VALIDATION)
    limits = choose_limits(digits.numpy(), predict(trained, digits, 64).logits, temperature=1.0)
    caught = {}
    for kind, images in non_digits(20).items():
        logits = predict(trained, torch.from_numpy(images), 64).logits
        caught[kind] = is_unlike(images, logits, limits).mean()
    assert caught["noise"] > 0.9
    assert np.mean(list(caught.values())) > 0.5
