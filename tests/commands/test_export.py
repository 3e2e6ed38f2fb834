"""ONNX says what PyTorch says, in batches of any size."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from mnist.benchmark.case import build
from mnist.commands.export import export
from mnist.params import Params


@pytest.mark.parametrize("name", ["cnn", "vgg16", "alexnet", "vit"])
def test_the_exported_model_equals_pytorchs(
    name: str, committed: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = build(name, Params.model_validate(committed)).eval()
    path = tmp_path / f"{name}.onnx"
    export(model, path)
    session = onnxruntime.InferenceSession(path)
    for batch in (1, 3):
        images = torch.rand(batch, 1, 28, 28)
        (logits,) = session.run(None, {"images": images.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(logits, model(images).numpy(), atol=1e-4, rtol=1e-4)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
