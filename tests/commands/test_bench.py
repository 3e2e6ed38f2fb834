"""`python -m mnist bench` times what the stages do, for all models on one machine."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from mnist.commands import bench
from tests.digits import as_tensors
from tests.small_models import narrow_networks, small_params

DIGITS = as_tensors(slice(160))


def test_every_model_is_measured_and_its_figures_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = small_params()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "STEPS", 2)
    Path("params.yaml").write_text(yaml.safe_dump(params.model_dump()))
    Path("data/mnist").mkdir(parents=True)
    for split in ("train", "validation"):
        images, labels = (tensor.numpy() for tensor in DIGITS)
        np.savez(f"data/mnist/{split}.npz", images=images, labels=labels)
    with narrow_networks():
        bench.main(argparse.Namespace())
    figures = json.loads(Path("metrics/benchmark.json").read_text())
    assert list(figures["models"]) == params.models
    for name, measured in figures["models"].items():
        recipe, seconds = getattr(params, name), measured["step_seconds"]
        if name != "frcnn":  # which has scenes of several digits
            assert measured["steps"] == round(recipe.epochs * (160 // recipe.batch_size))
        assert measured["train_seconds"] == pytest.approx(measured["steps"] * seconds, rel=1e-2)
        speed = recipe.batch_size / seconds
        assert measured["train_images_per_second"] == pytest.approx(speed, rel=1e-2)
        assert 0 < measured["latency_ms"] < 1000
        assert measured["infer_images_per_second"] > 1
        assert measured["operations_per_step"] > 100  # forward, backward and optimizer
