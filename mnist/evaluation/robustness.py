"""How well a model reads corrupted digits."""

import numpy as np
import torch
from torch import Tensor, nn

from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.evaluation.predictions import predict


def choose_digits(count: int, labels: np.ndarray, seed: int) -> np.ndarray:
    """Choose `count` of the test digits, or all: their indices, the first of a seeded shuffle."""
    return np.random.default_rng(seed).permutation(len(labels))[:count]


def classify_corrupted(
    model: nn.Module, images: Tensor, labels: np.ndarray, seed: int, batch_size: int
) -> dict[str, np.ndarray]:
    """Classify the same uint8 digits (N, 28, 28) clean (`none`) and under each corruption.

    Returns:
        Of each, bool (N,): which digits are classified correctly.
    """
    pixels = images.cpu().numpy()
    correct = {}
    for kind in ("none", *CORRUPTIONS):
        changed = pixels if kind == "none" else corrupt(pixels, kind, seed)
        predicted = predict(model, torch.from_numpy(changed).to(images.device), batch_size)
        correct[kind] = predicted.predicted == labels
    return correct


def robustness_csv(correct: dict[str, np.ndarray]) -> str:
    """Write a row for the clean digits (`none`) and for each corruption.

    `wrong` lists which of the digits, from 0, are misclassified: they are the same digits in each
    row and for every model, so a reader can compare models digit by digit.
    """
    lines = ["corruption,accuracy,digits,wrong"]
    for kind, hits in correct.items():
        wrong = " ".join(map(str, np.flatnonzero(~hits)))
        lines.append(f"{kind},{hits.mean():.6f},{len(hits)},{wrong}")
    return "\n".join(lines) + "\n"
