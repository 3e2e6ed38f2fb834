"""Eight bits a weight hardly change what the network computes."""

import base64
import zlib

import numpy as np
import torch

from mnist.evaluation.page_weights import export_weights
from mnist.models.cnn import CNN
from mnist.models.inference import predict_logits, to_input
from tests.digits import as_tensors


def make_cnn() -> CNN:
    """A CNN of random weights whose probabilities differ from digit to digit."""
    torch.manual_seed(0)
    shape = {"widths": [6, 8], "kernel_sizes": [5, 3], "strides": [2, 1], "paddings": [1, 2]}
    model = CNN(convolutions=shape | {"pools": [1, 2]}, dropout=0, classes=10)
    images, _ = as_tensors(slice(50))
    with torch.no_grad():
        for _ in range(30):
            logits = model(to_input(images))  # batch normalisation measures the digits
        model.head.bias.sub_(logits.mean(dim=0))
        for parameter in (model.head.weight, model.head.bias):
            parameter.mul_(10)
    return model


def test_rounded_weights_compute_nearly_the_same() -> None:
    model = make_cnn()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    images, _ = as_tensors(slice(60))
    page = export_weights(model, images)
    check = {kind: np.array(page["check"][kind]) for kind in ("exact", "rounded")}
    expected = predict_logits(model, images, 60).softmax(dim=1)
    np.testing.assert_allclose(check["exact"], expected, atol=1e-5)
    assert 0 < np.abs(check["rounded"] - check["exact"]).max() < 0.1
    assert zlib.decompress(base64.b64decode(page["check"]["pixels"])) == images.numpy().tobytes()
    assert all(value.equal(before[key]) for key, value in model.state_dict().items())
    head = page["layers"][-1]
    steps = np.frombuffer(base64.b64decode(head["steps"]), np.int8).reshape(10, -1)
    scale = np.frombuffer(base64.b64decode(head["scale"]), "<f4")
    change = steps * scale[:, None] - model.head.weight.detach().numpy()
    assert np.abs(change).max() <= scale.max() / 2 + 1e-6
    assert np.abs(steps).max() == 127
