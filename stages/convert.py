"""Stage `convert`: turn the IDX files into arrays, with a seeded, stratified validation split."""

from pathlib import Path

import numpy as np

from mnist.atomic_io import new_folder
from mnist.data import sources
from mnist.data.idx import read_split
from mnist.data.split import split_indices
from mnist.errors import SourceError, UserError, run
from mnist.params import load_params

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
    training, validation = split_indices(labels, data.validation_size, data.seed)
    with new_folder(ARRAYS) as target:
        np.savez(target / "train.npz", images=images[training], labels=labels[training])
        np.savez(target / "validation.npz", images=images[validation], labels=labels[validation])
        np.savez(target / "test.npz", images=test_images, labels=test_labels)


if __name__ == "__main__":
    run(main)
