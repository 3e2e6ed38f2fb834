"""metrics/seeds.csv, seed_errors.csv and scaling.csv: the figures of many trainings.

seeds.csv has a row per full training, seed_errors.csv a row per test image that one misclassifies.
In seeds.csv, `map` is of the detector alone, and `corrupted` the mean accuracy over all
corruptions; either may be empty. scaling.csv has a row per training on fewer digits or for fewer
steps.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mnist.errors import UserError

COLUMNS = (
    "model", "seed", "recipe", "weights_sha256",
    "accuracy", "f1_macro", "errors", "nll", "ece", "val_accuracy", "map", "corrupted",
)  # fmt: skip
ERROR_COLUMNS = ("model", "seed", "image", "predicted")
SCALING_COLUMNS = (
    "model", "seed", "training_images", "steps", "train_tflop", "accuracy", "errors", "recipe",
)  # fmt: skip
KEY = ("model", "seed", "training_images", "steps")  # those of a file tell its rows apart
TEXT, OPTIONAL = ("model", "recipe", "weights_sha256"), ("map", "corrupted")
# The training of a model that starts from another's weights costs that one's training, too.
STARTS_FROM = {"frcnn": "cnn"}
Row = dict[str, str]
Key = tuple[Any, ...]  # the values of a row in KEY, a text and numbers
Errors = dict[Key, list[tuple[int, int]]]
"""(image, predicted class) of each error, by model and seed"""


def read_rows(path: Path, columns: Sequence[str] = COLUMNS) -> dict[Key, Row]:
    """Read the rows, one per training, by what is in KEY of them.

    Raises:
        UserError: the file is missing or damaged.
    """
    rows = read_csv(path)
    with reading(path):
        for row in rows:
            for column in columns:
                if not (column in TEXT or (column in OPTIONAL and row[column] == "")):
                    float(row[column])
        numbers = [column for column in KEY[1:] if column in columns]
        return {(row["model"], *(int(row[column]) for column in numbers)): row for row in rows}


def read_errors(path: Path) -> Errors:
    """Read which images each training misclassifies; raises as `read_rows`."""
    errors: Errors = {}
    rows = read_csv(path)
    with reading(path):
        for row in rows:
            key = row["model"], int(row["seed"])
            errors.setdefault(key, []).append((int(row["image"]), int(row["predicted"])))
    return errors


def read_csv(path: Path) -> list[Row]:
    """Read a CSV file, a dict per row. Raises UserError when it is missing."""
    with reading(path), open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the errors of reading `path` into a UserError that says how to restore it."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path} is missing; `git checkout {path}` restores it.") from None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error!r}); `git checkout {path}` helps.") from None
