"""`python -m mnist seeds` and `scaling` train what their files lack, beside the workspace."""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from mnist.commands import scaling, seeds
from mnist.errors import UserError
from mnist.seed_files import read_errors, read_rows
from mnist.training.classification import Classification
from mnist.training.detection import Detection
from tests.reporting.synthetic import make_params, write_csv, write_json, write_scaling, write_seeds

WEIGHTS, LOCK, PARAMS = Path("models/cnn.safetensors"), Path("dvc.lock"), Path("params.yaml")


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Go to files as `dvc repro` leaves them; returns the seeds that are trained from now on."""
    monkeypatch.chdir(tmp_path)
    params = make_params(("cnn", "vit")).model_dump()
    params["cnn"]["epochs"] = 3
    PARAMS.write_text(yaml.safe_dump(params))
    write_seeds(Path("metrics"), {})
    test = {"accuracy": 0.99, "f1_macro": 0.98, "errors": 1, "nll": 0.1, "ece": 0.01}
    write_json(Path("metrics/test/cnn.json"), test)
    write_json(Path("metrics/examples/cnn.json"), {"weights_sha256": "a1"})
    write_csv(Path("metrics/predictions/cnn.csv"), "actual,predicted", [(4, 4), (5, 6)])
    kinds = [("none", 0.99), ("fog", 0.5), ("blur", 0.6)]
    write_csv(Path("metrics/robustness/cnn.csv"), "corruption,accuracy", kinds)
    tracked = {"cnn": params["cnn"], "seed": params["seed"]}
    weights = [{"path": str(WEIGHTS), "md5": "5"}]
    write_json(Path("metrics/train/cnn.json"), {"val_accuracy": 0.97, "train_tflop": 2.5})
    train = {"params": {"params.yaml": tracked}, "outs": weights}
    used = [
        {"params": {"params.yaml": {section: params[section]}}} for section in ("data", "evaluate")
    ]
    stages = {"convert": used[0], "train_cnn": train, "evaluate@cnn": used[1] | {"deps": weights}}
    LOCK.write_text(yaml.dump({"stages": stages}))
    found: list[int] = []

    def run_experiment(name: str, settings: dict[str, int], target: str) -> str:
        assert name.startswith(f"cnn-seed-{settings['seed']}")
        assert target == "evaluate@cnn"
        found.append(settings["seed"])
        return "commit"

    def git(show: str, path: str) -> str:  # the commit has the figures at hand, but this one
        assert (show, path[:9]) == ("show", "commit:./")
        return Path(path[9:]).read_text().replace("0.98", "0.88")

    monkeypatch.setattr(seeds, "run_experiment", run_experiment)
    monkeypatch.setattr(seeds, "git", git)
    return found


def run(*wanted: str) -> list[dict[str, str]]:
    seeds.main(argparse.Namespace(wanted=list(wanted)))
    with open(seeds.SEEDS, newline="") as file:
        return list(csv.DictReader(file))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_model_at_hand_is_taken_and_other_seeds_are_trained(trained: list[int]) -> None:
    first, second, _ = run("cnn=3")
    assert trained == [2, 3]
    assert first | {"recipe": ""} == {
        "model": "cnn", "seed": "1", "weights_sha256": "a1", "accuracy": "0.99",
        "f1_macro": "0.98", "errors": "1", "nll": "0.1", "ece": "0.01", "val_accuracy": "0.97",
        "corrupted": "0.55", "recipe": "", "map": "",
    }  # fmt: skip
    assert second == first | {"seed": "2", "f1_macro": "0.88"}
    assert read_errors(seeds.SEED_ERRORS) == {("cnn", seed): [(1, 6)] for seed in (1, 2, 3)}
    run("cnn=4")
    assert trained == [2, 3, 4]  # what the file holds is not trained again


def test_another_recipe_or_result_drops_the_rows(trained: list[int]) -> None:
    replace(PARAMS, "mlp_dim: ", "mlp_dim: 1")  # the parameters of another model change nothing
    old = run("cnn=2")
    for file, before, after in (
        (PARAMS, "threads: 2", "threads: 1"),
        (LOCK, "md5: '5'", "md5: '6'"),
    ):
        replace(file, before, after)
        (row,) = run("cnn=1")
        assert (row["seed"], row["recipe"] != old[0]["recipe"]) == ("1", True)
        old = run("cnn=2")
    assert trained == [2, 2, 2]


def test_a_stop_loses_one_training(trained: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    run_experiment = seeds.run_experiment

    def stopped(name: str, settings: dict[str, int], target: str) -> str:
        if settings["seed"] == 3:
            raise KeyboardInterrupt
        return run_experiment(name, settings, target)

    monkeypatch.setattr(seeds, "run_experiment", stopped)
    with pytest.raises(KeyboardInterrupt):
        run("cnn=3")
    monkeypatch.setattr(seeds, "run_experiment", run_experiment)
    assert [row["seed"] for row in run("cnn=3")] == ["1", "2", "3"]
    assert trained == [2, 3]


@pytest.mark.parametrize(
    ("model", "value"),
    [
        ("cnn", "strides:\n  - "),
        ("cnn", "validation_size: "),
        ("cnn", "scenes_seed: "),
        ("vit", "scenes_seed: "),
    ],  # fmt: skip
)
def test_what_is_at_hand_must_be_of_params_yaml(trained: list[int], model: str, value: str) -> None:
    replace(PARAMS, value, f"{value}1")
    with pytest.raises(UserError, match=f"run `dvc repro evaluate@{model}` first"):
        run(f"{model}=1")


def test_two_commands_keep_each_others_rows(
    trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_experiment(name: str, *_: object) -> str:
        write_seeds(Path("metrics"), {("vit", 1): [0]})  # meanwhile
        return "commit"

    monkeypatch.setattr(seeds, "run_experiment", run_experiment)
    assert [(row["model"], row["seed"]) for row in run("cnn=2")] == [("cnn", "2"), ("vit", "1")]


def test_a_wrong_argument_is_named(trained: list[int]) -> None:
    for wrong in ("cnn", "cnn=-1", "lenet=2"):
        with pytest.raises(UserError, match="is not MODEL=COUNT, such as cnn=5"):
            run(wrong)


def run_scaling(count: int) -> list[dict[str, str]]:
    scaling.main(argparse.Namespace(models=["cnn"], seeds=count))
    with open("metrics/scaling.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_scaling_goes_on_where_it_was_stopped_and_drops_other_recipes(trained: list[int]) -> None:
    write_scaling(Path("metrics"), {("cnn", 7, 7): [0.5]}, "an older recipe")
    Path("data/mnist").mkdir(parents=True)
    images = np.zeros((1500, 28, 28), np.uint8)
    np.savez("data/mnist/train.npz", images=images, labels=np.zeros(1500))
    rows = run_scaling(1)
    # 3 epochs of 1,500 images, 11 steps each; no 10,000 images are there.
    assert [(row["training_images"], row["steps"]) for row in rows] == [
        ("100", "8"), ("1000", "8"), ("1500", "4"), ("1500", "11"),
    ]  # fmt: skip
    assert rows[0] | {"recipe": ""} == {
        "model": "cnn", "seed": "1", "training_images": "100", "steps": "8", "train_tflop": "2.5",
        "accuracy": "0.99", "errors": "1", "recipe": "",
    }  # fmt: skip
    (at_hand,) = read_rows(seeds.SEEDS).values()
    assert rows[0]["recipe"] == at_hand["recipe"]
    assert len(run_scaling(2)) == 8
    assert trained == [1] * 4 + [2] * 4  # the first four were there
    replace(PARAMS, "threads: 2", "threads: 1")
    assert len(run_scaling(1)) == 4


@pytest.mark.parametrize("name", ["cnn", "frcnn"])
def test_a_subset_gets_a_quarter_of_the_steps_as_its_training_counts_them(name: str) -> None:
    params = make_params()
    recipe = getattr(params, name)
    task: Any = Classification if name == "cnn" else Detection
    spans = {}
    for size in (100, 1000, 5000):
        data = torch.zeros(size, 28, 28), torch.zeros(size)
        spans[size] = task(data, data, recipe, 1).steps_per_epoch
    whole = round(recipe.epochs * spans[5000])
    jobs = scaling.make_jobs(params, [name], 5000, [3])
    assert [key[2:] for key in jobs] == [
        (5000, round(whole / 9)), (5000, round(whole / 3)),
        (100, round(whole / 4)), (1000, round(whole / 4)),
    ]  # fmt: skip
    for (_, seed, size, steps), settings in jobs.items():
        assert round(settings[f"{name}.epochs"] * spans[size]) == steps
        assert settings["seed"] == seed == 3
        assert settings.get("data.training_size", 5000) == size
    # The detector starts from the CNN's training on the same digits, which DVC then runs once.
    of_cnn = scaling.make_jobs(params, ["cnn"], 5000, [3]).values()
    assert all(c.items() <= own.items() for c, own in zip(of_cnn, jobs.values(), strict=True))
