"""The train/validation split: hyperparameters are chosen on images that no model trains on."""

import numpy as np
from sklearn.model_selection import train_test_split

from mnist.errors import UserError


def split_indices(
    labels: np.ndarray, validation_size: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a stratified validation split: both parts have the same proportions of classes.

    Args:
        labels: (N,), the class of each sample.
        validation_size: number of samples in the validation split.
        seed: of the draw.

    Returns:
        The indices of the training samples and of the validation samples, both ascending.

    Raises:
        UserError: with this `validation_size` a part cannot hold every class.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        rare = classes[counts.argmin()]
        raise UserError(
            f"class {rare} has a single training image; the split needs at least two per class."
        )
    largest = len(labels) - len(classes)
    if not len(classes) <= validation_size <= largest:
        raise UserError(
            f"data.validation_size = {validation_size} does not fit {len(labels)} images of "
            f"{len(classes)} classes; allowed are {len(classes)} to {largest}."
        )
    training, validation = train_test_split(
        np.arange(len(labels)), test_size=validation_size, stratify=labels, random_state=seed
    )
    return np.sort(training), np.sort(validation)
