"""The learning curve: loss and accuracy at evenly spaced steps, written as the training goes."""

from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mnist.atomic_io import write_text
from mnist.training import distributed

MIN_ROWS = 8


@dataclass(frozen=True)
class CurveRow:
    """One row. The training loss is the mean over the steps since the row before."""

    epoch: float
    train_loss: float
    val_loss: float
    val_accuracy: float
    val_digits: int
    """number of validation images"""


def validation_steps(steps: int, epochs: float) -> set[int]:
    """Return after which steps, 1..steps, to validate: once an epoch, and at least 8 times."""
    rows = min(steps, max(MIN_ROWS, round(epochs)))
    return {round(steps * row / rows) for row in range(1, rows + 1)}


class LearningCurve:
    """The rows of a training so far, and what the next row is made of.

    Args:
        path: a CSV file that gets each row as soon as it is known; None for no file.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: list[CurveRow] = []
        self.seconds = 0.0
        self.loss_sum, self.steps = torch.zeros(()), 0

    def add_step(self, loss: Tensor, seconds: float) -> None:
        """Count a step with its loss and the seconds that it took."""
        self.loss_sum = self.loss_sum + loss.detach()
        self.steps += 1
        self.seconds += seconds

    def add_row(self, epoch: float, validation: tuple[float, float, int]) -> CurveRow:
        """Add a row from the steps since the last one, and write the file."""
        train_loss = distributed.mean(self.loss_sum).item() / self.steps
        self.rows.append(CurveRow(epoch, train_loss, *validation))
        self.loss_sum, self.steps = torch.zeros(()), 0
        self._write()
        return self.rows[-1]

    def _write(self) -> None:
        if self.path:
            lines = [",".join(field.name for field in fields(CurveRow))]
            lines += [",".join(f"{round(v, 6)}" for v in astuple(row)) for row in self.rows]
            write_text(self.path, "\n".join(lines) + "\n")

    def state_dict(self) -> dict[str, Any]:
        rows = [astuple(row) for row in self.rows]
        return {"rows": rows, "seconds": self.seconds, "sum": self.loss_sum, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows = [CurveRow(*row) for row in state["rows"]]
        self.seconds, self.loss_sum, self.steps = state["seconds"], state["sum"], state["steps"]
        self._write()  # DVC has deleted the file
