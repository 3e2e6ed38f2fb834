"""Real handwritten digits without a download: the UCI digits of scikit-learn, also as IDX."""

import struct
from functools import cache
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from mnist.data.idx import NAMES


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """1,797 digits of 8x8 pixels, enlarged to 24x24 in 28x28: uint8 images and uint8 labels."""
    bunch = load_digits()
    ink = (bunch.images * (255 / 16)).astype(np.uint8)
    enlarged = ink.repeat(3, axis=1).repeat(3, axis=2)
    return np.pad(enlarged, ((0, 0), (2, 2), (2, 2))), bunch.target.astype(np.uint8)


def as_tensors(part: slice) -> tuple[Tensor, Tensor]:
    """uint8 images (N, 28, 28) and int64 labels (N,) of some of the digits."""
    images, labels = digits()
    return torch.from_numpy(images[part]), torch.from_numpy(labels[part]).long()


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write integers 0..255 as an IDX file of unsigned bytes."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_data_set(folder: Path, train: int = 1200, test: int = 400) -> None:
    """Write the four IDX files into `folder`."""
    images, labels = digits()
    folder.mkdir(parents=True, exist_ok=True)
    for split, part in (("train", slice(train)), ("test", slice(train, train + test))):
        images_name, labels_name = NAMES[split]
        write_idx(folder / images_name, images[part])
        write_idx(folder / labels_name, labels[part])
