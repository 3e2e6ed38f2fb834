"""How well a model reads digits that are not as clean as those it learnt from."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mnist.evaluation.attacks import fgsm, pgd
from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.evaluation.examples import to_base64
from mnist.evaluation.predictions import predict
from mnist.models.frcnn import DigitDetector
from mnist.models.inference import to_input
from mnist.params import Evaluate


@dataclass(frozen=True)
class Robustness:
    """Accuracy (0..1) by what was done to the digits and how strongly.

    Strength: 0 for nothing, 1 for a corruption, and of an attack, `fgsm 0.1` say, the largest
    change of a pixel, 0..1.
    """

    rows: list[tuple[str, float, float]]
    pictures: dict[str, str]
    """one digit after each corruption, base64 of its bytes"""
    digits: int
    attacked_digits: int

    def examples(self) -> dict[str, object]:
        """What the report shows besides the accuracies."""
        return {key: value for key, value in vars(self).items() if key != "rows"}

    def csv(self) -> str:
        lines = [f"{kind},{severity:g},{accuracy:.4f}" for kind, severity, accuracy in self.rows]
        return "\n".join(["corruption,severity,accuracy", *lines]) + "\n"


def measure(model: nn.Module, images: Tensor, labels: np.ndarray, settings: Evaluate) -> Robustness:
    """Measure `model` on a subset of the test digits: the first of a seeded shuffle.

    Args:
        images: uint8 (N, 28, 28), the test digits.
        labels: (N,) what they show.

    A detector is not attacked: its loss is not that of a classifier.
    """
    limits = settings.robustness
    order = np.random.default_rng(limits.seed).permutation(len(labels))[: limits.digits]
    digits, truth = images[torch.from_numpy(order)], labels[order]
    pixels = digits.cpu().numpy()

    def accuracy(changed: np.ndarray) -> float:
        predicted = predict(model, torch.from_numpy(changed).to(images.device), settings).predicted
        return float((predicted == truth).mean())

    rows = [("none", 0.0, accuracy(pixels))]
    pictures = {"none": to_base64(pixels[0])}
    for kind in CORRUPTIONS:
        changed = corrupt(pixels, kind, limits.seed)
        rows.append((kind, 1.0, accuracy(changed)))
        pictures[kind] = to_base64(changed[0])
    attacked = 0
    if not isinstance(model, DigitDetector):
        few = to_input(digits[: limits.attacked_digits])
        attacked = len(few)
        targets = torch.from_numpy(truth[:attacked]).to(images.device)
        rows += _attacked(model, few, targets, settings)
    return Robustness(rows, pictures, len(digits), attacked)


def _attacked(
    model: nn.Module, images: Tensor, labels: Tensor, settings: Evaluate
) -> list[tuple[str, float, float]]:
    limits = settings.robustness
    model.eval()

    def accuracy(changed: Tensor) -> float:
        with torch.inference_mode():
            right = model(changed).argmax(dim=1) == labels
        return right.float().mean().item()

    rows = [
        (f"fgsm {eps:g}", eps, accuracy(fgsm(model, images, labels, eps)))
        for eps in (0.0, *limits.fgsm_eps)
    ]
    strongest = pgd(model, images, labels, limits.pgd_eps, limits.pgd_steps)
    return [*rows, (f"pgd {limits.pgd_eps:g}", limits.pgd_eps, accuracy(strongest))]
