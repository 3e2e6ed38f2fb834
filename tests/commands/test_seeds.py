"""`python -m mnist seeds` trains what metrics/seeds.csv does not hold yet, beside the workspace."""

import argparse
import csv
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mnist.atomic_io import sha256
from mnist.commands import experiment, seeds
from mnist.errors import UserError
from mnist.reporting.seed_files import COLUMNS, read_errors
from tests.reporting.synthetic import make_params, write_csv, write_json, write_seeds


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files as `dvc repro` leaves them, without running it."""
    monkeypatch.chdir(tmp_path)
    params = make_params(("cnn", "vit")).model_dump()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    write_seeds(tmp_path / "metrics", {})
    write_json(tmp_path / "metrics/timing.json", {"cnn": {"train_seconds": 120}})
    (tmp_path / "models").mkdir()
    (tmp_path / "models/cnn.safetensors").write_text("weights")
    test = {"accuracy": 0.99, "f1_macro": 0.98, "errors": 1, "nll": 0.1, "ece": 0.01, "map": 1}
    write_json(tmp_path / "metrics/test/cnn.json", test)
    write_json(tmp_path / "metrics/train/cnn.json", {"val_accuracy": 0.97})
    write_csv(
        tmp_path / "metrics/predictions/cnn.csv", "actual,predicted,p0", [(4, 4, 0), (5, 6, 0)]
    )
    shown = {"weights_sha256": sha256("models/cnn.safetensors")}
    write_json(tmp_path / "metrics/examples/cnn.json", shown)
    write_lock("md5 of the weights", cnn=params["cnn"], seed=params["seed"])
    return tmp_path


def write_lock(md5: str, **tracked: Any) -> None:
    out = {"path": "models/cnn.safetensors", "md5": md5}
    train = {"params": {"params.yaml": tracked}, "outs": [out]}
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": {"fetch": {}, "train_cnn": train}}))


def change_params(**changes: Any) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    for section, values in changes.items():
        params[section] |= values
    Path("params.yaml").write_text(yaml.safe_dump(params))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds that were trained, without DVC."""
    found: list[int] = []

    def train(model: str, seed: int) -> tuple[dict[str, Any], list[tuple[int, int]]]:
        found.append(seed)
        figures = dict.fromkeys(COLUMNS, 0.9) | {"weights_sha256": f"weights of seed {seed}"}
        return {key: figures[key] for key in COLUMNS[3:]} | {"errors": 2}, [(seed, 1), (9, 8)]

    monkeypatch.setattr(seeds, "train", train)
    return found


def run(*wanted: str) -> list[dict[str, str]]:
    seeds.main(argparse.Namespace(wanted=list(wanted)))
    with open(seeds.SEEDS, newline="") as file:
        return list(csv.DictReader(file))


def test_the_model_at_hand_is_taken_as_it_is(project: Path, trained: list[int]) -> None:
    (row,) = run("cnn=1")
    assert trained == []
    assert row.pop("recipe")
    assert row.pop("weights_sha256") == sha256("models/cnn.safetensors")
    assert row == {
        "model": "cnn",
        "seed": "1",
        "accuracy": "0.99",
        "f1_macro": "0.98",
        "errors": "1",
        "nll": "0.1",
        "ece": "0.01",
        "val_accuracy": "0.97",
    }
    assert read_errors(seeds.SEED_ERRORS) == {("cnn", 1): [(1, 6)]}


def test_the_model_at_hand_is_not_taken_where_its_metrics_are_of_others(
    project: Path, trained: list[int]
) -> None:
    Path("models/cnn.safetensors").write_text("trained, but not evaluated yet")
    run("cnn=1")
    assert trained == [1]


def test_what_the_file_holds_is_not_trained_again(project: Path, trained: list[int]) -> None:
    run("cnn=2")
    rows = run("cnn=3")
    assert trained == [2, 3]
    assert [row["seed"] for row in rows] == ["1", "2", "3"]
    assert len({row["recipe"] for row in rows}) == 1
    assert read_errors(seeds.SEED_ERRORS)["cnn", 3] == [(3, 1), (9, 8)]


def test_a_row_without_its_errors_is_trained_again(project: Path, trained: list[int]) -> None:
    run("cnn=3")
    text = seeds.SEED_ERRORS.read_text()
    seeds.SEED_ERRORS.write_text(text.replace("cnn,2,9,8\n", ""))
    trained.clear()
    run("cnn=3")
    assert trained == [2]
    assert seeds.SEED_ERRORS.read_text() == text


def test_the_time_left_is_shown(
    project: Path, trained: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    run("cnn=3")
    first, second = capsys.readouterr().out.splitlines()
    assert first == "seeds: cnn with seed 2 (2 of 3), about 4 minutes of training left"
    assert "(3 of 3), about 2 minutes" in second


def test_the_seed_of_params_yaml_comes_first(project: Path, trained: list[int]) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("\nseed: 1\n", "\nseed: 9\n"))
    run("cnn=3")
    assert trained == [9, 2]  # 1 is at hand


def test_a_training_that_fails_keeps_those_before(
    project: Path, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: str, seed: int) -> None:
        raise UserError("no")

    monkeypatch.setattr(seeds, "train", fail)
    with pytest.raises(UserError):
        run("cnn=2")
    assert [row["seed"] for row in csv.DictReader(seeds.SEEDS.read_text().splitlines())] == ["1"]


@pytest.mark.parametrize("change", ["lr", "threads", "weights"])
def test_another_recipe_drops_the_rows_of_the_old(
    project: Path, trained: list[int], change: str
) -> None:
    (_, old) = run("cnn=2")
    if change == "lr":
        change_params(cnn={"lr": 0.001})
    elif change == "threads":
        change_params(runtime={"threads": 1})
    else:
        params = make_params().model_dump()
        write_lock("md5 of other weights", cnn=params["cnn"], seed=params["seed"])
    trained.clear()
    rows = run("cnn=2")
    assert old["recipe"] not in {row["recipe"] for row in rows}
    # The model at hand was trained with another lr, so it is none of this recipe.
    assert trained == ([1, 2] if change == "lr" else [2])


def test_another_seed_or_another_models_params_are_the_same_recipe(
    project: Path, trained: list[int]
) -> None:
    before = seeds.read_recipe("cnn")
    change_params(vit={"lr": 0.001})
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("\nseed: 1\n", "\nseed: 5\n") + "# a comment\n")
    assert seeds.read_recipe("cnn") == before


def test_a_wrong_argument_is_named(project: Path) -> None:
    for wrong in ("cnn", "cnn=0", "lenet=2"):
        with pytest.raises(UserError, match="is not MODEL=COUNT, such as cnn=5"):
            run(wrong)
    with pytest.raises(UserError, match="run `dvc repro evaluate@vit` first"):
        run("vit=1")


def test_an_author_is_named_only_where_git_knows_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    subprocess.run(["git", "init", "--quiet"], check=True)
    who = {f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    assert experiment._author().keys() == who
    subprocess.run(["git", "config", "user.email", "me@example.org"], check=True)
    assert experiment._author() == {}
