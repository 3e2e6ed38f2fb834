"""Affine distortion: right in its geometry, random per image, the same for the same seed."""

from typing import Any

import numpy as np
import pytest
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


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_no_distortion_changes_nothing(interpolation: Any) -> None:
    same = warp(images(8), matrices(8), interpolation)
    torch.testing.assert_close(same, images(8), atol=1e-4, rtol=0)


def test_bicubic_interpolation_keeps_strokes_sharper() -> None:
    moved = matrices(500, translate=0.5)
    lost = {}
    for interpolation in ("bilinear", "bicubic"):
        warped = warp(images(500), moved, interpolation)
        assert 0 <= warped.min() < warped.max() <= 1
        back = moved.clone()
        back[:, :, 2] *= -1  # there and back again
        lost[interpolation] = (warp(warped, back, interpolation) - images(500)).square().mean()
    assert lost["bicubic"] < 0.5 * lost["bilinear"]


def test_each_number_is_spread_evenly_between_the_limits() -> None:
    turned, scaled, sheared, moved = (
        matrices(2000, seed=0, **{name: limit}).double()
        for name, limit in (("rotate", 30), ("scale", 0.2), ("shear", 0.4), ("translate", 3))
    )
    angles = torch.rad2deg(torch.atan2(turned[:, 1, 0], turned[:, 0, 0]))
    torch.testing.assert_close(turned[:, 0, 1], -turned[:, 1, 0])
    torch.testing.assert_close(scaled[:, 0, 0], scaled[:, 1, 1])
    shifts = moved[:, :, 2] * 28 / 2  # in pixels
    for values, middle, limit in (
        (angles, 0, 30),
        (1 / scaled[:, 0, 0], 1, 0.2),
        (sheared[:, 0, 1], 0, 0.4),
        (shifts[:, 0], 0, 3),
        (shifts[:, 1], 0, 3),
    ):
        draws = (values - middle) / limit
        assert draws.abs().max() <= 1 + 1e-4
        quarters = torch.histc(draws, 4, -1, 1) / len(draws)
        torch.testing.assert_close(quarters, torch.full((4,), 0.25).double(), atol=0.04, rtol=0)
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.1  # drawn independently


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


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_known_matrices_move_and_turn_the_image(interpolation: Any) -> None:
    ink = torch.rand(1, 1, 28, 28)
    two_right = torch.tensor([[[1.0, 0, 2 * 2 / 28], [0, 1, 0]]])
    moved = warp(ink, two_right, interpolation)
    torch.testing.assert_close(moved[..., :26], ink[..., 2:], atol=1e-4, rtol=0)
    assert moved[..., 26:].abs().max() < 1e-4  # outside is black
    quarter = torch.tensor([[[0.0, -1, 0], [1, 0, 0]]])
    # (x, y) comes from (-y, x): the bottom moves to the right
    turned = warp(ink, quarter, interpolation)
    torch.testing.assert_close(turned, torch.rot90(ink, 1, (2, 3)), atol=1e-4, rtol=0)


def test_the_seed_decides_and_each_image_is_distorted_in_its_own_way() -> None:
    strong = {"rotate": 20, "scale": 0.2, "shear": 0.2, "translate": 3}
    first, again, other = (matrices(8, seed, **strong) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.isclose(first, other).all(dim=(1, 2)).any()
    assert len(first.unique(dim=0)) == 8
