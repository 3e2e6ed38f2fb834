"""What is kept of single digits."""

import base64

import numpy as np
import torch

from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.evaluation.examples import describe, misclassified
from mnist.evaluation.predictions import Predictions
from mnist.evaluation.robustness import choose_digits
from mnist.params import Params

IMAGES = np.arange(4 * 784, dtype=np.uint32).reshape(4, 28, 28).astype(np.uint8)
LABELS = np.array([0, 1, 2, 3])
CONFIDENCE = np.array([0.9, 0.6, 0.9, 0.8])


def predictions() -> Predictions:
    """Of four classes; digits 1 and 3 are misclassified as 2 and 1."""
    predicted = np.array([0, 2, 2, 1])
    probabilities = np.repeat((1 - CONFIDENCE[:, None]) / 3, 4, axis=1)
    probabilities[np.arange(4), predicted] = CONFIDENCE
    return Predictions(np.log(probabilities), predicted)


def test_the_most_confident_errors_come_first_with_their_pixels() -> None:
    errors = misclassified(IMAGES, LABELS, predictions(), max_count=5)
    kept = [
        [error[key] for key in ("index", "actual", "predicted", "probability")] for error in errors
    ]
    assert kept == [[3, 3, 1, 0.8], [1, 1, 2, 0.6]]
    assert base64.b64decode(str(errors[0]["pixels"])) == IMAGES[3].tobytes()
    assert len(misclassified(IMAGES, LABELS, predictions(), max_count=1)) == 1


def test_one_digit_is_shown_under_each_corruption(params: Params) -> None:
    shown = describe(torch.from_numpy(IMAGES), LABELS, predictions(), params.evaluate)
    assert list(shown["corruptions"]) == ["none", *CORRUPTIONS]
    seed = params.evaluate.corruption_seed
    digit = IMAGES[choose_digits(1, LABELS, seed)]
    for kind, text in shown["corruptions"].items():
        expected = digit if kind == "none" else corrupt(digit, kind, seed)
        assert base64.b64decode(text) == expected.tobytes(), kind
