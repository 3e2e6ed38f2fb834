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

    Both parts have the same proportions of classes.
    """
    absent = sorted(set(range(len(data.classes))) - set(labels.tolist()))
    if absent:
        raise UserError(f"class {data.classes[absent[0]]} of data.classes has no training images.")
    try:
        training, validation = train_test_split(
            np.arange(len(labels)),
            test_size=data.validation_size,
            stratify=labels,
            random_state=data.seed,
        )
    except ValueError as error:  # it says how many images the classes need
        raise UserError(f"data.validation_size = {data.validation_size}: {error}") from None
    return np.sort(training), np.sort(validation)


if __name__ == "__main__":
    run(main)
