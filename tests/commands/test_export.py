"""ONNX files give PyTorch's logits, for batches of any size."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import yaml

from mnist.commands import export
from mnist.models import registry, weights_io
from mnist.params import Params


@pytest.mark.parametrize("name", ["cnn", "alexnet", "vit"])  # VGG16 is of AlexNet's class
def test_the_exported_model_equals_pytorchs(
    name: str, committed: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = registry.build(name, Params.model_validate(committed)).eval()
    path = tmp_path / f"{name}.onnx"
    export.export(model, path)
    session = onnxruntime.InferenceSession(path)
    for batch in (1, 3):
        images = torch.rand(batch, 1, 28, 28)
        (logits,) = session.run(None, {"images": images.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(logits, model(images).numpy(), atol=1e-4, rtol=1e-4)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_detector_is_left_out(
    committed: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(committed))
    model = registry.build("cnn", Params.model_validate(committed))
    weights_io.save(Path("models/cnn.safetensors"), model)
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    export.main(parser.parse_args(["--models", "cnn,frcnn"]))
    assert [path.name for path in Path("exports").iterdir()] == ["cnn.onnx"]
    cnn, frcnn = capsys.readouterr().out.splitlines()[-2:]
    assert cnn.startswith("cnn: exports/cnn.onnx, ")
    assert frcnn == "frcnn: left out; PyTorch's exporter cannot follow a detector"
