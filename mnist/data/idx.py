"""Reading IDX, the format of MNIST's files (described at the end of LeCun's MNIST page).

An IDX file is a magic number (two zero bytes, a type code, the number of dimensions), one
big-endian 32-bit size a dimension, then the values. idx2numpy reads it; the checks before it make
sure that what it reads is what the file's name promises.
"""

import struct
from pathlib import Path

import idx2numpy
import numpy as np

from mnist.errors import UserError

SIDE = 28
CLASSES = 10
UNSIGNED_BYTE = 0x08
# The four files by the split they belong to: (images, labels).
NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def read_split(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the images and labels of "train" or "test".

    Returns:
        uint8 images (N, 28, 28), 0 background to 255 ink, and uint8 labels (N,), 0..9.

    Raises:
        UserError: a file is missing, damaged, mislabelled, or does not fit its partner.
    """
    images_path, labels_path = (folder / name for name in NAMES[split])
    images, labels = read_images(images_path), read_labels(labels_path)
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} holds {len(images)} images and {labels_path} {len(labels)} labels; "
            "they must be as many. Put a pair that belongs together in place."
        )
    return images, labels


def read_images(path: Path) -> np.ndarray:
    """Read uint8 images (N, 28, 28). Raises UserError as `read_split` does."""
    count, *sides = _check(path, dimensions=3, kind="images")
    if sides != [SIDE, SIDE]:
        raise UserError(
            f"{path} holds {count} images of {sides[0]}x{sides[1]} pixels; this pipeline takes "
            f"{SIDE}x{SIDE}. Resize them and write the file again."
        )
    return _read(path)


def read_labels(path: Path) -> np.ndarray:
    """Read uint8 labels (N,), 0..9. Raises UserError as `read_split` does."""
    _check(path, dimensions=1, kind="labels")
    labels = _read(path)
    if labels.max() >= CLASSES:
        where = int(np.argmax(labels >= CLASSES))
        raise UserError(
            f"{path}: label number {where} is {labels[where]}; allowed are 0 to {CLASSES - 1}. "
            "Use a data set of ten classes, numbered from 0."
        )
    return labels


def _read(path: Path) -> np.ndarray:
    return np.array(idx2numpy.convert_from_file(str(path)), dtype=np.uint8)


def _check(path: Path, *, dimensions: int, kind: str) -> tuple[int, ...]:
    """Compare header and length of the file with what it should be; return its shape."""
    mend = "Put the right file in place and run again."
    try:
        length = path.stat().st_size
        with open(path, "rb") as file:
            header = file.read(4 + 4 * dimensions)
    except FileNotFoundError:
        raise UserError(f"{path} is missing. {mend}") from None
    if header[:2] == b"\x1f\x8b":
        raise UserError(f"{path} is gzip-compressed. Unpack it, or give its name the ending .gz.")
    if len(header) < 4 or header[:2] != b"\0\0":
        raise UserError(f"{path} is no IDX file: it starts with {header[:4]!r}. {mend}")
    if header[2] != UNSIGNED_BYTE:
        raise UserError(
            f"{path} holds values of IDX type 0x{header[2]:02x}, not unsigned bytes (0x08). {mend}"
        )
    if header[3] != dimensions:
        contents = {1: "labels (1 dimension)", 3: "images (3 dimensions)"}
        found = contents.get(header[3], f"an array of {header[3]} dimensions")
        raise UserError(f"{path} should hold {kind}, but holds {found}: swapped? {mend}")
    if len(header) < 4 + 4 * dimensions:
        raise UserError(f"{path} ends within its header, after {length} bytes. {mend}")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    expected = len(header) + int(np.prod(shape, dtype=object))
    if length != expected:
        fault = "is truncated" if length < expected else "has bytes too many"
        sizes = "x".join(map(str, shape))
        raise UserError(
            f"{path} {fault}: its header promises {sizes} values, {expected} bytes in all, "
            f"but it has {length}. {mend}"
        )
    if shape[0] == 0:
        raise UserError(f"{path} is empty: its header says 0 {kind}. {mend}")
    return shape
