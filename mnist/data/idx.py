"""Read MNIST's files, IDX, with checks: users put files of their own in their place."""

from pathlib import Path

import idx2numpy
import numpy as np

from mnist.errors import UserError

# The four files by split: (images, labels).
NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def read_split(folder: Path, split: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the images and labels of the split "train" or "test".

    Returns:
        uint8 images (N, 28, 28), from 0 (background) to 255 (ink), and uint8 labels (N,), from 0
        to `classes` - 1.

    Raises:
        UserError: a file is missing or damaged, holds something else, or the two files do not
            belong together.
    """
    images_path, labels_path = (folder / name for name in NAMES[split])
    images, labels = _read(images_path, (28, 28)), _read(labels_path, ())
    if labels.max() >= classes:
        first = int(np.argmax(labels >= classes))
        raise UserError(
            f"{labels_path}: label number {first} is {labels[first]}; allowed are 0 to "
            f"{classes - 1}. Name every class in data.classes, in the order of the labels."
        )
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} holds {len(images)} images but {labels_path} {len(labels)} labels."
        )
    return images, labels


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        # From memory, a wrong size in the header cannot ask for more than the file has.
        array = idx2numpy.convert_from_string(path.read_bytes())
    except (FileNotFoundError, idx2numpy.FormatError, OverflowError) as error:
        raise UserError(f"{path} is missing, damaged or not an IDX file: {error}.") from None
    if array.dtype != np.uint8 or array.size == 0 or array.ndim == 0 or array.shape[1:] != shape:
        raise UserError(
            f"{path} holds {array.dtype} of shape {array.shape}, not uint8 of shape "
            f"{('N', *shape)}. Check that no two files are swapped."
        )
    return array
