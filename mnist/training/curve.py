"""The learning curve: loss and accuracy at evenly spaced steps, on disk and on the terminal."""

import math
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from mnist.errors import UserError
from mnist.files import write_text
from mnist.training import distributed

MIN_ROWS, MAX_ROWS = 8, 40
INTERVAL = 20  # steps; reading the loss waits for the device, so it is not read at every step


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
    """Return after which steps, 1..steps, to validate: once an epoch, but 8 to 40 times."""
    rows = min(steps, max(MIN_ROWS, min(round(epochs), MAX_ROWS)))
    return {round(steps * row / rows) for row in range(1, rows + 1)}


class LearningCurve:
    """The rows of a training so far, each written to the CSV file `path` as soon as it is known."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: list[CurveRow] = []
        self.loss_sum, self.steps = torch.zeros(()), 0

    def add_step(self, loss: Tensor) -> None:
        self.loss_sum = self.loss_sum + loss.detach()
        self.steps += 1

    def add_row(self, epoch: float, validation: tuple[float, float, int]) -> CurveRow:
        """Add a row from the steps since the last one, and write the file."""
        sums = distributed.gather(self.loss_sum.reshape(1))  # one of each process
        train_loss = sums.mean().item() / self.steps
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
        return {"rows": rows, "sum": self.loss_sum, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows = [CurveRow(*row) for row in state["rows"]]
        self.loss_sum, self.steps = state["sum"], state["steps"]
        self._write()  # DVC has deleted the file


class Progress:
    """A progress bar in images, shown by process 0, that starts at step `start` of `steps`."""

    def __init__(self, start: int, steps: int, batch_size: int) -> None:
        self.steps, self.batch_size = steps, batch_size
        self.bar = tqdm(
            total=steps * batch_size,
            initial=start * batch_size,
            unit="img",
            unit_scale=True,
            disable=distributed.rank() > 0,
        )
        if start:
            self.bar.write(f"continuing from step {start} of {steps}")

    def update(self, done: int, loss: Tensor) -> None:
        """Show that `done` steps are done; raises UserError if the loss is no longer a number."""
        if done % INTERVAL and done != self.steps:
            return
        value = loss.item()
        self.bar.set_postfix(loss=f"{value:.4f}", refresh=False)
        self.bar.update(done * self.batch_size - self.bar.n)
        if not math.isfinite(value):
            self.bar.close()
            raise UserError(
                f"the loss became {value} by step {done} of {self.steps}: the training diverged. "
                "Lower lr or raise warmup."
            )

    def log(self, row: CurveRow) -> None:
        if distributed.rank() == 0:
            self.bar.write(
                f"epoch {row.epoch:.3g}: training loss {row.train_loss:.4f}, validation loss "
                f"{row.val_loss:.4f}, accuracy {row.val_accuracy:.2%} of {row.val_digits}"
            )
