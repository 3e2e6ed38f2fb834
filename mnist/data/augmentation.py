"""Random distortion: digits that could have been written by more hands."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist.params import Augmentation


def distort(
    images: Tensor,
    limits: Augmentation,
    generator: torch.Generator,
    share: slice = slice(None),
) -> Tensor:
    """Distort each image by its own rotation, scaling, shear and shift, in one batched resampling.

    Args:
        images: float (N, C, H, W), background 0.
        limits: each distortion is drawn evenly from -limit to +limit.
        generator: on the CPU, so that the draws are the same whatever the images' device.
        share: the images that are wanted; each is distorted as it would be with all of them.

    Returns:
        `images[share]`, bilinearly resampled; what comes in from outside is 0.
    """
    draws = torch.rand(5, len(images), generator=generator)[:, share] * 2 - 1
    images = images[share]
    count, side = len(images), images.shape[-1]
    angle = draws[0] * math.radians(limits.rotate)
    size = 1 + draws[1] * limits.scale
    shear = draws[2] * limits.shear
    # affine_grid measures in half images: -1 is the left edge and +1 the right one.
    shift_x, shift_y = draws[3:] * (limits.translate * 2 / side)

    # The matrix leads from a pixel of the result back to where it comes from in the image.
    cos, sin = angle.cos() / size, angle.sin() / size
    rows = [cos, cos * shear - sin, shift_x, sin, sin * shear + cos, shift_y]
    matrices = torch.stack(rows, dim=1).view(count, 2, 3).to(images.device, non_blocking=True)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
