"""The corrections apply to MNIST's test labels, and each of them changes one."""

import numpy as np

from mnist.reporting.label_errors import AMBIGUOUS, CORRECTED, are_mnists, corrected
from tests.conftest import ROOT


def test_the_committed_predictions_are_of_mnist_and_each_correction_changes_a_label() -> None:
    path = ROOT / "metrics/predictions/cnn.csv"
    labels = np.loadtxt(path, delimiter=",", skiprows=1, usecols=0, dtype=int)
    assert are_mnists(labels)
    truth, counted = corrected(labels)
    assert sorted(CORRECTED) == np.flatnonzero(truth != labels).tolist()
    assert sorted(AMBIGUOUS) == np.flatnonzero(~counted).tolist()
    labels[0] += 1
    assert not are_mnists(labels)
