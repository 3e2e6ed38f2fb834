"""The trainings of a model by the committed recipe, one per seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist.errors import UserError
from mnist.seed_files import SCALING_COLUMNS, read_errors, read_rows


@dataclass(frozen=True)
class SeedRuns:
    """The trainings of one model by the committed recipe, n of them, one per seed."""

    predicted: np.ndarray  # int (n, images), the class that each training predicts
    wrong: np.ndarray  # bool (n, images), which test images each training misclassifies
    rows: Sequence[Mapping[str, Any]]  # the row of metrics/seeds.csv of each training

    @property
    def n(self) -> int:
        return len(self.wrong)

    @property
    def errors(self) -> np.ndarray:
        """(n,) test error of each training, 0..1."""
        return self.wrong.mean(axis=1)

    def figure(self, column: str) -> np.ndarray | None:
        """Return a column of seeds.csv, (n,); None where it is not known of every training."""
        values = [row.get(column, "") for row in self.rows]
        return None if "" in values else np.array(values, dtype=float)


def read_seed_runs(
    folder: Path,
    model: str,
    labels: np.ndarray,
    predicted_at_hand: np.ndarray,
    row_at_hand: Mapping[str, Any],
) -> SeedRuns:
    """Read the trainings of `model` by the recipe that gave the weights at hand.

    All other rows of the model are stale: they are from before a change of the recipe. Where the
    weights at hand are in no row, they are the only training.

    Args:
        labels: (images,) the true classes.
        predicted_at_hand: (images,) what the weights at hand predict.
        row_at_hand: what seeds.csv would hold of them.

    Raises:
        UserError: a file is missing or damaged, or the two do not belong together.
    """
    of_model = [row for key, row in read_rows(folder / "seeds.csv").items() if key[0] == model]
    sha = row_at_hand["weights_sha256"]
    recipes = {row["recipe"] for row in of_model if row["weights_sha256"] == sha}
    rows = [row for row in of_model if row["recipe"] in recipes]
    if not rows:
        predicted = predicted_at_hand[None]
        return SeedRuns(predicted, predicted != labels, [row_at_hand])
    path = folder / "seed_errors.csv"
    errors = read_errors(path)
    predicted = np.tile(labels, (len(rows), 1))
    for i, row in enumerate(rows):
        for image, answer in errors.get((model, int(row["seed"])), []):
            if image < len(labels):
                predicted[i, image] = answer
        if (predicted[i] != labels).sum() != int(row["errors"]):
            raise UserError(
                f"{path} does not belong to seeds.csv ({model}, seed {row['seed']}); "
                f"`git checkout {folder}` restores both."
            )
    return SeedRuns(predicted, predicted != labels, rows)


def read_scaling(folder: Path, model: str, runs: SeedRuns) -> list[dict[str, Any]]:
    """Read the trainings of `model` on fewer images or for fewer steps, by the recipe of `runs`.

    Each has, in the order of images and steps, `images`, `train_tflop` and the `errors` (0..1) of
    all seeds.
    """
    points: dict[tuple[int, ...], dict[str, Any]] = {}
    for key, row in read_rows(folder / "scaling.csv", SCALING_COLUMNS).items():
        if key[0] == model and row["recipe"] == runs.rows[0].get("recipe"):
            new = {"images": key[2], "train_tflop": float(row["train_tflop"]), "errors": []}
            point = points.setdefault(key[2:], new)
            point["errors"].append(1 - float(row["accuracy"]))
    return [points[point] for point in sorted(points)]
