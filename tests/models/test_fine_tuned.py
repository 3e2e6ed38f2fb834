"""VGG16 and AlexNet: torchvision's networks to the digit, frozen where they should be, and able."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import alexnet, vgg16
from torchvision.transforms.v2 import functional as transforms

from mnist.models.fine_tuned import IMAGENET_MEAN, IMAGENET_STD, FineTunedNetwork
from mnist.models.inference import predict_logits, to_input
from mnist.params import Params
from mnist.training.loop import make_optimizer
from tests.digits import as_tensors
from tests.overfit import loss_after_overfitting

SETTINGS: dict[str, dict[str, Any]] = {
    "vgg16": {"input_size": 32, "last_pool": True, "hidden": 0},
    "alexnet": {"input_size": 63, "last_pool": True, "hidden": 32},
}


def build(network: Any, **changes: Any) -> FineTunedNetwork:
    torch.manual_seed(0)
    return FineTunedNetwork(network=network, dropout=0.0, **SETTINGS[network] | changes)


@pytest.mark.parametrize(("network", "torchvisions"), [("vgg16", vgg16), ("alexnet", alexnet)])
def test_grey_images_go_through_the_trunk_as_torchvision_would_send_them(
    network: str, torchvisions: Any
) -> None:
    model = build(network, input_size=64)
    with torch.device("meta"):
        reference = torchvisions().features
    reference = reference.to_empty(device="cpu").eval()
    reference.load_state_dict(model.backbone.state_dict())

    images = to_input(as_tensors(slice(8))[0])
    colour = F.interpolate(images, (64, 64), mode="bilinear").expand(-1, 3, -1, -1)
    colour = transforms.normalize(colour, list(IMAGENET_MEAN), list(IMAGENET_STD))
    with torch.no_grad():
        expected = model.head(reference(colour))
        torch.testing.assert_close(model(images), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("network", "blocks", "frozen"), [("vgg16", 2, 4), ("alexnet", 1, 1)])
def test_frozen_blocks_do_not_move_and_all_others_do(
    network: str, blocks: int, frozen: int, committed: dict[str, Any]
) -> None:
    recipe = getattr(Params.model_validate(committed), network)
    model = build(network)
    model.freeze(blocks)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    images, labels = as_tensors(slice(16))
    optimizer = make_optimizer(model, recipe, recipe.head_lr)
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(model(to_input(images)), labels).backward()
        optimizer.step()
    still = {n for n, p in model.named_parameters() if torch.equal(p, before[n])}
    convolutions = [
        f"backbone.{i}" for i, m in enumerate(model.backbone) if isinstance(m, nn.Conv2d)
    ]
    expected = {f"{n}.{part}" for n in convolutions[:frozen] for part in ("weight", "bias")}
    assert still == expected


def test_the_head_learns_at_its_own_rate(committed: dict[str, Any]) -> None:
    recipe = Params.model_validate(committed).alexnet
    model = build("alexnet")
    groups = make_optimizer(model, recipe, head_lr=0.5).param_groups
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        assert rate[id(parameter)] == (0.5 if name.startswith("head.") else recipe.lr)


@pytest.mark.parametrize("network", ["vgg16", "alexnet"])
def test_order_in_the_batch_does_not_matter(network: str) -> None:
    model = build(network)
    images, _ = as_tensors(slice(12))
    order = torch.randperm(12)
    shuffled = predict_logits(model, images[order], batch_size=5)
    whole = predict_logits(model, images, batch_size=12)[order]
    torch.testing.assert_close(shuffled, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("network", "lr"), [("vgg16", 3e-4), ("alexnet", 1e-3)])
def test_it_overfits_32_images(network: str, lr: float) -> None:
    assert loss_after_overfitting(build(network), lr, steps=60, enough=0.05) < 0.05


def test_the_last_pool_can_be_left_out() -> None:
    assert build("alexnet").head[2].in_features == 256
    assert build("alexnet", last_pool=False).head[2].in_features == 256 * 3 * 3
