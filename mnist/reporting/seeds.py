"""The same training from several seeds: how much of a figure is luck."""

import csv
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from mnist.errors import UserError

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
    accuracies: tuple[float, ...]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read metrics/seeds.csv, a training a row.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            float(row["accuracy"]), int(row["seed"]), row["model"]
    except FileNotFoundError:
        raise UserError(f"{path} is missing; `git checkout {path}` brings it back.") from None
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}); `git checkout {path}`.") from None
    return rows


def read_spreads(path: Path) -> dict[str, Spread]:
    """Sum up metrics/seeds.csv by model; raises as `read_rows`."""
    accuracies: dict[str, list[float]] = {}
    for row in read_rows(path):
        accuracies.setdefault(row["model"], []).append(float(row["accuracy"]))
    return {
        model: Spread(
            seeds=len(values),
            mean=mean(values),
            std=stdev(values) if len(values) > 1 else None,
            lowest=min(values),
            highest=max(values),
            accuracies=tuple(values),
        )
        for model, values in accuracies.items()
    }
