"""The arrays that `convert` writes, as tensors."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist.errors import UserError


def load_arrays(path: Path, device: torch.device) -> tuple[Tensor, Tensor]:
    """Load one split onto `device`, where it stays: MNIST takes 47 MB as bytes.

    Returns:
        uint8 images (N, 28, 28) and int64 labels (N,).

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run `dvc repro convert`, which makes it.") from None
    except PermissionError:
        raise
    except Exception as error:  # a damaged zip can raise nearly anything
        raise UserError(
            f"{path} is damaged ({error}); delete it and run `dvc repro convert`."
        ) from None
    return torch.from_numpy(images).to(device), torch.from_numpy(labels).long().to(device)
