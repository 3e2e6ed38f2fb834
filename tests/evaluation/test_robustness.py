"""Every model reads the same corrupted digits, and the file says which ones it reads wrongly."""

import csv

import numpy as np
import pytest
import torch
from torch import nn

from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.evaluation.predictions import predict
from mnist.evaluation.robustness import choose_digits, classify_corrupted, robustness_csv
from tests.digits import as_tensors


def test_each_corruption_is_of_the_same_digits(trained: nn.Module) -> None:
    images, targets = as_tensors(slice(900, 960))
    labels = targets.numpy()
    correct = classify_corrupted(trained, images, labels, seed=3, batch_size=64)
    assert list(correct) == ["none", *CORRUPTIONS]
    for kind, hits in correct.items():
        changed = images
        if kind != "none":
            changed = torch.from_numpy(corrupt(images.numpy(), kind, seed=3))
        np.testing.assert_array_equal(hits, predict(trained, changed, 64).predicted == labels, kind)
    assert len({hits.sum() for hits in correct.values()}) > 8  # so that few could be swapped


def test_wrong_are_the_positions_of_the_misclassified_digits() -> None:
    hits = {"none": np.array([True] * 3), "fog": np.array([False, True, False])}
    text = robustness_csv(hits)
    assert text.splitlines()[0] == "corruption,accuracy,digits,wrong"
    clean, fog = csv.DictReader(text.splitlines())
    assert [*clean.values()] == ["none", "1.000000", "3", ""]
    assert [*fog.values()] == ["fog", "0.333333", "3", "0 2"]


@pytest.mark.parametrize("count", [20, 80])
def test_the_chosen_digits_are_drawn_once_each_from_the_seed(count: int) -> None:
    chosen = choose_digits(count, np.zeros(50), seed=0)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, 50)
    np.testing.assert_array_equal(chosen[:10], choose_digits(10, np.zeros(50), seed=0))
    assert (chosen != choose_digits(count, np.zeros(50), seed=1)).any()
