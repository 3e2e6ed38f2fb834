"""How much a model's test error varies with the seed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist.errors import UserError
from mnist.seed_files import read_errors, read_rows


@dataclass(frozen=True)
class SeedRuns:
    """The trainings of one model by the committed recipe, one per seed."""

    wrong: np.ndarray
    """bool (n, images): which test images each training misclassifies"""
    val_accuracy: np.ndarray
    """(n,), 0..1; NaN where it is not known"""
    f1_macro: np.ndarray
    """(n,), on the test split, 0..1"""

    @property
    def n(self) -> int:
        """Number of trainings."""
        return len(self.wrong)

    @property
    def errors(self) -> np.ndarray:
        """(n,) test error of each training, 0..1."""
        return self.wrong.mean(axis=1)

    @property
    def mean(self) -> float:
        """Test error, mean over the seeds, 0..1."""
        return float(self.errors.mean())

    @property
    def std(self) -> float | None:
        """Standard deviation of the test error over the seeds; None for one seed."""
        return float(self.errors.std(ddof=1)) if self.n > 1 else None


def read_seed_runs(
    folder: Path, model: str, weights_sha256: str, wrong_at_hand: np.ndarray, f1_at_hand: float
) -> SeedRuns:
    """Read the trainings of `model` by the recipe that gave the weights at hand.

    All other rows of the model are stale: they are from before a change of the recipe. Where the
    weights at hand are in no row, they are the only training.

    Args:
        folder: metrics/.
        wrong_at_hand: bool (images,): which images the model at hand misclassifies.
        f1_at_hand: its F1-score.

    Raises:
        UserError: a file is missing or damaged, or the two do not belong together.
    """
    of_model = [row for row in read_rows(folder / "seeds.csv") if row["model"] == model]
    recipes = {row["recipe"] for row in of_model if row["weights_sha256"] == weights_sha256}
    rows = [row for row in of_model if row["recipe"] in recipes]
    if not rows:
        return SeedRuns(wrong_at_hand[None], np.array([np.nan]), np.array([f1_at_hand]))
    path = folder / "seed_errors.csv"
    errors = read_errors(path)
    wrong = np.zeros((len(rows), len(wrong_at_hand)), dtype=bool)
    for i, row in enumerate(rows):
        images = [image for image, _ in errors.get((model, int(row["seed"])), ())]
        if len(images) != int(row["errors"]) or max(images, default=-1) >= wrong.shape[1]:
            raise UserError(
                f"{path} does not belong to seeds.csv ({model}, seed {row['seed']}); "
                f"`git checkout {folder}` restores both."
            )
        wrong[i, images] = True
    val_accuracy, f1_macro = (
        np.array([float(row[column]) for row in rows]) for column in ("val_accuracy", "f1_macro")
    )
    return SeedRuns(wrong, val_accuracy, f1_macro)
