"""How well a model reads digits that are corrupted or attacked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor, nn

from mnist.evaluation.attacks import fgsm, pgd, pgd_margin
from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.evaluation.predictions import predict
from mnist.models.inference import to_input
from mnist.params import RobustnessParams

RESAMPLES = 2000

Row = tuple[str, float, float, int]
"""kind, strength, accuracy (0..1), number of digits"""


def choose_digits(count: int, labels: np.ndarray, seed: int) -> np.ndarray:
    """Choose `count` of the test digits, or all: their indices, the first of a seeded shuffle."""
    return np.random.default_rng(seed).permutation(len(labels))[:count]


def classify_corrupted(
    model: nn.Module,
    images: Tensor,
    labels: np.ndarray,
    settings: RobustnessParams,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """Classify the same digits clean (`none`) and under each corruption.

    Args:
        images: uint8 (N, 28, 28); labels: (N,).

    Returns:
        Of each, bool (N,): which digits are classified correctly.
    """
    pixels = images.cpu().numpy()
    correct = {}
    for kind in ("none", *CORRUPTIONS):
        changed = pixels if kind == "none" else corrupt(pixels, kind, settings.seed)
        predicted = predict(model, torch.from_numpy(changed).to(images.device), batch_size)
        correct[kind] = predicted.predicted == labels
    return correct


def corrupted_csv(correct: dict[str, np.ndarray]) -> str:
    """Write the accuracy on clean digits (`none`, severity 0) and under each corruption (1).

    Args:
        correct: as `classify_corrupted` returns it.

    Returns:
        A row each, with Wilson's 95 % interval of the accuracy.
    """
    lines = ["corruption,severity,accuracy,digits,ci95_low,ci95_high"]
    for kind, hits in correct.items():
        interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(0.95, method="wilson")
        low, high = f"{interval.low:.6f}", f"{interval.high:.6f}"
        lines.append(f"{kind},{int(kind != 'none')},{hits.mean():.6f},{len(hits)},{low},{high}")
    return "\n".join(lines) + "\n"


def summarize(correct: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
    """Summarize the accuracies over the corruptions, without the clean digits.

    All corruptions are of the same digits, so their errors are not independent. The bootstrap
    (Efron, 1979) draws digits, each with all of its corruptions.

    Args:
        correct: as `classify_corrupted` returns it.

    Returns:
        `mean` and `median` over the corruptions, 0..1, and the 95 % interval [low, high] of each,
        from the percentiles of 2,000 resamples: `mean_ci95` and `median_ci95`.
    """
    hits = np.stack([hits for kind, hits in correct.items() if kind != "none"])
    digits = hits.shape[1]
    # How often each resample draws each digit. The products are whole numbers, which are exact.
    counts = np.random.default_rng(seed).multinomial(digits, np.full(digits, 1 / digits), RESAMPLES)
    resampled = counts @ hits.T / digits
    summary: dict[str, Any] = {}
    for name, of in (("mean", np.mean), ("median", np.median)):
        interval = np.percentile(of(resampled, axis=1), [2.5, 97.5])
        summary |= {name: float(of(hits.mean(axis=1))), f"{name}_ci95": interval.tolist()}
    return summary


def attack_rows(
    model: nn.Module,
    images: Tensor,
    labels: np.ndarray,
    settings: RobustnessParams,
    batch_size: int,
) -> list[Row]:
    """Measure a classifier's accuracy under attacks; the strength is eps, 0..1.

    `fgsm` has a row for each eps, where 0 stands for the clean digits; `pgd` and `pgd_margin` have
    one each. The accuracies are upper bounds of the robust accuracy.

    Args:
        images: uint8 (N, 28, 28); labels: (N,).
    """
    model.eval()
    generator = torch.Generator().manual_seed(settings.seed)
    eps, steps = settings.pgd_eps, settings.pgd_steps
    strengths = (0.0, *settings.fgsm_eps)
    wanted = [*(("fgsm", e) for e in strengths), ("pgd", eps), ("pgd_margin", eps)]
    correct = torch.zeros(len(wanted), dtype=torch.int64)
    true = torch.from_numpy(labels).to(images.device)
    for batch, truth in zip(images.split(batch_size), true.split(batch_size), strict=True):
        inputs = to_input(batch)
        attacked = [
            *fgsm(model, inputs, truth, strengths),
            pgd(model, inputs, truth, eps, steps),
            pgd_margin(model, inputs, truth, eps, steps, settings.pgd_restarts, generator),
        ]
        with torch.inference_mode():
            hits = [(model(changed).argmax(dim=1) == truth).sum() for changed in attacked]
        correct += torch.stack(hits).cpu()
    rates = (correct.double() / len(labels)).tolist()
    return [(kind, e, rate, len(labels)) for (kind, e), rate in zip(wanted, rates, strict=True)]


def attacks_csv(rows: Sequence[Row]) -> str:
    """Write one row per attack and strength."""
    lines = [f"{kind},{eps:g},{accuracy:.6f},{digits}" for kind, eps, accuracy, digits in rows]
    return "\n".join(["attack,eps,accuracy,digits", *lines]) + "\n"
