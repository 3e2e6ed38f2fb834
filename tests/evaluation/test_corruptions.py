"""The corruptions are those that were once compared with MNIST-C's, to the last grey level."""

import hashlib

import numpy as np
import pytest

from mnist import portable
from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from tests.digits import digits

# The start of the SHA-256 of six corrupted digits.
STORED = {
    "shot_noise": "3cbe82bbe827f282",
    "impulse_noise": "a9cc994e164967d7",
    "glass_blur": "b90f0a0866abba74",
    "motion_blur": "364569802f1a8924",
    "shear": "841eadf771d2f1c7",
    "scale": "bcda17dbc67c8c5d",
    "rotate": "afc87c60e81546dd",
    "brightness": "1252103f291ebfa5",
    "translate": "6402f6d30437c434",
    "stripe": "1c9ccbfe32c2311b",
    "fog": "cabdf8fc86eadd55",
    "spatter": "1de7ae2c16c783cb",
    "dotted_line": "fc04b4ac7bc97ee5",
    "zigzag": "e11585f0eabf5625",
    "canny_edges": "a78ed378b7466767",
}
NOT_RANDOM = {"scale", "brightness", "stripe", "canny_edges"}


@pytest.mark.skipif(not portable.is_supported(), reason="not an x86-64 CPU")
@pytest.mark.parametrize("kind", STORED)
def test_the_corrupted_digits_are_the_stored_ones(kind: str) -> None:
    assert CORRUPTIONS.keys() == STORED.keys()
    changed = corrupt(digits()[0][:6], kind, seed=0)
    assert hashlib.sha256(changed.tobytes()).hexdigest().startswith(STORED[kind])


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_changes_every_digit_by_random_numbers_of_its_own_from_the_seed(kind: str) -> None:
    images = digits()[0][:20]
    before = images.copy()
    changed = corrupt(images, kind, seed=0)
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    assert (changed != images).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(images, before)

    same = np.repeat(images[:1], 8, axis=0)
    first, other = corrupt(same, kind, seed=0), corrupt(same, kind, seed=1)
    assert (first != other).any() == (first[1:] != first[0]).any() == (kind not in NOT_RANDOM)
