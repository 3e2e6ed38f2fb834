"""Whether data are MNIST is decided by the published SHA-256."""

from pathlib import Path

import numpy as np
import pytest

from mnist.atomic_io import sha256
from mnist.data.checksums import CHECKSUMS, is_mnist
from tests.digits import digits, write_idx


def test_mnist_is_recognised_by_its_test_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, labels = digits()
    write_idx(tmp_path / "labels", labels)
    assert not is_mnist(labels)
    monkeypatch.setitem(CHECKSUMS, "t10k-labels-idx1-ubyte", sha256(tmp_path / "labels"))
    assert is_mnist(labels)
    assert is_mnist(labels.astype(np.int64))
    assert not is_mnist(labels[::-1])
    assert not is_mnist(labels[:-1])
