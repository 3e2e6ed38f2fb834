"""Data-parallel training: several processes train one model, on one machine or many.

`torchrun` starts the processes and tells each its rank. Each takes its shard of every batch, and
DistributedDataParallel (Li et al., 2020) averages the gradients, so all take the same step.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed

from mnist.errors import UserError


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that torchrun has started; a single process joins nothing."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    distributed.init_process_group()  # PyTorch takes NCCL for GPUs and Gloo for CPUs
    try:
        yield
    finally:
        distributed.destroy_process_group()


def world_size() -> int:
    """Return the number of processes that train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0; process 0 writes the results."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def shard(batch_size: int) -> slice:
    """Return this process's part of each batch; all parts have the same size.

    Raises:
        UserError: the batch cannot be divided evenly.
    """
    size, left = divmod(batch_size, world_size())
    if left:
        raise UserError(
            f"a batch of {batch_size} is not divisible by {world_size()} processes; change "
            "batch_size or the number of processes."
        )
    return slice(rank() * size, (rank() + 1) * size)


def gather(values: Tensor) -> Tensor:
    """Return `values` (n, ...) of all processes, (n * world_size, ...), in the order of ranks."""
    if world_size() == 1:
        return values
    parts = [torch.empty_like(values) for _ in range(world_size())]
    distributed.all_gather(parts, values)
    return torch.cat(parts)
