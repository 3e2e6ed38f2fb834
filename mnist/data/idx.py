"""Read IDX, the file format of MNIST.

An IDX file is a magic number (two zero bytes, a type code, the number of dimensions), one
big-endian 32-bit size per dimension, then the values. idx2numpy reads it; the file is checked
before, because users put files of their own in MNIST's place.
"""

import math
import struct
from pathlib import Path

import idx2numpy
import numpy as np

from mnist.errors import UserError

SIDE = 28
UNSIGNED_BYTE = 0x08
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
    images, labels = read_images(images_path), read_labels(labels_path, classes)
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} holds {len(images)} images but {labels_path} {len(labels)} labels; "
            "use two files that belong together."
        )
    return images, labels


def read_images(path: Path) -> np.ndarray:
    """Read uint8 images (N, 28, 28). Raises UserError as `read_split` does."""
    images = _read(path, dimensions=3)
    _, height, width = images.shape
    if (height, width) != (SIDE, SIDE):
        raise UserError(
            f"{path} holds images of {height}x{width} pixels; the models take {SIDE}x{SIDE}. "
            "Resize the images and write the file again."
        )
    return images


def read_labels(path: Path, classes: int) -> np.ndarray:
    """Read uint8 labels (N,), from 0 to `classes` - 1. Raises UserError as `read_split` does."""
    labels = _read(path, dimensions=1)
    if labels.max() >= classes:
        first = int(np.argmax(labels >= classes))
        raise UserError(
            f"{path}: label number {first} is {labels[first]}; allowed are 0 to {classes - 1}, "
            f"since data.classes has {classes} names. Name every class in data.classes, in the "
            "order of the labels, which start at 0."
        )
    return labels


def _read(path: Path, dimensions: int) -> np.ndarray:
    """Read an array of unsigned bytes, after a check of its header and length."""
    advice = "Replace the file and run again."
    start = 4 + 4 * dimensions
    try:
        length = path.stat().st_size
        with open(path, "rb") as file:
            header = file.read(start)
    except FileNotFoundError:
        raise UserError(f"{path} is missing. {advice}") from None
    if header[:2] == b"\x1f\x8b":
        raise UserError(f"{path} is gzip-compressed. Unpack it, or let its name end in .gz.")
    if len(header) < 4 or header[:2] != b"\0\0":
        raise UserError(f"{path} is not an IDX file: it starts with {header[:4]!r}. {advice}")
    if header[2] != UNSIGNED_BYTE:
        raise UserError(
            f"{path} holds values of IDX type 0x{header[2]:02x}, not unsigned bytes (0x08). "
            f"{advice}"
        )
    if header[3] != dimensions:
        found = KINDS.get(header[3], f"an array of {header[3]} dimensions")
        raise UserError(
            f"{path} holds {found}, not {KINDS[dimensions]}. Check that no two files are swapped."
        )
    if len(header) < start:
        raise UserError(f"{path} ends inside its header, after {length} bytes. {advice}")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    expected = start + math.prod(shape)
    if length != expected:
        problem = "is truncated" if length < expected else "is too long"
        raise UserError(
            f"{path} {problem}: its header announces {'x'.join(map(str, shape))} values, "
            f"{expected} bytes in total, but the file has {length}. {advice}"
        )
    if shape[0] == 0:
        raise UserError(f"{path} is empty: it holds 0 {KINDS[dimensions]}. {advice}")
    return np.array(idx2numpy.convert_from_file(str(path)), dtype=np.uint8)
