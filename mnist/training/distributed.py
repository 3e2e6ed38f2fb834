"""Several processes that train one model, on one machine or many: data-parallel training.

`torchrun` starts them and tells each its number. Each takes its share of every batch; PyTorch's
DistributedDataParallel (Li et al., 2020) averages the gradients, so all take the same step.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from mnist.errors import UserError

PATIENCE = timedelta(minutes=10)  # for the slowest of the others, before it is taken for dead


@dataclass(frozen=True)
class Processes:
    """How many processes train together, and which of them this is: 0 is the one that writes."""

    count: int = 1
    rank: int = 0

    def share(self, batch_size: int) -> slice:
        """Which part of each batch is this process's; the shares are equally large.

        Raises:
            UserError: they cannot be.
        """
        size, left = divmod(batch_size, self.count)
        if left:
            raise UserError(
                f"a batch of {batch_size} is not divisible by {self.count} processes; change "
                "batch_size or the number of processes."
            )
        return slice(self.rank * size, (self.rank + 1) * size)

    def wrap(self, model: nn.Module) -> Any:
        """Return what to call for a training step; alone, that is the model itself."""
        return DistributedDataParallel(model) if self.count > 1 else model

    def mean(self, value: Tensor) -> Tensor:
        """The mean of `value` over all processes."""
        value = value.clone()
        if self.count > 1:
            distributed.all_reduce(value)
        return value / self.count

    def wait(self) -> None:
        """Wait until all have come here: none has died on the way."""
        if self.count > 1:
            distributed.barrier()


ALONE = Processes()


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Join the other processes that torchrun has started, if any.

    Raises:
        UserError: the gradients of this kind of device cannot be sent.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    backends = {"cpu": "gloo", "cuda": "nccl"}
    if device.type not in backends:
        raise UserError(
            f"several processes cannot share {device}; start one, or set runtime.device = cpu."
        )
    distributed.init_process_group(backends[device.type], timeout=PATIENCE)
    try:
        yield Processes(count, distributed.get_rank())
    finally:
        distributed.destroy_process_group()
