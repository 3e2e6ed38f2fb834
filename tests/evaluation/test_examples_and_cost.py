"""What is kept of single digits, and what a model costs."""

import base64

import numpy as np
import pytest
import torch
from torch import nn

from mnist.evaluation.cost import count_flops, count_parameters
from mnist.evaluation.examples import attention_examples, misclassified, predictions_csv
from mnist.models.vit import ViT

IMAGES = np.arange(4 * 784, dtype=np.uint32).reshape(4, 28, 28).astype(np.uint8)
LABELS = np.array([0, 1, 2, 3])
PREDICTED = np.array([0, 2, 2, 1])
PROBABILITIES = np.eye(4)[PREDICTED] * np.array([[0.9], [0.6], [0.9], [0.8]])


def test_every_prediction_is_a_row() -> None:
    lines = predictions_csv(LABELS, PREDICTED, PROBABILITIES).splitlines()
    assert lines[0] == "actual,predicted,p0,p1,p2,p3"
    assert lines[2] == "1,2,0.0000,0.0000,0.6000,0.0000"
    assert len(lines) == 5


def test_the_most_confident_errors_come_first_with_their_pixels() -> None:
    errors = misclassified(IMAGES, LABELS, PREDICTED, PROBABILITIES, most=5)
    assert [error["index"] for error in errors] == [3, 1]
    assert [(error["actual"], error["predicted"]) for error in errors] == [(3, 1), (1, 2)]
    assert base64.b64decode(str(errors[0]["pixels"])) == IMAGES[3].tobytes()
    assert len(misclassified(IMAGES, LABELS, PREDICTED, PROBABILITIES, most=1)) == 1


def test_operations_and_parameters_of_a_known_layer() -> None:
    model = nn.Conv2d(1, 8, 3, padding=1)
    assert count_parameters(model) == 8 * 9 + 8
    # 9 multiplications and 9 additions for each of 8 channels at each of 784 places
    assert count_flops(model, torch.zeros(1, 1, 28, 28)) == 2 * 9 * 8 * 784


def test_attention_is_kept_for_right_answers_and_errors() -> None:
    torch.manual_seed(0)
    model = ViT(
        patch_size=7, dim=8, depth=1, heads=2, mlp_dim=8, dropout=0.0, stem="linear", pool="mean"
    )
    examples = attention_examples(model, torch.from_numpy(IMAGES), LABELS, PREDICTED)
    assert [example["index"] for example in examples] == [0, 2, 1, 3]
    for example in examples:
        shares = example["attention"]
        assert isinstance(shares, list)
        assert len(shares) == 16
        assert sum(shares) == pytest.approx(1, abs=1e-3)
