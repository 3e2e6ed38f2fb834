"""Train models with several seeds, into metrics/seeds.csv and seed_errors.csv.

`python -m mnist seeds cnn=5 vit=3` trains the CNN with 5 seeds, that of params.yaml and 1, 2, ...,
and the ViT with 3, each as a DVC experiment in a folder of its own, so no other file here changes.
The model at hand is not trained again, nor is what the file already holds of the same recipe; rows
of other recipes are dropped. A recipe is what the training tracks of params.yaml, the number of
threads, and the weights at hand, so it changes with the code only where the result does.
"""

import argparse
import csv
import hashlib
import json
from collections.abc import Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from statistics import mean
from typing import Any

from ruamel.yaml import YAML

from mnist.commands.experiment import git, run_experiment
from mnist.errors import UserError
from mnist.files import sha256, write_text
from mnist.params import load_params
from mnist.seed_files import COLUMNS, ERROR_COLUMNS, Errors, read_errors, read_rows

SEEDS, SEED_ERRORS = Path("metrics/seeds.csv"), Path("metrics/seed_errors.csv")
BENCHMARK = Path("metrics/benchmark.json")
Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "wanted", nargs="+", metavar="MODEL=COUNT", help="a model and its number of seeds: cnn=5"
    )


def main(arguments: argparse.Namespace) -> None:
    params = load_params()
    wanted = dict(_parse(text, params.models) for text in arguments.wanted)
    recipes = {model: read_recipe(model) for model in wanted}
    errors = read_errors(SEED_ERRORS)
    rows: dict[tuple[str, int], Row] = {}
    for row in read_rows(SEEDS):
        model = row["model"]
        if model in params.models and row["recipe"] == recipes.get(model, (row["recipe"],))[0]:
            rows[model, int(row["seed"])] = row
    jobs = []
    for model, count in wanted.items():
        others = (seed for seed in range(1, count + 1) if seed != params.seed)
        seeds = [params.seed, *others][:count]
        jobs += [(model, seed) for seed in seeds if (model, seed) not in rows]
    for i, (model, seed) in enumerate(jobs):
        recipe, seed_at_hand = recipes[model]
        reference = None
        if seed != seed_at_hand:
            left = _time_left(jobs[i:])
            print(f"seeds: {model} with seed {seed} ({i + 1} of {len(jobs)}){left}", flush=True)
            reference = run_experiment(f"{model}-seed-{seed}", {"seed": seed}, f"evaluate@{model}")
        figures, errors[model, seed] = read_figures(model, reference)
        rows[model, seed] = {"model": model, "seed": seed, "recipe": recipe} | figures
        _write(rows, errors, params.models)  # after each training: the next may take hours
    _write(rows, errors, params.models)


def _parse(text: str, models: Sequence[str]) -> tuple[str, int]:
    model, _, count = text.partition("=")
    if model not in models or not count.isdecimal() or int(count) < 1:
        raise UserError(
            f"{text!r} is not MODEL=COUNT, such as cnn=5; models are {', '.join(models)}."
        )
    return model, int(count)


def _time_left(jobs: Sequence[tuple[str, int]]) -> str:
    """Estimate how long these trainings take, where `bench` has timed the models."""
    benchmark = json.loads(BENCHMARK.read_text("utf-8")) if BENCHMARK.exists() else {}
    timed = benchmark.get("models", {})
    seconds = sum(timed.get(model, {}).get("train_seconds", 0) for model, _ in jobs)
    return f", about {seconds / 60:.0f} minutes of training left" if seconds else ""


def read_recipe(model: str) -> tuple[str, int | None]:
    """Return the hash of the recipe of `model`, and the seed of the model at hand.

    The seed is None where the model at hand, or its metrics, are not of this recipe.

    Raises:
        UserError: dvc.lock knows of no training.
    """
    yaml = YAML(typ="safe")  # reads 1e-05 as a number, as DVC does
    params, lock = yaml.load(Path("params.yaml")), yaml.load(Path("dvc.lock"))
    weights = f"models/{model}.safetensors"
    made_by = {
        out["path"]: (stage, out["md5"])
        for stage in lock["stages"].values()
        for out in stage.get("outs", ())
    }
    if weights not in made_by:
        raise UserError(f"dvc.lock has no {weights}; run `dvc repro evaluate@{model}` first.")
    stage, md5 = made_by[weights]
    trained = dict(stage["params"]["params.yaml"])
    seed = trained.pop("seed")
    # A key may be dotted: data.classes
    tracked = {key: reduce(getitem, key.split("."), params) for key in trained}
    content = [tracked, params["runtime"]["threads"], md5]
    recipe = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    is_of_recipe = tracked == trained
    if is_of_recipe and Path(weights).exists():
        examples = json.loads(Path(f"metrics/examples/{model}.json").read_text("utf-8"))
        is_of_recipe = examples["weights_sha256"] == sha256(weights)
    return recipe, seed if is_of_recipe else None


def read_figures(model: str, reference: str | None) -> tuple[Row, list[tuple[int, int]]]:
    """Collect what the files under metrics/ say of `model`, at hand or in a commit.

    Returns:
        The figures of a row; and (image, predicted class) of each error.
    """

    def read(file: str) -> str:
        return git("show", f"{reference}:./{file}") if reference else Path(file).read_text("utf-8")

    figures: Row = {}
    for folder in ("test", "train", "examples"):
        figures |= json.loads(read(f"metrics/{folder}/{model}.json"))
    predictions, robustness = (
        csv.DictReader(read(f"metrics/{folder}/{model}.csv").splitlines())
        for folder in ("predictions", "robustness")
    )
    corrupted = [float(row["accuracy"]) for row in robustness if row["corruption"] != "none"]
    figures["corrupted"] = round(mean(corrupted), 6)
    wrong = [
        (image, int(row["predicted"]))
        for image, row in enumerate(predictions)
        if row["predicted"] != row["actual"]
    ]
    return {column: figures[column] for column in COLUMNS if column in figures}, wrong


def _write(rows: dict[tuple[str, int], Row], errors: Errors, models: Sequence[str]) -> None:
    keys = sorted(rows, key=lambda key: (models.index(key[0]), key[1]))
    wrong = [(*key, *error) for key in keys for error in errors.get(key, ())]
    _write_csv(SEED_ERRORS, [ERROR_COLUMNS, *wrong])
    _write_csv(SEEDS, [COLUMNS, *([rows[key].get(name, "") for name in COLUMNS] for key in keys)])


def _write_csv(path: Path, lines: Sequence[Sequence[Any]]) -> None:
    write_text(path, "".join(",".join(map(str, line)) + "\n" for line in lines))
