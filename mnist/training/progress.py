"""The progress of a training on the terminal. It changes no result."""

import math
from typing import TYPE_CHECKING

from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from mnist.errors import UserError
from mnist.training import distributed
from mnist.training.curve import CurveRow

if TYPE_CHECKING:
    from mnist.training.loop import Task

INTERVAL = 20  # steps; reading the loss waits for the device, so it is not read at every step


class Progress:
    """A progress bar in images, shown by process 0.

    Args:
        start: step that the training starts or continues from, of `steps`.
    """

    def __init__(self, start: int, steps: int, task: "Task", scheduler: LRScheduler) -> None:
        self.steps, self.task, self.scheduler = steps, task, scheduler
        self.bar = tqdm(
            total=steps * task.batch_size,
            initial=start * task.batch_size,
            unit="img",
            unit_scale=True,
            smoothing=0.05,
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
        self.bar.update(done * self.task.batch_size - self.bar.n)
        if not math.isfinite(value):
            self.bar.close()
            lr = self.scheduler.get_last_lr()[0]
            raise UserError(
                f"the loss became {value} by step {done} (epoch "
                f"{done / self.task.steps_per_epoch:.2f}, learning rate {lr:.3g}): the training "
                "diverged. Lower lr or raise warmup."
            )

    def log(self, row: CurveRow) -> None:
        if distributed.rank() == 0:
            self.bar.write(
                f"epoch {row.epoch:.3g}: training loss {row.train_loss:.4f}, validation loss "
                f"{row.val_loss:.4f}, accuracy {row.val_accuracy:.2%} of {row.val_digits}"
            )

    def close(self) -> None:
        self.bar.close()
