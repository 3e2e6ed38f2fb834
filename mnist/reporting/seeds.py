"""metrics/seeds.csv: the same training with several seeds, to see how much results vary."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from mnist.errors import UserError

COLUMNS = (
    "model", "seed", "recipe", "weights_sha256",
    "accuracy", "f1_macro", "errors", "nll", "ece", "val_accuracy",
)  # fmt: skip
Row = dict[str, str]


@dataclass(frozen=True)
class Spread:
    """Test accuracies (0..1) of one model over `n` seeds."""

    n: int
    mean: float
    std: float | None
    """standard deviation of the sample; None for n = 1"""
    lowest: float
    highest: float

    def __str__(self) -> str:
        std = "" if self.std is None else f" ± {self.std:.2%}"
        return f"{self.mean:.2%}{std} (n = {self.n})"


def read_rows(path: Path) -> list[Row]:
    """Read one row per training.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row["model"], row["recipe"], row["weights_sha256"]
            int(row["seed"]), float(row["accuracy"])
    except FileNotFoundError:
        raise UserError(f"{path} is missing; `git checkout {path}` restores it.") from None
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({error}); `git checkout {path}` restores it."
        ) from None
    return rows


def current_rows(rows: Sequence[Row], model: str, weights_sha256: str) -> list[Row]:
    """Select the trainings of `model` by the recipe that gave the weights at hand.

    All other rows of the model are stale: they are from before a change of the recipe.
    """
    of_model = [row for row in rows if row["model"] == model]
    recipes = {row["recipe"] for row in of_model if row["weights_sha256"] == weights_sha256}
    return [row for row in of_model if row["recipe"] in recipes]


def read_spreads(path: Path, weights: Mapping[str, str]) -> dict[str, Spread]:
    """Summarise the file by model, without stale rows; raises as `read_rows`.

    Args:
        weights: SHA-256 of each model's weights at hand.
    """
    rows = read_rows(path)
    spreads = {}
    for model, weights_sha256 in weights.items():
        values = [float(row["accuracy"]) for row in current_rows(rows, model, weights_sha256)]
        if values:
            std = stdev(values) if len(values) > 1 else None
            spreads[model] = Spread(len(values), mean(values), std, min(values), max(values))
    return spreads
