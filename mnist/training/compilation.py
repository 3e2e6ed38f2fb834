"""torch.compile where the machine can, without it where it cannot."""

import copy
import sys

import torch
from torch import nn


def compile_if_possible(model: nn.Module, device: torch.device) -> None:
    """Compile `model` in place; without a C++ compiler, say so and leave it as it is.

    Compiled or not, the weights that come out differ in their last digits.
    """
    before = copy.deepcopy(model.state_dict())  # the trial moves normalisation's statistics
    model.to(device).compile()
    try:
        with torch.random.fork_rng():
            model(torch.zeros(2, 1, 28, 28, device=device)).sum().backward()
    except (RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0]
        print(f"runtime.compile: not possible here, going on without ({reason})", file=sys.stderr)
        model._compiled_call_impl = None
    model.zero_grad()
    model.load_state_dict(before)
