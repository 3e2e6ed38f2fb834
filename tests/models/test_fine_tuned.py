"""VGG16 and AlexNet: torchvision's backbones, frozen where they should be, and able to learn."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import alexnet, vgg16
from torchvision.transforms.v2 import functional as transforms

from mnist.models import registry
from mnist.models.fine_tuned import IMAGENET_MEAN, IMAGENET_STD
from mnist.models.inference import to_input
from tests.digits import as_tensors
from tests.small_models import overfits, small_model, small_params


@pytest.mark.parametrize(("name", "torchvisions"), [("vgg16", vgg16), ("alexnet", alexnet)])
def test_grey_images_go_through_the_backbone_as_torchvision_would_send_them(
    name: str, torchvisions: Any
) -> None:
    model = registry.build(name, small_params(**{name: {"input_size": 64}}))
    with torch.device("meta"):
        reference = torchvisions().features
    reference = reference.to_empty(device="cpu").eval()
    reference[:-1].load_state_dict(model.backbone.state_dict())

    images = to_input(as_tensors(slice(4))[0])
    colour = F.interpolate(images, (64, 64), mode="bilinear").expand(-1, 3, -1, -1)
    colour = transforms.normalize(colour, list(IMAGENET_MEAN), list(IMAGENET_STD))
    with torch.no_grad():
        expected = model.eval().head(reference[:-1](colour))  # without the last max pooling
        torch.testing.assert_close(model(images), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "blocks", "frozen"), [("vgg16", 2, 4), ("alexnet", 1, 1)])
def test_frozen_blocks_need_no_gradient_and_all_others_do(
    name: str, blocks: int, frozen: int
) -> None:
    model = small_model(name, small_params(**{name: {"frozen_blocks": blocks}}))
    convolutions = [layer for layer in model.backbone if isinstance(layer, nn.Conv2d)]
    learning = [all(p.requires_grad for p in layer.parameters()) for layer in convolutions]
    assert learning == [False] * frozen + [True] * (len(convolutions) - frozen)
    assert all(parameter.requires_grad for parameter in model.head.parameters())


@pytest.mark.parametrize(("name", "lr"), [("vgg16", 1e-3), ("alexnet", 3e-3)])
def test_it_overfits_32_images(name: str, lr: float) -> None:
    params = small_params(**{name: {"dropout": 0.0, "frozen_blocks": 0}})
    assert overfits(lambda seed: small_model(name, params, seed), lr, steps=150)
