"""Small models, and a folder in which the stages `evaluate` and `robustness` run."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml
from torch import nn
from torch.nn import functional as F

from mnist.models import registry, weights_io
from mnist.models.inference import to_input
from mnist.params import Params
from tests.conftest import ROOT
from tests.digits import as_tensors

# Splits of different sizes, so that a figure shows which one it was computed on.
TRAINING, VALIDATION, TEST = slice(600), slice(600, 850), slice(850, 1050)

RunStage = Callable[[ModuleType, str], None]


def small_parameters() -> Params:
    """The committed parameters with small models and short measurements."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["cnn"] |= {
        "widths": [8, 12], "kernel_sizes": [5, 3], "strides": [2, 1], "paddings": [2, 1],
        "pools": [1, 2],
    }  # fmt: skip
    values["vit"] |= {"dim": 16, "depth": 2, "heads": 2, "mlp_dim": 24}
    values["frcnn"] |= {"hidden": 16, "proposals": 10}
    values["runtime"]["threads"] = 1
    values["evaluate"] |= {"scenes": 5, "scenes_batch_size": 3, "batch_size": 64}
    values["evaluate"]["robustness"] |= {"digits": 40, "attacked_digits": 20}
    return Params.model_validate(values)


@pytest.fixture(scope="session")
def params() -> Params:
    return small_parameters()


@pytest.fixture(scope="session")
def trained(params: Params) -> nn.Module:
    """A CNN that classifies most of the digits."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = registry.build("cnn", params)
    images, labels = as_tensors(TRAINING)
    inputs = to_input(images)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for step in range(90):
        batch = torch.arange(step * 40, step * 40 + 40) % len(images)
        loss = F.cross_entropy(model(inputs[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def write_split(path: Path, part: slice, wrong_every: int = 0) -> None:
    """Write digits as stage `convert` does; every n-th has the label of another class."""
    images, labels = (tensor.numpy().copy() for tensor in as_tensors(part))
    if wrong_every:
        labels[::wrong_every] = (labels[::wrong_every] + 1) % 10
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, images=images, labels=labels.astype(np.uint8))


@pytest.fixture
def workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Params, trained: nn.Module
) -> Path:
    """params.yaml, the trained CNN and both splits; the validation split has wrong labels."""
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params.model_dump()))
    write_split(tmp_path / "data/mnist/validation.npz", VALIDATION, wrong_every=3)
    write_split(tmp_path / "data/mnist/test.npz", TEST)
    weights_io.save(tmp_path / "models/cnn.safetensors", trained)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run_stage(monkeypatch: pytest.MonkeyPatch) -> RunStage:
    """Run a stage's `main` in this process, for one model."""

    def run(stage: ModuleType, model: str) -> None:
        monkeypatch.setattr(sys, "argv", ["stage", model])
        try:
            stage.main()
        finally:
            torch.use_deterministic_algorithms(False)

    return run
