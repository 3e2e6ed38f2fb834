"""Read MNIST's files, IDX, with checks: users put files of their own in their place."""

from pathlib import Path

import idx2numpy
import numpy as np

from mnist.errors import UserError

SIDE = 28
KINDS = {1: "labels", 3: "images"}  # by the number of dimensions
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
    images, labels = _read(images_path, 3), _read(labels_path, 1)
    if images.shape[1:] != (SIDE, SIDE):
        height, width = images.shape[1:]
        raise UserError(
            f"{images_path} holds images of {height}x{width} pixels; the models take "
            f"{SIDE}x{SIDE}. Resize the images and write the file again."
        )
    if labels.max() >= classes:
        first = int(np.argmax(labels >= classes))
        raise UserError(
            f"{labels_path}: label number {first} is {labels[first]}; allowed are 0 to "
            f"{classes - 1}, since data.classes has {classes} names. Name every class in "
            "data.classes, in the order of the labels, which start at 0."
        )
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} holds {len(images)} images but {labels_path} {len(labels)} labels; "
            "use two files that belong together."
        )
    return images, labels


def _read(path: Path, dimensions: int) -> np.ndarray:
    """Read unsigned bytes of so many dimensions."""
    advice = "Replace the file and run again."
    try:
        # From memory, a wrong size in the header cannot ask for more than the file has.
        array = idx2numpy.convert_from_string(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path} is missing. {advice}") from None
    except (idx2numpy.FormatError, OverflowError) as error:
        raise UserError(f"{path} is damaged or not an IDX file: {error}. {advice}") from None
    if array.dtype != np.uint8:
        raise UserError(f"{path} holds {array.dtype}, not unsigned bytes. {advice}")
    if array.ndim != dimensions:
        found = KINDS.get(array.ndim, f"an array of {array.ndim} dimensions")
        raise UserError(
            f"{path} holds {found}, not {KINDS[dimensions]}. Check that no two files are swapped."
        )
    if array.size == 0:
        raise UserError(f"{path} holds no {KINDS[dimensions]}. {advice}")
    return array
