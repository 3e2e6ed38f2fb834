"""Affine distortion: right in its geometry, random per image, the same for the same seed."""

from typing import Any

import pytest
import torch
from torch import Tensor

from mnist.data.augmentation import distort
from mnist.models.inference import to_input
from mnist.params import Augmentation
from tests.digits import as_tensors

NONE: dict[str, Any] = {"rotate": 0.0, "scale": 0.0, "shear": 0.0, "translate": 0.0}


def distorted(images: Tensor, seed: int = 0, **limits: float) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return distort(images, Augmentation.model_construct(**NONE | limits), generator)


@pytest.fixture
def images() -> Tensor:
    return to_input(as_tensors(slice(64))[0])


def test_no_distortion_changes_nothing(images: Tensor) -> None:
    torch.testing.assert_close(distorted(images), images, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "limit", [{"rotate": 30}, {"scale": 0.3}, {"shear": 0.4}, {"translate": 3}]
)
def test_each_limit_distorts_and_each_image_its_own_way(images: Tensor, limit: dict) -> None:
    same = images[:1].expand(8, -1, -1, -1)
    out = distorted(same, **limit)
    assert (out - same).abs().amax(dim=(1, 2, 3)).min() > 0
    assert (out[0] - out[1]).abs().max() > 0.05


def test_the_seed_decides(images: Tensor) -> None:
    strong = {"rotate": 20.0, "translate": 3.0}
    assert torch.equal(distorted(images, 1, **strong), distorted(images, 1, **strong))
    assert not torch.equal(distorted(images, 1, **strong), distorted(images, 2, **strong))


def test_translation_moves_the_ink_by_at_most_its_limit(images: Tensor) -> None:
    def centre(batch: Tensor) -> Tensor:
        places = torch.arange(28.0)
        ink = batch.sum(dim=(1, 2, 3))
        across = (batch.sum(dim=(1, 2)) * places).sum(dim=1) / ink
        down = (batch.sum(dim=(1, 3)) * places).sum(dim=1) / ink
        return torch.stack([across, down])

    shifts = (centre(distorted(images, translate=2.0)) - centre(images)).abs()
    assert shifts.max() <= 2.001
    assert shifts.max() > 1.5


def test_rotation_by_a_right_angle_is_a_quarter_turn() -> None:
    ink = torch.rand(1, 1, 28, 28)
    # With one image the seed decides the angle; scaling the limit makes it exactly 90 degrees.
    draw = torch.rand(5, 1, generator=torch.Generator().manual_seed(0))[0].item() * 2 - 1
    turned = distorted(ink, seed=0, rotate=90 / draw)
    quarters = [torch.rot90(ink, turns, dims=(2, 3)) for turns in (1, 3)]
    assert any(torch.allclose(turned, quarter, atol=1e-4) for quarter in quarters)


def test_a_share_is_distorted_as_it_would_be_with_all(images: Tensor) -> None:
    limits = Augmentation(rotate=20, scale=0.2, shear=0.2, translate=3)
    whole, part = (
        distort(images, limits, torch.Generator().manual_seed(0), share)
        for share in (slice(None), slice(2, 5))
    )
    torch.testing.assert_close(part, whole[2:5], atol=1e-6, rtol=0)
