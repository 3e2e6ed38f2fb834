"""A training step as one CUDA graph, which the GPU carries out by itself.

A step of a small network has hundreds of operations, most of them shorter than the time that Python
takes to start one, so the GPU waits. A graph records the step once and then starts it as a whole
(pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).
"""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3  # calls before the recording, as PyTorch wants them
Batch = tuple[Tensor, ...]


class GraphedStep:
    """Calls `step` a few times, then records a call of it and replays that.

    The first calls are steps like any others: they create the optimizer's state, which has to be
    there before the recording, and let libraries choose their kernels.

    A replay does the same operations on the same memory. So `step` must read nothing but its batch
    and tensors that are changed in place, must not wait for the GPU, and sees no Python values but
    those of the recording. Random numbers follow `torch.manual_seed` in each replay as in a call.
    """

    def __init__(self, step: Callable[[Batch], Tensor]) -> None:
        self.step = step
        self.calls = 0

    def __call__(self, batch: Batch) -> Tensor:
        """Take a step on `batch`, tensors of the same shapes each time; returns the loss."""
        self.calls += 1
        if self.calls <= WARM_UP:
            stream = torch.cuda.Stream()  # not the default one, which cannot be recorded
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                loss = self.step(batch)
            torch.cuda.current_stream().wait_stream(stream)
            return loss
        if self.calls == WARM_UP + 1:
            self.batch = tuple(part.clone() for part in batch)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):  # records, and computes nothing
                self.loss = self.step(self.batch)
        for part, new in zip(self.batch, batch, strict=True):
            part.copy_(new)
        self.graph.replay()
        return self.loss
