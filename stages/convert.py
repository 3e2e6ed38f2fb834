"""Stage `convert`: turn the IDX files into arrays, with a seeded, stratified validation split.

Of MNIST, whose writers are known, the validation digits are by writers of whom there is no training
digit, as the test digits are: a network knows the hand of a writer that it has seen.
"""

from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from mnist.data import sources
from mnist.data.checksums import is_mnist
from mnist.data.idx import read_split
from mnist.data.writers import FIRST_STUDENT, load_writers
from mnist.errors import SourceError, UserError, run
from mnist.files import new_folder
from mnist.params import DataParams, load_params

RAW, ARRAYS = Path("data/raw"), Path("data/mnist")


def main() -> None:
    data = load_params().data
    if data.checksums:
        try:
            sources.verify(RAW)  # the files may have changed since `fetch` verified them
        except SourceError as error:
            raise UserError(f"{RAW}: {error}; run `dvc repro --force fetch`.") from None
    images, labels = read_split(RAW, "train", len(data.classes))
    test_images, test_labels = read_split(RAW, "test", len(data.classes))
    writers = load_writers("train") if is_mnist(test_labels) else None
    if writers is not None and len(writers) != len(labels):  # a part of MNIST's training images
        writers = None
    training, validation = split(labels, data, writers)
    with new_folder(ARRAYS) as target:
        np.savez(target / "train.npz", images=images[training], labels=labels[training])
        np.savez(target / "validation.npz", images=images[validation], labels=labels[validation])
        np.savez(target / "test.npz", images=test_images, labels=test_labels)


def split(
    labels: np.ndarray, data: DataParams, writers: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the indices (ascending) of the training and of the validation images.

    Both parts have the same proportions of classes. With `writers` (N,), no writer is in both, and
    the validation part is about a half, a third, ... of all, whichever is nearest to
    `data.validation_size`. With `data.training_size`, there are at most as many validation images:
    who has few digits has few to validate on.
    """
    absent = sorted(set(range(len(data.classes))) - set(labels.tolist()))
    if absent:
        raise UserError(f"class {data.classes[absent[0]]} of data.classes has no training images.")
    try:
        if writers is None:
            training, validation = train_test_split(
                np.arange(len(labels)),
                test_size=data.validation_size,
                stratify=labels,
                random_state=data.seed,
            )
        else:
            folds = min(round(len(labels) / data.validation_size), len(np.unique(writers)))
            if folds < 2:
                raise ValueError(f"is more than half of the {len(labels)} images")
            groups = StratifiedGroupKFold(folds, shuffle=True, random_state=data.seed)
            # Students write less legibly than employees: both parts have the same share of them.
            strata = labels + len(data.classes) * (writers >= FIRST_STUDENT)
            training, validation = next(groups.split(labels, strata, writers))
    except ValueError as error:  # it says how many images the classes need
        raise UserError(f"data.validation_size = {data.validation_size}: {error}") from None
    training, validation = np.sort(training), np.sort(validation)
    size = data.training_size
    if size is None:
        return training, validation
    if not len(data.classes) <= size <= len(training):
        raise UserError(
            f"data.training_size = {size} is not in {len(data.classes)} (one image of each class) "
            f"to {len(training)} (all but the validation images)."
        )
    return subset(training, size, labels, data.seed), subset(validation, size, labels, data.seed)


def subset(indices: np.ndarray, size: int, labels: np.ndarray, seed: int) -> np.ndarray:
    """Draw `size` of `indices` (ascending), or all, in the proportions of the classes.

    A smaller subset is part of a larger one of the same `seed`.
    """
    shuffled = np.random.default_rng(seed).permutation(indices)
    # The n-th of a class has place (n + 0.5) / count: all classes advance alike.
    places = np.empty(len(shuffled))
    for label in np.unique(labels):
        members = labels[shuffled] == label
        places[members] = (np.arange(members.sum()) + 0.5) / members.sum()
        places[np.flatnonzero(members)[:1]] = 0  # one of each, however few there are
    return np.sort(shuffled[places.argsort(kind="stable")[:size]])


if __name__ == "__main__":
    run(main)
