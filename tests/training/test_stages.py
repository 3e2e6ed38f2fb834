"""Each training stage trains its own model, by its own section of params.yaml, and writes files."""

import csv
import importlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from mnist.atomic_io import sha256
from mnist.data.imagenet import load_imagenet_weights
from mnist.errors import UserError
from mnist.models import fine_tuned, registry
from mnist.params import Params, load_params
from mnist.training import lock, run
from mnist.training.classification import Classification
from mnist.training.detection import Detection
from mnist.training.run import training_flops
from tests.conftest import ROOT
from tests.digits import as_tensors, digits
from tests.small_models import SHORT, SMALL, narrow, small_case, small_model, small_params

STAGES = {
    "cnn": "train_cnn",
    "frcnn": "train_frcnn",
    "vgg16": "finetune_vgg16",
    "alexnet": "finetune_alexnet",
    "vit": "train_vit",
}
TRAINING, VALIDATION = slice(100), slice(300, 340)
# So that no section has the value of another.
DISTINCT = {
    name: {"epochs": 0.5 + i / 10, "lr": 0.001 + i / 1000, "warmup": 0.1 + i / 100}
    for i, name in enumerate(STAGES)
}


@dataclass
class Trained:
    """What a stage handed to `train`, the weights before, and what its checkpoint hashes."""

    model: nn.Module
    task: Any
    recipe: Any
    precision: torch.dtype
    before: dict[str, Tensor]
    hashed: list[Tensor]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all five stages can run."""
    folder = tmp_path_factory.mktemp("stages")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for name in STAGES:
        params[name] |= SHORT | SMALL[name] | DISTINCT[name]
    params["alexnet"] |= {"weights": "none"}
    params |= {"seed": 7, "precision": "bfloat16"}
    params["runtime"]["threads"] = 1
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (folder / "data/mnist").mkdir(parents=True)
    images, labels = digits()
    for name, part in (("train", TRAINING), ("validation", VALIDATION)):
        np.savez(folder / f"data/mnist/{name}.npz", images=images[part], labels=labels[part])
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[str, Trained]:
    """Run all five stages, in the order of dvc.yaml."""
    seen: dict[str, Trained] = {}
    hashed: list[Tensor] = []
    train, open_checkpoint = run.train, run.open_checkpoint

    def record_hashed(*arguments: Any) -> Any:
        hashed[:] = [tensor.clone() for tensor in arguments[-1]]
        return open_checkpoint(*arguments)

    def record(model: Any, task: Any, recipe: Any, precision: Any, *rest: Any) -> Any:
        before = {key: value.clone() for key, value in model.state_dict().items()}
        seen[name] = Trained(model, task, recipe, precision, before, [*hashed])
        return train(model, task, recipe, precision, *rest)

    networks = {key: narrow(network) for key, network in fine_tuned.NETWORKS.items()}
    here = Path.cwd()
    os.chdir(folder)
    with (
        mock.patch.dict(fine_tuned.NETWORKS, networks),
        mock.patch.dict(os.environ),
        mock.patch.object(run, "train", record),
        mock.patch.object(run, "open_checkpoint", record_hashed),
        mock.patch("stages.finetune_vgg16.load_imagenet_weights"),
    ):
        os.environ.pop("DVC_STAGE", None)
        for name in STAGES:
            importlib.import_module(f"stages.{STAGES[name]}").main()
    os.chdir(here)
    return seen


@pytest.fixture
def params(folder: Path) -> Params:
    return load_params(folder / "params.yaml")


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_its_own_section(
    name: str, trained: dict[str, Trained], params: Params
) -> None:
    got, section = trained[name], getattr(params, name)
    assert got.recipe == got.task.recipe == section
    assert got.task.seed == 7
    assert got.precision == torch.bfloat16
    assert type(got.task) is (Detection if name == "frcnn" else Classification)
    values = section.model_dump()
    values |= values.get("scenes", {})
    architecture: dict[str, Any] = dict(got.model.architecture)  # type: ignore[arg-type]
    convolutions = architecture.pop("convolutions", {})
    assert convolutions == {key: getattr(params.cnn, key) for key in convolutions}
    for key in architecture.keys() & values.keys():
        assert architecture[key] == values[key], key
    assert architecture["classes"] == 10
    assert architecture.get("network", name) == name


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_trains_on_the_training_and_validates_on_the_validation_split(
    name: str, trained: dict[str, Trained]
) -> None:
    task, hashed = trained[name].task, trained[name].hashed
    splits = [*as_tensors(TRAINING), *as_tensors(VALIDATION)]
    used = [task.images, task.labels, *task.validation]
    for got, expected in zip(used, splits, strict=True):
        assert torch.equal(got, expected)
    # Another split or other initial weights make another training: its checkpoint has another name.
    for got, expected in zip(hashed, [*splits, *trained[name].before.values()], strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize("name", STAGES)
def test_the_seed_decides_the_initial_weights(
    name: str, trained: dict[str, Trained], params: Params
) -> None:
    before = trained[name].before
    from_the_cnn = ("backbone.", "crop_heads.") if name == "frcnn" else ()
    for key, value in small_model(name, params, seed=7).state_dict().items():
        assert key.startswith(from_the_cnn) or torch.equal(before[key], value), key


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_writes_the_files_of_the_contract(
    name: str, trained: dict[str, Trained], params: Params, folder: Path
) -> None:
    metrics = json.loads((folder / f"metrics/train/{name}.json").read_text())
    task, section = trained[name].task, getattr(params, name)
    steps = round(section.epochs * task.steps_per_epoch)
    assert metrics["epochs"] == pytest.approx(steps / task.steps_per_epoch, abs=1e-6)
    assert metrics["train_samples"] == steps * section.batch_size
    flops = training_flops(trained[name].model, task)
    assert metrics["train_tflop"] == pytest.approx(steps * section.batch_size * flops / 1e12, 0.1)
    assert metrics.keys() == {
        "epochs", "train_samples", "train_loss", "val_loss", "val_accuracy", "train_tflop"
    }  # fmt: skip
    with (folder / f"metrics/curves/{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == min(8, steps)
    for key in ("train_loss", "val_loss", "val_accuracy"):
        assert float(rows[-1][key]) == metrics[key]
    timing = json.loads((folder / f"models/{name}.timing.json").read_text())
    assert timing["weights_sha256"] == sha256(folder / f"models/{name}.safetensors")
    assert timing["world_size"] == timing["threads"] == 1
    assert timing["train_images_per_second"] > 0
    assert timing.keys() == {
        "train_seconds", "train_images_per_second", "peak_memory_mb", "device", "cpu", "threads",
        "portable", "world_size", "torch", "weights_sha256",
    }  # fmt: skip
    assert not list(folder.rglob("*.tmp"))
    assert not list(folder.glob("checkpoints/*.pt"))  # no longer needed


def test_frozen_blocks_keep_their_weights_and_all_others_move(
    trained: dict[str, Trained], folder: Path
) -> None:
    networks = {key: narrow(network) for key, network in fine_tuned.NETWORKS.items()}
    with mock.patch.dict(fine_tuned.NETWORKS, networks):
        model = registry.load("vgg16", folder / "models/vgg16.safetensors")
    before = trained["vgg16"].before
    kept = [
        torch.equal(value, before[key])
        for key, value in model.state_dict().items()
        if key.startswith("backbone.")
    ]
    assert kept == [True] * 8 + [False] * 18  # weight and bias of four of thirteen convolutions


def test_the_detector_starts_as_the_trained_cnn(trained: dict[str, Trained], folder: Path) -> None:
    cnn: Any = registry.load("cnn", folder / "models/cnn.safetensors")
    before = trained["frcnn"].before
    for key, value in cnn.features.state_dict().items():
        assert torch.equal(before[f"backbone.{key}"], value), key
        assert torch.equal(before[f"crop_heads.box_predictor.features.{key}"], value), key
    assert torch.equal(before["crop_heads.box_predictor.cls_score.weight"][1:], cnn.head.weight)


def test_the_detector_can_start_from_random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = importlib.import_module("stages.train_frcnn")
    monkeypatch.setattr(stage, "load_params", lambda: small_params(frcnn={"backbone": "none"}))
    monkeypatch.setattr(stage, "run_training", lambda *_: None)
    stage.main()  # there is no models/cnn.safetensors in this folder to start from


@pytest.mark.parametrize("own", ["imagenet", "none"])
@pytest.mark.parametrize("name", ["vgg16", "alexnet"])
def test_imagenet_weights_are_loaded_where_the_own_section_wants_them(
    name: str, own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"vgg16": "alexnet", "alexnet": "vgg16"}[name]
    opposite = {"imagenet": "none", "none": "imagenet"}[own]
    sections = {name: own, other: opposite}
    params = small_params(
        **{key: {"weights": w, "frozen_blocks": 0} for key, w in sections.items()}
    )
    stage = importlib.import_module(f"stages.{STAGES[name]}")
    monkeypatch.setattr(stage, "load_params", lambda: params)
    calls: list[Any] = []
    monkeypatch.setattr(stage, "load_imagenet_weights", lambda *rest: calls.append(rest[1:]))
    monkeypatch.setattr(stage, "run_training", lambda *_: None)
    stage.main()
    expected = [(name, Path(f"data/weights/{name}.safetensors"))]
    assert calls == (expected if own == "imagenet" else [])


def test_missing_imagenet_weights_are_reported(tmp_path: Path) -> None:
    model = small_model("alexnet", small_params())
    with pytest.raises(UserError, match="run `dvc repro -f fetch_weights`"):
        load_imagenet_weights(model, "alexnet", tmp_path / "alexnet.safetensors")


def test_a_stage_resumes_and_holds_the_lock_while_it_trains(
    folder: Path, trained: dict[str, Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(Exception):
        pass

    def stop(*arguments: Any) -> None:
        *_, checkpoint, curve_file = arguments
        assert str(curve_file) == "metrics/curves/vit.csv"
        checkpoint.save({}, step=1)
        assert len(list(Path("checkpoints").glob("vit-*.pt"))) == 1
        monkeypatch.setattr(lock, "LOCK_TIMEOUT", 0.1)
        with (
            pytest.raises(UserError, match="is at the same training"),
            lock.training_lock(Path("checkpoints/vit.0.lock")),
        ):
            pass
        raise Stop

    monkeypatch.chdir(folder)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setattr(run, "train", stop)
    stage = importlib.import_module("stages.train_vit")
    with pytest.raises(Stop):
        stage.main()

    def resumed(*arguments: Any) -> None:
        assert arguments[-2].load({}) == 1
        raise Stop

    monkeypatch.setattr(run, "train", resumed)
    with pytest.raises(Stop):
        stage.main()
    next(Path("checkpoints").glob("vit-*.pt")).unlink()


def test_a_training_can_be_told_not_to_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = small_params()
    model = small_model("cnn", params)
    for resume, steps_done in ((True, 0), (True, 1), (False, 0)):
        runtime = params.runtime.model_copy(update={"resume": resume})
        changed = params.model_copy(update={"runtime": runtime})
        checkpoint = run.open_checkpoint("cnn", changed, model, torch.device("cpu"), [])
        assert checkpoint.load({}) == steps_done
        checkpoint.save({}, step=1)


def test_frozen_layers_count_no_backward_pass() -> None:
    """Of the operations that a training step takes per image."""
    flops = {}
    for blocks in (0, 2, 5):
        model, task, _ = small_case("vgg16", frozen_blocks=blocks)
        weights = {key: value.clone() for key, value in model.state_dict().items()}
        flops[blocks] = training_flops(model, task)
        assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())
    assert flops[5] < flops[2] < flops[0]
    forward = flops[5]  # and the head, which is small
    assert 2.5 * forward < flops[0] < 3 * forward
