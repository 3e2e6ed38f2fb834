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
from mnist.files import write_text
from mnist.params import load_params
from mnist.seed_files import COLUMNS, ERROR_COLUMNS, read_errors, read_rows

SEEDS, SEED_ERRORS = Path("metrics/seeds.csv"), Path("metrics/seed_errors.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("wanted", nargs="+", metavar="MODEL=COUNT", help="number of seeds: cnn=5")


def main(arguments: argparse.Namespace) -> None:
    params = load_params()
    jobs: list[tuple[str, int]] = []
    for text in arguments.wanted:
        model, _, count = text.partition("=")
        if model not in params.models or not count.isdecimal():
            models = ", ".join(params.models)
            raise UserError(f"{text!r} is not MODEL=COUNT, such as cnn=5; models are {models}.")
        others = [seed for seed in range(1, int(count) + 1) if seed != params.seed]
        jobs += [(model, seed) for seed in [params.seed, *others][: int(count)]]
    recipes = {model: read_recipe(model) for model in {model for model, _ in jobs}}
    errors = read_errors(SEED_ERRORS)
    rows: dict[tuple[str, int], dict[str, Any]] = {
        (row["model"], int(row["seed"])): row
        for row in read_rows(SEEDS)
        if row["recipe"] == recipes.get(row["model"], row["recipe"])
    }
    for model, seed in jobs:
        if (model, seed) not in rows:
            reference = ""  # the files at hand
            if seed != params.seed:
                name, stage = f"{model}-seed-{seed}", f"evaluate@{model}"
                reference = run_experiment(name, {"seed": seed}, stage)
            figures, errors[model, seed] = read_figures(model, reference)
            rows[model, seed] = {"model": model, "seed": seed, "recipe": recipes[model]} | figures
        # After each training: the next may take hours.
        keys = sorted(rows)
        wrong = [(*key, *error) for key in keys for error in errors.get(key, ())]
        _write_csv(SEED_ERRORS, [ERROR_COLUMNS, *wrong])
        _write_csv(SEEDS, [COLUMNS, *([rows[key].get(c, "") for c in COLUMNS] for key in keys)])


def read_recipe(model: str) -> str:
    """Hash the recipe of `model`; raises UserError where the model at hand is of another."""
    yaml = YAML(typ="safe")  # reads 1e-05 as a number, as DVC does
    params, stages = yaml.load(Path("params.yaml")), yaml.load(Path("dvc.lock"))["stages"]
    read = stages.get(f"evaluate@{model}", {}).get("deps", ())
    weights = {dep["md5"] for dep in read if dep["path"] == f"models/{model}.safetensors"}
    for stage in stages.values():
        if weights & {out["md5"] for out in stage.get("outs", ())}:  # the training
            trained = stage["params"]["params.yaml"]
            # A key may be dotted: data.classes
            tracked = {key: reduce(getitem, key.split("."), params) for key in trained}
            if tracked == trained:
                del tracked["seed"]
                content = [tracked, params["runtime"]["threads"], *weights]
                text = json.dumps(content, sort_keys=True)
                return hashlib.sha256(text.encode()).hexdigest()[:16]
    raise UserError(
        f"the {model} at hand is not of params.yaml; run `dvc repro evaluate@{model}` first."
    )


def read_figures(model: str, reference: str) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Collect what the files under metrics/ say of `model`, in a commit, or at hand with "".

    Returns the figures of a row, and (image, predicted class) of each error.
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
    figures["corrupted"] = round(mean(corrupted), 6)
    wrong = [
        (image, int(row["predicted"]))
        for image, row in enumerate(predictions)
        if row["predicted"] != row["actual"]
    ]
    return {column: figures[column] for column in COLUMNS if column in figures}, wrong


def _write_csv(path: Path, lines: Sequence[Sequence[Any]]) -> None:
    write_text(path, "".join(",".join(map(str, line)) + "\n" for line in lines))
