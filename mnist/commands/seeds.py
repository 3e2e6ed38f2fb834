"""Train models with several seeds, into metrics/seeds.csv.

`python -m mnist seeds cnn=5 vit=3` trains the CNN with 5 seeds, that of params.yaml and 1, 2, ...,
and the ViT with 3, each as a DVC experiment in a folder of its own, so no other file here changes.
The model at hand is not trained again, nor is what the file already holds of the same recipe; rows
of other recipes are dropped. A recipe is what the training tracks of params.yaml, the number of
threads, and the weights at hand, so it changes with the code only where the result does.
"""

import argparse
import hashlib
import json
import subprocess
from collections.abc import Callable, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mnist.atomic_io import sha256, write_text
from mnist.errors import UserError
from mnist.params import load_params
from mnist.reporting.seeds import COLUMNS, read_rows

SEEDS = Path("metrics/seeds.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "wanted", nargs="+", metavar="MODEL=COUNT", help="a model and its number of seeds: cnn=5"
    )


def main(arguments: argparse.Namespace) -> None:
    params = load_params()
    models = params.models
    wanted = dict(_parse(text, models) for text in arguments.wanted)
    rows: list[dict[str, Any]] = [row for row in read_rows(SEEDS) if row["model"] in models]
    for model, count in wanted.items():
        recipe, seed_at_hand = read_recipe(model)
        rows = [row for row in rows if row["model"] != model or row["recipe"] == recipe]
        done = {int(row["seed"]) for row in rows if row["model"] == model}
        others = (seed for seed in range(1, count + 1) if seed != params.seed)
        for seed in [params.seed, *others][:count]:
            if seed in done:
                continue
            if seed == seed_at_hand:
                figures = read_figures(model, lambda file: Path(file).read_text("utf-8"))
            else:
                figures = run_experiment(model, seed)
            rows.append({"model": model, "seed": seed, "recipe": recipe} | figures)
            rows.sort(key=lambda row: (models.index(row["model"]), int(row["seed"])))
            _write(rows)  # after each training: the next may take hours
        _write(rows)


def read_recipe(model: str) -> tuple[str, int | None]:
    """Return the hash of the recipe of `model`, and the seed of the model at hand.

    The seed is None where the model at hand, or its metrics, are not of this recipe.

    Raises:
        UserError: dvc.lock knows of no training.
    """
    yaml = YAML(typ="safe")  # reads 1e-05 as a number, as DVC does
    params, lock = yaml.load(Path("params.yaml")), yaml.load(Path("dvc.lock"))
    weights = f"models/{model}.safetensors"
    for stage in lock["stages"].values():
        md5 = next((out["md5"] for out in stage.get("outs", ()) if out["path"] == weights), None)
        if md5:
            break
    else:
        raise UserError(f"dvc.lock has no {weights}; run `dvc repro evaluate@{model}` first.")
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


def run_experiment(model: str, seed: int) -> dict[str, Any]:
    """Train and evaluate `model` with `seed`; returns its figures.

    Raises:
        UserError: DVC failed; its own message is above.
    """
    name = f"{model}-seed-{seed}"
    # The name of an experiment is taken until it is removed; the first time there is none.
    subprocess.run(["dvc", "exp", "remove", "--quiet", name], capture_output=True)  # noqa: S607
    command = ["dvc", "exp", "run", "--temp", "--name", name, "--set-param", f"seed={seed}"]
    for file in _own_files():
        command += ["--copy-paths", file]
    if subprocess.run([*command, f"evaluate@{model}"]).returncode:
        raise UserError(f"`{' '.join(command)} evaluate@{model}` failed; see the message above.")
    reference = _git("for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{name}").strip()
    return read_figures(model, lambda file: _git("show", f"{reference}:./{file}"))


def read_figures(model: str, read: Callable[[str], str]) -> dict[str, Any]:
    """Collect the figures of a row from the files under metrics/, whose text `read` returns."""
    test, train, examples = (
        json.loads(read(f"metrics/{folder}/{model}.json"))
        for folder in ("test", "train", "examples")
    )
    figures = test | train | examples
    return {column: figures[column] for column in COLUMNS if column in figures}


def _write(rows: Sequence[dict[str, Any]]) -> None:
    lines = [COLUMNS, *([str(row[column]) for column in COLUMNS] for row in rows)]
    write_text(SEEDS, "\n".join(map(",".join, lines)) + "\n")


def _own_files() -> list[str]:
    """List the user's data files: git does not know them, so DVC would not copy them."""
    return _git("ls-files", "--others", "--", load_params().data.folder).splitlines()


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _parse(text: str, models: Sequence[str]) -> tuple[str, int]:
    model, _, count = text.partition("=")
    if model not in models or not count.isdecimal() or int(count) < 1:
        raise UserError(
            f"{text!r} is not MODEL=COUNT, such as cnn=5; models are {', '.join(models)}."
        )
    return model, int(count)
