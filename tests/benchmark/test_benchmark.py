"""What is timed is what the stages do, beside what tutorials do."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mnist.pipeline import models
from torchvision.datasets import MNIST

from mnist.benchmark.baseline import BaselineTraining, TutorialCNN, tutorial_seconds_to
from mnist.benchmark.case import BenchmarkCase
from mnist.errors import UserError
from mnist.models.inference import to_input
from mnist.params import Params
from tests.digits import as_tensors, write_data_set

CPU = torch.device("cpu")


@pytest.fixture
def params(committed: dict[str, Any]) -> Params:
    committed["vgg16"] |= {"last_pool": False, "input_size": 16}
    committed["alexnet"] |= {"last_pool": False, "input_size": 31}
    for section in ("cnn", "frcnn", "vgg16", "alexnet", "vit"):
        committed[section]["batch_size"] = 8
    return Params.model_validate(committed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where torchvision looks for MNIST."""
    folder = tmp_path_factory.mktemp("torchvision")
    write_data_set(folder / "MNIST/raw", train=400)
    return folder


@pytest.mark.parametrize("name", models())
def test_every_model_can_be_timed_both_ways(name: str, params: Params, folder: Path) -> None:
    work = BenchmarkCase.of(name, params, as_tensors(slice(90)), CPU)
    assert work.train(16) > 0
    assert work.infer(as_tensors(slice(8))[0], 4) > 0
    plain = BaselineTraining(name, params, folder, CPU)
    assert plain.train(16) > 0


def test_training_flops_are_those_of_forward_and_backward(params: Params) -> None:
    work = BenchmarkCase.of("cnn", params, as_tensors(slice(90)), CPU)
    section, side, channels, forward, first = params.cnn, 28, 1, 0.0, 0.0
    layers = (section.widths, section.kernel_sizes, section.strides, section.pools)
    for width, kernel, stride, pool in zip(*layers, strict=True):
        side //= stride
        flops = 2 * side**2 * kernel**2 * channels * width
        first, forward = first or flops, forward + flops
        side, channels = side // pool, width
    forward += 2 * channels * 10
    # backward: as much for the weights, and for the inputs, which the first layer does not need
    assert work.training_flops() == pytest.approx(3 * forward - first)


def test_frozen_blocks_cost_no_backward(params: Params) -> None:
    frozen = BenchmarkCase.of("vgg16", params, as_tensors(slice(90)), CPU).training_flops()
    free = params.vgg16.model_copy(update={"frozen_blocks": 0})
    whole = params.model_copy(update={"vgg16": free})
    assert (
        frozen < 0.8 * BenchmarkCase.of("vgg16", whole, as_tensors(slice(90)), CPU).training_flops()
    )


def test_the_plain_training_learns_the_whole_network(params: Params, folder: Path) -> None:
    plain = BaselineTraining("vgg16", params, folder, CPU)
    before = [parameter.clone() for parameter in plain.model.parameters()]
    plain.train(8)
    pairs = zip(before, plain.model.parameters(), strict=True)
    assert all(not old.equal(new) for old, new in pairs)


def test_the_plain_images_are_digits_as_the_network_wants_them(
    params: Params, folder: Path
) -> None:
    images, _ = next(BaselineTraining("cnn", params, folder, CPU).batches)
    assert images.shape == (8, 1, 28, 28)
    assert 0.05 < images.mean() < 0.6
    images, _ = next(BaselineTraining("alexnet", params, folder, CPU).batches)
    assert images.shape == (8, 3, 31, 31)
    assert images.min() == pytest.approx((0 - 0.485) / 0.229, abs=0.01)  # black, as ImageNet's


def test_the_tutorial_is_timed_until_it_is_good_enough(folder: Path) -> None:
    digits = MNIST(folder, train=False)
    images, labels = to_input(digits.data), digits.targets
    seconds, epochs = tutorial_seconds_to(0.5, folder, ((images - 0.13) / 0.31, labels), CPU)
    assert seconds > 0
    assert epochs < 20
    with pytest.raises(UserError, match="does not get to 110% in 1 epochs"):
        tutorial_seconds_to(1.1, folder, (images, labels), CPU, most=1)


def test_the_tutorials_network_is_pytorchs_example() -> None:
    assert sum(p.numel() for p in TutorialCNN().parameters()) == 1_199_882
