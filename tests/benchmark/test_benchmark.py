"""What is timed is what the stages do, beside what tutorials do."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mnist.benchmark.baseline import BaselineTraining
from mnist.benchmark.case import BenchmarkCase
from mnist.benchmark.measure import measure_models
from mnist.models.registry import MODELS
from mnist.params import Params
from mnist.training.detection import Detection
from tests.digits import as_tensors, write_data_set

CPU = torch.device("cpu")


@pytest.fixture
def params(committed: dict[str, Any]) -> Params:
    committed["vgg16"] |= {"last_pool": False, "input_size": 16}
    committed["alexnet"] |= {"last_pool": False, "input_size": 31}
    for section in MODELS:
        committed[section]["batch_size"] = 8
    return Params.model_validate(committed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where torchvision looks for MNIST."""
    folder = tmp_path_factory.mktemp("torchvision")
    write_data_set(folder / "MNIST/raw", train=400)
    return folder


def case(name: str, params: Params) -> BenchmarkCase:
    return BenchmarkCase(name, params, as_tensors(slice(90)), CPU)


def test_each_kind_of_model_is_measured(params: Params, folder: Path) -> None:
    names = ["cnn", "frcnn", "alexnet"]  # a classifier, a detector, a fine-tuned network
    training = as_tensors(slice(40))
    figures = measure_models(names, params, training, folder, CPU, rounds=1, seconds=0.01)
    assert figures.keys() == {*names, "machine"}
    for name in names:
        assert all(value > 0 for value in figures[name].values()), name
        assert ("speedup" in figures[name]) == (name != "frcnn")
    assert figures["machine"]["portable"] is True


def test_speed_is_relative_to_the_baseline_and_by_batch_size(
    params: Params, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BenchmarkCase, "training_rate", lambda *_: 300.0)
    monkeypatch.setattr(BaselineTraining, "training_rate", lambda *_: 150.0)
    monkeypatch.setattr(BenchmarkCase, "inference_rate", lambda _, images, size: 10.0 * size)
    training = as_tensors(slice(40))
    figures = measure_models(["cnn"], params, training, folder, CPU, rounds=1, seconds=0.01)["cnn"]
    assert figures["speedup"] == 2
    assert figures["infer_images_per_second_b1"] == 10
    assert figures["infer_images_per_second_b256"] == 2560


def test_an_epoch_of_the_detector_is_short_and_timed_with_its_scenes(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist.benchmark.case.SCENES", 24)
    timed = case("frcnn", params)
    assert timed.task.steps_per_epoch == 3
    assert isinstance(timed.task, Detection)
    made = timed.task.scenes
    timed.training_rate(1)
    assert timed.task.scenes is not made


def test_training_flops_are_those_of_forward_and_backward(params: Params) -> None:
    section, side, channels, forward, first = params.cnn, 28, 1, 0.0, 0.0
    layers = (section.widths, section.kernel_sizes, section.strides, section.pools)
    for width, kernel, stride, pool in zip(*layers, strict=True):
        side //= stride
        flops = 2 * side**2 * kernel**2 * channels * width
        first, forward = first or flops, forward + flops
        side, channels = side // pool, width
    forward += 2 * channels * 10
    # backward: as much for the weights, and for the inputs, which the first layer does not need
    assert case("cnn", params).training_flops() == pytest.approx(3 * forward - first)


def test_the_baseline_trains_all_layers(params: Params, folder: Path) -> None:
    baseline = BaselineTraining("vgg16", params, folder, CPU)
    before = [parameter.clone() for parameter in baseline.model.parameters()]
    baseline.training_rate(8)
    pairs = zip(before, baseline.model.parameters(), strict=True)
    assert all(not old.equal(new) for old, new in pairs)


def test_the_images_of_the_baseline_fit_the_network(params: Params, folder: Path) -> None:
    images, _ = next(BaselineTraining("cnn", params, folder, CPU).batches)
    assert images.shape == (8, 1, 28, 28)
    assert 0.05 < images.mean() < 0.6
    images, _ = next(BaselineTraining("alexnet", params, folder, CPU).batches)
    assert images.shape == (8, 3, 31, 31)
    assert (images.min(), images.max()) == (0, 1)
