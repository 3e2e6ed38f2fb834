"""Train models on fewer digits and for fewer steps, into metrics/scaling.csv.

Each model is trained on 100, 1,000 and 10,000 digits with a quarter of the full training's steps,
and on all digits with a ninth and a third of them, from the seed of params.yaml and 1, 2, ... The
full training is that of seeds.csv. Sizes that the data do not have are left out. The command goes
on where it was stopped; rows of other recipes are dropped.
"""

import argparse
from itertools import product
from pathlib import Path
from typing import Any

from mnist.commands import model_names
from mnist.commands.seeds import add_rows, choose_seeds, train_seeds
from mnist.params import Params, load_params
from mnist.seed_files import SCALING_COLUMNS, STARTS_FROM, Key

SIZES = 100, 1_000, 10_000
# Of the evaluation only the test digits count.
CHEAP: dict[str, object] = {"evaluate.corrupted_digits": 10, "evaluate.scenes": 10}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds; default: 3")
    parser.add_argument("--models", type=model_names, default="", help="cnn,vit; default: all")


def main(arguments: argparse.Namespace) -> None:
    import torch

    from mnist.data.arrays import load_arrays

    params, models = load_params(), arguments.models
    digits = len(load_arrays(Path("data/mnist/train.npz"), torch.device("cpu"))[1])
    train_seeds([(model, params.seed) for model in models])  # takes those at hand
    jobs = make_jobs(params, models, digits, choose_seeds(params.seed, arguments.seeds))
    add_rows(Path("metrics/scaling.csv"), SCALING_COLUMNS, jobs)


def make_jobs(
    params: Params, models: list[str], digits: int, seeds: list[int]
) -> dict[Key, dict[str, object]]:
    """Return the settings of each training, by model, seed, number of digits and steps.

    `digits` is the number of all. Where a model starts from another's weights, that one is trained
    on the same digits for the same part of its steps.
    """
    parts = [(digits, 1 / 9), (digits, 1 / 3)] + [(size, 1 / 4) for size in SIZES if size < digits]
    jobs: dict[Key, dict[str, object]] = {}
    for seed, model, (size, part) in product(seeds, models, parts):
        settings = {"seed": seed} | CHEAP
        if size < digits:
            settings["data.training_size"] = size
        for name in filter(None, (STARTS_FROM.get(model), model)):
            recipe = getattr(params, name)
            whole = max(1, round(recipe.epochs * steps_per_epoch(recipe, digits)))
            steps = max(1, round(part * whole))
            settings[f"{name}.epochs"] = steps / steps_per_epoch(recipe, size)
        jobs[model, seed, size, steps] = settings
    return jobs


def steps_per_epoch(recipe: Any, digits: int) -> int:
    """Return how many steps an epoch of so many digits has, as the tasks in mnist/training do."""
    from mnist.data.scenes import scene_count  # imports torch

    images = scene_count(digits, recipe.scenes) if hasattr(recipe, "scenes") else digits
    return images // min(recipe.batch_size, images)
