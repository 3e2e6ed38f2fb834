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


def test_votes_of_five_people_make_a_label_wrong_or_ambiguous() -> None:
    for votes in (*CORRECTED.values(), *AMBIGUOUS.values()):
        assert 2 <= votes.other + votes.published <= 5
    assert all(votes.other >= 3 > votes.published for votes in CORRECTED.values())
    assert all(max(votes.other, votes.published) < 3 for votes in AMBIGUOUS.values())
