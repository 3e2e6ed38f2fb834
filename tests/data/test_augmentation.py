"""Affine distortion: right in its geometry, random per image, the same for the same seed."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from mnist.data.augmentation import random_affine, warp
from tests.digits import digits

MIDDLE = 13.5  # of an image of 28 pixels, counted from the centre of the first


def matrices(count: int, seed: int = 0, **limits: float) -> Tensor:
    return random_affine(count, 28, torch.Generator().manual_seed(seed), **limits)


def images(count: int) -> Tensor:
    return torch.from_numpy(digits()[0][:count, None] / 255).float()


def test_bicubic_interpolation_stays_within_the_range() -> None:
    warped = warp(images(50), matrices(50, translate=0.5), "bicubic")
    assert 0 <= warped.min() < warped.max() <= 1


def test_a_distortion_is_the_one_that_its_five_numbers_describe() -> None:
    """Compare with SciPy: a pixel of the result is looked up where it comes from."""
    drawn = matrices(6, seed=3, rotate=40, scale=0.3, shear=0.4, translate=4)
    warped = warp(images(6), drawn, "bilinear")
    draws = torch.rand(5, 6, generator=torch.Generator().manual_seed(3)) * 2 - 1
    for image, result, draw in zip(images(6), warped, draws.T.tolist(), strict=True):
        y, x = np.indices((28, 28)) - MIDDLE
        x = x + 0.4 * draw[2] * y
        cos, sin = np.cos(np.deg2rad(40 * draw[0])), np.sin(np.deg2rad(40 * draw[0]))
        x, y = cos * x - sin * y, sin * x + cos * y
        size = 1 + 0.3 * draw[1]
        x, y = x / size + 4 * draw[3], y / size + 4 * draw[4]
        places = np.stack([y, x]) + MIDDLE
        expected = ndimage.map_coordinates(image[0].numpy(), places, order=1, mode="grid-constant")
        np.testing.assert_allclose(result[0], expected, atol=1e-4)
