"""The arrays that `convert` writes, as tensors."""

import io
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from stages.system.errors import UserError


def load_arrays(path: Path, device: torch.device) -> tuple[Tensor, Tensor]:
    """Load one split onto `device`, where it stays: MNIST takes 47 MB as bytes.

    Returns:
        uint8 images (N, 28, 28) and int64 labels (N,).

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        # From memory: a zip that points outside itself is then a ValueError, not an OSError.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run `dvc repro convert`, which makes it.") from None
    except (BadZipFile, ValueError, KeyError, EOFError) as error:
        raise UserError(
            f"{path} is damaged ({error}); delete it and run `dvc repro convert`."
        ) from None
    return torch.from_numpy(images).to(device), torch.from_numpy(labels).long().to(device)
