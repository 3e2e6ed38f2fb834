"""How well a model reads digits that are corrupted or attacked."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mnist.evaluation.attacks import fgsm, pgd
from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.evaluation.predictions import predict
from mnist.models.inference import to_input
from mnist.params import RobustnessParams

Row = tuple[str, float, float, int]
"""kind, strength, accuracy (0..1), number of digits"""


def choose_digits(count: int, labels: np.ndarray, seed: int) -> np.ndarray:
    """Choose `count` of the test digits, or all: their indices, the first of a seeded shuffle."""
    return np.random.default_rng(seed).permutation(len(labels))[:count]


def corruption_rows(
    model: nn.Module,
    images: Tensor,
    labels: np.ndarray,
    settings: RobustnessParams,
    batch_size: int,
) -> list[Row]:
    """Measure accuracy on clean digits (`none`, severity 0) and under each corruption (1).

    Args:
        images: uint8 (N, 28, 28); labels: (N,).
    """
    pixels = images.cpu().numpy()
    rows = []
    for kind in ("none", *CORRUPTIONS):
        changed = pixels if kind == "none" else corrupt(pixels, kind, settings.seed)
        predicted = predict(model, torch.from_numpy(changed).to(images.device), batch_size)
        accuracy = float((predicted.predicted == labels).mean())
        rows.append((kind, float(kind != "none"), accuracy, len(labels)))
    return rows


def attack_rows(
    model: nn.Module,
    images: Tensor,
    labels: np.ndarray,
    settings: RobustnessParams,
    batch_size: int,
) -> list[Row]:
    """Measure a classifier's accuracy under FGSM and PGD attacks; the strength is eps, 0..1.

    Args:
        images: uint8 (N, 28, 28); labels: (N,).
    """
    model.eval()
    batches = list(
        zip(
            to_input(images).split(batch_size),
            torch.from_numpy(labels).to(images.device).split(batch_size),
            strict=True,
        )
    )

    def accuracy(kind: str, eps: float) -> float:
        correct = 0
        for inputs, truth in batches:
            if kind == "fgsm":
                attacked = fgsm(model, inputs, truth, eps)
            else:
                attacked = pgd(model, inputs, truth, eps, settings.pgd_steps)
            with torch.inference_mode():
                correct += int((model(attacked).argmax(dim=1) == truth).sum())
        return correct / len(labels)

    wanted = [("fgsm", eps) for eps in (0.0, *settings.fgsm_eps)] + [("pgd", settings.pgd_eps)]
    return [(kind, eps, accuracy(kind, eps), len(labels)) for kind, eps in wanted]


def rows_csv(header: str, rows: Sequence[Row]) -> str:
    """Write rows under a header such as `corruption,severity,accuracy,digits`."""
    lines = [f"{kind},{level:g},{accuracy:.6f},{digits}" for kind, level, accuracy, digits in rows]
    return "\n".join([header, *lines]) + "\n"
