"""The training stages, run by their own `main`: each trains its own model and writes its files."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch.nn import functional as F

from mnist.errors import UserError
from mnist.models import registry
from mnist.params import load_params
from mnist.training import run
from tests.small_models import narrow_networks
from tests.small_pipeline import RECIPES, STAGES, run_stage, write_params


@pytest.fixture
def folder(pipeline: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pipeline, tmp_path / "pipeline")


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_follows_its_own_section_and_writes_the_files_of_the_contract(
    name: str, pipeline: Path
) -> None:
    params = load_params(pipeline / "params.yaml")
    with narrow_networks():
        architecture = registry.load(name, pipeline / f"models/{name}.safetensors").architecture
    expected = getattr(params, name).model_dump() | {"classes": 10, "network": name}
    expected["convolutions"] = params.cnn.model_dump(
        include={*architecture.get("convolutions", [])}
    )
    for key in architecture.keys() & expected.keys():
        assert architecture[key] == expected[key], key

    metrics = json.loads((pipeline / f"metrics/train/{name}.json").read_text())
    assert metrics.keys() == {
        "epochs", "train_samples", "train_loss", "val_loss", "val_accuracy", "train_tflop"
    }  # fmt: skip
    assert metrics["epochs"] == RECIPES[name]["epochs"]
    digits_per_sample = 1.5 if name == "frcnn" else 1
    images = metrics["train_samples"] * digits_per_sample
    assert images == pytest.approx(600 * metrics["epochs"])
    with (pipeline / f"metrics/curves/{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert {row["val_digits"] for row in rows} == {"250"}  # the validation split
    for key in ("train_loss", "val_loss", "val_accuracy"):
        assert float(rows[-1][key]) == metrics[key]
    assert not list(pipeline.rglob("*.tmp"))
    assert not list(pipeline.glob("checkpoints/*.pt"))  # no longer needed


@pytest.mark.parametrize(("name", "least"), [("cnn", 0.6), ("frcnn", 0.3), ("vit", 0.6)])
def test_it_has_learnt(name: str, least: float, pipeline: Path) -> None:
    """The accuracy on the test split; chance is 0.1. The others learn in tests/models."""
    headline = json.loads((pipeline / f"metrics/test/{name}.json").read_text())
    assert headline["accuracy"] > least
    assert headline.get("map_50", 1) > 0.4


def weights(folder: Path, file: str, layer: str) -> torch.Tensor:
    return load_file(folder / f"{file}.safetensors")[f"{layer}.weight"]


def test_a_training_starts_from_the_weights_of_another_one(pipeline: Path) -> None:
    for name, layer in (("vgg16", "10"), ("alexnet", "3")):
        start = weights(pipeline, f"data/weights/{name}", layer)
        change = weights(pipeline, f"models/{name}", f"backbone.{layer}") - start
        assert 0 < change.abs().max() < 0.05
    frozen = weights(pipeline, "models/vgg16", "backbone.5")
    assert torch.equal(frozen, weights(pipeline, "data/weights/vgg16", "5"))
    cnn = weights(pipeline, "models/cnn", "features.3").flatten()
    for layer in ("backbone.3", "crop_heads.box_predictor.features.3"):
        detector = weights(pipeline, "models/frcnn", layer).flatten()
        assert F.cosine_similarity(cnn, detector, dim=0) > 0.8


def train_vit(folder: Path, **changes: Any) -> bytes:
    """Train six steps, with `changes` in params.yaml; returns the file of the weights."""
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["vit"]["epochs"] = 0.2
    params["runtime"] |= {"checkpoint_seconds": 0}
    write_params(folder, params | changes)
    torch.rand(3)  # what was drawn before does not matter
    run_stage(folder, "train_vit")
    return (folder / "models/vit.safetensors").read_bytes()


def test_the_seed_and_the_precision_decide_the_weights(folder: Path) -> None:
    other = train_vit(folder, seed=4)
    started = weights(folder, "models/vit", "stem.0")
    first = train_vit(folder, seed=3)
    # More than six steps change: the first weights differ, too.
    assert (weights(folder, "models/vit", "stem.0") - started).abs().max() > 0.1
    assert train_vit(folder, seed=3) == first
    assert len({first, other, train_vit(folder, precision="bfloat16", seed=3)}) == 3


def test_a_stage_goes_on_from_its_checkpoint(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, curve = train_vit(folder), (folder / "metrics/curves/vit.csv").read_text()

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "_write", stop)
        with pytest.raises(KeyboardInterrupt):
            train_vit(folder)
    shutil.rmtree(folder / "metrics/curves")  # as DVC deletes the outputs of a stage
    capsys.readouterr()
    assert train_vit(folder) == whole
    assert "continuing from step 6 of 6" in capsys.readouterr().out
    assert (folder / "metrics/curves/vit.csv").read_text() == curve


def test_a_network_that_does_not_fit_the_images_is_one_clear_error(folder: Path) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["alexnet"]["input_size"] = 8
    write_params(folder, params)
    with pytest.raises(UserError, match="the section alexnet of params.yaml makes no network"):
        run_stage(folder, "finetune_alexnet")
