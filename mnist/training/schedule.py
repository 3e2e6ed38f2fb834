"""The one-cycle learning rate schedule (Smith & Topin, 2017)."""

import math

START, END = 0.1, 0.001


def one_cycle(step: int, steps: int, warmup: float) -> float:
    """Share of the highest learning rate at `step` of `steps`.

    It climbs in a line from START to 1 over the first `warmup` of the steps and falls in half a
    cosine to END over the rest.
    """
    peak = warmup * steps
    if step < peak:
        return START + (1 - START) * step / peak
    done = (step - peak) / (steps - peak)
    return END + (1 - END) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
