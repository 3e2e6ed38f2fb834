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
from collections.abc import Callable, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mnist.atomic_io import sha256, write_text
from mnist.commands.experiment import git, run_experiment
from mnist.errors import UserError
from mnist.params import load_params
from mnist.seed_files import COLUMNS, ERROR_COLUMNS, Errors, read_errors, read_rows

SEEDS, SEED_ERRORS = Path("metrics/seeds.csv"), Path("metrics/seed_errors.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "wanted", nargs="+", metavar="MODEL=COUNT", help="a model and its number of seeds: cnn=5"
    )


def main(arguments: argparse.Namespace) -> None:
    params = load_params()
    models = params.models
    wanted = dict(_parse(text, models) for text in arguments.wanted)
    errors = read_errors(SEED_ERRORS)
    rows: list[dict[str, Any]] = [
        row
        for row in read_rows(SEEDS)
        if row["model"] in models
        and len(errors.get((row["model"], int(row["seed"])), ())) == int(row["errors"])
    ]
    recipes = {model: read_recipe(model) for model in wanted}
    jobs = []
    for model, count in wanted.items():
        recipe, _ = recipes[model]
        rows = [row for row in rows if row["model"] != model or row["recipe"] == recipe]
        done = {int(row["seed"]) for row in rows if row["model"] == model}
        others = (seed for seed in range(1, count + 1) if seed != params.seed)
        jobs += [(model, seed) for seed in [params.seed, *others][:count] if seed not in done]
    for i, (model, seed) in enumerate(jobs):
        recipe, seed_at_hand = recipes[model]
        if seed == seed_at_hand:
            figures, wrong = read_figures(model, lambda file: Path(file).read_text("utf-8"))
        else:
            minutes = _minutes(jobs[i:])
            print(f"seeds: {model} with seed {seed} ({i + 1} of {len(jobs)}), {minutes} left")
            figures, wrong = train(model, seed)
        rows.append({"model": model, "seed": seed, "recipe": recipe} | figures)
        rows.sort(key=lambda row: (models.index(row["model"]), int(row["seed"])))
        errors[model, seed] = wrong
        _write(rows, errors)  # after each training: the next may take hours
    _write(rows, errors)


def _minutes(jobs: Sequence[tuple[str, int]]) -> str:
    """Estimate how long these trainings take, from those that metrics/timing.json holds."""
    timing = json.loads(Path("metrics/timing.json").read_text("utf-8"))
    seconds = sum(timing.get(model, {}).get("train_seconds", 0) for model, _ in jobs)
    return f"about {seconds / 60:.0f} minutes of training" if seconds else "an unknown time"


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


def train(model: str, seed: int) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Train and evaluate `model` with `seed`; returns what `read_figures` does.

    Raises:
        UserError: DVC failed; its own message is above.
    """
    reference = run_experiment(f"{model}-seed-{seed}", {"seed": seed}, f"evaluate@{model}")
    return read_figures(model, lambda file: git("show", f"{reference}:./{file}"))


def read_figures(
    model: str, read: Callable[[str], str]
) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Collect what the files under metrics/ say of `model`; `read` returns the text of a file.

    Returns:
        The figures of a row; and (image, predicted class) of each error.
    """
    test, train, examples = (
        json.loads(read(f"metrics/{folder}/{model}.json"))
        for folder in ("test", "train", "examples")
    )
    figures = test | train | examples
    predictions = csv.DictReader(read(f"metrics/predictions/{model}.csv").splitlines())
    wrong = [
        (image, int(row["predicted"]))
        for image, row in enumerate(predictions)
        if row["predicted"] != row["actual"]
    ]
    return {column: figures[column] for column in COLUMNS if column in figures}, wrong


def _write(rows: Sequence[dict[str, Any]], errors: Errors) -> None:
    """Write both files, the errors first: a row without its errors would be trained again."""
    wrong = [
        (row["model"], row["seed"], image, predicted)
        for row in rows
        for image, predicted in errors.get((row["model"], int(row["seed"])), ())
    ]
    write_text(SEED_ERRORS, _as_csv([ERROR_COLUMNS, *wrong]))
    write_text(SEEDS, _as_csv([COLUMNS, *([row[column] for column in COLUMNS] for row in rows)]))


def _as_csv(rows: Sequence[Sequence[Any]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def _parse(text: str, models: Sequence[str]) -> tuple[str, int]:
    model, _, count = text.partition("=")
    if model not in models or not count.isdecimal() or int(count) < 1:
        raise UserError(
            f"{text!r} is not MODEL=COUNT, such as cnn=5; models are {', '.join(models)}."
        )
    return model, int(count)
