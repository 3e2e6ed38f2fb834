"""The train/validation split: hyperparameters are chosen on images that no model trains on."""

import numpy as np
from sklearn.model_selection import train_test_split

from mnist.errors import UserError


def split_indices(
    labels: np.ndarray, validation_size: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a stratified validation split: every class keeps its share in both parts.

    Args:
        labels: (N,), one class a sample.
        validation_size: samples to put aside.
        seed: the same seed draws the same split.

    Returns:
        Ascending indices of the training and of the validation samples.

    Raises:
        UserError: `validation_size` leaves a class without a sample in one of the parts.
    """
    classes, counts = np.unique(labels, return_counts=True)
    most = len(labels) - len(classes)
    if counts.min() < 2:
        rare = classes[counts.argmin()]
        raise UserError(f"Class {rare} has a single training image; a split needs two a class.")
    if not len(classes) <= validation_size <= most:
        raise UserError(
            f"data.validation_size = {validation_size} cannot be drawn from {len(labels)} images "
            f"of {len(classes)} classes; allowed is {len(classes)} to {most}."
        )
    training, validation = train_test_split(
        np.arange(len(labels)), test_size=validation_size, stratify=labels, random_state=seed
    )
    return np.sort(training), np.sort(validation)
