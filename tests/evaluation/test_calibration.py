"""Calibration: the error by hand, and a temperature that undoes a known distortion."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torchmetrics.functional.classification import multiclass_calibration_error

from mnist.evaluation.calibration import (
    Bin,
    calibration,
    expected_calibration_error,
    fit_temperature,
    reliability,
    reliability_csv,
)
from mnist.evaluation.predictions import Predictions


def test_the_error_of_two_bins_by_hand() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.6, 0.6])
    correct = np.array([True, True, False, True, False])
    bins = reliability(correct, confidence, bins=10)
    assert [(b.right, b.count) for b in bins] == [(0.5, 2), (pytest.approx(2 / 3), 3)]
    expected = (0.9 - 2 / 3) * 3 / 5 + 0.1 * 2 / 5
    assert expected_calibration_error(bins) == pytest.approx(expected)


def test_certainty_that_is_right_costs_nothing() -> None:
    assert expected_calibration_error(reliability(np.array([True] * 5), np.ones(5), 15)) == 0


def distorted(distortion: float) -> tuple[Predictions, np.ndarray]:
    """Predictions too sure of themselves by a factor, and labels as often right as they should be."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 10)) * 2
    labels = np.array([random.choice(10, p=row) for row in softmax(logits, axis=1)])
    return Predictions(logits * distortion, logits.argmax(axis=1)), labels


@pytest.mark.parametrize("distortion", [0.3, 1.0, 4.0])
def test_the_temperature_undoes_a_known_distortion(distortion: float) -> None:
    answers, labels = distorted(distortion)
    fitted = fit_temperature(answers.logits, labels)
    assert fitted == pytest.approx(distortion, rel=0.05)
    figures = calibration(answers, labels, fitted, bins=15)
    assert figures["ece_calibrated"] < 0.02
    assert (figures["ece"] > 0.1) == (distortion != 1)


def test_the_error_agrees_with_torchmetrics() -> None:
    answers, labels = distorted(2.0)
    reference = multiclass_calibration_error(
        torch.from_numpy(answers.probabilities), torch.from_numpy(labels), 10, n_bins=15
    )
    figures = calibration(answers, labels, 1.0, bins=15)
    assert figures["ece"] == pytest.approx(reference.item(), abs=1e-6)


def test_bins_are_written_a_row_each() -> None:
    assert reliability_csv([Bin(0.61, 0.5, 2)]) == "confidence,right,count\n0.6100,0.5000,2\n"
