"""Augmentation: random affine distortions, as if more people had written the digits."""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def random_affine(
    count: int,
    side: int,
    generator: torch.Generator,
    *,
    rotate: float = 0.0,
    scale: float = 0.0,
    shear: float = 0.0,
    translate: float = 0.0,
) -> Tensor:
    """Draw one rotation, scaling, shear and shift per image, each uniformly in -limit to +limit.

    Args:
        side: of the `count` images, in pixels.
        generator: on the CPU, so that the numbers do not depend on the device of the images.
        rotate, scale, shear, translate: the limits, in degrees, as a share of the size, as the
            horizontal shift of a row per row of height, and in pixels.

    Returns:
        float32 (count, 2, 3): matrices for `warp`, on the CPU.
    """
    draws = torch.rand(5, count, generator=generator) * 2 - 1
    # NumPy's sine and cosine: MKL's, which torch calls, differ from one CPU to another.
    angle = (draws[0].double() * math.radians(rotate)).numpy()
    size = 1 + draws[1] * scale
    slant = draws[2] * shear
    cos, sin = (torch.from_numpy(f(angle)).float() / size for f in (np.cos, np.sin))
    # affine_grid measures in half images: -1 is the left edge and +1 the right one.
    shift_x, shift_y = draws[3:] * (translate * 2 / side)
    # The matrix maps a pixel of the result to where it comes from in the image.
    rows = [cos, cos * slant - sin, shift_x, sin, sin * slant + cos, shift_y]
    return torch.stack(rows, dim=1).view(count, 2, 3)


def warp(images: Tensor, matrices: Tensor, interpolation: Literal["bilinear", "bicubic"]) -> Tensor:
    """Resample float images (N, C, H, W) by matrices (N, 2, 3); outside is 0.

    Bicubic interpolation, which blurs less, takes images in 0..1; bilinear in any range.
    """
    matrices = matrices.to(images.device, non_blocking=True)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    warped = F.grid_sample(images, grid, mode=interpolation, align_corners=False)
    # Bicubic interpolation overshoots at edges.
    return warped.clamp(0, 1) if interpolation == "bicubic" else warped
