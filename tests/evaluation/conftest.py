"""The small trained models, and a copy of their pipeline for stage `evaluate` to run in."""

import shutil
from pathlib import Path

import pytest
from torch import nn

from mnist.models import registry
from mnist.params import Params
from tests.small_pipeline import pipeline_params


@pytest.fixture(scope="session")
def params() -> Params:
    return Params.model_validate(pipeline_params())


@pytest.fixture(scope="session")
def trained(pipeline: Path) -> nn.Module:
    """A CNN that classifies most of the digits."""
    return registry.load("cnn", pipeline / "models/cnn.safetensors")


@pytest.fixture
def workspace(pipeline: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pipeline, tmp_path / "pipeline")
