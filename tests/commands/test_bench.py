"""`python -m mnist bench` times what the stages do, for all models on one machine."""

import argparse
import json
from pathlib import Path
from typing import Any

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
    assert figures["device"] == "cpu"
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


def test_the_steps_are_timed_and_counted_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by one with each batch shows how many steps lie between two readings."""
    params = small_params()
    read: list[int] = []
    batches = 0

    class Counting(bench.Classification):
        def batch(self, step: int) -> Any:
            nonlocal batches
            batches += 1
            return super().batch(step)

    def now() -> float:
        read.append(batches)
        return float(batches)

    monkeypatch.setattr(bench, "Classification", Counting)
    monkeypatch.setattr(bench, "now", now)
    for steps in (5, 10):
        monkeypatch.setattr(bench, "STEPS", steps)
        assert bench.measure("cnn", params, DIGITS, DIGITS[0])["step_seconds"] == 1
