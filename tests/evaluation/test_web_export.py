"""What is written down for the page is the model, rounded; other people's digits can be read."""

import base64
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mnist.evaluation.uci_digits import load_uci_digits
from mnist.evaluation.web_export import export_weights, is_supported
from mnist.models.cnn import CNN
from mnist.models.inference import predict_logits
from mnist.models.vit import ViT
from mnist.params import Params
from tests.digits import as_tensors


@pytest.fixture
def params(committed: dict[str, Any]) -> Params:
    return Params.model_validate(committed)


def settled(model: nn.Module) -> nn.Module:
    """Give batch normalisation statistics other than those it starts with."""
    model.train()
    with torch.no_grad():
        for _ in range(5):
            model(torch.rand(32, 1, 28, 28))
    return model.eval()


def test_eight_bits_are_nearly_the_model(params: Params) -> None:
    torch.manual_seed(0)
    images, _ = as_tensors(slice(40))
    for model in (CNN(**params.cnn.architecture()), ViT(**params.vit.architecture())):
        settled(model)
        before = [parameter.clone() for parameter in model.parameters()]
        page = export_weights(model, images)
        check = page["check"]
        exact = predict_logits(model, images, 40).softmax(dim=1).numpy()
        np.testing.assert_allclose(check["exact"], exact, atol=1e-5)
        np.testing.assert_allclose(check["rounded"], exact, atol=0.02)
        assert check["rounded"] != check["exact"]
        pixels = zlib.decompress(base64.b64decode(check["pixels"]))
        assert pixels == images.numpy().tobytes()
        assert all(p.equal(b) for p, b in zip(model.parameters(), before, strict=True))


def test_every_weight_is_written_once(params: Params) -> None:
    model = CNN(**params.cnn.architecture()).eval()
    layers = export_weights(model, as_tensors(slice(2))[0])["layers"]
    weights = [layer for layer in layers if "steps" in layer]
    sizes = [len(base64.b64decode(layer["steps"])) for layer in weights]
    assert sizes == [p.numel() for p in model.parameters() if p.ndim > 1]
    outputs = [layer["outputs"] for layer in weights]
    assert [len(base64.b64decode(layer["bias"])) // 4 for layer in weights] == outputs


def test_only_what_the_page_can_run_is_put_on_it(params: Params) -> None:
    settings = params.vit.architecture()
    assert is_supported(ViT(**settings))
    assert not is_supported(ViT(**settings | {"pool": "class"}))
    assert not is_supported(ViT(**settings | {"stem": "linear"}))
    assert not is_supported(nn.Linear(2, 2))


def test_other_peoples_digits_look_like_mnists() -> None:
    images, labels = load_uci_digits()
    assert images.shape == (1797, 28, 28)
    assert images.dtype == np.uint8
    assert np.bincount(labels, minlength=10).min() > 150
    assert (images.max(axis=(1, 2)) == 255).all()
    assert not images[:, :2].any()  # a box of 20 within 28
    assert 20 < images.mean() < 60  # MNIST: 33
