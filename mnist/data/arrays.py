"""The arrays that stage `convert` writes, as tensors."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist.errors import UserError


def load_arrays(path: Path, device: torch.device) -> tuple[Tensor, Tensor]:
    """Load one split onto `device`; MNIST's training images take 43 MB there.

    Returns:
        uint8 images (N, 28, 28), from 0 (background) to 255 (ink), and int64 labels (N,).

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    # What NumPy raises for a file that is missing, empty, no .npz, truncated or of other arrays.
    except (FileNotFoundError, EOFError, ValueError, zipfile.BadZipFile, KeyError) as error:
        raise UserError(f"{path}: {error}; `dvc repro convert` writes it anew.") from None
    return torch.from_numpy(images).to(device), torch.from_numpy(labels).long().to(device)
