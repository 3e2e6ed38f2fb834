"""The label errors are those of MNIST's test labels."""

import numpy as np

from mnist.data.checksums import is_mnist
from mnist.reporting.label_errors import AMBIGUOUS, CORRECTED, correct_labels
from tests.conftest import ROOT


def test_each_correction_changes_a_label_of_mnist() -> None:
    path = ROOT / "metrics/predictions/cnn.csv"
    labels = np.loadtxt(path, delimiter=",", skiprows=1, usecols=0, dtype=int)
    assert is_mnist(labels)
    truth, clear = correct_labels(labels)
    assert sorted(CORRECTED) == np.flatnonzero(truth != labels).tolist()
    assert sorted(AMBIGUOUS) == np.flatnonzero(~clear).tolist()
