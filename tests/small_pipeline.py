"""The pipeline on small models and digits, run in this process by the stages' own `main`."""

import importlib
import os
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import yaml
from safetensors.torch import load_file, save_file

from mnist.models import fine_tuned
from mnist.models.fine_tuned import FineTunedNetwork
from tests.conftest import ROOT
from tests.digits import digits
from tests.small_models import SMALL, narrow_networks

STAGES = {
    "cnn": "train_cnn",
    "frcnn": "train_frcnn",
    "vgg16": "finetune_vgg16",
    "alexnet": "finetune_alexnet",
    "vit": "train_vit",
}
# Splits of different sizes, so that a figure shows which one it was computed on.
TRAINING, VALIDATION, TEST = slice(600), slice(600, 850), slice(850, 1050)
# Different numbers, so that a stage that reads another model's section shows.
RECIPES: dict[str, dict[str, Any]] = {
    "cnn": {"epochs": 6, "batch_size": 24, "widths": [8, 16, 16, 32]},
    "frcnn": {
        "epochs": 1.2, "batch_size": 8, "lr": 0.004,
        "scenes": {"side": 48, "digits_min": 1, "digits_max": 2, "scale": 0.1, "overlap": 0.0},
    },
    "vgg16": {"epochs": 2, "batch_size": 30},
    "alexnet": {"epochs": 3, "batch_size": 25},
    "vit": {"epochs": 8, "batch_size": 20, "dim": 40, "heads": 4, "hard_example_mining": False},
}  # fmt: skip


def run_pipeline(folder: Path) -> None:
    """Train and evaluate all five models in `folder`, which is empty."""
    write_inputs(folder)
    for name in STAGES:
        run_stage(folder, STAGES[name])
        run_stage(folder, "evaluate", name)


def pipeline_params() -> dict[str, Any]:
    """Return the committed parameters with small models and short recipes."""
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for name, recipe in RECIPES.items():
        params[name] |= {"ema_decay": 0.9} | SMALL[name] | recipe
    params["evaluate"] |= {"scenes": 12, "scenes_batch_size": 5, "corrupted_digits": 40}
    params["runtime"]["threads"] = 1
    return params


def write_inputs(folder: Path) -> None:
    """Write params.yaml, the arrays of stage `convert` and the weights of `fetch_weights`."""
    write_params(folder, pipeline_params())
    for name, part in (("train", TRAINING), ("validation", VALIDATION), ("test", TEST)):
        write_split(folder, name, part)
    (folder / "data/weights").mkdir()
    with narrow_networks():
        for network in fine_tuned.NETWORKS:
            torch.manual_seed(0)
            weights = fine_tuned.make_backbone(network).state_dict()
            save_file(weights, folder / f"data/weights/{network}.safetensors")


def write_params(folder: Path, params: dict[str, Any]) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def write_split(folder: Path, name: str, part: slice, wrong_every: int = 0) -> None:
    """Write digits as stage `convert` does; every n-th has the label of another class."""
    images, labels = (array[part].copy() for array in digits())
    if wrong_every:
        labels[::wrong_every] = (labels[::wrong_every] + 1) % 10
    path = folder / f"data/mnist/{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, images=images, labels=labels)


def run_stage(folder: Path, stage: str, *arguments: str) -> None:
    """Run the stage's `main` in `folder`, with narrow VGG16 and AlexNet."""
    module = importlib.import_module(f"stages.{stage}")
    with narrow_networks(), chdir(folder), mock.patch.dict(os.environ):
        os.environ.pop("DVC_STAGE", None)
        with mock.patch.object(sys, "argv", [stage, *arguments]):
            try:
                if hasattr(module, "load_imagenet_weights"):
                    with mock.patch.object(module, "load_imagenet_weights", load_random_weights):
                        module.main()
                else:
                    module.main()
            finally:
                torch.use_deterministic_algorithms(False)


def load_random_weights(model: FineTunedNetwork, _network: str, path: Path) -> None:
    """Stand in for `load_imagenet_weights`, which refuses all weights but ImageNet's."""
    model.backbone.load_state_dict(load_file(path))
