"""The validation split is stratified, repeatable and disjoint from the training images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist.data.split import split_indices
from mnist.errors import UserError

LABELS = np.repeat(np.arange(10), np.arange(40, 140, 10))  # classes of 40 to 130 images


@given(size=st.integers(10, 800), seed=st.integers(0, 2**32 - 1))
def test_the_parts_are_disjoint_and_complete(size: int, seed: int) -> None:
    training, validation = split_indices(LABELS, size, seed)
    assert len(validation) == size
    np.testing.assert_array_equal(np.union1d(training, validation), np.arange(len(LABELS)))
    assert len(training) + len(validation) == len(LABELS)


def test_the_split_is_stratified() -> None:
    _, validation = split_indices(LABELS, 85, seed=0)
    np.testing.assert_allclose(np.bincount(LABELS[validation]), np.arange(4, 14), atol=1)


def test_the_seed_decides() -> None:
    first, again, other = (split_indices(LABELS, 85, seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [1, 9, 841, 10**6])
def test_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(UserError, match="allowed are 10 to 840"):
        split_indices(LABELS, size, seed=0)


def test_a_class_of_one_cannot_be_split() -> None:
    with pytest.raises(UserError, match="class 1 has a single training image"):
        split_indices(np.array([0] * 50 + [1]), 10, seed=0)
