"""The exported layers compute what the model does, with weights rounded to 8 bits."""

import base64
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import erf, softmax
from torch import nn

from mnist.evaluation import uci_digits
from mnist.evaluation.web_export import export_weights, is_supported
from mnist.models import registry
from mnist.models.inference import predict_logits
from mnist.params import Params
from tests.digits import as_tensors


def decisive(name: str, params: Params) -> Any:
    """A model whose parameters and statistics are random, and whose probabilities differ."""
    torch.manual_seed(0)
    model = registry.build(name, params)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # biases and norms
                parameter.add_(torch.randn_like(parameter) * 0.2)
        model.head.weight.mul_(6)
        model.train()
        for _ in range(5):
            model(torch.rand(32, 1, 28, 28))
    return model.eval()


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(float)


def weights(layer: dict[str, Any]) -> np.ndarray:
    steps = np.frombuffer(base64.b64decode(layer["steps"]), np.int8)
    return steps.reshape(layer["outputs"], -1) * floats(layer["scale"])[:, None]


def linear(x: np.ndarray, layer: dict[str, Any]) -> np.ndarray:
    return x @ weights(layer).T + floats(layer["bias"])


def norm(x: np.ndarray, layer: dict[str, Any]) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + layer["eps"])
    return centred / deviation * floats(layer["weight"]) + floats(layer["bias"])


def convolution(x: np.ndarray, layer: dict[str, Any]) -> np.ndarray:
    size, stride, padding = layer["kernel"], layer["stride"], layer["padding"]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    kernels = weights(layer).reshape(-1, len(x), size, size)
    maps = np.einsum("chwij,ocij->ohw", windows[:, ::stride, ::stride], kernels)
    return maps + floats(layer["bias"])[:, None, None]


def attention(x: np.ndarray, layer: dict[str, Any]) -> np.ndarray:
    queries, keys, values = np.split(linear(norm(x, layer["norm"]), layer["qkv"]), 3, axis=1)
    heads = []
    for part in np.split(np.arange(x.shape[1]), layer["heads"]):
        scores = queries[:, part] @ keys[:, part].T / np.sqrt(len(part))
        heads.append(softmax(scores, axis=1) @ values[:, part])
    return x + linear(np.concatenate(heads, axis=1), layer["projection"])


def perceptron(x: np.ndarray, layer: dict[str, Any]) -> np.ndarray:
    hidden = linear(norm(x, layer["norm"]), layer["first"])
    return x + linear(hidden * (1 + erf(hidden / np.sqrt(2))) / 2, layer["second"])


def pool(x: np.ndarray, layer: dict[str, Any]) -> np.ndarray:
    size, (channels, height, width) = layer["size"], x.shape
    cut = x[:, : height // size * size, : width // size * size]
    return cut.reshape(channels, height // size, size, width // size, size).max(axis=(2, 4))


LAYERS: dict[str, Any] = {
    "convolution": convolution,
    "linear": linear,
    "norm": norm,
    "attention": attention,
    "perceptron": perceptron,
    "pool": pool,
    "relu": lambda x, _: x.clip(0),
    "strongest": lambda x, _: x.max(axis=(1, 2)),
    "tokens": lambda x, _: x.reshape(len(x), -1).T,
    "position": lambda x, layer: x + floats(layer["values"]).reshape(x.shape),
    "mean": lambda x, _: x.mean(axis=0),
}


def logits(page: dict[str, Any], image: np.ndarray) -> np.ndarray:
    """Run the exported layers for a uint8 image (28, 28), as the page's script does."""
    x = ((image / 255 - page["mean"]) / page["std"])[None]
    for layer in page["layers"]:
        x = LAYERS[layer["kind"]](x, layer)
    return x


@pytest.mark.parametrize("name", ["cnn", "vit"])
def test_the_exported_layers_compute_the_model(params: Params, name: str) -> None:
    model = decisive(name, params)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    images, labels = as_tensors(slice(20))
    page = export_weights(model, images, images, labels.numpy())
    computed = np.stack([logits(page, image) for image in images.numpy()])
    exact = predict_logits(model, images, 20)
    assert exact.std() > 1  # logits that differ show a fault
    assert abs(computed - exact.numpy()).max() < 0.1 * exact.std()
    check = page["check"]
    np.testing.assert_allclose(check["rounded"], softmax(computed, axis=1), atol=1e-4)
    np.testing.assert_allclose(check["exact"], exact.softmax(dim=1), atol=1e-5)
    assert check["rounded"] != check["exact"]
    assert zlib.decompress(base64.b64decode(check["pixels"])) == images.numpy().tobytes()
    assert ("typical" in page) == ("remoteness" in check) == (name == "cnn")
    assert all(value.equal(before[key]) for key, value in model.state_dict().items())


def test_only_what_the_page_can_run_is_exported(params: Params) -> None:
    def vit(**changes: str) -> Any:
        section = params.vit.model_copy(update=changes)
        return registry.build("vit", params.model_copy(update={"vit": section}))

    assert is_supported(vit())
    assert not is_supported(vit(pool="class"))
    assert not is_supported(vit(stem="linear"))
    assert not is_supported(nn.Linear(2, 2))


def test_uci_digits_look_like_mnists(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = uci_digits.load_uci_digits()
    assert images.shape == (1797, 28, 28)
    assert images.dtype == np.uint8
    assert np.bincount(labels, minlength=10).min() > 150
    assert (images.max(axis=(1, 2)) == 255).all()
    assert not images[:, :2].any()  # a box of 20 within 28
    assert 20 < images.mean() < 60  # MNIST: 33
    assert (images >= 250).sum() > 0.15 * (images > 0).sum()  # full ink; MNIST: 0.39

    monkeypatch.setattr(uci_digits, "load_uci_digits", lambda: (images, labels))
    layer = nn.Linear(784, 10)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.eye(10)[4])  # always 4
    always_4 = nn.Sequential(nn.Flatten(), layer)
    result = uci_digits.uci_accuracy(always_4, 500, torch.device("cpu"))
    assert result == {"digits": 1797, "accuracy": pytest.approx((labels == 4).mean())}
