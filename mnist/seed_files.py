"""metrics/seeds.csv and seed_errors.csv: the same training with several seeds.

seeds.csv has a row per training, seed_errors.csv a row per test image that one misclassifies. In
seeds.csv, `map` is of the detector alone, and `corrupted` the mean accuracy over all corruptions;
either may be empty.
"""

import csv
from pathlib import Path

from mnist.errors import UserError

COLUMNS = (
    "model", "seed", "recipe", "weights_sha256",
    "accuracy", "f1_macro", "errors", "nll", "ece", "val_accuracy", "map", "corrupted",
)  # fmt: skip
ERROR_COLUMNS = ("model", "seed", "image", "predicted")
Row = dict[str, str]
Errors = dict[tuple[str, int], list[tuple[int, int]]]
"""(image, predicted class) of each error, by model and seed"""


def read_rows(path: Path) -> list[Row]:
    """Read one row per training.

    Raises:
        UserError: the file is missing or damaged.
    """
    rows = _read(path)
    try:
        for row in rows:
            row["model"], row["recipe"], row["weights_sha256"]
            int(row["seed"]), int(row["errors"]), float(row["val_accuracy"])
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(path, error) from None
    return rows


def read_errors(path: Path) -> Errors:
    """Read which images each training misclassifies; raises as `read_rows`."""
    errors: Errors = {}
    try:
        for row in _read(path):
            key = row["model"], int(row["seed"])
            errors.setdefault(key, []).append((int(row["image"]), int(row["predicted"])))
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(path, error) from None
    return errors


def _read(path: Path) -> list[Row]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; `git checkout {path}` restores it.") from None


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is damaged ({error}); `git checkout {path}` restores it.")
