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
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from statistics import mean
from typing import Any

from ruamel.yaml import YAML

from mnist.commands.experiment import git, run_experiment
from mnist.errors import UserError
from mnist.files import write_text
from mnist.params import load_params
from mnist.seed_files import (
    COLUMNS,
    ERROR_COLUMNS,
    KEY,
    STARTS_FROM,
    Errors,
    Key,
    read_errors,
    read_rows,
)

SEEDS, SEED_ERRORS = Path("metrics/seeds.csv"), Path("metrics/seed_errors.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("wanted", nargs="+", metavar="MODEL=COUNT", help="number of seeds: cnn=5")


def main(arguments: argparse.Namespace) -> None:
    params = load_params()
    wanted: list[Key] = []
    for text in arguments.wanted:
        model, _, count = text.partition("=")
        if model not in params.models or not count.isdecimal():
            models = ", ".join(params.models)
            raise UserError(f"{text!r} is not MODEL=COUNT, such as cnn=5; models are {models}.")
        wanted += [(model, seed) for seed in choose_seeds(params.seed, int(count))]
    train_seeds(wanted)


def choose_seeds(first: int, count: int) -> list[int]:
    """Return `count` seeds: `first`, then 1, 2, ..."""
    return [first, *(seed for seed in range(1, count + 1) if seed != first)][:count]


def train_seeds(wanted: Iterable[tuple[str, int]]) -> None:
    """Add the full trainings of these models and seeds to seeds.csv and seed_errors.csv."""
    at_hand = load_params().seed
    jobs = {key: {} if key[1] == at_hand else {"seed": key[1]} for key in wanted}
    add_rows(SEEDS, COLUMNS, jobs, SEED_ERRORS)


def add_rows(
    path: Path,
    columns: Sequence[str],
    jobs: Mapping[Key, Mapping[str, object]],
    errors_path: Path | None = None,
) -> None:
    """Run the trainings of `jobs` that the CSV file at `path` lacks, and add a row of each.

    Each has the settings of its experiment; none stand for the training at hand. Rows of other
    recipes are dropped. `errors_path` is the file of the errors, if there is one.
    """
    recipes = {model: read_recipe(model) for model in {key[0] for key in jobs}}

    def read() -> tuple[dict[Key, Mapping[str, Any]], Errors]:
        found = read_rows(path, columns).items()
        rows: dict[Key, Mapping[str, Any]] = {
            k: row for k, row in found if row["recipe"] == recipes.get(k[0], row["recipe"])
        }
        return rows, read_errors(errors_path) if errors_path else {}

    for key, settings in jobs.items():
        rows, errors = read()
        if key not in rows:
            model, *numbers = key
            name = "-".join(map(str, (model, "seed", *numbers)))
            reference = run_experiment(name, settings, f"evaluate@{model}") if settings else ""
            figures, misclassified = read_figures(model, reference)
            rows, errors = read()  # the same command for another model may have added some
            errors[key] = misclassified
            rows[key] = figures | dict(zip(KEY, key, strict=False)) | {"recipe": recipes[model]}
        # After each training: the next may take hours.
        keys = sorted(rows)
        if errors_path:
            wrong = [(*key, *error) for key in keys for error in errors.get(key, ())]
            _write_csv(errors_path, [ERROR_COLUMNS, *wrong])
        _write_csv(path, [columns, *([rows[key].get(c, "") for c in columns] for key in keys)])


def read_recipe(model: str) -> str:
    """Hash the recipe of `model`; raises UserError where what is at hand is not of params.yaml."""
    yaml = YAML(typ="safe")  # reads 1e-05 as a number, as DVC does
    params, stages = yaml.load(Path("params.yaml")), yaml.load(Path("dvc.lock"))["stages"]
    evaluated = stages.get(f"evaluate@{model}", {})
    deps = evaluated.get("deps", ())
    weights = {dep["md5"] for dep in deps if dep["path"] == f"models/{model}.safetensors"}
    for stage in stages.values():
        if weights & {out["md5"] for out in stage.get("outs", ())}:  # the training
            tracked = stage["params"]["params.yaml"]
            used = tracked | evaluated["params"]["params.yaml"]
            used |= stages["convert"]["params"]["params.yaml"]
            # A key may be dotted: data.classes
            if all(reduce(getitem, key.split("."), params) == used[key] for key in used):
                del tracked["seed"]
                content = [tracked, params["runtime"]["threads"], *weights]
                text = json.dumps(content, sort_keys=True)
                return hashlib.sha256(text.encode()).hexdigest()[:16]
    raise UserError(
        f"the {model} at hand is not of params.yaml; run `dvc repro evaluate@{model}` first."
    )


def read_figures(model: str, reference: str) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Collect what the files under metrics/ say of `model`, in a commit, or at hand with "".

    Returns its figures, and (image, predicted class) of each error.
    """

    def read(file: str) -> str:
        return git("show", f"{reference}:./{file}") if reference else Path(file).read_text("utf-8")

    figures: dict[str, Any] = {}
    for folder in ("test", "train", "examples"):
        figures |= json.loads(read(f"metrics/{folder}/{model}.json"))
    predictions, robustness = (
        csv.DictReader(read(f"metrics/{folder}/{model}.csv").splitlines())
        for folder in ("predictions", "robustness")
    )
    corrupted = [float(row["accuracy"]) for row in robustness if row["corruption"] != "none"]
    if model in STARTS_FROM:
        start = json.loads(read(f"metrics/train/{STARTS_FROM[model]}.json"))
        figures["train_tflop"] = round(figures["train_tflop"] + start["train_tflop"], 6)
    figures["corrupted"] = round(mean(corrupted), 6)
    wrong = [
        (image, int(row["predicted"]))
        for image, row in enumerate(predictions)
        if row["predicted"] != row["actual"]
    ]
    return figures, wrong


def _write_csv(path: Path, lines: Sequence[Sequence[Any]]) -> None:
    write_text(path, "".join(",".join(map(str, line)) + "\n" for line in lines))
