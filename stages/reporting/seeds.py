"""The same training from several seeds: how much of a figure is luck."""

import csv
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from stages.system.errors import UserError

COLUMNS = ("model", "seed", "accuracy", "f1_macro", "errors", "nll", "val_accuracy")


@dataclass(frozen=True)
class Spread:
    """Test accuracies (0..1) of one model over its seeds."""

    seeds: int
    mean: float
    std: float | None
    """of the sample; None for one seed alone"""
    lowest: float
    highest: float


def read_spreads(path: Path) -> dict[str, Spread]:
    """Sum up metrics/seeds.csv by model.

    Raises:
        UserError: the file is missing or damaged.
    """
    accuracies: dict[str, list[float]] = {}
    try:
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                accuracies.setdefault(row["model"], []).append(float(row["accuracy"]))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; `git checkout {path}` brings it back.") from None
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}); `make seeds` makes it anew.") from None
    return {
        model: Spread(
            seeds=len(values),
            mean=mean(values),
            std=stdev(values) if len(values) > 1 else None,
            lowest=min(values),
            highest=max(values),
        )
        for model, values in accuracies.items()
    }
