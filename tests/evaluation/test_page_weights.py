"""Eight bits a weight hardly change what the network computes."""

import base64
import zlib

import numpy as np
from torch import nn

from mnist.evaluation.page_weights import export_weights
from mnist.models.cnn import CNN
from mnist.models.inference import predict_logits
from tests.digits import as_tensors


def test_rounded_weights_compute_nearly_the_same(trained: nn.Module) -> None:
    assert isinstance(trained, CNN)
    before = {key: value.clone() for key, value in trained.state_dict().items()}
    images, _ = as_tensors(slice(60))
    page = export_weights(trained, images)
    check = {kind: np.array(page["check"][kind]) for kind in ("exact", "rounded")}
    expected = predict_logits(trained, images, 60).softmax(dim=1)
    np.testing.assert_allclose(check["exact"], expected, atol=1e-5)
    assert 0 < np.abs(check["rounded"] - check["exact"]).max() < 0.1
    assert zlib.decompress(base64.b64decode(page["check"]["pixels"])) == images.numpy().tobytes()
    assert all(value.equal(before[key]) for key, value in trained.state_dict().items())
    head = page["layers"][-1]
    steps = np.frombuffer(base64.b64decode(head["steps"]), np.int8).reshape(10, -1)
    scale = np.frombuffer(base64.b64decode(head["scale"]), "<f4")
    change = steps * scale[:, None] - trained.head.weight.detach().numpy()
    assert np.abs(change).max() <= scale.max() / 2 + 1e-6
    assert np.abs(steps).max() == 127
    assert [layer["kind"] for layer in page["layers"]].count("convolution") == 2
