"""metrics/seeds.csv and seed_errors.csv: the same training with several seeds.

seeds.csv has a row per training, seed_errors.csv a row per test image that one misclassifies. In
seeds.csv, `map` is of the detector alone, and `corrupted` the mean accuracy over all corruptions;
either may be empty.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
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
    """Read one row per training. Raises UserError when the file is missing or damaged."""
    rows = read_csv(path)
    with reading(path):
        for row in rows:
            row["model"], row["recipe"], row["weights_sha256"], int(row["seed"]), int(row["errors"])
            for column in COLUMNS[4:]:
                if row[column] or column not in ("map", "corrupted"):
                    float(row[column])
    return rows


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
