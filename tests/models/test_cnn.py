"""The CNN computes what its parameters say, learns, and comes back from disk unchanged."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mnist.errors import UserError
from mnist.models import registry, weights_io
from mnist.models.cnn import CNN
from mnist.models.inference import predict_logits
from tests.digits import as_tensors
from tests.overfit import loss_after_overfitting

SMALL: dict[str, Any] = {
    "widths": [8, 16],
    "kernel_sizes": [5, 3],
    "strides": [2, 1],
    "paddings": [2, 1],
    "pools": [1, 2],
    "dropout": 0.0,
}


@pytest.fixture
def model() -> CNN:
    torch.manual_seed(0)
    return CNN(**SMALL)


def test_the_lists_shape_the_layers(model: CNN) -> None:
    with torch.no_grad():
        maps = model.features(torch.zeros(3, 1, 28, 28))
    # 28 -> stride 2 -> 14 -> pool 2 -> 7
    assert maps.shape == (3, 16, 7, 7)
    assert model(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_order_in_the_batch_does_not_matter(model: CNN) -> None:
    images, _ = as_tensors(slice(40))
    order = torch.randperm(40)
    shuffled = predict_logits(model, images[order], batch_size=7)
    torch.testing.assert_close(shuffled, predict_logits(model, images, batch_size=40)[order])


def test_it_overfits_32_images(model: CNN) -> None:
    assert loss_after_overfitting(model, lr=0.01, steps=120, enough=0.01) < 0.01


def test_weights_come_back_from_disk_unchanged(model: CNN, tmp_path: Path) -> None:
    images, _ = as_tensors(slice(20))
    path = tmp_path / "cnn.safetensors"
    weights_io.save(path, model, SMALL)
    again = registry.load("cnn", path)
    assert torch.equal(predict_logits(again, images, 20), predict_logits(model, images, 20))


def test_the_same_weights_are_the_same_bytes(model: CNN, tmp_path: Path) -> None:
    for name in ("a", "b"):
        weights_io.save(tmp_path / name, model, SMALL)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_does_not_fit_is_refused_by_name(model: CNN, tmp_path: Path) -> None:
    path = tmp_path / "cnn.safetensors"
    with pytest.raises(UserError, match="is missing"):
        registry.load("cnn", path)
    path.write_bytes(b"not safetensors")
    with pytest.raises(UserError, match="holds no model of ours"):
        registry.load("cnn", path)
    weights_io.save(path, model, SMALL | {"widths": [8, 17]})
    with pytest.raises(UserError, match="does not fit"):
        registry.load("cnn", path)
    weights_io.save(path, model, SMALL | {"heads": 4})
    with pytest.raises(UserError, match="is not a cnn"):
        registry.load("cnn", path)
    with pytest.raises(UserError, match="there is no model 'lenet'; known are cnn"):
        registry.load("lenet", path)
