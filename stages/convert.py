"""Stage `convert`: turn the IDX files into arrays, with a seeded, stratified validation split."""

from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from mnist.data import sources
from mnist.data.idx import read_split
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
    training, validation = split(labels, data)
    with new_folder(ARRAYS) as target:
        np.savez(target / "train.npz", images=images[training], labels=labels[training])
        np.savez(target / "validation.npz", images=images[validation], labels=labels[validation])
        np.savez(target / "test.npz", images=test_images, labels=test_labels)


def split(labels: np.ndarray, data: DataParams) -> tuple[np.ndarray, np.ndarray]:
    """Draw the indices (ascending) of the training and of the validation images.

    Both parts have the same proportions of classes. Hyperparameters are chosen on the second, which
    no model trains on.
    """
    counts = np.bincount(labels, minlength=len(data.classes))
    if counts.min() < 2:
        raise UserError(
            f"class {data.classes[counts.argmin()]} has {counts.min()} training images; the split "
            "needs at least two per class of data.classes."
        )
    largest = len(labels) - len(counts)
    if not len(counts) <= data.validation_size <= largest:
        raise UserError(
            f"data.validation_size = {data.validation_size} does not fit {len(labels)} images of "
            f"{len(counts)} classes; allowed are {len(counts)} to {largest}."
        )
    everything = np.arange(len(labels))
    training, validation = train_test_split(
        everything, test_size=data.validation_size, stratify=labels, random_state=data.seed
    )
    return np.sort(training), np.sort(validation)


if __name__ == "__main__":
    run(main)
